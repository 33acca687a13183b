"""QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear in ONNX Runtime, on a CPU."""

import onnxruntime

from producers import onnx_models


def version():
    return f"ONNX Runtime {onnxruntime.__version__}"


def compute(case):
    options = onnxruntime.SessionOptions()
    # A node is to be run as it stands, not merged with its neighbour.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(onnx_models.model_of(case).SerializeToString(), options,
                                           providers=["CPUExecutionProvider"])
    return onnx_models.answer_of(case, session.run(None, {"x": case.inputs}))
