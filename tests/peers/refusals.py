"""Parameters that quantd refuses, because the producers' own results for them are not to be reproduced."""

import numpy as np
import quantd

_X = np.linspace(-1, 1, 5, dtype=np.float32)

#: Ranges for which TensorFlow gives infinities, values outside of the nudged range, or flushed scales.
_RANGES = {
    "a range that is too wide": (-2e38, 2e38, 5),
    "a scale that is too small": (0, 2e-38, 8),
    "an inverse scale that is subnormal": (-1e38, 1.6e38, 2),
    "a subnormal bound": (-1e-40, 1, 8),
    "an infinite bound": (0, np.inf, 8),
    "a range that is upside down": (1, -1, 8),
    "an empty range": (1, 1, 8),
}


def failures(client):
    """Returns what was not refused as it should be."""
    found = []
    by_range = [numerics for numerics in quantd.Numerics if numerics.value < 10] + [quantd.Numerics.LITERT]
    for numerics in by_range:
        for what, (low, high, num_bits) in _RANGES.items():
            found += _failure(f"{numerics.name}: {what}", "INVALID_RANGE", lambda: client.fake_quantize(
                _X, low, high, num_bits, numerics=numerics))  # pylint: disable=cell-var-from-loop
        if numerics.name not in ("TENSORFLOW", "TENSORFLOW_ARGS"):
            found += _failure(f"{numerics.name}: min = max = 0", "INVALID_RANGE", lambda: client.fake_quantize(
                _X, 0, 0, numerics=numerics))  # pylint: disable=cell-var-from-loop
    nan = np.array([0, np.nan], np.float32)
    for numerics in (quantd.Numerics.TENSORFLOW, quantd.Numerics.KERAS_JAX):
        found += _failure(f"{numerics.name}: a code for NaN", "INVALID_VALUE", lambda: client.quantize(
            nan, -1, 1, numerics=numerics))  # pylint: disable=cell-var-from-loop
    found += _older_failures(client, nan)
    found += _failure("ONNX: NaN in a data range", "INVALID_VALUE", lambda: client.quantize(
        nan, data_range="min_max", numerics=quantd.Numerics.ONNX))
    for numerics, scale in ((quantd.Numerics.LITERT_XNNPACK, 2e-38), (quantd.Numerics.LITERT_XNNPACK, 9e37),
                            (quantd.Numerics.ONNX, 0), (quantd.Numerics.PYTORCH, np.inf),
                            (quantd.Numerics.TENSORFLOW_UNIFORM, 2.3e-38)):
        found += _failure(f"{numerics.name}: the scale {scale}", "INVALID_SCALE", lambda: client.quantize(
            _X, scale=scale, numerics=numerics,  # pylint: disable=cell-var-from-loop
            output_type="int8"))
    return found


def _older_failures(client, nan):
    """Returns what was not refused of TensorFlow's older ops, for which it gives infinities, NaN or a constant."""
    found = []
    for low, high in ((-3e38, 3.4028235e38), (-1e-37, 1e-37), (-1e-40, 1), (0, np.inf), (1, -1)):
        found += _failure(f"QUANTIZE_AND_DEQUANTIZE: {low} to {high}", "INVALID_RANGE",
                          lambda: client.fake_quantize(  # pylint: disable=cell-var-from-loop
                              _X, low, high, signed_input=True,
                              numerics=quantd.Numerics.TENSORFLOW_QUANTIZE_AND_DEQUANTIZE))
    codes = np.zeros(1, np.uint8)
    for mode in ("MIN_COMBINED", "MIN_FIRST", "SCALED"):
        numerics = quantd.Numerics[f"TENSORFLOW_QUANTIZE_V2_{mode}"]
        found += _failure(f"{mode}: a code for NaN", "INVALID_VALUE", lambda: client.quantize(
            nan, -1, 1, numerics=numerics))  # pylint: disable=cell-var-from-loop
        found += _failure(f"{mode}: values of a tiny range", "INVALID_RANGE", lambda: client.dequantize(
            codes, 0, 1e-37, numerics=numerics))  # pylint: disable=cell-var-from-loop
        if mode != "SCALED":
            found += _failure(f"{mode}: a range that is too wide", "INVALID_RANGE", lambda: client.quantize(
                _X, -3e38, 3e38, numerics=numerics))  # pylint: disable=cell-var-from-loop
    return found


def _failure(what, reason, call):
    try:
        call()
    except quantd.QuantdError as error:
        return [] if error.reason == reason else [f"{what}: {error.reason} ({error})"]
    return [f"{what}: not refused"]
