"""For producers whose channels are those of the last dimension."""

import numpy as np


def with_channels_last(axis, compute, *arrays):
    """Calls `compute` with arrays whose channels come last, and moves those of its answer back."""
    answer = compute(*(None if array is None else np.ascontiguousarray(np.moveaxis(array, axis, -1))
                       for array in arrays))
    return {name: np.ascontiguousarray(np.moveaxis(value, -1, axis))
            if name in ("output", "input_gradients") else value
            for name, value in answer.items()}
