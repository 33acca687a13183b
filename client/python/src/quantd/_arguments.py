"""Converts callers' arguments to the schema's types.

The server checks everything that the schema can represent; this module only checks the rest.
"""

import dataclasses
import operator
from collections.abc import Callable, Sequence
from typing import Any, SupportsFloat

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from quantd import _element_types, _errors, _schema
from quantd._element_types import ElementType
from quantd._results import Numerics, Rounding

#: A year, which is far below the limits of the clocks.
_MAX_TIMEOUT = 365 * 24 * 3600.0
#: Far below protobuf's limit of 2 GiB.
_MAX_MESSAGE_BYTES = 2**30
#: As many dimensions as numpy has.
_MAX_DEPTH = 64


@dataclasses.dataclass(frozen=True)
class SpecArguments:
    """The arguments of a call that say which codes there are, and whose arithmetic to use."""

    num_bits: Any
    narrow_range: Any
    quant_min: Any
    quant_max: Any
    precision: Any
    signed_input: Any
    rounding: Any
    numerics: Any


def as_tensor(name: str, value: ArrayLike) -> tuple[NDArray[Any], ElementType]:
    """Returns `value` as an array of floats, and the type in which it is sent. Does not copy arrays.

    Arrays of float32, float16, bfloat16 and float64 keep their type. Those that can be cast to float32
    without loss are sent as float32.

    Errors: TypeError for any other type.
    """
    array = _as_array(name, value)
    if isinstance(value, (int, float, list, tuple)) and not isinstance(value, np.generic):
        # The precision of Python's numbers is not the caller's choice, so they may be rounded.
        if array.dtype.kind in "biuf":
            with np.errstate(over="ignore"):
                return array.astype(np.float32), _element_types.FLOAT32
    else:
        element_type = _element_types.of_dtype(array.dtype)
        if element_type is not None and not element_type.is_code:
            return array, element_type
        if np.can_cast(array.dtype, np.float32, "safe"):
            return array, _element_types.FLOAT32
    raise TypeError(
        f"{name} has the dtype {array.dtype}; expected float32, float16, bfloat16 or float64, or one that "
        f"numpy casts to float32 without loss (integers of 8 or 16 bits): pass {name}.astype(np.float32) if "
        "it may be rounded")


def as_codes(name: str, value: ArrayLike, input_type: str | DTypeLike | None
             ) -> tuple[NDArray[Any], ElementType]:
    """Returns `value` as an array of codes, and their type. Does not copy arrays.

    Errors: TypeError if it is not an array of codes, or `input_type` is not their type, nor the type of
    packed codes.
    """
    array = _as_array(name, value)
    element_type = _element_types.of_dtype(array.dtype)
    expected = _element_types.CODES
    if element_type is None or element_type.name not in expected or isinstance(value, (int, list, tuple)):
        raise TypeError(f"{name} has the dtype {array.dtype}; expected an array of one of "
                        f"{', '.join(expected)}: pass np.array({name}, np.uint8), for example")
    if input_type is None:
        return array, element_type
    stated, _ = _element_types.chosen("input_type", input_type, expected)
    if stated != element_type and not stated.is_packed:
        raise TypeError(f"input_type is {stated.name}, and {name} has the dtype {array.dtype}; expected the "
                        "same, or the type of packed codes (int4, uint4, int2, uint2)")
    return array, stated


def reader_of(tensor: NDArray[Any], element_type: ElementType) -> Callable[[slice], NDArray[Any]]:
    """Returns a function that returns runs of elements in C order, in the form of messages.

    The function copies no more than the run.
    """
    elements: Any = tensor.reshape(-1) if tensor.flags.c_contiguous else tensor.flat
    return lambda run: element_type.encode(elements[run])


def _check_unmasked(name: str, value: Any, depth: int = 0) -> None:
    """Raises a TypeError for a masked array, also in lists: numpy would drop the mask without a word."""
    if isinstance(value, np.ma.MaskedArray):
        if depth == 0:
            raise TypeError(f"{name} is a masked array, and a mask cannot be sent; expected an array without "
                            f"one: pass {name}.filled(...), with a value for what is masked")
        raise TypeError(f"{name} contains a masked array, and a mask cannot be sent; expected numbers and "
                        "arrays without one: call .filled(...) on it, with a value for what is masked")
    # numpy refuses what is deeper.
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes, range)) and depth < _MAX_DEPTH:
        for element in value:
            # Most elements are numbers, so these are looked at first.
            if not isinstance(element, (float, int)):
                _check_unmasked(name, element, depth + 1)


def _as_array(name: str, value: ArrayLike | None) -> NDArray[Any]:
    _check_unmasked(name, value)
    try:
        # None has a dtype that the callers refuse.
        return np.asarray(value)
    except ValueError as error:
        raise TypeError(f"{name} is not an array of numbers: {error}") from None


def as_bounds(name: str, value: ArrayLike | None) -> NDArray[np.float32]:
    """Returns `value` as one bound, or one bound per channel, rounded to float32.

    Errors: TypeError if the values are not real numbers; InvalidArgumentError if there are two or more
    dimensions.
    """
    array = _as_numbers(name, value, "a number, or a sequence or array with one number per channel")
    if array.ndim > 1:
        raise _errors.invalid_argument(
            "RANGE_SIZE_MISMATCH", f"range.{name}",
            f"{name} has the shape {list(array.shape)}; expected a number, or one number per channel: "
            f"pass {name}.ravel()")
    return _as_float32(array)


def as_scale(value: ArrayLike | None, blocks: tuple[int, ...] | None) -> NDArray[np.float32]:
    """Returns `value` as scales, rounded to float32. `blocks` is the shape of those of blocks.

    Errors: TypeError if the values are not real numbers; InvalidArgumentError for another shape.
    """
    array = _as_numbers("scale", value, "a number, or an array with one number per channel or block")
    _check_parameter_shape("scale", array, blocks)
    return _as_float32(array)


def as_zero_point(value: ArrayLike | None, blocks: tuple[int, ...] | None) -> NDArray[np.int32]:
    """Returns `value` as zero points, in one dimension; none for None. Otherwise as `as_scale`."""
    if value is None:
        return np.zeros(0, np.int32)
    array = _as_array("zero_point", value)
    if array.dtype.kind == "f" and array.size == 0:
        array = array.astype(np.int32)
    if array.dtype.kind not in "iu":
        element_type = _element_types.of_dtype(array.dtype)
        if element_type is None or not element_type.is_code:
            raise TypeError(f"zero_point has the dtype {array.dtype}; expected an integer, or an array with "
                            "one integer per channel or block")
        array = array.astype(np.int32)
    _check_parameter_shape("zero_point", array, blocks)
    flat = array.ravel()
    for index in np.flatnonzero((flat < -2**31) | (flat >= 2**31))[:1]:
        raise _errors.invalid_argument(
            "INVALID_ZERO_POINT", f"affine.zero_point[{index}]",
            f"a zero point is {flat[index]}; expected one of the codes, which have at most 32 bits")
    return flat.astype(np.int32)


def _as_numbers(name: str, value: ArrayLike | None, expected: str) -> NDArray[Any]:
    array = _as_array(name, value)
    element_type = _element_types.of_dtype(array.dtype)
    if array.dtype.kind not in "biuf" and (element_type is None or element_type.is_code):
        raise TypeError(f"{name} has the dtype {array.dtype}; expected {expected}")
    return array


def _as_float32(array: NDArray[Any]) -> NDArray[np.float32]:
    # A number that is too large for float32 becomes an infinity, which the server rejects.
    with np.errstate(over="ignore"):
        return array.astype(np.float32)


def _check_parameter_shape(name: str, array: NDArray[Any], blocks: tuple[int, ...] | None) -> None:
    if array.ndim > 1 and array.shape != blocks:
        expected = ("one number per channel" if blocks is None else
                    f"the shape of the tensor with one entry per block along the axis, {list(blocks)}")
        raise _errors.invalid_argument(
            "PARAMETERS_SIZE_MISMATCH", f"affine.{name}",
            f"{name} has the shape {list(array.shape)}; expected a number, or {expected}")


def as_axis(axis: Any, field: str) -> int | None:
    """Returns `axis` as a 32-bit integer. The server checks it against the tensor."""
    if axis is None:
        return None
    number = _integer("axis", axis)
    if not -2**31 <= number < 2**31:
        raise _errors.invalid_argument("AXIS_OUT_OF_RANGE", field,
                                       f"axis is {number}; expected one of the tensor's dimensions")
    return number


def as_block_size(block_size: Any) -> int | None:
    """Returns `block_size` as a positive 32-bit integer."""
    if block_size is None:
        return None
    number = _integer("block_size", block_size)
    if not 1 <= number < 2**32:
        raise _errors.invalid_argument("INVALID_BLOCK_SIZE", "affine.block_size",
                                       f"block_size is {number}; expected at least 1")
    return number


def as_spec(arguments: SpecArguments) -> Any:
    """Returns a QuantizationSpec message. What is None is left to the server."""
    numerics = arguments.numerics
    if numerics is not None and not isinstance(numerics, Numerics):
        raise TypeError(f"numerics is {numerics!r}; expected one of {', '.join(map(str, Numerics))}")
    for name, flag in (("narrow_range", arguments.narrow_range), ("signed_input", arguments.signed_input)):
        if not isinstance(flag, (bool, np.bool_)):
            raise TypeError(f"{name} is {flag!r}; expected True or False")
    rounding = arguments.rounding
    if rounding is not None and not isinstance(rounding, Rounding):
        raise TypeError(f"rounding is {rounding!r}; expected one of {', '.join(map(str, Rounding))}")
    precision = None
    if arguments.precision is not None:
        precision = _element_types.chosen("precision", arguments.precision, _element_types.FLOATS)[0].number
    return _schema.QuantizationSpec(
        num_bits=_as_num_bits(arguments.num_bits), narrow_range=bool(arguments.narrow_range),
        numerics=None if numerics is None else numerics.value,
        quant_min=_as_code("quant_min", arguments.quant_min),
        quant_max=_as_code("quant_max", arguments.quant_max), precision=precision,
        signed_input=bool(arguments.signed_input), rounding=None if rounding is None else rounding.value)


def _as_num_bits(num_bits: Any) -> int | None:
    if num_bits is None:
        return None
    bits = _integer("num_bits", num_bits)
    if not 0 <= bits < 2**32:
        raise _errors.invalid_argument("INVALID_NUM_BITS", "spec.num_bits",
                                       f"num_bits is {bits}; expected 2 to 16")
    return bits


def _as_code(name: str, code: Any) -> int | None:
    if code is None:
        return None
    number = _integer(name, code)
    if not -2**31 <= number < 2**31:
        raise _errors.invalid_argument("INVALID_QUANT_RANGE", f"spec.{name}",
                                       f"{name} is {number}; expected a code, which has at most 32 bits")
    return number


def check_same_shape(gradients: NDArray[Any], inputs: NDArray[Any]) -> None:
    """Raises the server's error if the shape of the gradients differs from that of the inputs."""
    if gradients.shape != inputs.shape:
        raise _errors.invalid_argument(
            "SHAPE_MISMATCH", "inputs.shape",
            f"inputs have the shape {list(inputs.shape)}, and gradients {list(gradients.shape)}; expected "
            "the same shape: pass the inputs that these gradients belong to")


def as_timeout(timeout: SupportsFloat) -> float:
    """Returns `timeout` in seconds."""
    seconds = float(timeout)
    if not 0 < seconds <= _MAX_TIMEOUT:
        raise ValueError(
            f"timeout is {seconds:g} s; expected more than 0 and at most a year, {_MAX_TIMEOUT:.0f} s")
    return seconds


def as_message_bytes(name: str, value: Any, least: int) -> int:
    """Returns a message size in bytes."""
    size = _integer(name, value)
    if not least <= size <= _MAX_MESSAGE_BYTES:
        raise ValueError(f"{name} is {size}; expected {least} to {_MAX_MESSAGE_BYTES} (1 GiB)")
    return size


def _integer(name: str, value: Any) -> int:
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} is {value!r}; expected an integer")
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}; expected an integer") from None
