"""The common parts of the runners of Python peers: the line protocol of kernel_runner.cc."""

import json
import pathlib
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

# Does the work once and returns its result.
Call = Callable[[], np.ndarray]


class Tensors:
    """The input and the ranges that all runners work on."""

    def __init__(self, folder: str) -> None:
        def read(name: str) -> np.ndarray:
            return np.fromfile(pathlib.Path(folder, f"{name}.f32"), np.float32)

        self._inputs = read("inputs")
        self._min = read("min")
        self._max = read("max")

    def inputs(self, size: int, channels: int) -> np.ndarray:
        """Returns the first `size` bytes, in rows of `channels`, or in one dimension if it is 0."""
        values = self._inputs[:size // 4]
        return values.reshape(-1, channels) if channels else values

    def range(self, channels: int) -> "NudgedRange":
        """Returns one range per channel, or a single range for the whole tensor if it is 0."""
        count = max(1, channels)
        return NudgedRange(self._min[:count], self._max[:count])


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


def serve(contender: str, versions: dict[str, str], prepare: Callable[[int, int], Call]) -> None:
    """Answers commands until the input ends. prepare(channels, bytes) returns a forward call."""
    greeting = {"contenders": [[contender, "forward"]], "versions": versions}
    print(json.dumps(greeting), flush=True)
    for line in sys.stdin:
        try:
            answer = _answer(line, prepare)
        except Exception as error:  # Every error is reported to the caller.
            answer = f"error {type(error).__name__}: {error}".replace("\n", " ")
        print(answer, flush=True)


def _answer(line: str, prepare: Callable[[int, int], Call]) -> str:
    command, _, _, channels, size, argument = line.split(maxsplit=5)
    call = prepare(int(channels), int(size))
    if command == "time":
        return f"ok {seconds_per_call(call, float(argument) / 1000)}"
    if command == "write":
        call().tofile(argument.rstrip("\n"))
        return "ok"
    raise ValueError(f'the command "{command}" is neither time nor write')
