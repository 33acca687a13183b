"""Measures quantd over gRPC, and compares it with gRPC's own limit and with an ordinary server.

  /usr/bin/python3 bench/rpc.py --binaries build/release/bin --output rpc.json

These servers run at once, with and without TLS, and all but the one that is being measured are idle:

  quantd        the server
  echo_server   sends every request's bytes back unread: gRPC's own limit on this machine
  tuned_echo_server
                the same with quantd's allocator and settings of gRPC
  plain_server  the same service with generated messages, as one would write it in an afternoon

quantd's small calls are also made by quantctl bench, whose own work must not slow them down.

In each round, the servers are measured back to back, in an order that rotates from round to round.
Figures are only compared within a round, because machines are noisy and change over time.
"""

import argparse
import contextlib
import dataclasses
import itertools
import json
import pathlib
import statistics
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rpc_processes import Certificate, Driver, LoadTester, Server

KIB = 1024
MIB = 1024 * KIB

# In plain text.
TRANSPORTS = {"tcp": "TCP", "unix": "unix socket"}
TITLES = TRANSPORTS | {"tls": "TLS"}

@dataclasses.dataclass(frozen=True)
class Subject:
    """The subject of a measurement: a server, and how it is called."""

    name: str
    server: str
    method: str = "unary"
    client: str = "raw"
    # As quantctl bench names it; all other clients call FakeQuantize.
    operation: str = "fake-quantize"

    @property
    def answer(self) -> str:
        return "echo" if "echo" in self.server else "fake_quantized"


QUANTD = Subject("quantd", "quantd")
ECHO = Subject("echo", "echo_server")
TUNED_ECHO = Subject("tuned echo", "tuned_echo_server")
PLAIN = Subject("plain", "plain_server", client="message")
PLAIN_RAW = Subject("plain, raw client", "plain_server")
UNARY = (QUANTD, ECHO, TUNED_ECHO, PLAIN, PLAIN_RAW)
ENCRYPTED = (QUANTD, ECHO, TUNED_ECHO)

QUANTD_STREAM = Subject("quantd stream", "quantd", "stream")
ECHO_STREAM = Subject("echo stream", "echo_server", "stream")
TUNED_ECHO_STREAM = Subject("tuned echo stream", "tuned_echo_server", "stream")
PLAIN_STREAM = Subject("plain stream", "plain_server", "stream", client="message")
STREAM = (QUANTD_STREAM, ECHO_STREAM, TUNED_ECHO_STREAM, PLAIN_STREAM)

QUANTD_CLIENT = Subject("quantd, client library", "quantd", "client")
# The load tester, which is compared with the bare loop of rpc_benchmark.
QUANTD_BENCH = Subject("quantd, quantctl bench", "quantd", client="quantctl")
# A quarter of the bytes come back: codes of uint8.
QUANTIZE_BENCH = Subject("quantd, quantctl bench of Quantize", "quantd", client="quantctl",
                         operation="quantize")


@dataclasses.dataclass(frozen=True)
class Load:
    """The load with which a subject is measured."""

    transport: str
    tensor_bytes: int
    in_flight: int

    def __str__(self) -> str:
        return f"{size_name(self.tensor_bytes)}, {self.in_flight} in flight, " \
               f"{TITLES[self.transport]}"


# The figures that rpc_benchmark prints, of every subject under every load.
Round = dict[tuple[Subject, Load], dict[str, float]]


@dataclasses.dataclass(frozen=True)
class Ratio:
    """The ratio of a figure of one measurement to that of another in the same round."""

    title: str
    figure: str
    of: tuple[Subject, Load]
    to: tuple[Subject, Load]
    target: float | None = None
    target_kind: str = "at least"
    # Subjects that transfer the same data without any work.
    limiters: tuple[Subject, ...] = ()

    def value(self, measured: Round) -> float:
        return measured[self.of][self.figure] / measured[self.to][self.figure]

    def limit(self, measured: Round) -> float | None:
        """Returns the ratio that the best limiter reaches. Only for figures where larger is better."""
        if not self.limiters:
            return None
        load = self.of[1]
        return max(measured[limiter, load][self.figure] for limiter in self.limiters) \
            / measured[self.to][self.figure]


@dataclasses.dataclass(frozen=True)
class Plan:
    """Everything that is measured in a round, and how it is reported."""

    loads: dict[Load, tuple[Subject, ...]]
    ratios: list[Ratio]
    # The number in flight for plots over the tensor's size.
    plotted_in_flight: int
    # The size of the tensor for plots over the number in flight.
    plotted_bytes: int
    warmup_ms: int
    duration_ms: int
    minimum_calls: int


def size_name(size: int) -> str:
    return f"{size // MIB} MiB" if size >= MIB else f"{size // KIB} KiB"


def full_plan() -> Plan:
    """Returns the plan to which the project's targets apply."""
    loads = {}
    for transport, size, in_flight in itertools.product(
            TRANSPORTS, (4 * KIB, 64 * KIB, MIB, 16 * MIB, 64 * MIB), (1, 4, 16)):
        if size * in_flight <= 512 * MIB:
            loads[Load(transport, size, in_flight)] = UNARY
    for transport in TRANSPORTS:
        loads[Load(transport, 64 * MIB, 1)] += (QUANTD_CLIENT,)
        loads[Load(transport, 4 * KIB, 64)] = STREAM
        for in_flight in (1, 4, 16):
            loads[Load(transport, 4 * KIB, in_flight)] += (QUANTD_BENCH,)
    loads[Load("unix", 16 * MIB, 1)] += (QUANTD_BENCH, QUANTIZE_BENCH)
    encrypted = [Load("tls", size, in_flight) for size in (MIB, 64 * MIB) for in_flight in (1, 4)]
    loads |= dict.fromkeys(encrypted, ENCRYPTED)
    ratios = [
        *(ratio for load in loads
          if load.transport in TRANSPORTS and load.tensor_bytes in (MIB, 16 * MIB)
          for ratio in throughput_ratios(load, echo_target=0.95, plain_target=1.6)),
        *(latency_ratio(Load(transport, 4 * KIB, 1), target=1.1) for transport in TRANSPORTS),
        client_ratio(Load("unix", 64 * MIB, 1), target=3.5),
        client_ratio(Load("tcp", 64 * MIB, 1), target=2.5),
        *(bench_ratio(Load(transport, 4 * KIB, in_flight), target=0.95)
          for transport in TRANSPORTS for in_flight in (1, 4, 16)),
        quantize_ratio(Load("unix", 16 * MIB, 1)),
        *(ratio for load in encrypted for ratio in encryption_ratios(load, echo_target=0.9)),
        *(ratio for transport in TRANSPORTS for in_flight in (1, 4, 16) for ratio in stream_ratios(
            Load(transport, 4 * KIB, 64), Load(transport, 4 * KIB, in_flight),
            # The target applies to the number in flight at which a stream of echo_server reaches 7 times
            # the rate of unary calls, because it was set for that.
            target=4 if in_flight == 4 else None)),
    ]
    return Plan(loads, ratios, plotted_in_flight=4, plotted_bytes=4 * KIB,
                warmup_ms=50, duration_ms=300, minimum_calls=3)


def quick_plan() -> Plan:
    """Returns a plan with a little of everything, for testing; its figures are meaningless."""
    small, large, stream = Load("unix", 4 * KIB, 1), Load("tcp", 64 * KIB, 1), \
        Load("unix", 4 * KIB, 16)
    encrypted = dataclasses.replace(large, transport="tls")
    loads = {small: UNARY + (QUANTD_CLIENT, QUANTD_BENCH, QUANTIZE_BENCH), large: UNARY,
             stream: STREAM, encrypted: ENCRYPTED}
    ratios = [*encryption_ratios(encrypted), *throughput_ratios(large), latency_ratio(small), client_ratio(small),
              bench_ratio(small), quantize_ratio(small), *stream_ratios(stream, small)]
    return Plan(loads, ratios, plotted_in_flight=1, plotted_bytes=4 * KIB,
                warmup_ms=0, duration_ms=50, minimum_calls=3)


def throughput_ratios(load: Load, echo_target: float | None = None,
                      plain_target: float | None = None) -> list[Ratio]:
    return [
        Ratio(f"throughput, {load}: quantd / {other.name}", "gigabytes_per_second",
              (QUANTD, load), (other, load), target, limiters=limiters)
        for other, target, limiters in (
            (ECHO, echo_target, ()), (TUNED_ECHO, None, ()),
            (PLAIN, plain_target, (ECHO, TUNED_ECHO)), (PLAIN_RAW, None, (ECHO, TUNED_ECHO)))
    ]


def encryption_ratios(load: Load, echo_target: float | None = None) -> list[Ratio]:
    plain = dataclasses.replace(load, transport="tcp")
    return [
        *(Ratio(f"throughput, {load}: quantd / {other.name}", "gigabytes_per_second",
                (QUANTD, load), (other, load), target)
          for other, target in ((ECHO, echo_target), (TUNED_ECHO, None))),
        Ratio(f"throughput, {load}: quantd / quantd in plain text", "gigabytes_per_second",
              (QUANTD, load), (QUANTD, plain)),
    ]


def latency_ratio(load: Load, target: float | None = None) -> Ratio:
    return Ratio(f"median latency, {load}: quantd / echo", "p50_seconds",
                 (QUANTD, load), (ECHO, load), target, "at most")


def client_ratio(load: Load, target: float | None = None) -> Ratio:
    return Ratio(f"speed, {load}: quantd's client library / plain unary",
                 "calls_per_second", (QUANTD_CLIENT, load), (PLAIN, load), target)


def bench_ratio(load: Load, target: float | None = None) -> Ratio:
    return Ratio(f"calls per second, {load}: quantctl bench / the bare loop of rpc_benchmark",
                 "calls_per_second", (QUANTD_BENCH, load), (QUANTD, load), target)


def quantize_ratio(load: Load) -> Ratio:
    return Ratio(f"calls per second, {load}: Quantize to uint8 / FakeQuantize, by quantctl bench",
                 "calls_per_second", (QUANTIZE_BENCH, load), (QUANTD_BENCH, load))


def stream_ratios(stream: Load, unary: Load, target: float | None = None) -> list[Ratio]:
    return [
        Ratio(f"calls per second, {stream}: {of.name} / {to.name} unary, {unary.in_flight} in flight",
              "calls_per_second", (of, stream), (to, unary), of_target, limiters=limiters)
        for of, to, of_target, limiters in (
            (QUANTD_STREAM, QUANTD, target, (ECHO_STREAM, TUNED_ECHO_STREAM)),
            (ECHO_STREAM, ECHO, None, ()))
    ]


def case_of(plan: Plan, subject: Subject, load: Load, server: Server,
            certificate: Certificate) -> dict[str, Any]:
    return {
        **({"ca": str(certificate.path)} if load.transport == "tls" else {}),
        **({"operation": subject.operation} if subject.client == "quantctl" else {}),
        "server_address": server.addresses[load.transport],
        "server_process": server.process_id,
        "answer": subject.answer,
        "method": subject.method,
        "client": subject.client,
        "tensor_bytes": load.tensor_bytes,
        "in_flight": load.in_flight,
        "warmup_ms": plan.warmup_ms,
        "duration_ms": plan.duration_ms,
        "minimum_calls": plan.minimum_calls,
    }


def measure(plan: Plan, binaries: pathlib.Path, rounds: int) -> Iterator[Round]:
    """Yields one round after another."""
    # A server that encrypts is another one: quantd encrypts all of TCP, or nothing.
    names = sorted({(subject.server, load.transport == "tls")
                    for load, subjects in plan.loads.items() for subject in subjects})
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="quantd-bench-")))
        certificate = Certificate(directory)
        servers = {
            (name, encrypts): stack.enter_context(
                Server(binaries / name, directory, certificate if encrypts else None))
            for name, encrypts in names}
        # Each server has a separate driver, because messages to one server would affect the heap, and so
        # the speed, of measurements of another.
        drivers = {key: stack.enter_context(Driver(binaries / "rpc_benchmark")) for key in names}
        load_tester = LoadTester(binaries / "quantctl")
        for number in range(rounds):
            measured = {}
            for load, subjects in plan.loads.items():
                for subject in rotated(subjects, number):
                    key = (subject.server, load.transport == "tls")
                    client = load_tester if subject.client == "quantctl" else drivers[key]
                    measured[subject, load] = client.measure(
                        case_of(plan, subject, load, servers[key], certificate))
            yield measured


def rotated(subjects: tuple[Subject, ...], by: int) -> tuple[Subject, ...]:
    start = by % len(subjects)
    return subjects[start:] + subjects[:start]


class Report:
    """Converts the measured rounds of a plan to a section of the benchmark's report."""

    def __init__(self, plan: Plan, rounds: Sequence[Round]) -> None:
        self._plan = plan
        self._rounds = rounds

    def section(self) -> dict[str, Any]:
        return {
            "section": "RPC",
            "notes": self._notes(),
            "tables": self._tables(),
            "ratios": [self._ratio(ratio) for ratio in self._plan.ratios],
            "plots": [*self._size_plots(), *self._in_flight_plots()],
        }

    def _notes(self) -> list[str]:
        return [
            "echo sends the request's bytes back unread, with gRPC's default settings: it shows gRPC's "
            "own limit on this machine. tuned echo does the same with quantd's allocator and settings. "
            "plain is the same service and kernel with generated messages and gRPC's default settings.",
            "quantd and echo are called with bytes that were made in advance, and their answers are not "
            "parsed. plain is called with generated messages, as by an ordinary client (its request is "
            "made in advance, too), and for comparison with the raw client.",
            "GB/s counts the tensors' bytes sent and received. CPU seconds are those of the processes, "
            "per GB of these bytes, over the counted calls only.",
            f"Tables show medians over {len(self._rounds)} rounds. Ratios are computed within a round; "
            "their value is the median over the rounds.",
            "quantctl bench measures from outside: the CPU time of its server is unknown here, and its "
            "answers are not compared.",
            "The first answer of every measurement was compared with core's result, or with the bytes "
            "sent; all other answers were only compared in size.",
        ]

    def _median(self, subject: Subject, load: Load, figure: str) -> float | None:
        if subject not in self._plan.loads.get(load, ()):
            return None
        values = [measured[subject, load].get(figure) for measured in self._rounds]
        return None if None in values else statistics.median(values)

    def _tables(self) -> list[dict[str, Any]]:
        return [self._table(transport, in_flight) for transport, in_flight in
                dict.fromkeys((load.transport, load.in_flight) for load in self._plan.loads)]

    def _table(self, transport: str, in_flight: int) -> dict[str, Any]:
        figures = {
            "calls/s": ("calls_per_second", 1), "GB/s": ("gigabytes_per_second", 1),
            "p50 (µs)": ("p50_seconds", 1e6), "p99 (µs)": ("p99_seconds", 1e6),
            "client CPU s/GB": ("client_cpu_seconds_per_gigabyte", 1),
            "server CPU s/GB": ("server_cpu_seconds_per_gigabyte", 1),
        }
        rows = [
            [size_name(load.tensor_bytes), subject.name,
             *(rounded(self._median(subject, load, figure), scale)
               for figure, scale in figures.values())]
            for load, subjects in self._plan.loads.items()
            if (load.transport, load.in_flight) == (transport, in_flight)
            for subject in subjects
        ]
        return {"title": f"{TITLES[transport]}, {in_flight} in flight",
                "columns": ["tensor", "server", *figures], "rows": rows}

    def _ratio(self, ratio: Ratio) -> dict[str, Any]:
        values = [ratio.value(measured) for measured in self._rounds]
        limits = [ratio.limit(measured) for measured in self._rounds]
        return {
            "title": ratio.title, "value": rounded(statistics.median(values)),
            "rounds": [rounded(value) for value in values],
            "target": ratio.target, "target_kind": ratio.target_kind,
            "limit": None if None in limits else rounded(statistics.median(limits)),
        }

    def _size_plots(self) -> Iterator[dict[str, Any]]:
        in_flight = self._plan.plotted_in_flight
        for transport in TRANSPORTS:
            loads = [load for load, subjects in self._plan.loads.items() if QUANTD in subjects
                     and (load.transport, load.in_flight) == (transport, in_flight)]
            yield {
                "title": f"Unary calls over {TITLES[transport]}, {in_flight} in flight",
                "file": f"rpc_{transport}.svg", "x_label": "tensor (bytes)", "y_label": "GB/s",
                "x": [load.tensor_bytes for load in loads], "x_scale": "log2",
                "series": self._series((QUANTD, ECHO, TUNED_ECHO, PLAIN), loads,
                                       "gigabytes_per_second"),
            }

    def _in_flight_plots(self) -> Iterator[dict[str, Any]]:
        size = self._plan.plotted_bytes
        for transport in dict.fromkeys(
                load.transport for load in self._plan.loads if load.tensor_bytes == size):
            loads = [load for load in self._plan.loads
                     if (load.transport, load.tensor_bytes) == (transport, size)]
            yield {
                "title": f"Tensors of {size_name(size)} over {TITLES[transport]}",
                "file": f"rpc_small_{transport}.svg", "x_label": "in flight", "y_label": "calls/s",
                "x": [load.in_flight for load in loads], "x_scale": "log2",
                "series": self._series((QUANTD, ECHO, PLAIN) + STREAM, loads, "calls_per_second"),
            }

    def _series(self, subjects: Iterable[Subject], loads: Sequence[Load],
                figure: str) -> dict[str, list[float | None]]:
        return {subject.name: [rounded(self._median(subject, load, figure)) for load in loads]
                for subject in subjects}


def rounded(value: float | None, scale: float = 1) -> float | None:
    """Rounds to four digits, because more would be noise."""
    return None if value is None else float(f"{value * scale:.4g}")


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="rpc.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", type=pathlib.Path, default=pathlib.Path("build/release/bin"),
                        help="the folder with the built programs (default: %(default)s)")
    parser.add_argument("--output", type=pathlib.Path, required=True, help="the JSON file to write")
    parser.add_argument("--rounds", type=int, help="default: 3, with --quick 1")
    parser.add_argument("--quick", action="store_true",
                        help="use tiny sizes for a few seconds, to check that everything works")
    parsed = parser.parse_args(arguments)
    if parsed.rounds is None:
        parsed.rounds = 1 if parsed.quick else 3
    if parsed.rounds < 1:
        parser.error(f"--rounds is {parsed.rounds}; expected at least 1")
    return parsed


def main(arguments: Sequence[str]) -> int:
    """Runs the measurements and writes the JSON. Returns the exit code."""
    parsed = parse_arguments(arguments)
    plan = quick_plan() if parsed.quick else full_plan()
    rounds = []
    try:
        for measured in measure(plan, parsed.binaries, parsed.rounds):
            rounds.append(measured)
            print(f"rpc.py: round {len(rounds)} of {parsed.rounds} measured", file=sys.stderr)
    except (OSError, RuntimeError) as error:
        print(f"rpc.py: {error}", file=sys.stderr)
        return 1
    section = Report(plan, rounds).section()
    parsed.output.write_text(json.dumps(section, indent=1, ensure_ascii=False) + "\n",
                             encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
