"""QUANTIZE, DEQUANTIZE and FAKE_QUANT in LiteRT's interpreter.

LITERT runs its reference kernels; LITERT_XNNPACK runs what the interpreter takes by default.
"""

import importlib.metadata

import flatbuffers
import numpy as np
from ai_edge_litert import interpreter as litert
from ai_edge_litert import schema_py_generated as schema

_TYPES = {"float32": schema.TensorType.FLOAT32, "int8": schema.TensorType.INT8,
          "uint8": schema.TensorType.UINT8, "int16": schema.TensorType.INT16}
_RESOLVERS = {"LITERT": litert.OpResolverType.BUILTIN_REF, "LITERT_XNNPACK": litert.OpResolverType.AUTO}


def version():
    return f"LiteRT {importlib.metadata.version('ai-edge-litert')}"


def compute(case):
    interpreter = litert.Interpreter(model_content=_model(case),
                                     experimental_op_resolver_type=_RESOLVERS[case.numerics], num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.array(case.inputs))
    interpreter.invoke()
    return {"output": interpreter.get_tensor(interpreter.get_output_details()[0]["index"])}


def _model(case):
    """Returns a model with the operator of the case, from tensor 0 to tensor 1."""
    code = schema.OperatorCodeT()
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0], [1]
    quantization = None if case.scale is None else _quantization(case)
    if case.operation == "fake_quantize":
        code.builtinCode = schema.BuiltinOperator.FAKE_QUANT
        operator.builtinOptionsType = schema.BuiltinOptions.FakeQuantOptions
        operator.builtinOptions = _fake_quant_options(case)
    elif case.operation == "quantize":
        code.builtinCode = schema.BuiltinOperator.QUANTIZE
    else:
        code.builtinCode = schema.BuiltinOperator.DEQUANTIZE
    code.deprecatedBuiltinCode = code.builtinCode
    code.version = 1
    subgraph = schema.SubGraphT()
    subgraph.tensors = [
        _tensor("x", case, case.input_type, quantization if case.operation == "dequantize" else None),
        _tensor("y", case, case.output_type, quantization if case.operation == "quantize" else None)]
    subgraph.inputs, subgraph.outputs, subgraph.operators = [0], [1], [operator]
    model = schema.ModelT()
    model.version = 3
    model.operatorCodes, model.subgraphs, model.buffers = [code], [subgraph], [schema.BufferT()]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(name, case, element_type, quantization):
    tensor = schema.TensorT()
    tensor.name, tensor.type, tensor.buffer = name, _TYPES[element_type], 0
    tensor.shape = list(case.inputs.shape)
    tensor.quantization = quantization
    return tensor


def _quantization(case):
    quantization = schema.QuantizationParametersT()
    quantization.scale = case.scale.ravel().tolist()
    quantization.zeroPoint = case.zero_point.ravel().tolist()
    quantization.quantizedDimension = 0 if case.axis is None else case.axis % case.inputs.ndim
    return quantization


def _fake_quant_options(case):
    options = schema.FakeQuantOptionsT()
    options.min, options.max = float(case.min), float(case.max)
    options.numBits, options.narrowRange = case.num_bits, case.narrow_range
    return options
