"""Compares results bit for bit."""

import numpy as np

#: Of the sum of absolute gradients. The producers add in float32, in an order that depends on size and machine.
SUM_TOLERANCE = 1e-6


def differing(actual, expected, element_type):
    """Returns where two arrays differ. Any NaN equals any NaN, and -0 does not equal +0."""
    if actual.shape != expected.shape or actual.dtype != expected.dtype:
        raise ValueError(f"there are {actual.shape} elements of {actual.dtype}; expected {expected.shape} of "
                         f"{expected.dtype}")
    unsigned = np.dtype(f"u{actual.dtype.itemsize}")
    differ = actual.view(unsigned) != expected.view(unsigned)
    if element_type == "bfloat16":
        return differ & ~((actual & 0x7FFF) > 0x7F80) | differ & ~((expected & 0x7FFF) > 0x7F80)
    if actual.dtype.kind == "f":
        return differ & ~(np.isnan(actual) & np.isnan(expected))
    return differ


def differing_sums(actual, expected, gradients, axis):
    """Returns where sums of gradients differ by more than the tolerance, or if they are not finite, at all."""
    with np.errstate(invalid="ignore"):
        gradients = np.abs(gradients.astype(np.float64))
    gradients = np.where(np.isfinite(gradients), gradients, 0)
    if axis is None:
        size = gradients.sum()
    else:
        size = np.moveaxis(gradients, axis, 0).reshape(gradients.shape[axis], -1).sum(axis=1)
    both_nan = np.isnan(actual) & np.isnan(expected)
    with np.errstate(invalid="ignore"):
        near = np.abs(actual.astype(np.float64) - expected) <= SUM_TOLERANCE * size
    return ~(both_nan | (actual == expected) | near)
