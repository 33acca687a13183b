"""QuantizeLinear and DequantizeLinear in ONNX's own reference evaluator, the judge of bfloat16."""

import ml_dtypes
import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from producers import onnx_models


def version():
    return f"ONNX {onnx.__version__}'s reference evaluator"


def compute(case):
    inputs = case.inputs.view(ml_dtypes.bfloat16) if case.input_type == "bfloat16" else case.inputs
    outputs = ReferenceEvaluator(onnx_models.model_of(case)).run(None, {"x": inputs})
    answer = onnx_models.answer_of(case, outputs)
    if answer["output"].dtype == ml_dtypes.bfloat16:
        answer["output"] = answer["output"].view(np.uint16)
    return answer
