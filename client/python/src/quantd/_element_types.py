"""The types of elements: in arrays of the caller, and as bytes of a message."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from quantd import _errors, _schema


@dataclasses.dataclass(frozen=True)
class ElementType:
    """A type of the schema."""

    #: As numpy or ml_dtypes spells it, such as "float32" or "int4".
    name: str
    #: In bits. Elements of less than a byte are packed across the whole tensor, the first in the low bits.
    bits: int
    #: What the bytes of a message are read as: the elements, or bytes with several of them.
    wire: str
    #: The dtype of arrays whose dtype the caller does not choose. Empty if only ml_dtypes has one.
    array: str
    #: Whether the elements are codes.
    is_code: bool = False

    @property
    def number(self) -> int:
        """The number in the schema's DataType."""
        number: int = _schema.DataType.values_by_name["DATA_TYPE_" + self.name.upper()].number
        return number

    @property
    def is_packed(self) -> bool:
        return self.bits < 8

    def byte_count(self, elements: int) -> int:
        """Returns how many bytes this many elements have in a message."""
        return -(-elements * self.bits // 8)

    def encode(self, elements: NDArray[Any]) -> NDArray[Any]:
        """Returns a run of elements as they are in a message.

        Errors: InvalidArgumentError if an element does not fit into a packed type.
        """
        if self.is_packed:
            return _pack(self, elements)
        if self.name == "bfloat16":
            elements = np.ascontiguousarray(elements).view(np.uint16)
        return np.ascontiguousarray(elements, dtype=self.wire)

    def decode(self, data: bytes | memoryview, output: NDArray[Any]) -> None:
        """Writes the elements of a message to `output`, a one-dimensional array of as many elements."""
        values: NDArray[Any] = np.frombuffer(data, self.wire)
        if self.is_packed:
            output[...] = _unpack(self, values, output.size).astype(output.dtype)
        elif self.name == "bfloat16":
            output.view(np.uint16)[...] = values
        else:
            output[...] = values


_TYPES = {element_type.name: element_type for element_type in (
    ElementType("float32", 32, "<f4", "float32"),
    ElementType("float16", 16, "<f2", "float16"),
    ElementType("bfloat16", 16, "<u2", ""),
    ElementType("float64", 64, "<f8", "float64"),
    ElementType("int8", 8, "i1", "int8", is_code=True),
    ElementType("uint8", 8, "u1", "uint8", is_code=True),
    ElementType("int16", 16, "<i2", "int16", is_code=True),
    ElementType("uint16", 16, "<u2", "uint16", is_code=True),
    ElementType("int32", 32, "<i4", "int32", is_code=True),
    ElementType("int4", 4, "u1", "int8", is_code=True),
    ElementType("uint4", 4, "u1", "uint8", is_code=True),
    ElementType("int2", 2, "u1", "int8", is_code=True),
    ElementType("uint2", 2, "u1", "uint8", is_code=True),
)}

FLOAT32 = _TYPES["float32"]
CODES = tuple(name for name, element_type in _TYPES.items() if element_type.is_code)
FLOATS = tuple(name for name, element_type in _TYPES.items() if not element_type.is_code)


def named(name: str) -> ElementType:
    return _TYPES[name]


def of_dtype(dtype: np.dtype[Any]) -> ElementType | None:
    """Returns the type of arrays of this dtype, in any byte order, or None if the schema has none."""
    return _TYPES.get(dtype.name)


def dtype_of(array: NDArray[Any], element_type: ElementType) -> np.dtype[Any]:
    """Returns the dtype of results of the type in which `array` is sent, in this machine's byte order."""
    return np.dtype(element_type.array) if element_type.array else array.dtype


def chosen(argument: str, value: str | DTypeLike, expected: tuple[str, ...]
           ) -> tuple[ElementType, np.dtype[Any]]:
    """Returns the type that a caller names, and the dtype of its arrays.

    A name such as "int4" has arrays of numpy's types, and a dtype such as ml_dtypes.int4 arrays of this
    dtype.

    Errors: TypeError for anything that is not one of `expected`; ImportError for bfloat16 without ml_dtypes.
    """
    try:
        dtype = None if isinstance(value, str) else np.dtype(value)
    except TypeError:
        dtype = None
    name = value if isinstance(value, str) else "" if value is None or dtype is None else dtype.name
    if name not in expected:
        raise TypeError(f"{argument} is {value!r}; expected one of {', '.join(expected)}")
    element_type = _TYPES[name]
    if dtype is None:
        dtype = np.dtype(element_type.array) if element_type.array else _ml_dtype(argument, name)
    return element_type, dtype.newbyteorder("=") if element_type.array else dtype


def _ml_dtype(argument: str, name: str) -> np.dtype[Any]:
    try:
        import ml_dtypes
    except ImportError:
        raise ImportError(f"{argument} is {name!r}, which numpy lacks; expected the package ml_dtypes to be "
                          "installed: pip install ml_dtypes") from None
    return np.dtype(getattr(ml_dtypes, name))


def _limits(element_type: ElementType) -> tuple[int, int]:
    """Returns the lowest and the highest code of a packed type."""
    if element_type.name.startswith("u"):
        return 0, 2**element_type.bits - 1
    return -2**(element_type.bits - 1), 2**(element_type.bits - 1) - 1


def _pack(element_type: ElementType, elements: NDArray[Any]) -> NDArray[np.uint8]:
    # ml_dtypes' own types do not convert to unsigned ones directly if they are negative.
    codes = elements if elements.dtype.kind in "iu" else elements.astype(np.int16)
    lowest, highest = _limits(element_type)
    if codes.size > 0 and (int(codes.min()) < lowest or int(codes.max()) > highest):
        wrong = int(codes[(codes < lowest) | (codes > highest)].flat[0])
        raise _errors.invalid_argument(
            "INVALID_VALUE", "input.data",
            f"a code is {wrong}; expected {lowest} to {highest}, the codes of {element_type.name}: pass the "
            "type that the codes have as input_type")
    in_a_byte = 8 // element_type.bits
    rows = np.zeros((-(-codes.size // in_a_byte), in_a_byte), np.uint8)
    rows.reshape(-1)[:codes.size] = codes.astype(np.uint8) & np.uint8(2**element_type.bits - 1)
    packed: NDArray[np.uint8] = np.bitwise_or.reduce(rows << _shifts(element_type), axis=1)
    return packed


def _unpack(element_type: ElementType, packed: NDArray[np.uint8], count: int) -> NDArray[Any]:
    codes: NDArray[Any] = (packed[:, np.newaxis] >> _shifts(element_type)).reshape(-1)[:count]
    codes &= np.uint8(2**element_type.bits - 1)
    if element_type.name.startswith("u"):
        return codes
    sign = np.uint8(2**(element_type.bits - 1))
    return ((codes ^ sign) - sign).view(np.int8)


def _shifts(element_type: ElementType) -> NDArray[np.uint8]:
    return np.arange(0, 8, element_type.bits, dtype=np.uint8)
