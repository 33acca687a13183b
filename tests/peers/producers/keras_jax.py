"""Keras's fake_quant_with_min_max_vars on JAX, op by op and under jax.jit.

XLA_FLAGS in the environment as for tensorflow_xla. Ranges are arguments of the compiled functions.
"""

import functools
import os

os.environ["KERAS_BACKEND"] = "jax"

# pylint: disable=wrong-import-position
import jax
import jax.numpy as jnp
import keras
import numpy as np

from producers.channels import with_channels_last


def version():
    return f"Keras {keras.__version__}, JAX {jax.__version__}"


def compute(case):
    if case.axis is None:
        return _compute(case, case.inputs, case.gradients)
    return with_channels_last(case.axis, functools.partial(_compute, case), case.inputs, case.gradients)


def _compute(case, inputs, gradients):
    axis = None if case.axis is None else inputs.ndim - 1
    is_compiled = "JIT" in case.numerics
    function = _function(gradients is not None, case.num_bits, case.narrow_range, axis, is_compiled)
    bounds = jnp.asarray(case.min), jnp.asarray(case.max)
    if gradients is None:
        return {"output": np.asarray(function(jnp.asarray(inputs), *bounds))}
    results = function(jnp.asarray(gradients), jnp.asarray(inputs), *bounds)
    names = ("input_gradients", "min_gradient", "max_gradient")
    return {name: np.asarray(result) for name, result in zip(names, results, strict=True)}


@functools.cache
def _function(is_gradient, num_bits, narrow_range, axis, is_compiled):
    def forward(x, low, high):
        return keras.quantizers.fake_quant_with_min_max_vars(
            x, low, high, num_bits=num_bits, narrow_range=narrow_range, axis=axis)

    def backward(gradients, x, low, high):
        return jax.vjp(forward, x, low, high)[1](gradients)

    function = backward if is_gradient else forward
    return jax.jit(function) if is_compiled else function
