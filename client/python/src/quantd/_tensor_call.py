"""One call with its tensors, in one message or in parts, and its results."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantd import _arguments, _errors, _messages
from quantd._element_types import ElementType
from quantd._parameters import Parameters
from quantd._results import NudgedRange, Numerics
from quantd._tensor_parts import ChannelLayout, TensorPart, empty_part, tensor_parts

#: These compute a single channel along an axis differently from several, so channels must stay together.
_SINGLE_CHANNEL_DIFFERS = {
    numerics.value
    for numerics in (Numerics.KERAS_JAX, Numerics.TENSORFLOW_XLA, Numerics.TENSORFLOW_XLA_UNFUSED)}


class TensorCall:
    """Makes the requests of a call, and collects the answers.

    One thread may make requests while another takes answers.
    """

    #: Set when the answer that contains it is taken. None if the parameters are not a range.
    nudged_range: NudgedRange | None
    numerics: Numerics
    #: Set likewise, if the operation has them.
    scale: NDArray[np.float32]
    zero_point: NDArray[np.int32]

    def __init__(self, operation: _messages.Operation, tensors: list[tuple[NDArray[Any], ElementType]],
                 parameters: Parameters, fields: dict[str, Any],
                 output: tuple[ElementType, np.dtype[Any]]) -> None:
        self.operation = operation
        self._shape = tensors[0][0].shape
        self._types = [element_type for _, element_type in tensors]
        self._readers = [_arguments.reader_of(*tensor) for tensor in tensors]
        self._parameters = parameters
        #: Those that do not depend on the part.
        self._fields = fields
        self._output_type, dtype = output
        self._parameter_shape = parameters.shape_in(self._shape)
        #: The tensor of the answer, and a one-dimensional view of it.
        self.output: NDArray[Any] = np.empty(self._shape, dtype)
        self._elements = self.output.reshape(-1)
        self._elements_taken = 0
        # In double precision, as in the answers of a stream. Sums of rounded values could be far off if
        # the values cancel out. None if the numerics has no such gradients.
        self._sums: list[NDArray[np.float64]] | None = None

    @property
    def min_gradient(self) -> NDArray[np.float32] | None:
        return self._gradient(0)

    @property
    def max_gradient(self) -> NDArray[np.float32] | None:
        return self._gradient(1)

    @property
    def is_complete(self) -> bool:
        """Whether the answers covered every element of the output."""
        return self._elements_taken == self._elements.size

    def can_be_cut(self) -> bool:
        """Returns whether the parts of the tensor are tensors that have the same results."""
        if not self._parameters.can_be_cut or not self._shape or self._elements.size == 0:
            return False
        # If the axis is wrong, the first part is, too.
        return not self._has_axis() or self._parameters.layout(self._shape) is not None

    def byte_count(self) -> int:
        """Returns the total size of the tensors and their parameters, in bytes."""
        count = self._elements.size
        return (sum(element_type.byte_count(count) for element_type in self._types)
                + self._parameters.nbytes)

    def request(self) -> bytes:
        """Returns the request of a call with one message."""
        return self._encode(slice(None), self._shape, self._parameters.fields() | self._fields)

    def take_response(self, response: bytes) -> None:
        """Takes the answer to `request`."""
        message = _messages.decode_response(self.operation, response, self._output_type, self._elements)
        self._take_parameters(message)
        if self.operation.has_sums:
            self._add_sums(slice(None), message.min_gradient, message.max_gradient)

    def parts(self, message_bytes: int) -> Iterator[TensorPart]:
        """Yields the parts of a call, which have about `message_bytes` of tensors each.

        The first part has no elements, but all parameters. With it, the server checks them as it would in
        a single message, and answers with the whole nudged range. If their number or their axis is
        invalid, the tensor cannot be cut, and there are no other parts: the server rejects the first one.
        """
        axis = self._parameters.axis
        layout = self._parameters.layout(self._shape) if self._has_axis() else None
        if layout is None:
            yield TensorPart(0, (0,) * len(self._shape), axis, 0, int(np.prod(self._parameter_shape)))
            return
        yield empty_part(layout, axis is not None)
        if self._parameters.fit(layout):
            yield from tensor_parts(layout, axis is not None, self._max_elements(layout, message_bytes))

    def requests_of(self, parts: Iterator[TensorPart]) -> Iterator[bytes]:
        """Yields the requests of a call in parts. They leave out what is the same as in the part before."""
        previous = next(parts)
        yield self._encode(previous.elements, previous.shape,
                           self._parameters.fields(previous) | self._fields)
        for part in parts:
            fields = {} if part.has_parameters_of(previous) else self._parameters.fields(part)
            yield self._encode(part.elements, part.shape, fields)
            previous = part

    def take_part(self, part: TensorPart, response: bytes) -> None:
        """Takes the answer to the request of `part`."""
        output = self._elements[part.elements]
        message = _messages.decode_response(self.operation, response, self._output_type, output)
        self._elements_taken += output.size
        if output.size == 0:
            self._take_parameters(message)
        if self.operation.has_sums:
            self._add_sums(part.parameters, message.min_gradient_sum, message.max_gradient_sum)

    def _has_axis(self) -> bool:
        """Returns whether the axis is one of the tensor's dimensions."""
        axis = self._parameters.axis
        return axis is None or -len(self._shape) <= axis < len(self._shape)

    def _max_elements(self, layout: ChannelLayout, message_bytes: int) -> int:
        bytes_of_eight = sum(element_type.byte_count(8) for element_type in self._types)
        elements = max(message_bytes * 8 // bytes_of_eight, 1)
        if self._fields["spec"].numerics in _SINGLE_CHANNEL_DIFFERS and layout.channels > 1:
            return max(elements, layout.channels * layout.inner)
        return elements

    def _encode(self, elements: slice, shape: tuple[int, ...], fields: dict[str, Any]) -> bytes:
        tensors = [(element_type, read(elements))
                   for element_type, read in zip(self._types, self._readers, strict=True)]
        return _messages.encode_request(self.operation, shape, tensors, fields)

    def _take_parameters(self, message: Any) -> None:
        """Takes what an answer says of the whole tensor's parameters."""
        try:
            self.numerics = Numerics(message.numerics)
        except ValueError:
            raise _errors.unexpected_answer(f"the answer's numerics is {message.numerics}") from None
        shape = self._parameter_shape
        if self.operation.has_parameters:
            self.scale = _array_of("scale", message.parameters.scale, shape, np.float32)
            self.zero_point = _array_of("zero_point", message.parameters.zero_point, shape, np.int32)
        self.nudged_range = None
        if self.operation.has_nudged_range and (
                self._parameters.is_range or message.HasField("nudged_range")):
            self.nudged_range = NudgedRange(
                **{name: _array_of("nudged_range." + name, getattr(message.nudged_range, name), shape, dtype)
                   for name, dtype in (("min", np.float32), ("max", np.float32), ("scale", np.float32),
                                       ("zero_point", np.int32))})

    def _add_sums(self, parameters: slice, *sums: Any) -> None:
        """Adds the gradients of min and max of some channels."""
        count = int(np.prod(self._parameter_shape))
        if count > 0 and not any(len(values) for values in sums):
            return
        if self._sums is None:
            self._sums = [np.zeros(count), np.zeros(count)]
        for name, total, values in zip(("min_gradient", "max_gradient"), self._sums, sums, strict=True):
            some = total[parameters]
            some += _array_of(name, values, some.shape, np.float64)

    def _gradient(self, end: int) -> NDArray[np.float32] | None:
        if self._sums is None:
            return None
        return self._sums[end].astype(np.float32).reshape(self._parameter_shape)


def _array_of(name: str, values: Any, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    array = np.array(values, dtype)
    expected = int(np.prod(shape))
    if array.size != expected:
        raise _errors.unexpected_answer(f"the answer's {name} has {array.size} values; expected {expected}")
    return array.reshape(shape)
