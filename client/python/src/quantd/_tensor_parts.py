"""Divides a large tensor into small ones for a stream, in the same way as client/library/tensor_parts.cc."""

import dataclasses
import math
from collections.abc import Iterator


@dataclasses.dataclass(frozen=True)
class ChannelLayout:
    """The memory layout of channels: `outer` repetitions of `channels` runs of `inner` elements.

    With blocks, `block_size` neighbouring runs share the parameters of each of their `inner` elements.
    """

    outer: int
    channels: int
    inner: int
    block_size: int | None = None

    @classmethod
    def of(cls, shape: tuple[int, ...], axis: int | None, block_size: int | None = None
           ) -> "ChannelLayout":
        """Returns the layout of `shape` along `axis` (-rank..rank-1), or with one channel if it is None."""
        if axis is None:
            return cls(1, 1, math.prod(shape))
        axis %= len(shape)
        return cls(math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1:]), block_size)

    @property
    def blocks(self) -> int:
        """The number of blocks along the axis."""
        return -(-self.channels // (self.block_size or 1))

    @property
    def parameter_count(self) -> int:
        """How many ranges or scales the tensor has."""
        return self.channels if self.block_size is None else self.outer * self.blocks * self.inner


@dataclasses.dataclass(frozen=True)
class TensorPart:
    """A run of a tensor's elements in C order that forms a tensor itself.

    Quantizing it with its parameters gives the same bits as quantizing the whole tensor.
    """

    first_element: int
    shape: tuple[int, ...]
    #: The axis of the channels. None if the whole tensor has no axis, because such tensors are computed
    #: differently from tensors with a single channel along an axis.
    axis: int | None
    first_parameter: int
    parameter_count: int
    block_size: int | None = None

    @property
    def elements(self) -> slice:
        return slice(self.first_element, self.first_element + math.prod(self.shape))

    @property
    def parameters(self) -> slice:
        return slice(self.first_parameter, self.first_parameter + self.parameter_count)

    @property
    def is_empty(self) -> bool:
        return 0 in self.shape

    def has_parameters_of(self, other: "TensorPart") -> bool:
        """Returns whether `other`, a part of the same tensor, has the same parameters along the same axis."""
        return ((self.parameters, self.axis, self.block_size)
                == (other.parameters, other.axis, other.block_size))


def empty_part(layout: ChannelLayout, has_axis: bool) -> TensorPart:
    """Returns a part with all parameters but no elements, with which a server checks the parameters.

    An empty tensor has no blocks, so the parameters of blocks are sent as those of channels.
    """
    if has_axis:
        return TensorPart(0, (0, layout.parameter_count, 1), 1, 0, layout.parameter_count)
    return TensorPart(0, (0,), None, 0, 1)


def tensor_parts(layout: ChannelLayout, has_axis: bool, max_elements: int) -> Iterator[TensorPart]:
    """Yields the parts of a tensor that is not empty, each with at most `max_elements` elements.

    They cover the tensor in order and have about the same size. A part consists of whole rows of all
    channels if a row is small enough, otherwise of whole channels of one row if a channel is small enough,
    otherwise of a piece of one channel. With blocks, it is whole rows or whole blocks of one row, and at
    least one block.
    """
    if layout.block_size is not None:
        yield from _parts_of_blocks(layout, layout.block_size, max_elements)
        return
    outer, channels, inner = layout.outer, layout.channels, layout.inner
    row = channels * inner
    if has_axis and row <= max_elements:
        for first, count in _runs(outer, max_elements // row):
            yield TensorPart(first * row, (count, channels, inner), 1, 0, channels)
    elif has_axis and inner <= max_elements:
        for start in range(0, outer * row, row):
            for first, count in _runs(channels, max_elements // inner):
                yield TensorPart(start + first * inner, (count, inner), 0, first, count)
    else:
        for run in range(outer * channels):
            for first, count in _runs(inner, max_elements):
                shape = (1, count) if has_axis else (count,)
                yield TensorPart(run * inner + first, shape, 0 if has_axis else None, run % channels, 1)


def _parts_of_blocks(layout: ChannelLayout, block_size: int, max_elements: int) -> Iterator[TensorPart]:
    row = layout.channels * layout.inner
    parameters_of_row = layout.blocks * layout.inner
    if row <= max_elements:
        for first, count in _runs(layout.outer, max_elements // row):
            yield TensorPart(first * row, (count, layout.channels, layout.inner), 1,
                             first * parameters_of_row, count * parameters_of_row, block_size)
        return
    for outer in range(layout.outer):
        for first, count in _runs(layout.blocks, max(max_elements // (block_size * layout.inner), 1)):
            start = first * block_size
            size = min(count * block_size, layout.channels - start)
            yield TensorPart(outer * row + start * layout.inner, (size, layout.inner), 0,
                             outer * parameters_of_row + first * layout.inner, count * layout.inner,
                             block_size)


def _runs(size: int, limit: int) -> Iterator[tuple[int, int]]:
    """Divides `size` into runs of at most `limit`, and yields their first index and their length.

    There are as few runs as possible, and they have about the same length.
    """
    count = -(-size // limit)
    step = -(-size // count)
    for first in range(0, size, step):
        yield first, min(step, size - first)
