"""Runs numpy on request: evaluates the formula pass by pass, in a preallocated buffer.

    numpy_runner.py FOLDER

Uses the protocol of kernel_runner.cc.
"""

import sys

import numpy as np

import runner


class Numpy:
    """Owns the tensors."""

    def __init__(self, folder: str) -> None:
        self._tensors = runner.Tensors(folder)
        self._outputs = np.zeros_like(self._tensors.inputs(sys.maxsize, 0))

    def prepare(self, channels: int, size: int) -> runner.Call:
        """Returns a call for a tensor of `size` bytes."""
        x = self._tensors.inputs(size, channels)
        y = self._outputs[:x.size].reshape(x.shape)
        ranges = self._tensors.range(channels)
        half = np.float32(0.5)

        def call() -> np.ndarray:
            np.minimum(x, ranges.max, out=y)
            np.maximum(y, ranges.min, out=y)
            np.subtract(y, ranges.min, out=y)
            if channels:
                np.multiply(y, ranges.inverse_scale, out=y)
            else:
                np.divide(y, ranges.scale, out=y)
            np.subtract(y, ranges.zero_point, out=y)
            np.add(y, half, out=y)
            np.floor(y, out=y)
            return np.multiply(y, ranges.scale, out=y)

        return call


if __name__ == "__main__":
    runner.serve("numpy", {"numpy": np.__version__}, Numpy(sys.argv[1]).prepare)
