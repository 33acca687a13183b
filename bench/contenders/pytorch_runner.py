"""Runs PyTorch's own quantization on request, on one thread.

    pytorch_runner.py FOLDER

Uses the protocol of kernel_runner.cc. PyTorch's functions accept no buffer for their result.
"""

import functools
import sys

import numpy as np
import torch

import runner

QUANT_MIN = 0
QUANT_MAX = 255
# The types of quantized tensors, by the type of their codes.
QUANTIZED_TYPES = {"int8": torch.qint8, "uint8": torch.quint8}


class PyTorch:
    """Owns the tensors."""

    def __init__(self, folder: str) -> None:
        self._tensors = runner.Tensors(folder)

    def operations(self) -> dict[str, runner.Prepare]:
        """Returns how each operation is prepared."""
        operations: dict[str, runner.Prepare] = {"forward": self.forward,
                                                 "forward_float16": self.forward_float16}
        for code_type in QUANTIZED_TYPES:
            operations[f"quantize_{code_type}"] = functools.partial(self.quantize, code_type)
            operations[f"dequantize_{code_type}"] = functools.partial(self.dequantize, code_type)
        return operations

    def forward(self, channels: int, size: int) -> runner.Call:
        """Prepares a fake quantization of float32."""
        x = torch.from_numpy(self._tensors.inputs(size, channels))
        ranges = self._tensors.range(channels)
        return _fake_quantize(x, ranges.scale, ranges.zero_point, channels)

    def forward_float16(self, channels: int, size: int) -> runner.Call:
        """Prepares a fake quantization of float16."""
        x = torch.from_numpy(self._tensors.inputs(size, channels)).to(torch.float16)
        parameters = self._tensors.affine("uint8", channels)
        return _fake_quantize(x, parameters.scale, parameters.zero_point, channels)

    def quantize(self, code_type: str, channels: int, size: int) -> runner.Call:
        """Prepares a quantization to codes of that type."""
        x = torch.from_numpy(self._tensors.inputs(size, channels))
        parameters = self._tensors.affine(code_type, channels)
        quantized_type = QUANTIZED_TYPES[code_type]
        if not channels:
            scale, zero_point = float(parameters.scale[0]), int(parameters.zero_point[0])
            return lambda: torch.quantize_per_tensor(x, scale, zero_point, quantized_type)
        scales = torch.from_numpy(parameters.scale)
        zero_points = torch.from_numpy(parameters.zero_point)
        return lambda: torch.quantize_per_channel(x, scales, zero_points, _axis(channels),
                                                  quantized_type)

    def dequantize(self, code_type: str, channels: int, size: int) -> runner.Call:
        """Prepares a dequantization of codes of that type."""
        codes = torch.from_numpy(self._tensors.codes(code_type, size, channels))
        parameters = self._tensors.affine(code_type, channels)
        # pylint: disable=protected-access  # PyTorch has no other way to make them from codes.
        if not channels:
            quantized = torch._make_per_tensor_quantized_tensor(
                codes, float(parameters.scale[0]), int(parameters.zero_point[0]))
        else:
            quantized = torch._make_per_channel_quantized_tensor(
                codes, torch.from_numpy(parameters.scale), torch.from_numpy(parameters.zero_point),
                _axis(channels))
        return quantized.dequantize


def _axis(channels: int) -> int:
    return 1 if channels > 0 else 0


def _fake_quantize(x: torch.Tensor, scale: np.ndarray, zero_point: np.ndarray,
                   channels: int) -> runner.Call:
    if not channels:
        return lambda: torch.fake_quantize_per_tensor_affine(
            x, float(scale[0]), int(zero_point[0]), QUANT_MIN, QUANT_MAX)
    scales = torch.from_numpy(scale)
    zero_points = torch.from_numpy(zero_point.astype(np.int32))
    return lambda: torch.fake_quantize_per_channel_affine(
        x, scales, zero_points, _axis(channels), QUANT_MIN, QUANT_MAX)


def _to_array(result: torch.Tensor) -> np.ndarray:
    return (result.int_repr() if result.is_quantized else result).numpy()


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    runner.serve("pytorch", {"PyTorch": torch.__version__}, PyTorch(sys.argv[1]).operations(),
                 _to_array)
