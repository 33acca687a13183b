"""TensorFlow's fake quantization compiled by XLA (jit_compile) for a CPU.

XLA_FLAGS=--xla_cpu_max_isa=AVX in the environment compiles for a CPU without fused multiply-add, and AVX2
for one with it. Ranges are arguments of the compiled functions, except for the ops that have them as
attributes.
"""

import functools

import tensorflow as tf

from producers import tensorflow_ops
from producers.tensorflow_ops import version  # pylint: disable=unused-import

_COMPILE = functools.partial(tf.function, jit_compile=True)


def compute(case):
    return tensorflow_ops.compute(case, _COMPILE)
