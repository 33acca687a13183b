"""Differences from the producers that are known, each with its reason.

docs/numerics.md lists them, too. Anything else that differs fails script/test-peers.
"""

import numpy as np


def explained(case, name):
    """Returns where a difference in the result `name` of a case is one of these."""
    del name
    return np.zeros(case.inputs.shape, bool)
