"""Writes the tensors, parameters and models that all contenders work on.

contenders/kernel_runner.cc describes the files.
"""

import pathlib
import sys

import numpy as np

CONTENDERS = pathlib.Path(__file__).parent / "contenders"
sys.path.append(str(CONTENDERS))

# pylint: disable=wrong-import-position
import onnx_model  # noqa: E402
import runner  # noqa: E402

KIB = 1024
MIB = 1024 * KIB
# The numbers of channels along the last axis; 0 means one range for the whole tensor.
CHANNELS = (0, 64, 1024)
# The same for codes and 16-bit floats; a negative number is along the first axis.
CODE_CHANNELS = (0, 1024, -64)
# The bytes of a code. Two codes of int4 share one.
CODE_BYTES = {"int8": 1, "uint8": 1, "int16": 2, "int4": 0.5}


def write_problem(folder: pathlib.Path, size: int) -> None:
    """Writes everything for float32 tensors of up to `size` bytes, and tensors with as many elements."""
    generator = np.random.default_rng(1)
    for name in ("inputs", "gradients"):
        generator.standard_normal(size // 4, dtype=np.float32).tofile(folder / f"{name}.f32")
    np.fromfile(folder / "inputs.f32", np.float32).astype(np.float16).tofile(folder / "inputs.f16")
    generator.integers(0, 256, size // 2, dtype=np.uint8).tofile(folder / "codes.bin")
    _write_parameters(folder)
    _write_models(folder)


def _write_parameters(folder: pathlib.Path) -> None:
    """Writes ranges, scales and zero points, which differ by channel, so that mixing them up is detected."""
    channels = np.arange(max(map(abs, CHANNELS + CODE_CHANNELS)))
    # The ranges are about [-3, 3], which clips 0.27 % of the inputs, as a trained range would.
    shift = ((channels + 8) % 16 - 8) / 32
    # About 6 / 255, and in float16 and bfloat16 the same numbers as in float32.
    scale = ((channels + 4) % 8 + 8) / 512
    for name, values in (("min", -3 - shift), ("max", 3 - shift), ("scale", scale),
                         ("zero_point", (channels + 8) % 16 + 120)):
        values.astype(np.float32).tofile(folder / f"{name}.f32")


def _write_models(folder: pathlib.Path) -> None:
    tensors = runner.Tensors(str(folder))
    models = {"identity": onnx_model.identity()}
    for channels in CHANNELS:
        ranges = tensors.range(channels)
        models[f"forward_{channels}"] = onnx_model.quantize_dequantize(onnx_model.Parameters(
            ranges.scale, ranges.zero_point, "uint8", axis=1 if channels else None))
    for channels in CODE_CHANNELS:
        models[f"forward_float16_{channels}"] = onnx_model.quantize_dequantize(
            _parameters(tensors, "uint8", channels, "float16"))
        for code_type in runner.BYTE_CODES:
            parameters = _parameters(tensors, code_type, channels)
            models[f"quantize_{code_type}_{channels}"] = onnx_model.quantize(parameters)
            models[f"dequantize_{code_type}_{channels}"] = onnx_model.dequantize(parameters)
    for name, model in models.items():
        (folder / f"{name}.onnx").write_bytes(model)


def _parameters(tensors: runner.Tensors, code_type: str, channels: int,
                float_type: str = "float32") -> onnx_model.Parameters:
    affine = tensors.affine(code_type, channels)
    axis = None if channels == 0 else 1 if channels > 0 else 0
    return onnx_model.Parameters(affine.scale, affine.zero_point, code_type, axis, float_type)
