"""A part of script/bench that is a contest: its command line, its rounds, and its section of the report.

The value of a ratio is the median over the rounds. A peer that is not installed is left out, and a
note says so.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import peers
from contest import (ROUNDS_OF_SLOW, SLOW_SECONDS, TITLES, Case, Comparison, Contest, Operation,
                     Runner, RunnerError, binary_size, kind_name)
from problem import CONTENDERS, KIB, write_problem

_QUICK_SIZES = (64 * KIB, 256 * KIB)

_NOTES = (
    "A GB is 10⁹ bytes that are read or written, with each tensor counted once, regardless of what "
    "a contender actually moves. Ratios are ratios of speed.",
    "Before contenders are timed, their results are compared with quantd's (up to 16 MiB).",
    "The C++ contenders share one process and its buffers; numpy and ONNX Runtime also write into "
    "preallocated buffers. PyTorch allocates its result in every call, because its functions accept "
    "no buffers. Processes keep freed memory, so that no page faults are counted.",
)


@dataclasses.dataclass(frozen=True)
class Part:
    """What is measured, and how it is reported."""

    # As run.py calls it, and as the report does.
    name: str
    section: str
    operations: Mapping[str, Operation]
    sizes: Sequence[int]
    peers: Sequence[str]
    comparisons: Sequence[Comparison]
    notes: Sequence[str]
    # Whether all contenders run on one core, the same one.
    on_one_core: bool = False
    # Whether the tables also have the ratio to memcpy.
    shows_share_of_memcpy: bool = False
    # The numbers of channels that are plotted.
    plotted_channels: Sequence[int] = (0,)


def main(part: Part, argv: list[str]) -> None:
    """Measures a part, and writes its section of the report as JSON."""
    arguments = _arguments(part, argv)
    try:
        with _core(part.on_one_core) as note:
            section = _measure(part, arguments, note)
    except RunnerError as error:
        sys.exit(f"{part.name}: {error}")
    arguments.output.write_text(json.dumps(section, indent=1, ensure_ascii=False) + "\n",
                                encoding="utf-8")


def _arguments(part: Part, argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"{part.name}.py", description=f"Measures {part.section}.")
    parser.add_argument("--binaries", type=pathlib.Path, required=True)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--quick", action="store_true", help="tiny tensors, one short round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", default=",".join(peers.PEERS),
                        help="the peers to run, some of %(default)s; empty for none")
    parser.add_argument("--node-modules", type=pathlib.Path,
                        default=CONTENDERS.parents[1] / "build/bench/node_modules",
                        help="where onnxruntime-node is installed")
    arguments = parser.parse_args(argv)
    arguments.peers = [peer for peer in arguments.peers.split(",") if peer]
    unknown = set(arguments.peers) - set(peers.PEERS)
    if unknown:
        parser.error(f"there is no peer called {', '.join(sorted(unknown))}; expected some of "
                     f"{', '.join(peers.PEERS)}")
    if arguments.rounds < 1:
        parser.error(f"--rounds is {arguments.rounds}; expected at least 1")
    return arguments


@contextlib.contextmanager
def _core(is_one: bool) -> Iterator[list[str]]:
    """Pins this process, and those that it starts, to its last core if `is_one`; yields a note."""
    if not is_one:
        yield []
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield [f"All processes are pinned to core {max(cores)}."]
    finally:
        os.sched_setaffinity(0, cores)


def _measure(part: Part, arguments: argparse.Namespace, core_notes: list[str]) -> dict[str, Any]:
    sizes = _QUICK_SIZES if arguments.quick else part.sizes
    rounds, milliseconds = (1, 1.0) if arguments.quick else (arguments.rounds, 50.0)
    notes = [*_NOTES, *part.notes, *core_notes]
    notes += [f"{peer} was left out on request (--peers)." for peer in part.peers
              if peer not in arguments.peers]
    taking_part = [peer for peer in part.peers if peer in arguments.peers]
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        write_problem(folder, max(sizes))
        runners = peers.start(arguments.binaries, arguments.node_modules, folder, taking_part,
                              notes, stack)
        contest = Contest(runners, taking_part, sizes, part.operations)
        _say(f"{part.name}: comparing results")
        contest.verify(folder)
        contest.warm_up()
        for number in range(rounds):
            _say(f"{part.name}: round {number + 1} of {rounds}")
            contest.run_round(number, milliseconds)
        if "onnxruntime" in runners:
            notes.append(_binding_note(runners["onnxruntime"], milliseconds))
    tables, plots = _tables_and_plots(part, contest)
    return {
        "section": part.section,
        "notes": notes + contest.notes + [
            f"Figures are medians over {rounds} rounds, or over {min(rounds, ROUNDS_OF_SLOW)} for what "
            f"takes over {SLOW_SECONDS:g} s per call."],
        "tables": tables,
        "ratios": list(_ratios(part, contest)),
        "plots": plots,
        "versions": {name: version for process in runners.values()
                     for name, version in process.versions.items()},
    }


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _binding_note(onnxruntime: Runner, milliseconds: float) -> str:
    """Measures what a call of onnxruntime-node costs without any work."""
    call = onnxruntime.time(Case("onnxruntime", "identity", 0, 4), milliseconds)
    return (f"ONNX Runtime is called through onnxruntime-node. Such a call takes {call * 1e6:.0f} µs "
            f"without any work (Identity of one element). The figures include this.")


def _title_of(operation: str) -> str:
    return operation.replace("_", " ")


def _ratios(part: Part, contest: Contest) -> Iterator[dict[str, Any]]:
    for comparison in part.comparisons:
        cores = ", all cores" if comparison.contender == "quantd_threads" else ""
        for channels in comparison.channels:
            for size in contest.sizes:
                rounds = contest.ratio(size, channels, comparison)
                limits = contest.limit(size, channels, comparison)
                if rounds:
                    yield {
                        "title": f"{_title_of(comparison.operation)}, {kind_name(channels)}, "
                                 f"{binary_size(size)}{cores}: quantd / {comparison.title}",
                        "value": statistics.median(rounds),
                        "rounds": rounds,
                        "target": comparison.target(size, channels),
                        "target_kind": "at least",
                        "limit": statistics.median(limits) if limits else None,
                    }


def _rows(contest: Contest, operation: str, channels: int,
          threads: bool) -> Iterator[tuple[str, list[Case]]]:
    """Yields the title of each contender, and its cases of the operation or of its limit."""
    for name, title in TITLES.items():
        if name.endswith("_threads") != threads:
            continue
        cases = [Case(name, operation, channels, size) for size in contest.sizes]
        for of_kind in ([case.limit(name) for case in cases], cases):
            if any(contest.seconds.get(case) for case in of_kind):
                yield title, of_kind


def _speed(contest: Contest, case: Case) -> float | None:
    """Returns the GB/s of a case."""
    seconds = contest.seconds.get(case)
    return case.bytes_moved() / statistics.median(seconds.values()) / 1e9 if seconds else None


def _tables_and_plots(part: Part,
                      contest: Contest) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    tables = []
    plots = []
    for operation, described in part.operations.items():
        for channels in described.channels:
            for threads in (False, True):
                rows = list(_rows(contest, operation, channels, threads))
                if not rows:
                    continue
                cores = "all cores" if threads else "one thread"
                title = f"{_title_of(operation)}, {kind_name(channels)}, {cores}"
                tables.append(_table(part, contest, title, rows))
                if not threads and channels in part.plotted_channels:
                    file = f"{operation}_{kind_name(channels)}.svg".replace(" ", "_")
                    plots.append(_plot(contest, title, file, rows))
    return tables, plots


def _table(part: Part, contest: Contest, title: str,
           rows: list[tuple[str, list[Case]]]) -> dict[str, Any]:
    if not part.shows_share_of_memcpy:
        return {"title": f"{title}: GB/s", "columns": ["", *map(binary_size, contest.sizes)],
                "rows": [[name, *(_speed(contest, case) for case in cases)] for name, cases in rows]}
    columns = [""]
    for size in contest.sizes:
        columns += [binary_size(size), "of memcpy"]
    return {"title": f"{title}: GB/s, and the ratio to memcpy of as many bytes",
            "columns": columns,
            "rows": [[name, *(value for case in cases for value in
                              (_speed(contest, case), contest.share_of_memcpy(case)))]
                     for name, cases in rows]}


def _plot(contest: Contest, title: str, file: str,
          rows: list[tuple[str, list[Case]]]) -> dict[str, Any]:
    return {
        "title": title,
        "file": file,
        "x_label": "size of the float32 tensor",
        "y_label": "GB/s, read and written",
        "x": list(contest.sizes),
        "x_scale": "log2",
        "y_scale": "log10",
        "series": {name: [_speed(contest, case) for case in cases] for name, cases in rows},
    }
