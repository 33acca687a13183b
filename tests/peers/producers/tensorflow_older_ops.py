"""TensorFlow's older quantizing ops on a CPU, without oneDNN, in eager mode and in graph mode."""

import itertools

import numpy as np
import tensorflow as tf

from producers.tensorflow_ops import OPS, version  # pylint: disable=unused-import

_TYPES = {"int8": tf.qint8, "uint8": tf.quint8, "int16": tf.qint16, "uint16": tf.quint16}
_MODE = "TENSORFLOW_QUANTIZE_V2_"
#: Both modes are the same kernels, so each has its share of the cases.
_DECORATORS = itertools.cycle((lambda function: function, tf.function))


def compute(case):
    return {
        "fake_quantize": _fake_quantize,
        "fake_quantize_gradient": _fake_quantize_gradient,
        "quantize": _quantize,
        "dequantize": _dequantize,
    }[case.operation](case)


def _call(op, inputs, **attributes):
    """Returns the results of an op whose tensors are `inputs`, as arrays."""
    function = next(_DECORATORS)(lambda **tensors: op(**tensors, **attributes))
    results = function(**{name: tf.constant(value) for name, value in inputs.items()})
    return [result.numpy() for result in tf.nest.flatten(results)]


def _axis(case):
    return -1 if case.axis is None else case.axis % case.inputs.ndim


def _fake_quantize(case):
    attributes = {"signed_input": case.signed_input, "range_given": True, "narrow_range": case.narrow_range}
    rounding = case.rounding or "HALF_TO_EVEN"
    if case.axis is None:
        attributes |= {"num_bits": case.num_bits, "round_mode": rounding}
        op = OPS.QuantizeAndDequantizeV4 if case.num_bits % 2 else OPS.QuantizeAndDequantizeV2
        return {"output": _ranged(op, case, case.inputs, case.min, case.max, attributes)}
    if rounding == "HALF_TO_EVEN":
        # The only one of these ops that takes a range for each channel. It has no other rounding.
        output, = _call(OPS.QuantizeAndDequantizeV3, {
            "input": case.inputs, "input_min": case.min.astype(case.inputs.dtype),
            "input_max": case.max.astype(case.inputs.dtype), "num_bits": np.int32(case.num_bits),
        }, axis=_axis(case), **attributes)
        return {"output": output}
    attributes |= {"num_bits": case.num_bits, "round_mode": rounding}
    channels = [
        _ranged(OPS.QuantizeAndDequantizeV4, case, np.ascontiguousarray(channel), low, high, attributes)
        for channel, low, high in zip(np.moveaxis(case.inputs, case.axis, 0), case.min, case.max, strict=True)]
    return {"output": np.ascontiguousarray(np.moveaxis(np.stack(channels), 0, case.axis))}


def _ranged(op, case, inputs, low, high, attributes):
    bounds = {"input_min": low.astype(case.inputs.dtype), "input_max": high.astype(case.inputs.dtype)}
    output, = _call(op, {"input": inputs} | bounds, **attributes)
    return output


def _fake_quantize_gradient(case):
    results = _call(OPS.QuantizeAndDequantizeV4Grad, {
        "gradients": case.gradients, "input": case.inputs, "input_min": case.min.astype(case.inputs.dtype),
        "input_max": case.max.astype(case.inputs.dtype)}, axis=_axis(case))
    return dict(zip(("input_gradients", "min_gradient", "max_gradient"), results, strict=True))


def _quantize(case):
    inputs = {"input": case.inputs, "min_range": case.min, "max_range": case.max}
    output, low, high = _quantize_v2(inputs, case)
    # The op gives a single channel as numbers.
    return {"output": output, "output_min": low.reshape(case.min.shape), "output_max": high.reshape(case.max.shape)}


def _quantize_v2(inputs, case):
    def op(**tensors):
        output, low, high = OPS.QuantizeV2(
            **tensors, T=_TYPES[case.output_type], mode=case.numerics.removeprefix(_MODE), axis=_axis(case),
            narrow_range=case.narrow_range, round_mode=case.rounding or "HALF_AWAY_FROM_ZERO")
        return tf.bitcast(output, case.output_type), low, high
    return _call(op, inputs)


def _dequantize(case):
    def op(codes, min_range, max_range):
        return OPS.Dequantize(input=tf.bitcast(codes, _TYPES[case.input_type]), min_range=min_range,
                              max_range=max_range, mode=case.numerics.removeprefix(_MODE), axis=_axis(case),
                              narrow_range=case.narrow_range)
    output, = _call(op, {"codes": case.inputs, "min_range": case.min, "max_range": case.max})
    return {"output": output}
