"""Differences from the producers that are known, each with its reason.

docs/numerics.md lists them, too. Anything else that differs fails script/test-peers.
"""

import numpy as np


def explained(case, name, shape):
    """Returns where a difference in the result `name` of a case, which has this shape, is one of these."""
    del case, name
    return np.zeros(shape, bool)
