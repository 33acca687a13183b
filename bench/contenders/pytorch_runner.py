"""Runs PyTorch's own fake quantization on request, on one thread.

    pytorch_runner.py FOLDER

Uses the protocol of kernel_runner.cc. PyTorch's functions accept no buffer for their result.
"""

import sys

import numpy as np
import torch

import runner

QUANT_MIN = 0
QUANT_MAX = 255


class PyTorch:
    """Owns the tensors."""

    def __init__(self, folder: str) -> None:
        self._tensors = runner.Tensors(folder)

    def prepare(self, channels: int, size: int) -> runner.Call:
        """Returns a call for a tensor of `size` bytes."""
        x = torch.from_numpy(self._tensors.inputs(size, channels))
        ranges = self._tensors.range(channels)
        if not channels:
            scale, zero_point = float(ranges.scale[0]), int(ranges.zero_point[0])
            return lambda: torch.fake_quantize_per_tensor_affine(
                x, scale, zero_point, QUANT_MIN, QUANT_MAX).numpy()
        scales = torch.from_numpy(ranges.scale)
        zero_points = torch.from_numpy(ranges.zero_point.astype(np.int32))
        return lambda: torch.fake_quantize_per_channel_affine(
            x, scales, zero_points, 1, QUANT_MIN, QUANT_MAX).numpy()


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    runner.serve("pytorch", {"PyTorch": torch.__version__}, PyTorch(sys.argv[1]).prepare)
