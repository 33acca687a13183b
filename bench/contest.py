"""Measures contenders that do the same work, taking turns in rounds.

In each round, every contender runs once per size, one after another and in a different order each
time. Contenders are only compared within a round. Before that, the results of each contender are
compared with quantd's. A contender that computes something else is left out, and a note says so.
"""

import collections
import dataclasses
import json
import os
import pathlib
import random
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from problem import CHANNELS, CODE_BYTES, CODE_CHANNELS, KIB, MIB

# pylint: disable=wrong-import-order
import runner  # From the folder of contenders, which problem.py adds to the path.

# Larger results are not compared, because the kernels do nothing different above this size.
_LARGEST_COMPARED = 16 * MIB

# The contenders that allocate memory during calls, and keep it.
_ALLOCATING = ("pytorch", "onnxruntime")

# A case that takes this long only runs in the first rounds; it would take most of the time otherwise.
SLOW_SECONDS = 1.0
ROUNDS_OF_SLOW = 2

# The contenders that have no operations per channel.
_PER_TENSOR = ("quantd_xnnpack", "xnnpack")

# The names of contenders in tables, in the order of the rows.
TITLES = {
    "memcpy": "memcpy",
    "streaming_copy": "streaming copy",
    "cached_add": "read two, write one",
    "streaming_add": "read two, write one, streaming",
    "quantd": "quantd",
    "quantd_pytorch": "quantd as PyTorch",
    "quantd_xnnpack": "quantd as XNNPACK",
    "eigen_native": "Eigen, for this machine",
    "eigen_avx2": "Eigen, for AVX2",
    "pytorch": "PyTorch",
    "numpy": "numpy",
    "onnxruntime": "ONNX Runtime",
    "xnnpack": "XNNPACK",
    "quantd_threads": "quantd, all cores",
    "eigen_native_threads": "Eigen, for this machine, all cores",
    "eigen_avx2_threads": "Eigen, for AVX2, all cores",
}


@dataclasses.dataclass(frozen=True)
class Operation:
    """What contenders do with tensors."""

    channels: tuple[int, ...]
    # The bytes that are read and written, per byte of a float32 tensor with as many elements. Each
    # tensor is counted once, regardless of what a contender moves.
    moved: float
    # The operation that moves bytes without any work.
    limit: str = "copy"
    # The type of the results.
    output_type: str = "float32"


FLOAT_OPERATIONS = {"forward": Operation(CHANNELS, 2), "gradient": Operation(CHANNELS, 3, "add")}
CODE_OPERATIONS = {
    **{f"quantize_{name}": Operation(CODE_CHANNELS, 1 + size / 4, output_type=name)
       for name, size in CODE_BYTES.items()},
    **{f"dequantize_{name}": Operation(CODE_CHANNELS, 1 + size / 4)
       for name, size in CODE_BYTES.items()},
    **{f"forward_{name}": Operation(CODE_CHANNELS, 1, output_type=name)
       for name in ("float16", "bfloat16")},
}
_LIMITS = {"copy": Operation((0,), 2), "add": Operation((0,), 3)}
_OPERATIONS = FLOAT_OPERATIONS | CODE_OPERATIONS | _LIMITS
# The contenders that measure a limit, each with one kind of stores.
_LIMITERS = {"copy": ("memcpy", "streaming_copy"), "add": ("cached_add", "streaming_add")}


@dataclasses.dataclass(frozen=True)
class Case:
    """One contender with one task."""

    contender: str
    operation: str
    # As in kernel_runner.cc.
    channels: int
    # The bytes of a float32 tensor with as many elements.
    size: int

    def bytes_moved(self) -> int:
        """Returns the bytes of all tensors of the operation."""
        return round(self.size * _OPERATIONS[self.operation].moved)

    def limit(self, contender: str) -> "Case":
        """Returns the case of a contender that moves as many bytes without any work."""
        limit = _OPERATIONS[self.operation].limit
        return Case(contender, limit, 0, round(self.bytes_moved() / _LIMITS[limit].moved))


class RunnerError(Exception):
    """A runner did not start, ended early, or reported an error."""


class Runner:
    """A process that runs contenders on request; see contenders/kernel_runner.cc."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        # pylint: disable=consider-using-with
        self._errors = tempfile.TemporaryFile("w+")
        try:
            self._process = subprocess.Popen(command, env=os.environ | environment, text=True,
                                             stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                             stderr=self._errors)
        except OSError as error:
            self._errors.close()
            raise RunnerError(str(error)) from error
        try:
            greeting = json.loads(self._read())
        except (RunnerError, json.JSONDecodeError) as error:
            self.close()
            raise RunnerError(f"{command[0]} did not send a runner's greeting: {error}") from error
        self.contenders = [(name, operation) for name, operation in greeting["contenders"]]
        self.versions: dict[str, str] = greeting["versions"]

    def time(self, case: Case, milliseconds: float) -> float:
        """Returns the duration of a call in seconds."""
        return float(self._ask("time", case, str(milliseconds)))

    def write(self, case: Case, path: pathlib.Path) -> np.ndarray:
        """Returns the results of a call, which are also written to `path`."""
        self._ask("write", case, str(path))
        return read_elements(path, _OPERATIONS[case.operation].output_type)

    def close(self) -> None:
        """Ends the process."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
        self._errors.close()

    def _ask(self, command: str, case: Case, argument: str) -> str:
        question = (command, case.contender, case.operation, str(case.channels), str(case.size),
                    argument)
        try:
            self._process.stdin.write(" ".join(question) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise RunnerError(f"it ended: {self._last_words()}") from error
        word, _, rest = self._read().partition(" ")
        if word != "ok":
            raise RunnerError(rest)
        return rest

    def _read(self) -> str:
        line = self._process.stdout.readline().rstrip("\n")
        if not line:
            raise RunnerError(f"it ended: {self._last_words()}")
        return line

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = [line for line in self._errors.read().splitlines() if line.strip()]
        return next((line for line in lines if "Error" in line), lines[-1] if lines else "silently")


def read_elements(path: pathlib.Path, element_type: str) -> np.ndarray:
    """Returns the elements of a file as numbers that numpy computes with: codes, or float32."""
    if element_type == "int4":
        packed = np.fromfile(path, np.int8)
        return np.stack((packed << 4 >> 4, packed >> 4), axis=1).reshape(-1)
    if element_type == "bfloat16":
        return (np.fromfile(path, np.uint16).astype(np.uint32) << 16).view(np.float32)
    elements = np.fromfile(path, element_type)
    return elements.astype(np.float32) if element_type == "float16" else elements


class Contest:
    """Runs the cases of all runners and collects the results."""

    def __init__(self, runners: dict[str, Runner], peers: Iterable[str], sizes: Iterable[int],
                 operations: Mapping[str, Operation] = FLOAT_OPERATIONS):
        self.notes: list[str] = []
        self.operations = operations
        # The durations of each case, by the number of the round.
        self.seconds: dict[Case, dict[int, float]] = collections.defaultdict(dict)
        self._runner_of: dict[tuple[str, str], Runner] = {
            contender: process for process in runners.values() for contender in process.contenders
            if contender[1] in operations or contender[1] in _LIMITS
            if not contender[0].startswith(("eigen", "xnnpack"))
            or contender[0].partition("_")[0] in peers}
        self.sizes = tuple(sizes)

    def cases(self, size: int) -> list[Case]:
        """Returns all cases of that size, and those of their limits."""
        cases = [Case(name, operation, channels, size) for name, operation in self._runner_of
                 if operation in self.operations
                 for channels in self.operations[operation].channels
                 if channels == 0 or name not in _PER_TENSOR]
        limits = [case.limit(name) for case in cases
                  for name in _LIMITERS[self.operations[case.operation].limit]]
        return cases + [case for case in dict.fromkeys(limits)
                        if self.takes_part(case.contender, case.operation)]

    def takes_part(self, contender: str, operation: str) -> bool:
        """Returns whether the contender exists and was not dropped."""
        return (contender, operation) in self._runner_of

    def verify(self, folder: pathlib.Path) -> None:
        """Drops the contenders whose results differ from quantd's."""
        for size in (size for size in self.sizes if size <= _LARGEST_COMPARED):
            expected = Expectations(self._runner_of["quantd", next(iter(self.operations))], folder)
            for case in self.cases(size):
                problem = self._problem(case, expected, folder)
                if problem:
                    self._drop(case, problem)

    def warm_up(self) -> None:
        """Makes contenders that allocate their results get memory, so that this is not measured."""
        for case in self.cases(max(self.sizes)):
            if case.contender in _ALLOCATING:
                self._time(case, 0)

    def _problem(self, case: Case, expected: "Expectations", folder: pathlib.Path) -> str | None:
        if not self.takes_part(case.contender, case.operation):
            return None
        try:
            results = self._runner_of[case.contender, case.operation].write(case,
                                                                            folder / "results.f32")
        except RunnerError as error:
            return str(error)
        return expected.difference(case, results)

    def run_round(self, number: int, milliseconds: float) -> None:
        """Runs every case once, in an order that depends on the round's number."""
        shuffle = random.Random(number).shuffle
        for size in self.sizes:
            cases = self.cases(size)
            shuffle(cases)
            # Cases that are compared with each other run in close succession.
            for case in sorted(cases, key=_work):
                if number < ROUNDS_OF_SLOW or not self._is_slow(case):
                    seconds = self._time(case, milliseconds)
                    if seconds is not None:
                        self.seconds[case][number] = seconds

    def _is_slow(self, case: Case) -> bool:
        return max(self.seconds.get(case, {}).values(), default=0) > SLOW_SECONDS

    def _time(self, case: Case, milliseconds: float) -> float | None:
        """Returns the duration of a call; None for a contender that was dropped, now or before."""
        process = self._runner_of.get((case.contender, case.operation))
        if process is None:
            return None
        try:
            return process.time(case, milliseconds)
        except RunnerError as error:
            self._drop(case, str(error))
            return None

    def _drop(self, case: Case, problem: str) -> None:
        if case.contender.startswith("quantd"):
            raise RunnerError(f"{TITLES[case.contender]} failed at {_describe(case)}: {problem}")
        self.notes.append(f"**{TITLES[case.contender]} is left out of {case.operation}**: "
                          f"at {_describe(case)}: {problem}.")
        del self._runner_of[case.contender, case.operation]
        for other in [c for c in self.seconds if c.contender == case.contender and
                      c.operation == case.operation]:
            del self.seconds[other]

    def ratio(self, size: int, channels: int, comparison: "Comparison") -> list[float] | None:
        """Returns how many times faster quantd is than the best of the others, by round."""
        ours = Case(comparison.contender, comparison.operation, channels, size)
        others = [comparison.other_case(ours, name) for name in comparison.others]
        return self._speed_over([ours], others)

    def limit(self, size: int, channels: int, comparison: "Comparison") -> list[float] | None:
        """Returns the same ratio for the limit, which only moves the bytes; None if it is unknown."""
        if comparison.of_limit or comparison.contender == "quantd_threads":
            return None
        ours = Case(comparison.contender, comparison.operation, channels, size)
        limiters = [ours.limit(name) for name in
                    _LIMITERS[self.operations[comparison.operation].limit]]
        others = [comparison.other_case(ours, name) for name in comparison.others]
        return self._speed_over(limiters, others)

    def share_of_memcpy(self, case: Case) -> float | None:
        """Returns the speed as a share of memcpy's, of as many bytes; the median over the rounds."""
        shares = self._speed_over([case], [case.limit("memcpy")])
        return statistics.median(shares) if shares else None

    def _speed_over(self, cases: list[Case], others: list[Case]) -> list[float] | None:
        """Returns how many times faster the best of `cases` is than the best of the others, by round."""
        best, best_of_others = self._best_of(cases), self._best_of(others)
        if not best or not best_of_others:
            return None
        return [best_of_others[number] / seconds for number, seconds in best.items()
                if number in best_of_others]

    def _best_of(self, cases: list[Case]) -> dict[int, float]:
        """Returns the shortest duration of the cases that were measured, by round."""
        measured = [seconds for case in cases if (seconds := self.seconds.get(case))]
        return {number: min(seconds[number] for seconds in measured)
                for number in (measured[0] if measured else ())
                if all(number in seconds for seconds in measured)}


class Expectations:
    """The expected results: quantd's own, except for copies and sums."""

    def __init__(self, quantd: Runner, folder: pathlib.Path) -> None:
        self._quantd = quantd
        self._folder = folder
        self._tensors = runner.Tensors(str(folder))
        self._results: dict[Case, np.ndarray] = {}

    def difference(self, case: Case, results: np.ndarray) -> str | None:
        """Returns what is wrong with the results, if anything is."""
        expected = self._expected(case)
        if results.shape != expected.shape:
            return f"it has {results.size} results; expected {expected.size}"
        if not np.isfinite(results).all():
            return "some results are missing or not finite"
        if case.operation != "gradient" and case.operation not in _LIMITS:
            return self._difference_in_steps(case, results, expected)
        # The sums of clipped gradients depend on the order of addition.
        if not np.allclose(results, expected, rtol=1e-3, atol=1e-2):
            return f"results differ by up to {np.abs(results - expected).max():.3g}"
        return None

    def _expected(self, case: Case) -> np.ndarray:
        if case.operation in _LIMITS:
            inputs = self._tensors.inputs(case.size, 0)
            if case.operation == "copy":
                return inputs
            return inputs + np.fromfile(self._folder / "gradients.f32", np.float32, case.size // 4)
        ours = dataclasses.replace(case, contender="quantd")
        if ours not in self._results:
            self._results[ours] = self._quantd.write(ours, self._folder / "expected")
        return self._results[ours]

    def _difference_in_steps(self, case: Case, results: np.ndarray,
                             expected: np.ndarray) -> str | None:
        steps = np.abs(results.astype(np.float32) - expected) / self._step(case)
        # Ties, and quotients close to them, may be rounded differently, but they are rare; less so among
        # 16-bit floats.
        rare = 2e-2 if case.operation.startswith("forward_") else 1e-3
        if steps.max() > 1.01:
            return f"results differ by up to {steps.max():.3g} steps of the quantization"
        if (share := (steps > 0.01).mean()) > rare:
            return f"{share:.1%} of the results are a step away"
        return None

    def _step(self, case: Case) -> np.ndarray:
        """Returns what a step is in the results, for each of them or for all."""
        operation = _OPERATIONS[case.operation]
        if operation.output_type in CODE_BYTES:
            return np.ones(1, np.float32)
        scale = (self._tensors.range(case.channels) if case.operation in FLOAT_OPERATIONS else
                 self._tensors.affine("uint8", case.channels)).scale
        if case.channels < 0:
            return np.repeat(scale, case.size // 4 // len(scale))
        return np.resize(scale, case.size // 4)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A ratio to report: the speed of `contender` over that of the best of `others`."""

    operation: str
    others: tuple[str, ...]
    title: str
    # The channels for which it is reported, and the least value to reach for a size.
    channels: tuple[int, ...] = CHANNELS
    target: Callable[[int, int], float | None] = lambda size, channels: None
    contender: str = "quantd"
    # Whether the others measure the operation's limit instead.
    of_limit: bool = False

    def other_case(self, ours: Case, name: str) -> Case:
        """Returns the case of the other contender `name`, which is compared with `ours`."""
        return ours.limit(name) if self.of_limit else dataclasses.replace(ours, contender=name)


def binary_size(size: int) -> str:
    """Formats a size for people, such as 64 KiB."""
    return f"{size // MIB} MiB" if size % MIB == 0 else f"{size // KIB} KiB"


def kind_name(channels: int) -> str:
    """Formats a number of channels for people."""
    if channels == 0:
        return "per tensor"
    return f"{abs(channels)} channels" + (" along the first axis" if channels < 0 else "")


def _work(case: Case) -> tuple[str, int, int]:
    """Returns what is equal for cases that move as many bytes, and close for the same channels."""
    limit = case if case.operation in _LIMITS else case.limit("")
    return limit.operation, limit.size, case.channels


def _describe(case: Case) -> str:
    return f"{case.operation}, {kind_name(case.channels)}, {binary_size(case.size)}"
