"""Converts callers' arguments to the schema's types.

The server checks everything that the schema can represent; this module only checks the rest.
"""

import operator
from collections.abc import Callable
from typing import Any, SupportsFloat

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantd import _errors, _schema
from quantd._results import Numerics

#: A year, which is far below the limits of the clocks.
_MAX_TIMEOUT = 365 * 24 * 3600.0
#: Far below protobuf's limit of 2 GiB.
_MAX_MESSAGE_BYTES = 2**30


def as_tensor(name: str, value: ArrayLike) -> NDArray[Any]:
    """Returns `value` as an array that can be cast to float32 without loss. Does not copy arrays.

    Errors: TypeError for any other type.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array, and a mask cannot be sent; pass {name}.filled(...)")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise TypeError(f"{name} is not an array of numbers: {error}") from None
    if isinstance(value, (int, float, list, tuple)) and not isinstance(value, np.generic):
        # The precision of Python's numbers is not the caller's choice, so they may be rounded.
        if array.dtype.kind in "biuf":
            with np.errstate(over="ignore"):
                return array.astype(np.float32)
    elif np.can_cast(array.dtype, np.float32, "safe"):
        return array
    raise TypeError(
        f"{name} has the dtype {array.dtype}; expected float32, or one that numpy casts to it without loss "
        f"(float16, integers of 8 or 16 bits): pass {name}.astype(np.float32) if it may be rounded")


def reader_of(tensor: NDArray[Any]) -> Callable[[slice], NDArray[np.float32]]:
    """Returns a function that returns runs of elements in C order: contiguous, float32, little endian.

    The function copies no more than the run.
    """
    elements: Any = tensor.reshape(-1) if tensor.flags.c_contiguous else tensor.flat
    return lambda run: np.ascontiguousarray(elements[run], dtype="<f4")


def as_bounds(name: str, value: ArrayLike) -> NDArray[np.float32]:
    """Returns `value` as one bound, or one bound per channel, rounded to float32.

    Errors: TypeError if the values are not real numbers; InvalidArgumentError if there are two or more
    dimensions.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} has the dtype {array.dtype}; expected a number, or a sequence or array with "
                        "one number per channel")
    if array.ndim > 1:
        raise _errors.invalid_argument(
            "RANGE_SIZE_MISMATCH", f"range.{name}",
            f"{name} has the shape {list(array.shape)}; expected a number, or one number per channel: "
            f"pass {name}.ravel()")
    # A number that is too large for float32 becomes an infinity, which the server rejects.
    with np.errstate(over="ignore"):
        return array.astype(np.float32)


def as_range(minimum: NDArray[np.float32], maximum: NDArray[np.float32], axis: int | None) -> Any:
    """Returns a Range message."""
    return _schema.Range(min=minimum.ravel().tolist(), max=maximum.ravel().tolist(), axis=axis)


def as_axis(axis: Any) -> int | None:
    """Returns `axis` as a 32-bit integer. The server checks it against the tensor."""
    if axis is None:
        return None
    number = _integer("axis", axis)
    if not -2**31 <= number < 2**31:
        raise _errors.invalid_argument("AXIS_OUT_OF_RANGE", "range.axis",
                                       f"axis is {number}; expected one of the tensor's dimensions")
    return number


def as_spec(num_bits: Any, narrow_range: Any, numerics: Any) -> Any:
    """Returns a QuantizationSpec message."""
    bits = _integer("num_bits", num_bits)
    if not 0 <= bits < 2**32:
        raise _errors.invalid_argument("INVALID_NUM_BITS", "spec.num_bits",
                                       f"num_bits is {bits}; expected 2 to 16")
    if not isinstance(numerics, Numerics):
        raise TypeError(f"numerics is {numerics!r}; expected one of {', '.join(map(str, Numerics))}")
    if not isinstance(narrow_range, (bool, np.bool_)):
        raise TypeError(f"narrow_range is {narrow_range!r}; expected True or False")
    return _schema.QuantizationSpec(num_bits=bits, narrow_range=bool(narrow_range), numerics=numerics.value)


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
