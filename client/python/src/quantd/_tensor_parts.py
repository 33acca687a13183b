"""A large tensor as a sequence of small ones, for a stream. client/library/tensor_parts.cc cuts in the same way."""

import dataclasses
import math
from collections.abc import Iterator


@dataclasses.dataclass(frozen=True)
class ChannelLayout:
    """How channels lie in memory: `outer` times one after another `channels` runs of `inner` elements."""

    outer: int
    channels: int
    inner: int

    @classmethod
    def of(cls, shape: tuple[int, ...], axis: int | None) -> "ChannelLayout":
        """The layout of `shape` along `axis`, -rank..rank-1, or of the whole tensor without one."""
        if axis is None:
            return cls(1, 1, math.prod(shape))
        axis %= len(shape)
        return cls(math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1:]))


@dataclasses.dataclass(frozen=True)
class TensorPart:
    """A run of a tensor's elements, in C order, that is a tensor of its own.

    Fake quantization with its channels' ranges gives the bits that it gives within the whole tensor.
    """

    first_element: int
    shape: tuple[int, ...]
    #: Where its channels lie. None where the whole tensor has no axis: those are computed in another
    #: way than a tensor with an axis of one channel.
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
        """Whether `other`, of the same tensor, has the same range along the same axis."""
        return (self.channels, self.axis) == (other.channels, other.axis)


def empty_part(layout: ChannelLayout, has_axis: bool) -> TensorPart:
    """No elements of all channels, with which a server checks the whole range at once."""
    if has_axis:
        return TensorPart(0, (0, layout.channels, 1), 1, 0, layout.channels)
    return TensorPart(0, (0,), None, 0, 1)


def tensor_parts(layout: ChannelLayout, has_axis: bool, max_elements: int) -> Iterator[TensorPart]:
    """The parts of a tensor with at least one element, of at most `max_elements` each.

    They cover it from the first element to the last and are about equally large: whole rows of all
    channels where a row is small enough, else several whole channels of one row, else a piece of one
    channel.
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
    """First and count of the runs of at most `limit` that `size` is cut into.

    No more runs than it takes, and none much smaller.
    """
    count = -(-size // limit)
    step = -(-size // count)
    for first in range(0, size, step):
        yield first, min(step, size - first)
