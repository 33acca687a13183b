"""Makes parameters and elements that are likely to tell two arithmetics apart.

A third of the elements is random, within and around the range. Most of the others lie halfway between two
codes, or at codes, and up to a few ulps beside them. The rest is special: infinities, NaN, zeros, subnormal
and huge numbers, and the ends of the range with their neighbours.
"""

import numpy as np

from case import from_float32, to_float32

_FLT_MIN = float(np.finfo(np.float32).tiny)
_BITS = {"float32": np.int32, "float16": np.int16, "bfloat16": np.int16, "float64": np.int64}
_UNSIGNED = {"float32": np.uint32, "float16": np.uint16, "bfloat16": np.uint16, "float64": np.uint64}


def ranges(rng, count, num_bits, narrow_range, zeros=False, is_taken=None):
    """Returns min and max of `count` channels, as float32 arrays. None of these ranges is refused.

    With `zeros`, min = max = 0 occurs. `is_taken(low, high)` returns whether quantd takes a range, where it
    is not enough that the range has a scale.
    """
    levels = 2**num_bits - 1 - int(narrow_range)
    low, high = np.empty(count, np.float32), np.empty(count, np.float32)
    for channel in range(count):
        while True:
            low[channel], high[channel] = _range(rng, levels)
            if is_taken is None or is_taken(float(low[channel]), float(high[channel])):
                break
        if zeros and rng.random() < 0.1:
            low[channel] = high[channel] = 0
    return low, high


def _range(rng, levels):
    while True:
        kind = rng.integers(8)
        if kind == 0:  # a few units around zero
            low, high = -rng.random() * 6, rng.random() * 6
        elif kind == 1:  # any two numbers
            low, high = sorted(rng.normal(size=2) * 10)
        elif kind == 2:  # the code of zero lies halfway between two codes
            steps = rng.integers(0, levels) + 0.5
            scale = 2.0**rng.integers(-8, 4)
            low, high = -steps * scale, (levels - steps) * scale
        elif kind == 3:  # multiples of a power of two
            low, high = -rng.integers(0, 256) / 2, rng.integers(1, 512) / 2
        elif kind == 4:  # starts or ends at zero
            low, high = (0, rng.random() * 10) if rng.random() < 0.5 else (-rng.random() * 10, 0)
        elif kind == 5:  # any size
            size = 10.0**rng.uniform(-30, 36)
            low, high = -rng.random() * size, rng.random() * size
        elif kind == 6:  # symmetric
            high = rng.random() * 10.0**rng.integers(-3, 4)
            low = -high
        else:  # away from zero
            low = rng.random() * 20
            high = low + rng.random() * 10
            if rng.random() < 0.5:
                low, high = -high, -low
        low, high = np.float32(low), np.float32(high)
        width = float(high) - float(low)
        normal = all(bound == 0 or abs(bound) > 2 * _FLT_MIN for bound in (low, high))
        if normal and width / levels > 4 * _FLT_MIN and width < 1e38:
            return low, high


def scales(rng, count, lowest, highest, scale_type, limits):
    """Returns scales and zero points of `count` channels or blocks, as float32 and int32 arrays.

    The zero points are in lowest..highest, and the scales are numbers of `scale_type`.
    """
    if scale_type == "float16":
        limits = max(limits[0], 2.0**-14), min(limits[1], 1000)
    if scale_type == "bfloat16":
        limits = max(limits[0], 1e-40), min(limits[1], 3e38)
    kind = rng.integers(0, 4, count)
    scale = np.where(kind == 0, 2.0**rng.integers(-9, 5, count),
                     np.where(kind == 1, rng.random(count) * 0.1 + 1e-3,
                              np.where(kind == 2, rng.random(count) * 10 + 1e-3,
                                       10.0**rng.uniform(*np.log10(limits), count))))
    scale = np.clip(scale, *limits).astype(np.float32)
    scale = to_float32(from_float32(scale, scale_type), scale_type)
    zero_point = rng.integers(lowest, highest, count, endpoint=True)
    near = rng.integers(max(lowest, -200), min(highest, 200), count, endpoint=True)
    return scale, np.where(rng.random(count) < 0.5, zero_point, near).astype(np.int32)


def around_ranges(rng, shape, low, high, num_bits, narrow_range, element_type, nan=True):
    """Returns elements around ranges that broadcast against `shape`."""
    levels = 2**num_bits - 1 - int(narrow_range)
    low, high = low.astype(np.float64), high.astype(np.float64)
    scale = (high - low) / levels
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.clip(np.rint(np.nan_to_num(-low / scale)), 0, levels)
    return _around(rng, shape, scale, -steps, levels - steps, element_type, nan)


def around_codes(rng, shape, scale, zero_point, lowest, highest, element_type, nan=True):
    """Returns elements around the values of the codes lowest..highest. Parameters broadcast against `shape`."""
    zero_point = zero_point.astype(np.float64)
    return _around(rng, shape, scale.astype(np.float64), lowest - zero_point, highest - zero_point,
                   element_type, nan)


def around_steps(rng, shape, scale, origin, first_step, last_step, element_type, nan=True):
    """Returns elements around steps from `origin`, which need not be 0. Parameters broadcast against `shape`."""
    return _around(rng, shape, scale, first_step, last_step, element_type, nan, origin)


def _around(rng, shape, scale, first_step, last_step, element_type, nan, origin=0.0):
    """Returns elements around the multiples of `scale` from `first_step` to `last_step`, from `origin` on."""
    count = last_step - first_step
    position = rng.random(shape)
    steps = first_step + np.floor(position * (count + 1))
    choice = rng.random(shape)
    values = np.where(
        choice < 0.35, first_step + (position * 1.4 - 0.2) * count,
        np.where(choice < 0.75, steps + 0.5,
                 np.where(choice < 0.88, steps, np.where(position < 0.5, first_step, last_step)))) * scale + origin
    elements = _of_float64(values, element_type)
    elements = _neighbours(rng, elements, element_type, choice >= 0.35)
    special = rng.random(shape) < 0.03
    elements[special] = rng.choice(_specials(element_type, nan), int(special.sum()))
    return elements


def gradients(rng, shape, element_type, specials):
    """Returns gradients: with `specials`, some are subnormal, infinite, NaN or negative zeros."""
    elements = _of_float64(rng.normal(size=shape), element_type)
    if specials:
        values = to_float32(_specials(element_type, True), element_type)
        # The producers' own sums of huge numbers overflow, in an order that depends on the machine.
        values = _of_float64(values[~(np.isfinite(values) & (np.abs(values) > 1e4))], element_type)
        some = rng.random(shape) < 0.02
        elements[some] = rng.choice(values, int(some.sum()))
    else:
        elements[rng.random(shape) < 0.01] = _of_float64(np.array(-0.0), element_type)
    return elements


def codes(rng, shape, lowest, highest, dtype):
    """Returns codes, each of which occurs if there are few."""
    elements = rng.integers(lowest, highest, shape, dtype=np.int64, endpoint=True)
    some = rng.random(shape) < 0.05
    elements[some] = rng.choice([lowest, highest, max(lowest, -1), 0, 1], int(some.sum()))
    return elements.astype(dtype)


def _of_float64(values, element_type):
    with np.errstate(over="ignore"):
        if element_type == "bfloat16":
            return from_float32(values.astype(np.float32), element_type)
        return values.astype(element_type)


def _neighbours(rng, elements, element_type, where):
    """Moves the elements `where` this is true by up to two ulps, and seldom by more."""
    bits = elements.view(_BITS[element_type]).astype(np.int64)
    lowest = np.int64(np.iinfo(_BITS[element_type]).min)
    # In this order, neighbouring floats are neighbouring integers; both zeros are 0.
    order = np.where(bits < 0, lowest - bits, bits)
    distance = rng.integers(-2, 3, elements.shape)
    distance = np.where(rng.random(elements.shape) < 0.1, distance * 4, distance)
    infinity = int(_of_float64(np.array(np.inf), element_type).view(_BITS[element_type]))
    is_number = np.abs(order) < infinity
    moved = np.clip(order + np.where(where & is_number, distance, 0), -infinity, infinity)
    moved = np.where(is_number, moved, order)
    bits = np.where(moved == order, bits, np.where(moved < 0, lowest - moved, moved))
    return bits.astype(_BITS[element_type]).view(elements.dtype).copy()


def _specials(element_type, nan):
    """Returns the special elements of a type."""
    unsigned = _UNSIGNED[element_type]
    infinity = int(_of_float64(np.array(np.inf), element_type).view(unsigned))
    smallest_normal = infinity & ~(infinity - 1) if infinity else 0
    sign = 1 << (8 * np.dtype(unsigned).itemsize - 1)
    bits = [0, 1, 2, smallest_normal // 3, smallest_normal - 1, smallest_normal, infinity - 1, infinity - 2,
            infinity]
    bits += [sign | value for value in bits]
    if nan:
        bits += [infinity + 1, infinity | smallest_normal >> 1, sign | infinity | smallest_normal >> 1]
    elements = np.array(bits, unsigned)
    numbers = _of_float64(np.array([1, -1, 0.5, -0.5, 1.5, 2.0**31, -2.0**31, 3e9, -3e9, 1e19, -1e19, 2.0**63,
                                    -2.0**63, 1e30, -1e30]), element_type)
    return np.concatenate([elements, numbers.view(unsigned)]).view(numbers.dtype)
