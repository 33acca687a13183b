"""Runs the benchmarks and writes their report; called by script/bench.

    run.py --binaries FOLDER [--output FOLDER] [--quick] [--rounds N] [--peers LIST]
           [--command TEXT] [PART ...]

The parts are kernels, codes and rpc; all run if none is named.
"""

import argparse
import importlib
import json
import pathlib
import shlex
import sys
import tempfile
from typing import Any

import machine
import report

_FOLDER = pathlib.Path(__file__).parent
PARTS = ("kernels", "codes", "rpc")


def measure(part: str, options: list[str]) -> dict[str, Any]:
    """Runs one part, which is a separate module, and returns its section of the report."""
    with tempfile.TemporaryDirectory() as folder:
        output = pathlib.Path(folder, f"{part}.json")
        failed = importlib.import_module(part).main([*options, "--output", str(output)])
        if failed:
            sys.exit(f"bench: {part} failed")
        return json.loads(output.read_text(encoding="utf-8"))


def write(results: dict[str, Any], folder: pathlib.Path) -> None:
    """Writes results.json, report.md and the plots."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(
        json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "report.md").write_text(report.markdown(results), encoding="utf-8")
    report.write_plots(results["sections"], folder)


def _options_of(part: str, arguments: argparse.Namespace) -> list[str]:
    options = ["--binaries", str(arguments.binaries)]
    if arguments.quick:
        options.append("--quick")
    if arguments.rounds is not None:
        options += ["--rounds", str(arguments.rounds)]
    if part != "rpc" and arguments.peers is not None:
        options += ["--peers", arguments.peers]
    return options


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--binaries", type=pathlib.Path, required=True)
    parser.add_argument("--output", type=pathlib.Path, default=_FOLDER / "results")
    parser.add_argument("--command", help="the command to show in the report, for repeating the run")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--peers")
    parser.add_argument("parts", nargs="*", metavar="PART")
    arguments = parser.parse_args(argv)
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"there is no part called {', '.join(sorted(unknown))}; expected "
                     f"some of {', '.join(PARTS)}")
    return arguments


def main(argv: list[str]) -> None:
    """Runs the benchmarks, and prints and writes the report."""
    arguments = _arguments(argv)
    parts = [part for part in PARTS if part in (arguments.parts or PARTS)]
    sections = [measure(part, _options_of(part, arguments)) for part in parts]
    command = arguments.command or shlex.join(["bench/run.py", *argv])
    described = machine.describe(arguments.binaries, command)
    for section in sections:
        described["versions"] |= section.pop("versions", {})
    results = {"machine": described, "sections": sections}
    write(results, arguments.output)
    print(report.markdown(results))
    print(f"Written to {arguments.output}: report.md, results.json and the plots.")


if __name__ == "__main__":
    main(sys.argv[1:])
