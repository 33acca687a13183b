"""TensorFlow's fake quantization ops, called through functions that may be compiled."""

import functools

import numpy as np
import tensorflow as tf

from producers.channels import with_channels_last

OPS = tf.raw_ops

# It counts how often functions are compiled, which is the purpose here.
tf.get_logger().setLevel("ERROR")


def version():
    return f"TensorFlow {tf.__version__}"


def compute(case, decorate):
    """Returns the results of a case. `decorate` makes a function of tensors into one that is called."""
    if "ARGS" in case.numerics:
        return _args(case, decorate)
    if case.axis is None:
        return _with_range("FakeQuantWithMinMaxVars", case, decorate, case.inputs, case.gradients)
    compute_last = functools.partial(_with_range, "FakeQuantWithMinMaxVarsPerChannel", case, decorate)
    return with_channels_last(case.axis, compute_last, case.inputs, case.gradients)


def _args(case, decorate):
    # The range is an attribute of these ops, so there is a function for each.
    attributes = {"min": float(case.min), "max": float(case.max), "num_bits": case.num_bits,
                  "narrow_range": case.narrow_range}
    inputs = tf.constant(case.inputs)
    if case.gradients is None:
        function = decorate(lambda x: OPS.FakeQuantWithMinMaxArgs(inputs=x, **attributes))
        return {"output": function(inputs).numpy()}
    function = decorate(
        lambda g, x: OPS.FakeQuantWithMinMaxArgsGradient(gradients=g, inputs=x, **attributes))
    return {"input_gradients": function(tf.constant(case.gradients), inputs).numpy()}


def _with_range(op, case, decorate, inputs, gradients):
    function = _function(op, gradients is not None, case.num_bits, case.narrow_range, decorate)
    bounds = tf.constant(case.min), tf.constant(case.max)
    if gradients is None:
        return {"output": function(tf.constant(inputs), *bounds).numpy()}
    names = ("input_gradients", "min_gradient", "max_gradient")
    results = function(tf.constant(gradients), tf.constant(inputs), *bounds)
    return {name: np.asarray(result) for name, result in zip(names, results, strict=True)}


@functools.cache
def _function(op, is_gradient, num_bits, narrow_range, decorate):
    attributes = {"num_bits": num_bits, "narrow_range": narrow_range}
    if is_gradient:
        gradient = getattr(OPS, op + "Gradient")
        return decorate(lambda g, x, low, high: gradient(gradients=g, inputs=x, min=low, max=high,
                                                         **attributes))
    forward = getattr(OPS, op)
    return decorate(lambda x, low, high: forward(inputs=x, min=low, max=high, **attributes))
