"""The rows of the table: which cases are tried for which numerics, method and types."""

import numpy as np

import inputs
import tensorflow_older_rows
from case import Case, to_float32
from row import ARRAYS, CODES, FLOATS, Row, broadcast, layout, parameter_shape

# Names in numerics.md: the producer, whether it has channels, and whether NaN has a code.
_BY_RANGE = {
    "TENSORFLOW": ("tensorflow_eager", True, False),
    "TENSORFLOW_ARGS": ("tensorflow_eager", False, False),
    "TENSORFLOW_XLA": ("tensorflow_xla", True, True),
    "TENSORFLOW_XLA_UNFUSED": ("tensorflow_xla_unfused", True, True),
    "TENSORFLOW_XLA_ARGS": ("tensorflow_xla", False, False),
    "TENSORFLOW_XLA_ARGS_UNFUSED": ("tensorflow_xla_unfused", False, False),
    "KERAS_JAX": ("keras_jax", True, False),
    "KERAS_JAX_JIT": ("keras_jax", True, False),
    "KERAS_JAX_JIT_UNFUSED": ("keras_jax_unfused", True, False),
    "LITERT": ("litert", False, True),
}


def all_rows():
    """Returns all rows, those of a producer together."""
    rows = [*_range_rows(), *_onnx_rows(), *_pytorch_rows(), *_litert_rows(), *_uniform_rows(),
            *tensorflow_older_rows.rows()]
    return sorted(rows, key=lambda row: row.producer)


def _range_rows():
    for numerics, (producer, _, nan_has_code) in _BY_RANGE.items():
        for element_type in FLOATS:
            if numerics != "LITERT":
                yield Row(numerics, "FakeQuantizeGradient", element_type, producer,
                          _range_case("fake_quantize_gradient", numerics, element_type))
            yield Row(numerics, "FakeQuantize", element_type, producer,
                      _range_case("fake_quantize", numerics, element_type))
        yield Row(numerics, "Quantize, Dequantize", "all codes", producer,
                  _range_case("fake_quantize", numerics, "float32", nan=nan_has_code),
                  ask="quantize_and_dequantize")


def _range_case(operation, numerics, element_type, nan=True):
    has_channels = _BY_RANGE[numerics][1]

    def make_case(rng, index, size):
        shape, axis, _ = layout(rng, index, size) if has_channels else ((size,), None, None)
        num_bits = int(rng.integers(2, 17))
        narrow_range = numerics != "LITERT" and bool(rng.integers(2))
        # The others refuse min = max = 0, or give NaN.
        zeros = numerics == "TENSORFLOW"
        count = 1 if axis is None else shape[axis]
        low, high = inputs.ranges(rng, count, num_bits, narrow_range, zeros)
        elements = inputs.around_ranges(
            rng, shape, broadcast(low, shape, axis, None), broadcast(high, shape, axis, None), num_bits,
            narrow_range, element_type, nan)
        gradients = None
        if operation == "fake_quantize_gradient":
            gradients = inputs.gradients(rng, shape, element_type, specials=index % 3 == 0)
        bounds = parameter_shape(shape, axis, None)
        return Case(operation, numerics, elements, element_type, element_type, gradients=gradients,
                    min=low.reshape(bounds), max=high.reshape(bounds), axis=axis, num_bits=num_bits,
                    narrow_range=narrow_range)

    return make_case


def affine_case(operation, numerics, input_type, output_type, *, code_type=None, channels=True, blocks=False,
                scale_type="float32", limits=(1.5e-45, 3.4e38), zero_points=None, code_ranges=None, fit_int32=False,
                **fields):
    """Returns a function that makes cases by scale and zero point.

    Args:
        code_type: the type of the codes, if it is neither the input's nor the output's.
        zero_points: the lowest and the highest zero point; those of the codes by default.
        code_ranges: the lowest and the highest codes to choose from, which are then named.
        fit_int32: whether to leave out elements that are not finite or, divided by the scale, beyond int32.
        fields: those of all cases.
    """
    codes_of = code_type or (input_type if operation == "dequantize" else output_type)

    def make_case(rng, index, size):
        shape, axis, block_size = layout(rng, index, size, blocks) if channels else ((size,), None, None)
        lowest, highest = CODES[codes_of]
        named = {}
        if code_ranges is not None:
            lowest, highest = code_ranges[index % len(code_ranges)]
            named = {"quant_min": lowest, "quant_max": highest}
        parameters = parameter_shape(shape, axis, block_size)
        scale, zero_point = inputs.scales(rng, int(np.prod(parameters)), *(zero_points or (lowest, highest)),
                                          scale_type, limits)
        scale, zero_point = scale.reshape(parameters), zero_point.reshape(parameters)
        gradients = None
        if operation == "dequantize":
            elements = inputs.codes(rng, shape, lowest, highest, ARRAYS.get(input_type, input_type))
        else:
            elements = inputs.around_codes(
                rng, shape, broadcast(scale, shape, axis, block_size),
                broadcast(zero_point, shape, axis, block_size), lowest, highest, input_type)
            if fit_int32:
                values = to_float32(elements, input_type)
                with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                    elements[~(np.abs(values / broadcast(scale, shape, axis, block_size)) < 2**31)] = 0
        if operation == "fake_quantize_gradient":
            gradients = inputs.gradients(rng, shape, input_type, specials=index % 3 == 0)
        return Case(operation, numerics, elements, input_type, output_type, gradients=gradients, scale=scale,
                    zero_point=zero_point, axis=axis, block_size=block_size, code_type=code_type, **named,
                    **fields)

    return make_case


def _onnx_rows():
    codes = tuple(code_type for code_type in CODES if code_type != "int32")
    for code_type in codes:
        for element_type in FLOATS:
            # Up to opset 21, ONNX Runtime computes with float16 in float32. Otherwise, 16 bits need to be told.
            options = {"opset": 21, "precision": None}
            if code_type in ("int2", "uint2") or element_type == "bfloat16":
                options = {"opset": 25, "precision": None if element_type == "float32" else "float32"}
            yield _onnx_quantize_row(code_type, element_type, f"{element_type} to {code_type}", **options)
            yield _onnx_fake_quantize_row(code_type, element_type, **options)
        yield _onnx_quantize_row(code_type, "float16", f"float16 to {code_type}, precision float16", opset=25,
                                 precision="float16")
    for code_type in CODES:
        for element_type in FLOATS:
            yield _onnx_dequantize_row(code_type, element_type)
    yield Row("ONNX", "Quantize (data range)", "float32 to uint8", "onnx_runtime", _dynamic_case,
              ask="quantize_by_data")


def _onnx_producer(element_type):
    # ONNX Runtime has no kernels for bfloat16 on a CPU.
    return "onnx_reference" if element_type == "bfloat16" else "onnx_runtime"


def _onnx_quantize_row(code_type, element_type, types, **options):
    return Row("ONNX", "Quantize", types, _onnx_producer(element_type),
               affine_case("quantize", "ONNX", element_type, code_type, blocks=True, scale_type=element_type,
                           fit_int32=element_type == "bfloat16", **options),
               native=FLOATS)


def _onnx_fake_quantize_row(code_type, element_type, **options):
    return Row("ONNX", "FakeQuantize", f"{element_type}, {code_type} codes", _onnx_producer(element_type),
               affine_case("fake_quantize", "ONNX", element_type, element_type, code_type=code_type, blocks=True,
                           scale_type=element_type, code_ranges=[CODES[code_type]],
                           fit_int32=element_type == "bfloat16", **options),
               native=FLOATS)


def _onnx_dequantize_row(code_type, element_type):
    zero_points = (0, 0) if code_type == "int32" else None
    return Row("ONNX", "Dequantize", f"{code_type} to {element_type}", _onnx_producer(element_type),
               affine_case("dequantize", "ONNX", code_type, element_type, blocks=True, scale_type=element_type,
                           zero_points=zero_points, opset=25),
               native=FLOATS)


def _dynamic_case(rng, index, size):
    size = int(rng.integers(1, 2000)) if index % 2 else size
    low, high = inputs.ranges(rng, 1, 8, False)
    elements = inputs.around_ranges(rng, (size,), low.reshape(()), high.reshape(()), 8, False, "float32", False)
    # An infinity or a huge number would leave no codes for the others.
    elements = np.clip(elements, low * 1.5 - 1e-3, high * 1.5 + 1e-3).astype(np.float32)
    return Case("dynamic_quantize", "ONNX", elements, "float32", "uint8", opset=11)


def _pytorch_rows():
    code_ranges = [(-128, 127), (0, 255), (-8, 7), (0, 1), (-127, 127), (0, 65535), (1, 255)]
    for element_type in ("float32", "float16", "float64"):
        for operation, method in (("fake_quantize", "FakeQuantize"),
                                  ("fake_quantize_gradient", "FakeQuantizeGradient")):
            yield Row("PYTORCH", method, element_type, "pytorch",
                      affine_case(operation, "PYTORCH", element_type, element_type, code_type="int32",
                                  code_ranges=code_ranges),
                      native=("float32", "float16", "float64"))
    for code_type in ("int8", "uint8", "int32"):
        yield from _conversion_rows("PYTORCH", "pytorch", code_type)


def _litert_rows():
    for code_type in ("int8", "uint8"):
        yield from _conversion_rows("LITERT", "litert", code_type)
    # LiteRT's zero point of int16 is 0, and it dequantizes int16 per tensor only.
    yield from _conversion_rows("LITERT", "litert", "int16", zero_points=(0, 0), channels=False)
    for element_type in FLOATS:
        yield Row("LITERT", "Quantize", f"{element_type} to int16, channels", "litert",
                  affine_case("quantize", "LITERT", element_type, "int16", zero_points=(0, 0)))
    for code_type in ("int8", "uint8"):
        yield from _conversion_rows("LITERT_XNNPACK", "litert", code_type, channels=False,
                                    limits=(2.5e-38, 8.4e37))


def _uniform_rows():
    for code_type in ("int8", "int32"):
        yield from _conversion_rows("TENSORFLOW_UNIFORM", "tensorflow_eager", code_type,
                                    code_ranges=[CODES[code_type], (-127, 127)] if code_type == "int8"
                                    else [CODES["int32"]], limits=(2.4e-38, 8.5e37))


def _conversion_rows(numerics, producer, code_type, **options):
    """Yields the rows of a producer that converts between float32 and codes."""
    for element_type in FLOATS:
        yield Row(numerics, "Quantize", f"{element_type} to {code_type}", producer,
                  affine_case("quantize", numerics, element_type, code_type, **options))
        yield Row(numerics, "Dequantize", f"{code_type} to {element_type}", producer,
                  affine_case("dequantize", numerics, code_type, element_type, **options))
        # PyTorch's is its own, and there are no codes of 32 bits in a fake quantization.
        if numerics != "PYTORCH" and code_type != "int32":
            yield Row(numerics, "FakeQuantize", f"{element_type}, {code_type} codes", producer,
                      affine_case("fake_quantize", numerics, element_type, element_type, code_type=code_type,
                                  **{"code_ranges": [CODES[code_type]]} | options))
