"""Measures quantd's kernels against limits of the machine and against peers.

    kernels.py --binaries FOLDER --output FILE [--quick] [--rounds N] [--peers LIST]
               [--node-modules FOLDER]

In each round every contender runs once for each size, one after another and in another order each
time; they are compared within the round, and of these ratios the median counts. Before that, each
contender's results are compared with quantd's: one that computes something else is left out, and
so is one that is not installed; the notes tell. bench/README.md tells more.
"""

import argparse
import collections
import contextlib
import dataclasses
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

_FOLDER = pathlib.Path(__file__).parent
_CONTENDERS = _FOLDER / "contenders"
sys.path.append(str(_CONTENDERS))

# pylint: disable=wrong-import-position
import onnx_model  # noqa: E402
import runner  # noqa: E402

KIB = 1024
MIB = 1024 * KIB
SIZES = (64 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB, 256 * MIB)
CHANNELS = (0, 64, 1024)
PEERS = ("eigen", "numpy", "pytorch", "onnxruntime")

# Larger results are not compared: the kernels do nothing new from here on.
_LARGEST_COMPARED = 16 * MIB

# Who allocates memory in calls, and keeps it.
_ALLOCATING = ("pytorch", "onnxruntime")

# A case that takes so long is run in the first rounds only: it would take most of the time.
_SLOW_SECONDS = 1.0
_ROUNDS_OF_SLOW = 2

# What one is called in tables, in the order of their rows.
_TITLES = {
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

# Tensors read and written by an operation.
_TENSORS_MOVED = {"forward": 2, "gradient": 3, "copy": 2, "add": 3}
# The limit that an operation is shown next to: it moves the same bytes.
_LIMIT_OF = {"forward": "copy", "gradient": "add"}
# Who shows it, each with stores of one kind.
_LIMITERS = {"forward": ("memcpy", "streaming_copy"), "gradient": ("cached_add", "streaming_add")}


@dataclasses.dataclass(frozen=True)
class Case:
    """One contender at one piece of work."""

    contender: str
    operation: str
    channels: int
    size: int

    def bytes_moved(self) -> int:
        """Each tensor once, whatever the contender really moves."""
        return self.size * _TENSORS_MOVED[self.operation]


class RunnerError(Exception):
    """A runner does not start, ended, or reports an error."""


class Runner:
    """A process that runs contenders when told to; see contenders/kernel_runner.cc."""

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
            raise RunnerError(f"{command[0]} did not begin as a runner does: {error}") from error
        self.contenders = [(name, operation) for name, operation in greeting["contenders"]]
        self.versions: dict[str, str] = greeting["versions"]

    def time(self, case: Case, milliseconds: float) -> float:
        """Seconds for a call."""
        return float(self._ask("time", case, str(milliseconds)))

    def write(self, case: Case, path: pathlib.Path) -> np.ndarray:
        """The results of a call, which are left in `path`."""
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
    # About [-3, 3], which clips 0.27 % of the inputs as a trained range would; channels differ, so
    # that none can be taken for another.
    shift = ((np.arange(max(CHANNELS)) + 8) % 16 - 8) / 32
    (-3 - shift).astype(np.float32).tofile(folder / "min.f32")
    (3 - shift).astype(np.float32).tofile(folder / "max.f32")
    tensors = runner.Tensors(str(folder))
    for channels in CHANNELS:
        ranges = tensors.range(channels)
        model = onnx_model.quantize_dequantize(ranges.scale, ranges.zero_point, channels > 0)
        (folder / f"forward_{channels}.onnx").write_bytes(model)
    (folder / "identity.onnx").write_bytes(onnx_model.identity())


def runner_commands(binaries: pathlib.Path, folder: pathlib.Path,
                    peers: Iterable[str]) -> dict[str, list[str]]:
    """How to start our own runner, and each of the peers that has one."""
    def python(name: str) -> list[str]:
        return [sys.executable, str(_CONTENDERS / name), str(folder)]

    commands = {
        "numpy": python("numpy_runner.py"),
        "pytorch": python("pytorch_runner.py"),
        "onnxruntime": ["node", str(_CONTENDERS / "onnxruntime_runner.js"), str(folder)],
    }
    return {"quantd": [str(binaries / "kernel_runner"), str(folder)]} | {
        peer: command for peer, command in commands.items() if peer in peers}


class Contest:
    """Runners, what they can do, and what became of it."""

    def __init__(self, runners: dict[str, Runner], peers: Iterable[str], sizes: Iterable[int]):
        self.notes: list[str] = []
        # Of each case, by the number of the round.
        self.seconds: dict[Case, dict[int, float]] = collections.defaultdict(dict)
        self._runner_of: dict[tuple[str, str], Runner] = {
            contender: process for process in runners.values() for contender in process.contenders
            if "eigen" in peers or not contender[0].startswith("eigen")}
        self.sizes = tuple(sizes)

    def cases(self, size: int) -> list[Case]:
        """All cases of that size."""
        return [Case(name, operation, channels, size) for name, operation in self._runner_of
                for channels in (CHANNELS if operation in _LIMIT_OF else (0,))]

    def takes_part(self, contender: str, operation: str) -> bool:
        """Whether it is there and was not dropped."""
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
        """Lets those that allocate results get their memory, so that it is not measured."""
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
        """Runs every case once; the round's number decides the order."""
        shuffle = random.Random(number).shuffle
        for size in self.sizes:
            cases = self.cases(size)
            shuffle(cases)
            # Those that are compared run soon after one another.
            for case in sorted(cases, key=_work):
                if number < _ROUNDS_OF_SLOW or not self._is_slow(case):
                    seconds = self._time(case, milliseconds)
                    if seconds is not None:
                        self.seconds[case][number] = seconds

    def _is_slow(self, case: Case) -> bool:
        return max(self.seconds.get(case, {}).values(), default=0) > _SLOW_SECONDS

    def _time(self, case: Case, milliseconds: float) -> float | None:
        """Seconds for a call; nothing for a contender that was dropped, or has to be."""
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
            raise RunnerError(f"{_TITLES[case.contender]} failed at {_describe(case)}: {problem}")
        self.notes.append(f"**{_TITLES[case.contender]} is left out of {case.operation}**: "
                          f"at {_describe(case)}: {problem}.")
        del self._runner_of[case.contender, case.operation]
        for other in [c for c in self.seconds if c.contender == case.contender and
                      c.operation == case.operation]:
            del self.seconds[other]

    def ratio(self, size: int, channels: int, comparison: "Comparison") -> list[float] | None:
        """In each round how many times faster quantd is than the best of the others."""
        ours = Case(comparison.contender, comparison.operation, channels, size)
        others = [comparison.other_case(name, channels, size) for name in comparison.others]
        return self._speed_over([ours], others)

    def limit(self, size: int, channels: int, comparison: "Comparison") -> list[float] | None:
        """The same for what only moves the bytes; nothing where that is not known."""
        if comparison.of_limit or comparison.contender != "quantd":
            return None
        limiters = [Case(name, _LIMIT_OF[comparison.operation], 0, size)
                    for name in _LIMITERS[comparison.operation]]
        others = [comparison.other_case(name, channels, size) for name in comparison.others]
        return self._speed_over(limiters, others)

    def _speed_over(self, cases: list[Case], others: list[Case]) -> list[float] | None:
        """How many times faster the best of `cases` is than the best of the others, by round."""
        best, best_of_others = self._best_of(cases), self._best_of(others)
        if not best or not best_of_others:
            return None
        return [best_of_others[number] / seconds for number, seconds in best.items()
                if number in best_of_others]

    def _best_of(self, cases: list[Case]) -> dict[int, float]:
        """The least seconds of those cases that were measured, by round."""
        measured = [seconds for case in cases if (seconds := self.seconds.get(case))]
        return {number: min(seconds[number] for seconds in measured)
                for number in (measured[0] if measured else ())
                if all(number in seconds for seconds in measured)}


class Expectations:
    """What the results of a size have to be: quantd's own, but for copies and sums."""

    def __init__(self, quantd: Runner, folder: pathlib.Path, size: int) -> None:
        tensors = runner.Tensors(str(folder))
        self._steps = {channels: tensors.range(channels).scale for channels in CHANNELS}
        inputs = tensors.inputs(size, 0)
        self._size = size
        self._results = {(operation, channels): quantd.write(
            Case("quantd", operation, channels, size), folder / "expected.f32")
                         for operation in _LIMIT_OF for channels in CHANNELS}
        gradients = np.fromfile(folder / "gradients.f32", np.float32, size // 4)
        self._results |= {("copy", 0): inputs, ("add", 0): inputs + gradients}

    def difference(self, case: Case, results: np.ndarray) -> str | None:
        """What is wrong with the results, if anything is."""
        expected = self._results[case.operation, case.channels]
        if results.shape != expected.shape:
            return f"it has {results.size} results, expected {expected.size}"
        if not np.isfinite(results).all():
            return "some results are missing or not finite"
        if case.operation == "forward":
            return self._difference_in_steps(case, results, expected)
        # Sums of clipped gradients depend on their order.
        if not np.allclose(results, expected, rtol=1e-3, atol=1e-2):
            return f"results differ by up to {np.abs(results - expected).max():.3g}"
        return None

    def _difference_in_steps(self, case: Case, results: np.ndarray,
                             expected: np.ndarray) -> str | None:
        width = max(1, case.channels)
        steps = np.abs((results - expected).reshape(-1, width)) / self._steps[case.channels]
        # Ties, and quotients next to them, may be rounded the other way; but they are rare.
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
    # The channels that it is reported for, and the least value that is aimed at for a size.
    channels: tuple[int, ...] = CHANNELS
    target: Callable[[int, int], float | None] = lambda size, channels: None
    contender: str = "quantd"
    # Whether the others do the operation's limit instead.
    of_limit: bool = False

    def other_case(self, name: str, channels: int, size: int) -> Case:
        """What the other one called `name` does."""
        if self.of_limit:
            return Case(name, _LIMIT_OF[self.operation], 0, size)
        return Case(name, self.operation, channels, size)


_EIGEN = ("eigen_native", "eigen_avx2")
_EIGEN_THREADS = ("eigen_native_threads", "eigen_avx2_threads")


def _per_channel(target: float) -> Callable[[int, int], float | None]:
    return lambda size, channels: target if channels else None


def _from_4_mib(size: int, channels: int) -> float | None:
    return 10 if size >= 4 * MIB and channels == 0 else None


def _of_eigen_expressions(size: int, _: int) -> float | None:
    # Streaming stores pay where nothing stays in the cache.
    return 1.2 if size >= 64 * MIB else 0.95


COMPARISONS = (
    Comparison("forward", ("pytorch",), "PyTorch", target=_from_4_mib),
    Comparison("forward", ("numpy",), "numpy", target=_from_4_mib),
    Comparison("forward", ("onnxruntime",), "ONNX Runtime", target=_per_channel(20)),
    Comparison("forward", ("eigen_native",), "Eigen's expression for this machine", (0,),
               _of_eigen_expressions),
    Comparison("forward", _EIGEN, "Eigen's chips, best of this machine's and AVX2's", (64, 1024),
               _per_channel(20)),
    Comparison("forward", ("memcpy",), "memcpy", of_limit=True),
    Comparison("forward", ("streaming_copy",), "a streaming copy", of_limit=True),
    Comparison("gradient", _EIGEN, "Eigen's three expressions, best of this machine's and AVX2's",
               target=lambda size, channels: 10),
    Comparison("gradient", ("cached_add", "streaming_add"),
               "reading two arrays and writing one, best of cached and streaming",
               target=lambda size, channels: 0.8 if channels == 0 else None, of_limit=True),
    Comparison("forward", _EIGEN_THREADS, "Eigen on its thread pool", contender="quantd_threads"),
    Comparison("gradient", _EIGEN_THREADS, "Eigen on its thread pool", contender="quantd_threads"),
)


def binary_size(size: int) -> str:
    """A size as people write it: 64 KiB."""
    return f"{size // MIB} MiB" if size % MIB == 0 else f"{size // KIB} KiB"


def _kind(channels: int) -> str:
    return f"{channels} channels" if channels else "per tensor"


def _work(case: Case) -> tuple[str, int]:
    """What the case is about: a limit belongs to the operation it is the limit of."""
    of_limit = {limit: operation for operation, limit in _LIMIT_OF.items()}
    return of_limit.get(case.operation, case.operation), case.channels


def _describe(case: Case) -> str:
    return f"{case.operation}, {_kind(case.channels)}, {binary_size(case.size)}"


def _ratios(contest: Contest) -> Iterator[dict[str, Any]]:
    for comparison in COMPARISONS:
        cores = ", all cores" if comparison.contender == "quantd_threads" else ""
        for channels in comparison.channels:
            for size in contest.sizes:
                rounds = contest.ratio(size, channels, comparison)
                limits = contest.limit(size, channels, comparison)
                if rounds:
                    yield {
                        "title": f"{comparison.operation}, {_kind(channels)}, {binary_size(size)}"
                                 f"{cores}: quantd / {comparison.title}",
                        "value": statistics.median(rounds),
                        "rounds": rounds,
                        "target": comparison.target(size, channels),
                        "target_kind": "at least",
                        "limit": statistics.median(limits) if limits else None,
                    }


def _speeds(contest: Contest, operation: str, channels: int,
            threads: bool) -> dict[str, list[float | None]]:
    """GB/s of every contender for every size."""
    speeds = {}
    for name, title in _TITLES.items():
        if name.endswith("_threads") != threads:
            continue
        for of, columns in ((_LIMIT_OF[operation], 0), (operation, channels)):
            cases = [Case(name, of, columns, size) for size in contest.sizes]
            if any(contest.seconds.get(case) for case in cases):
                speeds[title] = [
                    case.bytes_moved() / statistics.median(contest.seconds[case].values()) / 1e9
                    if contest.seconds.get(case) else None for case in cases]
    return speeds


def _tables_and_plots(contest: Contest) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    tables = []
    plots = []
    for operation in _LIMIT_OF:
        for channels in CHANNELS:
            for threads in (False, True):
                cores = "all cores" if threads else "one thread"
                title = f"{operation}, {_kind(channels)}, {cores}"
                speeds = _speeds(contest, operation, channels, threads)
                tables.append({
                    "title": f"{title}: GB/s",
                    "columns": ["", *map(binary_size, contest.sizes)],
                    "rows": [[name, *values] for name, values in speeds.items()],
                })
                if not threads:
                    plots.append({
                        "title": title,
                        "file": f"{operation}_{_kind(channels)}.svg".replace(" ", "_"),
                        "x_label": "size of the tensor",
                        "y_label": "GB/s, read and written",
                        "x": list(contest.sizes),
                        "x_scale": "log2",
                        "y_scale": "log10",
                        "series": speeds,
                    })
    return tables, plots


def _binding_note(contest: Contest, onnxruntime: Runner, milliseconds: float) -> str:
    """What a call of onnxruntime-node costs without any work."""
    call = onnxruntime.time(Case("onnxruntime", "identity", 0, 4), milliseconds)
    note = (f"ONNX Runtime is called through onnxruntime-node: a call of that takes "
            f"{call * 1e6:.0f} µs without any work (Identity of one element)")
    size = contest.sizes[0]
    work = contest.seconds.get(Case("onnxruntime", "forward", 0, size))
    if work:
        note += (f", {call / statistics.median(work.values()):.0%} of its time for {binary_size(size)} per "
                 "tensor. The figures contain it")
    return note + "."


_NOTES = (
    "A GB is 10⁹ bytes that are read or written, each tensor counted once: twice the tensor "
    "forward, three times for a gradient, whatever a contender really moves. Ratios are of speed.",
    "8 bits, channels along the last axis, normally distributed inputs of which the ranges clip "
    "about 0.27 %. Before they are timed, all results are compared with quantd's (up to 16 MiB).",
    "One thread each, unless the title says all cores. The C++ contenders share one process and "
    "its buffers; numpy and ONNX Runtime write into buffers that are there, too.",
    "PyTorch allocates its result, and a mask for its gradient, with every call: its functions "
    "take no buffers. ONNX Runtime allocates the codes between its two operators. Both processes "
    "keep freed memory, so that no page faults are counted.",
)


def _environment(node_modules: pathlib.Path) -> dict[str, str]:
    # Memory that was freed stays with the process: no page faults are counted against a peer that
    # allocates in every call.
    return {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40),
            "NODE_PATH": str(node_modules), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def _start(commands: dict[str, list[str]], environment: dict[str, str], notes: list[str],
           stack: contextlib.ExitStack) -> dict[str, Runner]:
    """Starts the runners; notes those of peers that are missing."""
    runners = {}
    for name, command in commands.items():
        try:
            runners[name] = Runner(command, environment)
            stack.callback(runners[name].close)
        except RunnerError as error:
            if name == "quantd":
                raise
            notes.append(f"**{_TITLES[name]} is missing**: {error}.")
    return runners


def _missing_contenders(runners: dict[str, Runner], peers: Iterable[str]) -> Iterator[str]:
    names = {name for name, _ in runners["quantd"].contenders}
    if "eigen" in peers and "eigen_native" not in names:
        yield "**Eigen is missing**: kernel_runner was built without it (libeigen3-dev)."
    elif "eigen" in peers and "eigen_avx2" not in names:
        yield "Eigen for AVX2 is left out: this machine's processor has no AVX2."
    for peer in PEERS:
        if peer not in peers:
            yield f"{peer} was left out on request (--peers)."


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--binaries", type=pathlib.Path, required=True)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--quick", action="store_true", help="tiny tensors, one short round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", default=",".join(PEERS),
                        help="which to run, of %(default)s; empty for none")
    parser.add_argument("--node-modules", type=pathlib.Path,
                        default=_FOLDER.parent / "build/bench/node_modules",
                        help="where onnxruntime-node is installed")
    arguments = parser.parse_args(argv)
    arguments.peers = [peer for peer in arguments.peers.split(",") if peer]
    unknown = set(arguments.peers) - set(PEERS)
    if unknown:
        parser.error(f"no peer is called {', '.join(sorted(unknown))}; expected some of "
                     f"{', '.join(PEERS)}")
    if arguments.rounds < 1:
        parser.error(f"--rounds is {arguments.rounds}; expected at least 1")
    return arguments


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(argv: list[str]) -> None:
    """Measures, and writes the section of the report as JSON."""
    arguments = _arguments(argv)
    try:
        section = measure(arguments)
    except RunnerError as error:
        sys.exit(f"kernels: {error}")
    arguments.output.write_text(json.dumps(section, indent=1, ensure_ascii=False) + "\n",
                                encoding="utf-8")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """The section of the report."""
    sizes = (64 * KIB, 256 * KIB) if arguments.quick else SIZES
    rounds, milliseconds = (1, 1.0) if arguments.quick else (arguments.rounds, 50.0)
    notes = list(_NOTES)
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        write_problem(folder, max(sizes))
        runners = _start(runner_commands(arguments.binaries, folder, arguments.peers),
                         _environment(arguments.node_modules.absolute()), notes, stack)
        notes += _missing_contenders(runners, arguments.peers)
        contest = Contest(runners, arguments.peers, sizes)
        _say("kernels: comparing results")
        contest.verify(folder)
        contest.warm_up()
        for number in range(rounds):
            _say(f"kernels: round {number + 1} of {rounds}")
            contest.run_round(number, milliseconds)
        if contest.takes_part("onnxruntime", "forward"):
            notes.append(_binding_note(contest, runners["onnxruntime"], milliseconds))
    tables, plots = _tables_and_plots(contest)
    return {
        "section": "Kernels",
        "notes": notes + contest.notes + [
            f"Medians; rounds: {rounds}, but {min(rounds, _ROUNDS_OF_SLOW)} of what takes over "
            f"{_SLOW_SECONDS:g} s a call."],
        "tables": tables,
        "ratios": list(_ratios(contest)),
        "plots": plots,
        "versions": {name: version for process in runners.values()
                     for name, version in process.versions.items()},
    }


if __name__ == "__main__":
    main(sys.argv[1:])
