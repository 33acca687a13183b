"""ONNX's own tests of QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear, run through quantd.

Those of float8 and float4 are left out: quantd has no such types.
"""

import warnings

import numpy as np
import onnx
import quantd
from onnx import TensorProto, helper, numpy_helper

import comparison

_OPERATORS = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear")
_TYPES = {
    TensorProto.FLOAT: "float32", TensorProto.INT8: "int8", TensorProto.UINT8: "uint8",
    TensorProto.INT16: "int16", TensorProto.UINT16: "uint16", TensorProto.INT32: "int32",
    TensorProto.INT4: "int4", TensorProto.UINT4: "uint4", TensorProto.INT2: "int2", TensorProto.UINT2: "uint2",
}


def failures(client):
    """Prints how many tests pass, and returns those that do not."""
    cases = _cases()
    found = [problem for case in cases if (problem := _problem(client, case))]
    print(f"\nONNX {onnx.__version__}: {len(cases) - len(found)} of {len(cases)} node tests pass")
    return found + ([] if cases else ["there are no node tests of ONNX"])


def _cases():
    from onnx.backend.test.case.node import collect_testcases  # takes seconds
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [case for case in collect_testcases(None)
                if case.model.graph.node[0].op_type in _OPERATORS and len(case.model.graph.node) == 1
                and _types_of(case) <= _TYPES.keys()]


def _types_of(case):
    graph = case.model.graph
    return {value.type.tensor_type.elem_type for value in [*graph.input, *graph.output]}


def _problem(client, case):
    """Returns what is wrong with quantd's answer to a test, or an empty string."""
    graph = case.model.graph
    (node,) = graph.node
    inputs, expected = ([_array(value) for value in values] for values in case.data_sets[0])
    input_type, output_type = (_TYPES[value.type.tensor_type.elem_type] for value in (graph.input[0],
                                                                                      graph.output[0]))
    if node.op_type == "DynamicQuantizeLinear":
        result = client.quantize(inputs[0], data_range="min_max", numerics=quantd.Numerics.ONNX)
        actual = [result.output, result.scale, result.zero_point.astype(np.uint8)]
    elif node.op_type == "QuantizeLinear":
        actual = [client.quantize(inputs[0], **_parameters(node, inputs), output_type=output_type).output]
    else:
        actual = [client.dequantize(inputs[0], **_parameters(node, inputs), input_type=input_type,
                                    output_type=output_type).output]
    for mine, theirs in zip(actual, expected, strict=True):
        if comparison.differing(mine, theirs, "").any():
            return f"{case.name}: quantd gives {mine.tolist()}, expected {theirs.tolist()}"
    return ""


def _parameters(node, inputs):
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    scale = inputs[1]
    axis = attributes.get("axis", 1) if scale.ndim > 0 else None
    return {"scale": scale, "zero_point": inputs[2] if len(inputs) > 2 else None, "axis": axis,
            "block_size": attributes.get("block_size") or None, "numerics": quantd.Numerics.ONNX}


def _array(value):
    """Returns a test's array. Codes of less than a byte are int8 or uint8."""
    if not isinstance(value, TensorProto):
        return np.asarray(value)
    array = numpy_helper.to_array(value)
    if value.data_type in (TensorProto.INT4, TensorProto.INT2):
        return array.astype(np.int8)
    if value.data_type in (TensorProto.UINT4, TensorProto.UINT2):
        return array.astype(np.uint8)
    return array
