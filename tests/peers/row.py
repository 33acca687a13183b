"""A row of the table, and what the cases of rows have in common."""

import dataclasses
from collections.abc import Callable

import numpy as np

from case import Case

#: The lowest and the highest code of each type.
CODES = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-2**15, 2**15 - 1), "uint16": (0, 2**16 - 1),
         "int32": (-2**31, 2**31 - 1), "int4": (-8, 7), "uint4": (0, 15), "int2": (-2, 1), "uint2": (0, 3)}
#: The arrays of codes of less than a byte.
ARRAYS = {"int4": "int8", "uint4": "uint8", "int2": "int8", "uint2": "uint8"}
#: Types that are widened to float32, and rounded once.
FLOATS = ("float32", "float16", "bfloat16")


@dataclasses.dataclass(frozen=True)
class Row:
    """Cases of one kind."""

    numerics: str
    #: As in the table, such as "Quantize".
    method: str
    #: The types, such as "float32 to int8".
    types: str
    #: One of process.PRODUCERS.
    producer: str
    #: Returns the case number `index` with about `size` elements: make_case(rng, index, size).
    make_case: Callable[[np.random.Generator, int, int], Case]
    #: Which of a type's own arithmetic the producer has. Others are widened to float32 for it.
    native: tuple[str, ...] = ("float32",)
    #: How quantd is asked: a method of judge.Quantd.
    ask: str = ""

    @property
    def name(self):
        return f"{self.numerics} {self.method} {self.types}"


def layout(rng, index, size, blocks=False):
    """Returns a shape of about `size` elements, and the axis and the block size of its parameters.

    Takes turns: the whole tensor, channels along each of three axes, and blocks.
    """
    kind = index % (6 if blocks else 4)
    if kind == 0:
        return (size,), None, None
    # Some producers compute a single channel differently from several.
    channels = int(rng.choice([1, 1, 2, 3, 7, 64, 257]))
    if kind == 1:
        return (size // channels, channels), -1, None
    if kind == 2:
        return (channels, size // channels), 0, None
    if kind == 3:
        return (4, channels, size // channels // 4), 1, None
    block_size = int(rng.choice([1, 16, 32, 100, 128]))
    if kind == 4:
        return (size // 512, 512), 1, block_size
    return (2, 300, size // 600), 1, block_size


def broadcast(parameters, shape, axis, block_size):
    """Returns parameters in a form that broadcasts against `shape`."""
    if axis is None:
        return parameters.reshape(())
    if block_size is not None:
        return np.repeat(parameters, block_size, axis=axis).take(range(shape[axis]), axis=axis)
    return parameters.reshape([-1 if dimension == axis % len(shape) else 1 for dimension in range(len(shape))])


def parameter_shape(shape, axis, block_size):
    if axis is None:
        return ()
    if block_size is None:
        return (shape[axis],)
    return (*shape[:axis], -(-shape[axis] // block_size), *shape[axis + 1:])
