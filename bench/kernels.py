"""Measures quantd's kernels against limits of the machine and against peers.

    kernels.py --binaries FOLDER --output FILE [--quick] [--rounds N] [--peers LIST]
               [--node-modules FOLDER]

contest.py describes how they are measured. The value of a ratio is the median over the rounds. A peer
that is not installed is left out, and a note says so. See also bench/README.md.
"""

import argparse
import contextlib
import json
import pathlib
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from contest import (CHANNELS, CONTENDERS, KIB, LIMIT_OF, MIB, ROUNDS_OF_SLOW, SLOW_SECONDS,
                     TITLES, Case, Comparison, Contest, Runner, RunnerError, binary_size,
                     kind_name, write_problem)

SIZES = (64 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB, 256 * MIB)
PEERS = ("eigen", "numpy", "pytorch", "onnxruntime")


def runner_commands(binaries: pathlib.Path, folder: pathlib.Path,
                    peers: Iterable[str]) -> dict[str, list[str]]:
    """Returns the commands that start quantd's runner and those of the peers."""
    def python(name: str) -> list[str]:
        return [sys.executable, str(CONTENDERS / name), str(folder)]

    commands = {
        "numpy": python("numpy_runner.py"),
        "pytorch": python("pytorch_runner.py"),
        "onnxruntime": ["node", str(CONTENDERS / "onnxruntime_runner.js"), str(folder)],
    }
    return {"quantd": [str(binaries / "kernel_runner"), str(folder)]} | {
        peer: command for peer, command in commands.items() if peer in peers}


_EIGEN = ("eigen_native", "eigen_avx2")
_EIGEN_THREADS = ("eigen_native_threads", "eigen_avx2_threads")


def _per_channel(target: float) -> Callable[[int, int], float | None]:
    return lambda size, channels: target if channels else None


def _from_4_mib(size: int, channels: int) -> float | None:
    return 10 if size >= 4 * MIB and channels == 0 else None


def _of_eigen_expressions(size: int, _: int) -> float | None:
    # Streaming stores pay off if nothing stays in the cache.
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


def _ratios(contest: Contest) -> Iterator[dict[str, Any]]:
    for comparison in COMPARISONS:
        cores = ", all cores" if comparison.contender == "quantd_threads" else ""
        for channels in comparison.channels:
            for size in contest.sizes:
                rounds = contest.ratio(size, channels, comparison)
                limits = contest.limit(size, channels, comparison)
                if rounds:
                    yield {
                        "title": f"{comparison.operation}, {kind_name(channels)}, "
                                 f"{binary_size(size)}{cores}: quantd / {comparison.title}",
                        "value": statistics.median(rounds),
                        "rounds": rounds,
                        "target": comparison.target(size, channels),
                        "target_kind": "at least",
                        "limit": statistics.median(limits) if limits else None,
                    }


def _speeds(contest: Contest, operation: str, channels: int,
            threads: bool) -> dict[str, list[float | None]]:
    """Returns the GB/s of every contender for every size."""
    speeds = {}
    for name, title in TITLES.items():
        if name.endswith("_threads") != threads:
            continue
        for of, columns in ((LIMIT_OF[operation], 0), (operation, channels)):
            cases = [Case(name, of, columns, size) for size in contest.sizes]
            if any(contest.seconds.get(case) for case in cases):
                speeds[title] = [
                    case.bytes_moved() / statistics.median(contest.seconds[case].values()) / 1e9
                    if contest.seconds.get(case) else None for case in cases]
    return speeds


def _tables_and_plots(contest: Contest) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    tables = []
    plots = []
    for operation in LIMIT_OF:
        for channels in CHANNELS:
            for threads in (False, True):
                cores = "all cores" if threads else "one thread"
                title = f"{operation}, {kind_name(channels)}, {cores}"
                speeds = _speeds(contest, operation, channels, threads)
                tables.append({
                    "title": f"{title}: GB/s",
                    "columns": ["", *map(binary_size, contest.sizes)],
                    "rows": [[name, *values] for name, values in speeds.items()],
                })
                if not threads:
                    plots.append({
                        "title": title,
                        "file": f"{operation}_{kind_name(channels)}.svg".replace(" ", "_"),
                        "x_label": "size of the tensor",
                        "y_label": "GB/s, read and written",
                        "x": list(contest.sizes),
                        "x_scale": "log2",
                        "y_scale": "log10",
                        "series": speeds,
                    })
    return tables, plots


def _binding_note(contest: Contest, onnxruntime: Runner, milliseconds: float) -> str:
    """Measures what a call of onnxruntime-node costs without any work."""
    call = onnxruntime.time(Case("onnxruntime", "identity", 0, 4), milliseconds)
    note = (f"ONNX Runtime is called through onnxruntime-node. Such a call takes "
            f"{call * 1e6:.0f} µs without any work (Identity of one element)")
    size = contest.sizes[0]
    work = contest.seconds.get(Case("onnxruntime", "forward", 0, size))
    if work:
        note += (f", {call / statistics.median(work.values()):.0%} of its time for "
                 f"{binary_size(size)} per tensor. The figures include this")
    return note + "."


_NOTES = (
    "A GB is 10⁹ bytes that are read or written, with each tensor counted once: two tensors for "
    "forward and three for a gradient, regardless of what a contender actually moves. Ratios are "
    "ratios of speed.",
    "Codes have 8 bits, channels are along the last axis, and the ranges clip about 0.27 % of the "
    "normally distributed inputs. Before contenders are timed, their results are compared with "
    "quantd's (up to 16 MiB).",
    "Contenders use one thread unless the title says all cores. The C++ contenders share one "
    "process and its buffers; numpy and ONNX Runtime also write into preallocated buffers.",
    "PyTorch allocates its result, and a mask for its gradient, in every call, because its "
    "functions accept no buffers. ONNX Runtime allocates the codes between its two operators. Both "
    "processes keep freed memory, so that no page faults are counted.",
)


def _environment(node_modules: pathlib.Path) -> dict[str, str]:
    # Processes keep freed memory, so that no page faults are counted against a peer that allocates
    # memory in every call.
    return {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40),
            "NODE_PATH": str(node_modules), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def _start(commands: dict[str, list[str]], environment: dict[str, str], notes: list[str],
           stack: contextlib.ExitStack) -> dict[str, Runner]:
    """Starts the runners, and adds a note for each peer that is missing."""
    runners = {}
    for name, command in commands.items():
        try:
            runners[name] = Runner(command, environment)
            stack.callback(runners[name].close)
        except RunnerError as error:
            if name == "quantd":
                raise
            notes.append(f"**{TITLES[name]} is missing**: {error}.")
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
                        help="the peers to run, some of %(default)s; empty for none")
    parser.add_argument("--node-modules", type=pathlib.Path,
                        default=CONTENDERS.parents[1] / "build/bench/node_modules",
                        help="where onnxruntime-node is installed")
    arguments = parser.parse_args(argv)
    arguments.peers = [peer for peer in arguments.peers.split(",") if peer]
    unknown = set(arguments.peers) - set(PEERS)
    if unknown:
        parser.error(f"there is no peer called {', '.join(sorted(unknown))}; expected some of "
                     f"{', '.join(PEERS)}")
    if arguments.rounds < 1:
        parser.error(f"--rounds is {arguments.rounds}; expected at least 1")
    return arguments


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(argv: list[str]) -> None:
    """Measures the kernels, and writes the section of the report as JSON."""
    arguments = _arguments(argv)
    try:
        section = measure(arguments)
    except RunnerError as error:
        sys.exit(f"kernels: {error}")
    arguments.output.write_text(json.dumps(section, indent=1, ensure_ascii=False) + "\n",
                                encoding="utf-8")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures the kernels, and returns the section of the report."""
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
            f"Figures are medians over {rounds} rounds, or over {min(rounds, ROUNDS_OF_SLOW)} for what "
            f"takes over {SLOW_SECONDS:g} s per call."],
        "tables": tables,
        "ratios": list(_ratios(contest)),
        "plots": plots,
        "versions": {name: version for process in runners.values()
                     for name, version in process.versions.items()},
    }


if __name__ == "__main__":
    main(sys.argv[1:])
