"""Builds small ONNX models by encoding their protobuf messages (onnx.proto3).

Debian's python3-onnx could do the same, but it is a large package.
"""

import numpy as np

# TensorProto.DataType.
FLOAT = 1
UINT8 = 2

_IR_VERSION = 8
_OPSET_VERSION = 13


def quantize_dequantize(scale: np.ndarray, zero_point: np.ndarray, per_channel: bool) -> bytes:
    """Returns y = DequantizeLinear(QuantizeLinear(x)) with uint8 codes, per channel along axis 1."""
    dimensions = [len(scale)] if per_channel else []
    initializers = [
        _tensor("scale", FLOAT, dimensions, scale.astype("<f4").tobytes()),
        _tensor("zero_point", UINT8, dimensions, zero_point.astype(np.uint8).tobytes()),
    ]
    axis = [_integer_attribute("axis", 1)] if per_channel else []
    nodes = [
        _node("QuantizeLinear", ["x", "scale", "zero_point"], "codes", axis),
        _node("DequantizeLinear", ["codes", "scale", "zero_point"], "y", axis),
    ]
    return _model(nodes, initializers, rank=2 if per_channel else 1)


def identity() -> bytes:
    """Returns y = x, to measure what a call costs without any work."""
    return _model([_node("Identity", ["x"], "y", [])], [], rank=1)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _integer(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())


def _tensor(name: str, data_type: int, dimensions: list[int], data: bytes) -> bytes:
    sizes = b"".join(_integer(1, size) for size in dimensions)
    return sizes + _integer(2, data_type) + _text(8, name) + _bytes(9, data)


def _integer_attribute(name: str, value: int) -> bytes:
    type_int = 2
    return _text(1, name) + _integer(3, value) + _integer(20, type_int)


def _node(operator: str, inputs: list[str], output: str, attributes: list[bytes]) -> bytes:
    return (b"".join(_text(1, name) for name in inputs) + _text(2, output) + _text(4, operator) +
            b"".join(_bytes(5, attribute) for attribute in attributes))


def _float_value(name: str, rank: int) -> bytes:
    shape = b"".join(_bytes(1, _text(2, f"size{i}")) for i in range(rank))
    tensor_type = _integer(1, FLOAT) + _bytes(2, shape)
    return _text(1, name) + _bytes(2, _bytes(1, tensor_type))


def _model(nodes: list[bytes], initializers: list[bytes], rank: int) -> bytes:
    graph = (b"".join(_bytes(1, node) for node in nodes) + _text(2, "graph") +
             b"".join(_bytes(5, tensor) for tensor in initializers) +
             _bytes(11, _float_value("x", rank)) + _bytes(12, _float_value("y", rank)))
    return (_integer(1, _IR_VERSION) + _bytes(7, graph) +
            _bytes(8, _integer(2, _OPSET_VERSION)))
