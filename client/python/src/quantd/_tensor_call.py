"""One call with its tensors, in one message or in parts, and its results."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantd import _arguments, _errors, _messages
from quantd._results import NudgedRange
from quantd._tensor_parts import ChannelLayout, TensorPart, empty_part, tensor_parts


class TensorCall:
    """Makes the requests of a call, and collects the answers.

    One thread may make requests while another takes answers.
    """

    #: Set when the answer that contains it is taken.
    nudged_range: NudgedRange

    def __init__(self, operation: _messages.Operation, tensors: list[NDArray[Any]],
                 minimum: NDArray[np.float32], maximum: NDArray[np.float32], axis: int | None,
                 spec: Any) -> None:
        self.operation = operation
        self._shape = tensors[0].shape
        self._readers = [_arguments.reader_of(tensor) for tensor in tensors]
        self._min = minimum
        self._max = maximum
        self._axis = axis
        self._spec = spec
        #: The tensor of the answer, and a one-dimensional view of it.
        self.output: NDArray[np.float32] = np.empty(self._shape, np.float32)
        self._elements = self.output.reshape(-1)
        self._elements_taken = 0
        # In double precision, as in the answers of a stream. Sums of rounded values could be far off if
        # the values cancel out.
        self._min_sums = np.zeros(minimum.size)
        self._max_sums = np.zeros(maximum.size)

    @property
    def min_gradient(self) -> NDArray[np.float32]:
        return self._min_sums.astype(np.float32).reshape(self._min.shape)

    @property
    def max_gradient(self) -> NDArray[np.float32]:
        return self._max_sums.astype(np.float32).reshape(self._max.shape)

    @property
    def is_complete(self) -> bool:
        """Whether the answers covered every element of the output."""
        return self._elements_taken == self._elements.size

    def can_be_cut(self) -> bool:
        return len(self._shape) > 0 and self._elements.size > 0

    def byte_count(self) -> int:
        """Returns the total size of the tensors and the range, in bytes."""
        return len(self._readers) * self._elements.nbytes + self._min.nbytes + self._max.nbytes

    def request(self) -> bytes:
        """Returns the request of a call with one message."""
        return self._encode(slice(None), self._shape,
                            _arguments.as_range(self._min, self._max, self._axis), self._spec)

    def take_response(self, response: bytes) -> None:
        """Takes the answer to `request`."""
        message = _messages.decode_response(self.operation, response, self._elements)
        self._take_nudged_range(message.nudged_range)
        if self.operation.has_sums:
            self._add_sums(slice(None), message.min_gradient, message.max_gradient)

    def parts(self, message_bytes: int) -> Iterator[TensorPart]:
        """Yields the parts of a call, which have about `message_bytes` of tensors each.

        The first part has no elements, but the whole range. With it, the server checks the range as it
        would in a single message, and answers with the whole nudged range. If the size of the range or
        its axis is invalid, the tensor cannot be cut, and there are no other parts: the server rejects
        the first one.
        """
        rank = len(self._shape)
        if self._axis is not None and not -rank <= self._axis < rank:
            yield TensorPart(0, (0,) * rank, self._axis, 0, self._min.size)
            return
        layout = ChannelLayout.of(self._shape, self._axis)
        has_axis = self._axis is not None
        yield empty_part(layout, has_axis)
        if self._min.size == self._max.size == layout.channels:
            bytes_an_element = len(self._readers) * self._elements.itemsize
            yield from tensor_parts(layout, has_axis, max(message_bytes // bytes_an_element, 1))

    def requests_of(self, parts: Iterator[TensorPart]) -> Iterator[bytes]:
        """Yields the requests of a call in parts. They leave out what is the same as in the part before."""
        previous = next(parts)
        yield self._encode(previous.elements, previous.shape,
                           _arguments.as_range(self._min, self._max, previous.axis), self._spec)
        for part in parts:
            range_ = None
            if not part.has_range_of(previous):
                range_ = _arguments.as_range(self._min.ravel()[part.channels],
                                             self._max.ravel()[part.channels], part.axis)
            yield self._encode(part.elements, part.shape, range_, None)
            previous = part

    def take_part(self, part: TensorPart, response: bytes) -> None:
        """Takes the answer to the request of `part`."""
        output = self._elements[part.elements]
        message = _messages.decode_response(self.operation, response, output)
        self._elements_taken += output.size
        if output.size == 0:
            self._take_nudged_range(message.nudged_range)
        if self.operation.has_sums:
            self._add_sums(part.channels, message.min_gradient_sum, message.max_gradient_sum)

    def _encode(self, elements: slice, shape: tuple[int, ...], range_: Any, spec: Any) -> bytes:
        return _messages.encode_request(self.operation, shape, [read(elements) for read in self._readers],
                                        range_, spec)

    def _take_nudged_range(self, message: Any) -> None:
        self.nudged_range = NudgedRange(
            **{name: _array_of("nudged_range." + name, getattr(message, name), self._min.shape, dtype)
               for name, dtype in (("min", np.float32), ("max", np.float32), ("scale", np.float32),
                                   ("zero_point", np.int32))})

    def _add_sums(self, channels: slice, min_sums: Any, max_sums: Any) -> None:
        for name, sums, values in (("min_gradient", self._min_sums, min_sums),
                                   ("max_gradient", self._max_sums, max_sums)):
            some = sums[channels]
            some += _array_of(name, values, some.shape, np.float64)


def _array_of(name: str, values: Any, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    array = np.array(values, dtype)
    expected = int(np.prod(shape))
    if array.size != expected:
        raise _errors.unexpected_answer(f"the answer's {name} has {array.size} values; expected {expected}")
    return array.reshape(shape)
