"""The rows of TensorFlow's older quantizing ops: see rows.py."""

import numpy as np

import inputs
from case import Case
from row import CODES, FLOATS, Row, broadcast, layout, parameter_shape

_PRODUCER = "tensorflow_older_ops"
_FLT_MIN = float(np.finfo(np.float32).tiny)
_FLT_MAX = float(np.finfo(np.float32).max)
#: The least width of a range of QuantizeV2, relative to its larger end.
_MARGIN = 0.01


def rows():
    for element_type in (*FLOATS, "float64"):
        for operation, method in (("fake_quantize", "FakeQuantize"),
                                  ("fake_quantize_gradient", "FakeQuantizeGradient")):
            yield Row("TENSORFLOW_QUANTIZE_AND_DEQUANTIZE", method, element_type, _PRODUCER,
                            _fake_quantize_case(operation, element_type))
    for mode in ("MIN_COMBINED", "MIN_FIRST", "SCALED"):
        for code_type in ("int8", "uint8", "int16", "uint16"):
            for element_type in FLOATS:
                numerics = f"TENSORFLOW_QUANTIZE_V2_{mode}"
                yield Row(numerics, "Quantize", f"{element_type} to {code_type}", _PRODUCER,
                                _quantize_case(mode, element_type, code_type))
                yield Row(numerics, "Dequantize", f"{code_type} to {element_type}", _PRODUCER,
                                _dequantize_case(mode, code_type, element_type))


def _signed_scale(low, high, lowest, highest):
    """Returns the largest scale that an end needs: 0 if no end is on its side of zero."""
    low_scale = np.where(lowest * low > 0, low / (lowest or 1), 0)
    return np.maximum(low_scale, np.where(high > 0, high / highest, 0))


def _fake_quantize_case(operation, element_type):
    def make_case(rng, index, size):
        shape, axis, _ = layout(rng, index, size)
        num_bits, signed, narrow = int(rng.integers(2, 17)), bool(rng.integers(2)), bool(rng.integers(2))
        lowest = -2**(num_bits - 1) + narrow if signed else 0
        highest = 2**(num_bits - 1) - 1 if signed else 2**num_bits - 1

        def is_taken(low, high):
            scale = float(_signed_scale(low, high, lowest, highest))
            return scale == 0 or 4 * _FLT_MIN < scale < _FLT_MAX / 2**17

        low, high = inputs.ranges(rng, 1 if axis is None else shape[axis], num_bits, narrow, zeros=True,
                                  is_taken=is_taken)
        wide = [broadcast(bound, shape, axis, None).astype(np.float64) for bound in (low, high)]
        scale = _signed_scale(*wide, lowest, highest)
        elements = inputs.around_steps(rng, shape, np.where(scale == 0, 1, scale), 0.0, lowest, highest,
                                       element_type)
        gradients = None
        if operation == "fake_quantize_gradient":
            gradients = inputs.gradients(rng, shape, element_type, specials=index % 3 == 0)
        bounds = parameter_shape(shape, axis, None)
        return Case(operation, "TENSORFLOW_QUANTIZE_AND_DEQUANTIZE", elements, element_type, element_type,
                    gradients=gradients, min=low.reshape(bounds), max=high.reshape(bounds), axis=axis,
                    num_bits=num_bits, narrow_range=narrow, signed_input=signed,
                    rounding=(None, "HALF_TO_EVEN", "HALF_UP")[rng.integers(3)])

    return make_case


def _choices(rng, mode):
    """Returns the fields that only SCALED leaves to its callers."""
    if mode != "SCALED":
        return {}
    rounding = (None, "HALF_AWAY_FROM_ZERO", "HALF_TO_EVEN")[rng.integers(3)]
    return {"narrow_range": bool(rng.integers(2)), "rounding": rounding}


def _quantize_case(mode, element_type, code_type):
    def make_case(rng, index, size):
        shape, axis, low, high = _range_of(rng, index, size, mode, code_type, is_quantize=True)
        choices = _choices(rng, mode)
        lowest, highest = CODES[code_type]
        given_low, given_high = (broadcast(bound, shape, axis, None).astype(np.float64)
                                 for bound in (low, high))
        # As the op widens it.
        least = np.minimum(0, given_low)
        margin = np.maximum(1, np.maximum(abs(given_low), abs(given_high))) * _MARGIN
        most = np.maximum(0, np.maximum(given_high, least + margin))
        if mode == "SCALED":
            first = lowest + choices["narrow_range"]
            elements = inputs.around_steps(rng, shape, _signed_scale(least, most, first, highest), 0.0, first,
                                           highest, element_type, nan=False)
        else:
            origin = least if mode == "MIN_COMBINED" else 0.0
            scale = (most - least) / (highest - lowest)
            first = 0 if mode == "MIN_COMBINED" else np.rint(least / scale)
            elements = inputs.around_steps(rng, shape, scale, origin, first, first + highest - lowest,
                                           element_type, nan=False)
        bounds = parameter_shape(shape, axis, None)
        return Case("quantize", f"TENSORFLOW_QUANTIZE_V2_{mode}", elements, element_type, code_type,
                    min=low.reshape(bounds), max=high.reshape(bounds), axis=axis, **choices)

    return make_case


def _dequantize_case(mode, code_type, element_type):
    def make_case(rng, index, size):
        shape, axis, low, high = _range_of(rng, index, size, mode, code_type, is_quantize=False)
        codes = inputs.codes(rng, shape, *CODES[code_type], code_type)
        bounds = parameter_shape(shape, axis, None)
        choices = {"narrow_range": bool(rng.integers(2))} if mode == "SCALED" else {}
        return Case("dequantize", f"TENSORFLOW_QUANTIZE_V2_{mode}", codes, code_type, element_type,
                    min=low.reshape(bounds), max=high.reshape(bounds), axis=axis, **choices)

    return make_case


def _range_of(rng, index, size, mode, code_type, is_quantize):
    """Returns a shape, an axis, and ranges that are taken."""
    # QuantizeV2 and Dequantize have no axis in this mode.
    shape, axis, _ = ((size,), None, None) if mode == "MIN_FIRST" else layout(rng, index, size)
    lowest, highest = CODES[code_type]
    needs_positive = mode == "SCALED" and lowest == 0

    def is_taken(low, high):
        if not needs_positive:
            return True
        # QuantizeV2 raises `high` to more than 0, unless the range lies below.
        return high > highest * 4 * _FLT_MIN or (is_quantize and high == 0 and low == 0)

    bits = 8 if highest - lowest == 255 else 16
    low, high = inputs.ranges(rng, 1 if axis is None else shape[axis], bits, False, zeros=is_quantize,
                              is_taken=is_taken)
    if is_quantize:
        empty = rng.random(low.shape) < 0.05
        low[empty & (high > 0)] = high[empty & (high > 0)]
    return shape, axis, low, high
