"""Runs one producer: reads cases from standard input, and writes results to standard output.

    python -m producers.serve MODULE
"""

import importlib
import os
import sys
import traceback

import case


def main():
    # Libraries print to standard output, which has to stay free for results.
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    producer = importlib.import_module(f"producers.{sys.argv[1]}")
    case.write(results, {"version": producer.version()})
    while (fields := case.read(sys.stdin.buffer)) is not None:
        try:
            answer = producer.compute(case.Case(**fields))
        except Exception:  # pylint: disable=broad-except
            answer = {"error": traceback.format_exc()}
        case.write(results, answer)


if __name__ == "__main__":
    main()
