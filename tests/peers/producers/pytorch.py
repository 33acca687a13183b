"""PyTorch's fake quantization, its backward, and its quantized tensors, on a CPU.

Runs with Debian's Python and Debian's PyTorch, which has no FBGEMM.
"""

import numpy as np
import torch

_FLOATS = {"float32": torch.float32, "float16": torch.float16, "float64": torch.float64}
_CODES = {"int8": torch.qint8, "uint8": torch.quint8, "int32": torch.qint32}


def version():
    return f"PyTorch {torch.__version__.partition('+')[0]}"


def compute(case):
    if case.axis is not None:
        case.axis %= case.inputs.ndim
    if case.operation.startswith("fake_quantize"):
        return _fake_quantize(case)
    if case.operation == "quantize":
        return {"output": _quantize(case).int_repr().numpy()}
    return {"output": _of_codes(case).dequantize().numpy()}


def _tensor(array, element_type):
    array = np.array(array)
    if element_type == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def _array(tensor):
    tensor = tensor.detach().contiguous()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(np.uint16)
    return tensor.numpy()


def _fake_quantize(case):
    inputs = _tensor(case.inputs, case.input_type).requires_grad_(case.gradients is not None)
    codes = case.quant_min, case.quant_max
    if case.axis is None:
        output = torch.fake_quantize_per_tensor_affine(inputs, float(case.scale), int(case.zero_point), *codes)
    else:
        output = torch.fake_quantize_per_channel_affine(
            inputs, torch.from_numpy(case.scale.copy()), torch.from_numpy(case.zero_point.copy()), case.axis,
            *codes)
    if case.gradients is None:
        return {"output": _array(output)}
    output.backward(_tensor(case.gradients, case.input_type))
    return {"input_gradients": _array(inputs.grad)}


def _quantize(case):
    inputs = _tensor(case.inputs, case.input_type)
    code_type = _CODES[case.output_type]
    if case.axis is None:
        return torch.quantize_per_tensor(inputs, float(case.scale), int(case.zero_point), code_type)
    return torch.quantize_per_channel(inputs, torch.from_numpy(case.scale.copy()),
                                      torch.from_numpy(case.zero_point.copy()), case.axis, code_type)


def _of_codes(case):
    codes = torch.from_numpy(np.array(case.inputs))
    if case.axis is None:
        return torch._make_per_tensor_quantized_tensor(codes, float(case.scale), int(case.zero_point))
    return torch._make_per_channel_quantized_tensor(
        codes, torch.from_numpy(case.scale.astype(np.float64)),
        torch.from_numpy(case.zero_point.astype(np.int64)), case.axis)
