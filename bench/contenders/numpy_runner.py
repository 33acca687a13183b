"""Runs numpy on request: evaluates formulas pass by pass, in preallocated buffers.

    numpy_runner.py FOLDER

Uses the protocol of kernel_runner.cc.
"""

import functools
import sys

import numpy as np

import runner


class Numpy:
    """Owns the tensors."""

    def __init__(self, folder: str) -> None:
        self._tensors = runner.Tensors(folder)
        self._outputs = np.zeros_like(self._tensors.inputs(sys.maxsize, 0))
        self._codes = np.zeros(self._outputs.nbytes // 2, np.uint8)

    def operations(self) -> dict[str, runner.Prepare]:
        """Returns how each operation is prepared."""
        operations: dict[str, runner.Prepare] = {"forward": self.forward,
                                                 "forward_float16": self.forward_float16,
                                                 "quantize_int4": self.quantize_int4,
                                                 "dequantize_int4": self.dequantize_int4}
        for code_type in runner.BYTE_CODES:
            operations[f"quantize_{code_type}"] = functools.partial(self.quantize, code_type)
            operations[f"dequantize_{code_type}"] = functools.partial(self.dequantize, code_type)
        return operations

    def forward(self, channels: int, size: int) -> runner.Call:
        """Prepares a fake quantization by range."""
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

    def quantize(self, code_type: str, channels: int, size: int) -> runner.Call:
        """Prepares a quantization to codes of that type."""
        steps, y = self._steps(code_type, channels, size)
        codes = self._codes_like(y, runner.BYTE_CODES[code_type])

        def call() -> np.ndarray:
            steps()
            np.copyto(codes, y, casting="unsafe")
            return codes

        return call

    def quantize_int4(self, channels: int, size: int) -> runner.Call:
        """Prepares a quantization to codes of which two are packed into a byte."""
        steps, y = self._steps("int4", channels, size)
        codes = self._codes_like(y, np.int8)
        pairs = codes.reshape(-1).view(np.uint8)
        packed = np.empty(pairs.size // 2, np.uint8)
        low = np.empty_like(packed)

        def call() -> np.ndarray:
            steps()
            np.copyto(codes, y, casting="unsafe")
            np.left_shift(pairs[1::2], 4, out=packed)
            np.bitwise_and(pairs[::2], 15, out=low)
            return np.bitwise_or(packed, low, out=packed)

        return call

    def dequantize(self, code_type: str, channels: int, size: int) -> runner.Call:
        """Prepares a dequantization of codes of that type."""
        codes = self._tensors.codes(code_type, size, channels)
        y = self._outputs[:codes.size].reshape(codes.shape)
        scale, zero_point = self._parameters(code_type, channels)

        def call() -> np.ndarray:
            np.subtract(codes, zero_point, out=y)
            return np.multiply(y, scale, out=y)

        return call

    def dequantize_int4(self, channels: int, size: int) -> runner.Call:
        """Prepares a dequantization of packed codes."""
        packed = self._tensors.codes("int4", size, channels)
        y = self._outputs[:size // 4].reshape(self._tensors.inputs(size, channels).shape)
        codes = self._codes_like(y, np.int8)
        pairs = codes.reshape(-1)
        scale, zero_point = self._parameters("int4", channels)

        def call() -> np.ndarray:
            np.left_shift(packed.view(np.int8), 4, out=pairs[::2])
            np.right_shift(pairs[::2], 4, out=pairs[::2])
            np.right_shift(packed.view(np.int8), 4, out=pairs[1::2])
            np.subtract(codes, zero_point, out=y)
            return np.multiply(y, scale, out=y)

        return call

    def forward_float16(self, channels: int, size: int) -> runner.Call:
        """Prepares a fake quantization of float16 by scale, computed in float32."""
        x = self._tensors.inputs(size, channels).astype(np.float16)
        y = self._outputs[:x.size].reshape(x.shape)
        outputs = self._codes_like(y, np.float16)
        parameters = self._tensors.affine("uint8", channels)
        scale, zero_point = self._parameters("uint8", channels)
        lowest, highest = parameters.lowest - zero_point, parameters.highest - zero_point

        def call() -> np.ndarray:
            np.copyto(y, x)
            np.divide(y, scale, out=y)
            np.rint(y, out=y)
            np.maximum(y, lowest, out=y)
            np.minimum(y, highest, out=y)
            np.multiply(y, scale, out=y)
            np.copyto(outputs, y, casting="same_kind")
            return outputs

        return call

    def _steps(self, code_type: str, channels: int, size: int) -> tuple[runner.Call, np.ndarray]:
        """Returns a call that computes codes as float32, and the array that it fills."""
        x = self._tensors.inputs(size, channels)
        y = self._outputs[:x.size].reshape(x.shape)
        parameters = self._tensors.affine(code_type, channels)
        scale, zero_point = self._parameters(code_type, channels)
        lowest, highest = np.float32(parameters.lowest), np.float32(parameters.highest)

        def call() -> None:
            np.divide(x, scale, out=y)
            np.rint(y, out=y)
            np.add(y, zero_point, out=y)
            np.maximum(y, lowest, out=y)
            np.minimum(y, highest, out=y)

        return call, y

    def _parameters(self, code_type: str, channels: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns scales and zero points as float32, in a shape that goes with the tensor."""
        parameters = self._tensors.affine(code_type, channels)
        shape = (-1, 1) if channels < 0 else (-1,)
        return (parameters.scale.reshape(shape),
                parameters.zero_point.astype(np.float32).reshape(shape))

    def _codes_like(self, y: np.ndarray, dtype: type) -> np.ndarray:
        return self._codes[:y.size * np.dtype(dtype).itemsize].view(dtype).reshape(y.shape)


if __name__ == "__main__":
    runner.serve("numpy", {"numpy": np.__version__}, Numpy(sys.argv[1]).operations())
