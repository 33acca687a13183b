"""Encodes requests and decodes answers.

protobuf copies a `bytes` field three times on its way from an array into a message, and twice on its way
back. Here, the elements of a request are copied once, and those of an answer are read where they were
received. All other fields go through protobuf's classes.
"""

import dataclasses
from typing import Any

from google.protobuf import message as protobuf_message
from numpy.typing import NDArray

from quantd import _errors, _schema
from quantd._element_types import ElementType


@dataclasses.dataclass(frozen=True)
class Operation:
    """A method whose requests have tensors in fields 1, 2, ..., and whose answer has one in field 1."""

    method: str
    request: Any
    response: Any
    #: The name of the tensor in the answer.
    output: str = "output"
    #: Whether the answer contains the gradients of min and max.
    has_sums: bool = False
    #: Whether the answer contains scale and zero point.
    has_parameters: bool = False
    #: Whether the answer contains the nudged range, if there is a range.
    has_nudged_range: bool = True


FAKE_QUANTIZE = Operation("FakeQuantize", _schema.FakeQuantizeRequest, _schema.FakeQuantizeResponse)
FAKE_QUANTIZE_GRADIENT = Operation("FakeQuantizeGradient", _schema.FakeQuantizeGradientRequest,
                                   _schema.FakeQuantizeGradientResponse, "input_gradients",
                                   has_sums=True)
QUANTIZE = Operation("Quantize", _schema.QuantizeRequest, _schema.QuantizeResponse, has_parameters=True)
DEQUANTIZE = Operation("Dequantize", _schema.DequantizeRequest, _schema.DequantizeResponse,
                       has_nudged_range=False)

_DATA_TAG = 3 << 3 | 2


def encode_request(operation: Operation, shape: tuple[int, ...],
                   tensors: list[tuple[ElementType, NDArray[Any]]], fields: dict[str, Any]) -> bytes:
    """Returns the request with these tensors of this shape, whose elements have the form of messages."""
    pieces: list[Any] = []
    for number, (element_type, elements) in enumerate(tensors, 1):
        head = _schema.Tensor(data_type=element_type.number, shape=shape).SerializeToString()
        data_head = bytes((_DATA_TAG,)) + _varint(elements.nbytes)
        size = len(head) + len(data_head) + elements.nbytes
        pieces += (bytes((number << 3 | 2,)), _varint(size), head, data_head, elements)
    pieces.append(operation.request(**fields).SerializeToString())
    return b"".join(pieces)


def decode_response(operation: Operation, response: bytes, element_type: ElementType,
                    output: NDArray[Any]) -> Any:
    """Writes the elements of an answer to `output`, and returns the answer without them.

    Errors: QuantdError (INTERNAL) if the answer is not a valid message of this operation, or has another
    type or number of elements.
    """
    split = _split(response)
    message = parse(operation.response, response if split is None else split[0])
    tensor = getattr(message, operation.output)
    data = tensor.data if split is None else split[1]
    expected = element_type.byte_count(output.size)
    if tensor.data_type != element_type.number or len(data) != expected:
        raise _errors.unexpected_answer(
            f"the answer's {operation.output} has {len(data)} bytes of data type {tensor.data_type}; "
            f"expected {expected} of {element_type.number}")
    element_type.decode(data, output)
    return message


def parse(message_class: Any, answer: bytes) -> Any:
    """Parses an answer without tensors. Errors: QuantdError (INTERNAL) if it is not a valid message."""
    try:
        return message_class.FromString(answer)
    except protobuf_message.DecodeError as error:
        name = message_class.DESCRIPTOR.name
        raise _errors.unexpected_answer(f"the answer is not a valid {name} ({error})") from error


def _split(message: bytes) -> tuple[bytes, memoryview] | None:
    """Separates the data of the tensor in field 1 from the rest of an answer.

    Only handles the form that serializers write, in which the tensor comes first and its data last.
    Returns None for any other form, which protobuf's classes have to parse.
    """
    if not message.startswith(b"\x0a"):
        return None
    try:
        size, start = _read_varint(message, 1)
        end = start + size
        field = start
        while field < end:
            tag, value = _read_varint(message, field)
            number, after = _read_varint(message, value)
            if tag & 7 == 2:
                if tag == _DATA_TAG and after + number == end <= len(message):
                    head = message[start:field]
                    rest = b"".join((b"\x0a", _varint(len(head)), head, message[end:]))
                    return rest, memoryview(message)[after:end]
                after += number
            elif tag & 7 != 0:
                return None
            field = after
    except IndexError:
        pass
    return None


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _read_varint(message: bytes, position: int) -> tuple[int, int]:
    """Returns the number at `position`, and the position after it. IndexError if the number does not end."""
    value = shift = 0
    while shift < 64:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise IndexError("a number of more than 64 bits")
