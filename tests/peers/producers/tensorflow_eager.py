"""TensorFlow's fake quantization and uniform quantization on a CPU, in eager mode and in graph mode."""

import numpy as np
import tensorflow as tf

from producers import tensorflow_ops
from producers.tensorflow_ops import OPS, version  # pylint: disable=unused-import


def compute(case):
    if case.numerics == "TENSORFLOW_UNIFORM":
        return _uniform(case)
    # Both modes are the same kernels, so each has its share of the cases.
    return tensorflow_ops.compute(case, _eager if case.num_bits % 2 == 0 else tf.function)


def _eager(function):
    return function


def _uniform(case):
    types = {"int8": tf.qint8, "int32": tf.qint32}
    axis = -1 if case.axis is None else case.axis % case.inputs.ndim
    if case.operation == "quantize":
        output = OPS.UniformQuantize(
            input=tf.constant(case.inputs), scales=tf.constant(case.scale),
            zero_points=tf.constant(case.zero_point), Tout=types[case.output_type],
            quantization_axis=axis, quantization_min_val=case.quant_min,
            quantization_max_val=case.quant_max)
        return {"output": tf.bitcast(output, case.output_type).numpy()}
    codes = tf.bitcast(tf.constant(case.inputs), types[case.input_type])
    lowest = np.iinfo(case.input_type).min if case.quant_min is None else case.quant_min
    highest = np.iinfo(case.input_type).max if case.quant_max is None else case.quant_max
    output = OPS.UniformDequantize(
        input=codes, scales=tf.constant(case.scale), zero_points=tf.constant(case.zero_point),
        Tout=tf.float32, quantization_axis=axis, quantization_min_val=lowest, quantization_max_val=highest)
    return {"output": output.numpy()}
