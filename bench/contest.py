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
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable

import numpy as np

CONTENDERS = pathlib.Path(__file__).parent / "contenders"
sys.path.append(str(CONTENDERS))

# pylint: disable=wrong-import-position
import onnx_model  # noqa: E402
import runner  # noqa: E402

KIB = 1024
MIB = 1024 * KIB
# The numbers of channels along the last axis; 0 means one range for the whole tensor.
CHANNELS = (0, 64, 1024)

# Larger results are not compared, because the kernels do nothing different above this size.
_LARGEST_COMPARED = 16 * MIB

# The contenders that allocate memory during calls, and keep it.
_ALLOCATING = ("pytorch", "onnxruntime")

# A case that takes this long only runs in the first rounds; it would take most of the time otherwise.
SLOW_SECONDS = 1.0
ROUNDS_OF_SLOW = 2

# The names of contenders in tables, in the order of the rows.
TITLES = {
    "memcpy": "memcpy",
    "streaming_copy": "streaming copy",
    "cached_add": "read two, write one",
    "streaming_add": "read two, write one, streaming",
    "quantd": "quantd",
    "eigen_native": "Eigen, for this machine",
    "eigen_avx2": "Eigen, for AVX2",
    "pytorch": "PyTorch",
    "numpy": "numpy",
    "onnxruntime": "ONNX Runtime",
    "quantd_threads": "quantd, all cores",
    "eigen_native_threads": "Eigen, for this machine, all cores",
    "eigen_avx2_threads": "Eigen, for AVX2, all cores",
}

# The number of tensors that an operation reads and writes.
_TENSORS_MOVED = {"forward": 2, "gradient": 3, "copy": 2, "add": 3}
# The limit of an operation, which moves the same bytes.
LIMIT_OF = {"forward": "copy", "gradient": "add"}
# The contenders that measure the limit, each with one kind of stores.
_LIMITERS = {"forward": ("memcpy", "streaming_copy"), "gradient": ("cached_add", "streaming_add")}


@dataclasses.dataclass(frozen=True)
class Case:
    """One contender with one task."""

    contender: str
    operation: str
    channels: int
    size: int

    def bytes_moved(self) -> int:
        """Returns the size of all tensors, each counted once, regardless of what the contender moves."""
        return self.size * _TENSORS_MOVED[self.operation]


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
        return np.fromfile(path, np.float32)

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


def write_problem(folder: pathlib.Path, size: int) -> None:
    """Writes the tensors, ranges and models that all runners work on."""
    generator = np.random.default_rng(1)
    for name in ("inputs", "gradients"):
        generator.standard_normal(size // 4, dtype=np.float32).tofile(folder / f"{name}.f32")
    # The ranges are about [-3, 3], which clips 0.27 % of the inputs, as a trained range would. Channels
    # have different ranges, so that mixing them up is detected.
    shift = ((np.arange(max(CHANNELS)) + 8) % 16 - 8) / 32
    (-3 - shift).astype(np.float32).tofile(folder / "min.f32")
    (3 - shift).astype(np.float32).tofile(folder / "max.f32")
    tensors = runner.Tensors(str(folder))
    for channels in CHANNELS:
        ranges = tensors.range(channels)
        model = onnx_model.quantize_dequantize(ranges.scale, ranges.zero_point, channels > 0)
        (folder / f"forward_{channels}.onnx").write_bytes(model)
    (folder / "identity.onnx").write_bytes(onnx_model.identity())


class Contest:
    """Runs the cases of all runners and collects the results."""

    def __init__(self, runners: dict[str, Runner], peers: Iterable[str], sizes: Iterable[int]):
        self.notes: list[str] = []
        # The durations of each case, by the number of the round.
        self.seconds: dict[Case, dict[int, float]] = collections.defaultdict(dict)
        self._runner_of: dict[tuple[str, str], Runner] = {
            contender: process for process in runners.values() for contender in process.contenders
            if "eigen" in peers or not contender[0].startswith("eigen")}
        self.sizes = tuple(sizes)

    def cases(self, size: int) -> list[Case]:
        """Returns all cases of that size."""
        return [Case(name, operation, channels, size) for name, operation in self._runner_of
                for channels in (CHANNELS if operation in LIMIT_OF else (0,))]

    def takes_part(self, contender: str, operation: str) -> bool:
        """Returns whether the contender exists and was not dropped."""
        return (contender, operation) in self._runner_of

    def verify(self, folder: pathlib.Path) -> None:
        """Drops the contenders whose results differ from quantd's."""
        for size in (size for size in self.sizes if size <= _LARGEST_COMPARED):
            expected = Expectations(self._runner_of["quantd", "forward"], folder, size)
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
        others = [comparison.other_case(name, channels, size) for name in comparison.others]
        return self._speed_over([ours], others)

    def limit(self, size: int, channels: int, comparison: "Comparison") -> list[float] | None:
        """Returns the same ratio for the limit, which only moves the bytes; None if it is unknown."""
        if comparison.of_limit or comparison.contender != "quantd":
            return None
        limiters = [Case(name, LIMIT_OF[comparison.operation], 0, size)
                    for name in _LIMITERS[comparison.operation]]
        others = [comparison.other_case(name, channels, size) for name in comparison.others]
        return self._speed_over(limiters, others)

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
    """The expected results for a size: quantd's own, except for copies and sums."""

    def __init__(self, quantd: Runner, folder: pathlib.Path, size: int) -> None:
        tensors = runner.Tensors(str(folder))
        self._steps = {channels: tensors.range(channels).scale for channels in CHANNELS}
        inputs = tensors.inputs(size, 0)
        self._size = size
        self._results = {(operation, channels): quantd.write(
            Case("quantd", operation, channels, size), folder / "expected.f32")
                         for operation in LIMIT_OF for channels in CHANNELS}
        gradients = np.fromfile(folder / "gradients.f32", np.float32, size // 4)
        self._results |= {("copy", 0): inputs, ("add", 0): inputs + gradients}

    def difference(self, case: Case, results: np.ndarray) -> str | None:
        """Returns what is wrong with the results, if anything is."""
        expected = self._results[case.operation, case.channels]
        if results.shape != expected.shape:
            return f"it has {results.size} results; expected {expected.size}"
        if not np.isfinite(results).all():
            return "some results are missing or not finite"
        if case.operation == "forward":
            return self._difference_in_steps(case, results, expected)
        # The sums of clipped gradients depend on the order of addition.
        if not np.allclose(results, expected, rtol=1e-3, atol=1e-2):
            return f"results differ by up to {np.abs(results - expected).max():.3g}"
        return None

    def _difference_in_steps(self, case: Case, results: np.ndarray,
                             expected: np.ndarray) -> str | None:
        width = max(1, case.channels)
        steps = np.abs((results - expected).reshape(-1, width)) / self._steps[case.channels]
        # Ties, and quotients close to them, may be rounded differently, but they are rare.
        if steps.max() > 1.01:
            return f"results differ by up to {steps.max():.3g} steps of the quantization"
        if (share := (steps > 0.01).mean()) > 1e-3:
            return f"{share:.1%} of the results are a step away"
        return None


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

    def other_case(self, name: str, channels: int, size: int) -> Case:
        """Returns the case of the other contender `name`."""
        if self.of_limit:
            return Case(name, LIMIT_OF[self.operation], 0, size)
        return Case(name, self.operation, channels, size)


def binary_size(size: int) -> str:
    """Formats a size for people, such as 64 KiB."""
    return f"{size // MIB} MiB" if size % MIB == 0 else f"{size // KIB} KiB"


def kind_name(channels: int) -> str:
    return f"{channels} channels" if channels else "per tensor"


def _work(case: Case) -> tuple[str, int]:
    """Returns the operation and channels of a case; a limit belongs to the operation it limits."""
    of_limit = {limit: operation for operation, limit in LIMIT_OF.items()}
    return of_limit.get(case.operation, case.operation), case.channels


def _describe(case: Case) -> str:
    return f"{case.operation}, {kind_name(case.channels)}, {binary_size(case.size)}"
