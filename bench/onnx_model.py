"""Builds small ONNX models by encoding their protobuf messages (onnx.proto3).

Debian's python3-onnx could do the same, but it is a large package.
"""

import dataclasses

import numpy as np

# TensorProto.DataType.
TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int16": 5, "float16": 10}

# Codes of int16 need opset 21.
_IR_VERSION = 10
_OPSET_VERSION = 21


@dataclasses.dataclass(frozen=True)
class Parameters:
    """Scales and zero points: one value per channel along the axis, or a single one without it."""

    scale: np.ndarray
    zero_point: np.ndarray
    code_type: str
    axis: int | None = None
    float_type: str = "float32"


def quantize_dequantize(parameters: Parameters) -> bytes:
    """Returns y = DequantizeLinear(QuantizeLinear(x))."""
    nodes = [
        _node("QuantizeLinear", ["x", "scale", "zero_point"], "codes", _axis(parameters)),
        _node("DequantizeLinear", ["codes", "scale", "zero_point"], "y", _axis(parameters)),
    ]
    return _model(nodes, parameters, parameters.float_type, parameters.float_type)


def quantize(parameters: Parameters) -> bytes:
    """Returns y = QuantizeLinear(x)."""
    node = _node("QuantizeLinear", ["x", "scale", "zero_point"], "y", _axis(parameters))
    return _model([node], parameters, parameters.float_type, parameters.code_type)


def dequantize(parameters: Parameters) -> bytes:
    """Returns y = DequantizeLinear(x)."""
    node = _node("DequantizeLinear", ["x", "scale", "zero_point"], "y", _axis(parameters))
    return _model([node], parameters, parameters.code_type, parameters.float_type)


def identity() -> bytes:
    """Returns y = x, to measure what a call costs without any work."""
    return _model([_node("Identity", ["x"], "y", [])], None, "float32", "float32")


def _axis(parameters: Parameters) -> list[bytes]:
    return [] if parameters.axis is None else [_integer_attribute("axis", parameters.axis)]


def _initializers(parameters: Parameters) -> list[bytes]:
    dimensions = [] if parameters.axis is None else [len(parameters.scale)]
    scale = parameters.scale.astype({"float32": "<f4", "float16": "<f2"}[parameters.float_type])
    return [_tensor("scale", parameters.float_type, dimensions, scale.tobytes()),
            _tensor("zero_point", parameters.code_type, dimensions,
                    parameters.zero_point.astype(parameters.code_type).tobytes())]


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


def _tensor(name: str, element_type: str, dimensions: list[int], data: bytes) -> bytes:
    sizes = b"".join(_integer(1, size) for size in dimensions)
    return sizes + _integer(2, TYPES[element_type]) + _text(8, name) + _bytes(9, data)


def _integer_attribute(name: str, value: int) -> bytes:
    type_int = 2
    return _text(1, name) + _integer(3, value) + _integer(20, type_int)


def _node(operator: str, inputs: list[str], output: str, attributes: list[bytes]) -> bytes:
    return (b"".join(_text(1, name) for name in inputs) + _text(2, output) + _text(4, operator) +
            b"".join(_bytes(5, attribute) for attribute in attributes))


def _value(name: str, element_type: str, rank: int) -> bytes:
    shape = b"".join(_bytes(1, _text(2, f"size{i}")) for i in range(rank))
    tensor_type = _integer(1, TYPES[element_type]) + _bytes(2, shape)
    return _text(1, name) + _bytes(2, _bytes(1, tensor_type))


def _model(nodes: list[bytes], parameters: Parameters | None, input_type: str,
           output_type: str) -> bytes:
    initializers = [] if parameters is None else _initializers(parameters)
    rank = 1 if parameters is None or parameters.axis is None else 2
    graph = (b"".join(_bytes(1, node) for node in nodes) + _text(2, "graph") +
             b"".join(_bytes(5, tensor) for tensor in initializers) +
             _bytes(11, _value("x", input_type, rank)) + _bytes(12, _value("y", output_type, rank)))
    return (_integer(1, _IR_VERSION) + _bytes(7, graph) +
            _bytes(8, _integer(2, _OPSET_VERSION)))
