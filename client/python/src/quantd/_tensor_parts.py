"""Divides a large tensor into small ones for a stream, in the same way as client/library/tensor_parts.cc."""

import dataclasses
import math
from collections.abc import Iterator


@dataclasses.dataclass(frozen=True)
class ChannelLayout:
    """The memory layout of channels: `outer` repetitions of `channels` runs of `inner` elements."""

    outer: int
    channels: int
    inner: int

    @classmethod
    def of(cls, shape: tuple[int, ...], axis: int | None) -> "ChannelLayout":
        """Returns the layout of `shape` along `axis` (-rank..rank-1), or with one channel if it is None."""
        if axis is None:
            return cls(1, 1, math.prod(shape))
        axis %= len(shape)
        return cls(math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1:]))


@dataclasses.dataclass(frozen=True)
class TensorPart:
    """A run of a tensor's elements in C order that forms a tensor itself.

    Quantizing it with the ranges of its channels gives the same bits as quantizing the whole tensor.
    """

    first_element: int
    shape: tuple[int, ...]
    #: The axis of the channels. None if the whole tensor has no axis, because such tensors are computed
    #: differently from tensors with a single channel along an axis.
    axis: int | None
    first_channel: int
    channel_count: int

    @property
    def elements(self) -> slice:
        return slice(self.first_element, self.first_element + math.prod(self.shape))

    @property
    def channels(self) -> slice:
        return slice(self.first_channel, self.first_channel + self.channel_count)

    def has_range_of(self, other: "TensorPart") -> bool:
        """Returns whether `other`, a part of the same tensor, has the same range along the same axis."""
        return (self.channels, self.axis) == (other.channels, other.axis)


def empty_part(layout: ChannelLayout, has_axis: bool) -> TensorPart:
    """Returns a part with all channels but no elements, with which a server checks the whole range."""
    if has_axis:
        return TensorPart(0, (0, layout.channels, 1), 1, 0, layout.channels)
    return TensorPart(0, (0,), None, 0, 1)


def tensor_parts(layout: ChannelLayout, has_axis: bool, max_elements: int) -> Iterator[TensorPart]:
    """Yields the parts of a tensor that is not empty, each with at most `max_elements` elements.

    They cover the tensor in order and have about the same size. A part consists of whole rows of all
    channels if a row is small enough, otherwise of whole channels of one row if a channel is small enough,
    otherwise of a piece of one channel.
    """
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


def _runs(size: int, limit: int) -> Iterator[tuple[int, int]]:
    """Divides `size` into runs of at most `limit`, and yields their first index and their length.

    There are as few runs as possible, and they have about the same length.
    """
    count = -(-size // limit)
    step = -(-size // count)
    for first in range(0, size, step):
        yield first, min(step, size - first)
