"""The common parts of the runners of Python peers: the line protocol of kernel_runner.cc."""

import json
import pathlib
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

# Does the work once and returns its result.
Call = Callable[[], Any]
# Returns a call for a number of channels and a size in bytes, as in kernel_runner.cc.
Prepare = Callable[[int, int], Call]

# The types of codes that fill whole bytes, as numpy calls them.
BYTE_CODES = {"int8": np.int8, "uint8": np.uint8, "int16": np.int16}


class Tensors:
    """The inputs, ranges, scales and codes that all runners work on."""

    def __init__(self, folder: str) -> None:
        def read(name: str) -> np.ndarray:
            return np.fromfile(pathlib.Path(folder, f"{name}.f32"), np.float32)

        self._inputs = read("inputs")
        self._min = read("min")
        self._max = read("max")
        self._scale = read("scale")
        self._zero_point = read("zero_point").astype(np.int32)
        self._codes = np.fromfile(pathlib.Path(folder, "codes.bin"), np.uint8)

    def inputs(self, size: int, channels: int) -> np.ndarray:
        """Returns the first `size` bytes, in one dimension if there are no channels."""
        return _in_channels(self._inputs[:size // 4], channels)

    def codes(self, code_type: str, size: int, channels: int) -> np.ndarray:
        """Returns as many codes as a float32 tensor of `size` bytes has elements.

        Codes of int4 are packed, two per byte, and have one dimension.
        """
        count = size // 4
        if code_type == "int4":
            return self._codes[:count // 2]
        return _in_channels(self._codes.view(BYTE_CODES[code_type])[:count], channels)

    def range(self, channels: int) -> "NudgedRange":
        """Returns one range per channel, or a single range for the whole tensor if it is 0."""
        count = max(1, channels)
        return NudgedRange(self._min[:count], self._max[:count])

    def affine(self, code_type: str, channels: int) -> "Affine":
        """Returns the scales and zero points of codes of that type, likewise."""
        count = max(1, abs(channels))
        return Affine(self._scale[:count], self._zero_point[:count], code_type)


def _in_channels(values: np.ndarray, channels: int) -> np.ndarray:
    if channels == 0:
        return values
    return values.reshape(-1, channels) if channels > 0 else values.reshape(-channels, -1)


class NudgedRange:
    """8-bit ranges in float32, one value per channel, nudged as described in docs/design.md."""

    levels = np.float32(255)

    def __init__(self, low: np.ndarray, high: np.ndarray) -> None:
        self.scale = (high - low) / self.levels
        self.inverse_scale = self.levels / (high - low)
        from_low = np.clip(-low / self.scale, 0, self.levels)
        self.zero_point = np.floor(from_low + np.float32(0.5))
        self.min = -self.zero_point * self.scale
        self.max = (self.levels - self.zero_point) * self.scale


class Affine:
    """Scales and zero points, one value per channel, and the codes of a type."""

    _CODES = {"int4": (-8, 7), "int8": (-128, 127), "int16": (-32768, 32767), "uint8": (0, 255)}

    def __init__(self, scale: np.ndarray, zero_point: np.ndarray, code_type: str) -> None:
        self.lowest, self.highest = self._CODES[code_type]
        self.scale = scale
        # The given ones are those of uint8.
        self.zero_point = np.clip(zero_point - (128 if self.lowest < 0 else 0), self.lowest,
                                  self.highest).astype(np.int32)


def seconds_per_call(call: Call, least_seconds: float) -> float:
    """Returns the median duration of a call after a warm-up call.

    Returns the duration of the warm-up call if that takes long enough.
    """
    start = time.perf_counter()
    call()
    end = time.perf_counter()
    if end - start >= least_seconds:
        return end - start
    durations = []
    until = end + least_seconds
    while end < until:
        start = end
        call()
        end = time.perf_counter()
        durations.append(end - start)
    return statistics.median(durations)


def serve(contender: str, versions: dict[str, str], operations: Mapping[str, Prepare],
          to_array: Callable[[Any], np.ndarray] = np.asarray) -> None:
    """Answers commands until the input ends.

    `to_array` converts the result of a call to an array, which is not timed.
    """
    greeting = {"contenders": [[contender, name] for name in operations], "versions": versions}
    print(json.dumps(greeting), flush=True)
    for line in sys.stdin:
        try:
            answer = _answer(line, operations, to_array)
        except Exception as error:  # Every error is reported to the caller.
            answer = f"error {type(error).__name__}: {error}".replace("\n", " ")
        print(answer, flush=True)


def _answer(line: str, operations: Mapping[str, Prepare],
            to_array: Callable[[Any], np.ndarray]) -> str:
    command, _, operation, channels, size, argument = line.split(maxsplit=5)
    call = operations[operation](int(channels), int(size))
    if command == "time":
        return f"ok {seconds_per_call(call, float(argument) / 1000)}"
    if command == "write":
        to_array(call()).tofile(argument.rstrip("\n"))
        return "ok"
    raise ValueError(f'the command "{command}" is neither time nor write')
