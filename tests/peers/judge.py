"""Runs the producers and quantd side by side, and compares their results bit for bit.

    script/test-peers [--long]
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import itertools
import pathlib
import sys
import time

import numpy as np
import quantd

import comparison
import differences
import documented_examples
import onnx_node_tests
import process
import refusals
import rows
from case import from_float32, to_float32
from quantd_server import QuantdServer
from row import FLOATS

#: Elements of one case. Ranges, shapes and bit widths change from case to case.
CASE_ELEMENTS = 65536
LONG_CASE_ELEMENTS = 2**20
EXAMPLES = 3
PAGE = pathlib.Path(__file__).parents[2] / "docs/numerics.md"
#: What follows in the page is the table.
FIGURES = "<!-- figures: script/test-peers --update -->"


@dataclasses.dataclass
class Outcome:
    """What the cases of a row have shown."""

    elements: int = 0
    differing: int = 0
    #: Those that differences.py explains.
    explained: int = 0
    problem: str = ""
    examples: list[str] = dataclasses.field(default_factory=list)

    @property
    def has_failed(self):
        return bool(self.problem) or self.differing > self.explained

    def take(self, other):
        self.elements += other.elements
        self.differing += other.differing
        self.explained += other.explained


def main():
    arguments = _arguments()
    started = time.monotonic()
    with QuantdServer(arguments.quantd) as server:
        print(server.description, f"seed {arguments.seed}", sep=", ", flush=True)
        outcomes, versions = _judge_all(server, arguments)
        others = [] if arguments.only else [
            *refusals.failures(server.client), *onnx_node_tests.failures(server.client),
            *documented_examples.failures(server.address)]
    table = _table(outcomes, versions)
    print(f"\n{table}")
    if arguments.update:
        _update_page(table)
    failed = [f"{row.name}: {outcome.problem or 'differs'}" for row, outcome in outcomes.items()
              if outcome.has_failed]
    for failure in others + failed:
        print(f"FAILED {failure}")
    print(f"\n{time.monotonic() - started:.0f} s\n{len(outcomes) - len(failed)} passed, "
          f"{len(others) + len(failed)} failed")
    return 1 if others or failed else 0


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quantd", required=True, help="the server's program")
    parser.add_argument("--elements", type=int, default=2_000_000, help="elements of a row")
    parser.add_argument("--only", default="", help="only rows whose name contains this")
    parser.add_argument("--update", action="store_true", help="write the table into docs/numerics.md")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the random numbers")
    return parser.parse_args()


def _judge_all(server, arguments):
    """Returns the outcomes of all rows, and the producer's version for each."""
    selected = [row for row in rows.all_rows() if arguments.only in row.name]
    groups = [list(group) for _, group in itertools.groupby(selected, key=lambda row: row.producer)]
    outcomes, versions = {}, {}
    # Most producers compute on one core.
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        for some in threads.map(lambda group: _judge_producer(group, server, arguments), groups):
            outcomes |= some[0]
            versions |= some[1]
    return outcomes, versions


def _judge_producer(of_producer, server, arguments):
    """Returns the outcomes of the rows of one producer, and its version for each."""
    outcomes, versions = {}, {}
    with process.start(of_producer[0].producer) as producer:
        for row in of_producer:
            outcomes[row] = _judge(row, producer, server, arguments)
            versions[row] = producer.version
            _print_outcome(row, outcomes[row])
    return outcomes, versions


def _judge(row, producer, server, arguments):
    """Returns the outcome of one row."""
    rng = np.random.default_rng([arguments.seed, *row.name.encode()])
    size = LONG_CASE_ELEMENTS if arguments.elements > 100 * CASE_ELEMENTS else CASE_ELEMENTS
    outcome = Outcome()
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        for index in itertools.count():
            if outcome.elements >= arguments.elements or outcome.problem:
                return outcome
            # Small cases, so that there are more different parameters.
            case = row.make_case(rng, index, size if rng.integers(3) == 0 else size // 16)
            expected = thread.submit(_expected, row, producer, case)
            try:
                actual = (getattr(server, row.ask) if row.ask else server.compute)(case)
                outcome.take(_compare(case, actual, expected.result(), outcome.examples))
            except Exception as error:  # pylint: disable=broad-except
                # The other rows are still of interest.
                outcome.problem = f"{type(error).__name__}: {error} ({_described(case)})"


def _expected(row, producer, case):
    """Returns the producer's results. Types that it does not have are widened to float32 and rounded once."""
    widened = dataclasses.replace(case)
    if case.input_type in FLOATS and case.input_type not in row.native:
        widened.inputs = to_float32(case.inputs, case.input_type)
        if case.gradients is not None:
            widened.gradients = to_float32(case.gradients, case.input_type)
        widened.input_type = "float32"
    rounded = case.output_type in FLOATS and case.output_type not in row.native
    if rounded:
        widened.output_type = "float32"
    answer = _fake_quantize_by_codes(producer, widened) if case.code_type and row.numerics != "PYTORCH" else (
        producer.compute(widened))
    if rounded:
        for name in {"output", "input_gradients"} & answer.keys():
            answer[name] = from_float32(answer[name], case.output_type)
    return answer


def _fake_quantize_by_codes(producer, case):
    """Returns the results of quantizing and dequantizing, for producers that only have these two."""
    codes = producer.compute(dataclasses.replace(case, operation="quantize", output_type=case.code_type))
    return producer.compute(dataclasses.replace(case, operation="dequantize", input_type=case.code_type,
                                                inputs=codes["output"], precision=None))


def _compare(case, actual, expected, examples):
    """Returns the outcome of one case, and adds examples of differences."""
    outcome = Outcome()
    for name, value in expected.items():
        if name in ("min_gradient", "max_gradient"):
            gradients = to_float32(case.gradients, case.input_type)
            differ = comparison.differing_sums(actual[name], value, gradients, case.axis)
        else:
            is_codes = case.operation in ("quantize", "dynamic_quantize")
            differ = comparison.differing(actual[name], value, "" if is_codes else case.output_type)
            outcome.elements += differ.size
        if not differ.any():
            continue
        outcome.differing += int(differ.sum())
        outcome.explained += int((differ & differences.explained(case, name, differ.shape)).sum())
        for where in np.argwhere(differ)[:EXAMPLES - len(examples)]:
            where = tuple(where.tolist())
            examples.append(_example(case, name, where, actual[name], value))
    return outcome


def _example(case, name, where, actual, expected):
    at_input = f"x = {case.inputs[where]!r}, " if actual.shape == case.inputs.shape else ""
    return (f"{name}{list(where)}: {at_input}quantd {actual[where]!r}, "
            f"expected {expected[where]!r}; {_described(case)}")


def _described(case):
    """Returns the parameters of a case, short enough to read."""
    fields = {}
    for field in dataclasses.fields(case):
        value = getattr(case, field.name)
        if isinstance(value, np.ndarray):
            value = value.ravel()[:4].tolist() if field.name not in ("inputs", "gradients") else None
        if value not in (None, False):
            fields[field.name] = value
    return ", ".join(f"{name}={value}" for name, value in (fields | {"shape": case.inputs.shape}).items())


def _print_outcome(row, outcome):
    note = f" {outcome.explained} explained" if outcome.explained else ""
    lines = [f"{row.numerics:36} {row.method:22} {row.types:36} {outcome.elements:>12,} "
             f"{outcome.differing:>10,}{note}", *filter(None, [outcome.problem]), *outcome.examples]
    print("\n    ".join(lines), flush=True)


def _table(outcomes, versions):
    """Returns the table of docs/numerics.md: the rows of one numerics and method together."""
    totals = collections.defaultdict(Outcome)
    producers = collections.defaultdict(set)
    for row, outcome in outcomes.items():
        totals[row.numerics, row.method].take(outcome)
        producers[row.numerics, row.method].add(versions[row])
    lines = ["| numerics | method | judge | elements | differing |", "| --- | --- | --- | ---: | ---: |"]
    order = [numerics.name for numerics in quantd.Numerics]
    for (numerics, method), total in sorted(totals.items(), key=lambda item: (order.index(item[0][0]), item[0])):
        judges = ", ".join(sorted(producers[numerics, method]))
        lines.append(f"| `{numerics}` | {method} | {judges} | {total.elements:,} | {total.differing:,} |")
    return "\n".join(lines)


def _update_page(table):
    text = PAGE.read_text(encoding="utf-8")
    before, mark, _ = text.partition(FIGURES)
    PAGE.write_text(f"{before}{mark}\n\n{table}\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
