"""ONNX models of one operator, for ONNX Runtime and ONNX's reference evaluator.

Codes of less than a byte enter and leave a model as int8 or uint8: a Cast makes them what they are.
"""

import numpy as np
from onnx import TensorProto, helper

_TYPES = {
    "float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "bfloat16": TensorProto.BFLOAT16,
    "int8": TensorProto.INT8, "uint8": TensorProto.UINT8, "int16": TensorProto.INT16,
    "uint16": TensorProto.UINT16, "int32": TensorProto.INT32, "int4": TensorProto.INT4,
    "uint4": TensorProto.UINT4, "int2": TensorProto.INT2, "uint2": TensorProto.UINT2,
}
_CARRIERS = {"int4": "int8", "uint4": "uint8", "int2": "int8", "uint2": "uint8"}


def model_of(case):
    """Returns the model that computes a case from its input "x"."""
    if case.operation == "dynamic_quantize":
        node = helper.make_node("DynamicQuantizeLinear", ["x"], ["y", "scale", "zero_point"])
        return _model(case, [node], [], [("y", "uint8"), ("scale", "float32"), ("zero_point", "uint8")])
    if case.operation == "quantize":
        code_type = case.output_type
        carrier = _CARRIERS.get(code_type, code_type)
        nodes = [_quantize(case, code_type, "x", "codes"), _cast("codes", "y", carrier)]
        return _model(case, nodes, _parameters(case, code_type), [("y", carrier)])
    nodes = [_cast("x", "codes", case.input_type), _dequantize(case, "codes", "y")]
    return _model(case, nodes, _parameters(case, case.input_type), [("y", case.output_type)])


def _quantize(case, code_type, x, y):
    attributes = _layout(case)
    if case.precision is not None:
        attributes["precision"] = _TYPES[case.precision]
    return helper.make_node("QuantizeLinear", [x, "scale", "zero_point"], [y], **attributes)


def _dequantize(case, x, y):
    return helper.make_node("DequantizeLinear", [x, "scale", "zero_point"], [y], **_layout(case))


def _layout(case):
    # The attributes came one after another with the versions of the operators.
    attributes = {} if case.axis is None else {"axis": case.axis}
    return attributes if case.block_size is None else attributes | {"block_size": case.block_size}


def _cast(x, y, to):
    return helper.make_node("Cast", [x], [y], to=_TYPES[to])


def _parameters(case, code_type):
    """Returns the scale and the zero point. The type of the floats is that of the scale."""
    float_type = case.output_type if case.operation == "dequantize" else case.input_type
    return [helper.make_tensor("scale", _TYPES[float_type], case.scale.shape, case.scale.ravel().tolist()),
            helper.make_tensor("zero_point", _TYPES[code_type], case.scale.shape,
                               case.zero_point.ravel().tolist())]


def _model(case, nodes, parameters, outputs):
    input_type = _TYPES[_CARRIERS.get(case.input_type, case.input_type)]
    graph = helper.make_graph(
        nodes, "case", [helper.make_tensor_value_info("x", input_type, case.inputs.shape)],
        [helper.make_tensor_value_info(name, _TYPES[element_type], None) for name, element_type in outputs],
        parameters)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", case.opset)],
                             ir_version=_ir_version(case.opset))


def _ir_version(opset):
    return 7 if opset < 15 else 10 if opset < 23 else 12 if opset < 25 else 13


def answer_of(case, outputs):
    """Returns the outputs of the model as the results of a case."""
    names = ("output", "scale", "zero_point") if case.operation == "dynamic_quantize" else ("output",)
    return {name: np.asarray(output) for name, output in zip(names, outputs, strict=True)}
