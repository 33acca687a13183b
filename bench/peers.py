"""Starts the processes that run contenders: quantd's, with the peers in C++, and one for each other peer."""

import contextlib
import pathlib
import sys
from collections.abc import Iterable, Iterator

from contest import TITLES, Runner, RunnerError
from problem import CONTENDERS

# The peers that are C++, and the Debian packages that each of them needs.
_IN_CPP = {"eigen": "libeigen3-dev", "xnnpack": "libxnnpack-dev, libpthreadpool-dev"}
PEERS = (*_IN_CPP, "numpy", "pytorch", "onnxruntime")


def _commands(binaries: pathlib.Path, folder: pathlib.Path,
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


def _environment(node_modules: pathlib.Path) -> dict[str, str]:
    # Processes keep freed memory, so that no page faults are counted against a peer that allocates
    # memory in every call.
    return {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40),
            "NODE_PATH": str(node_modules), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def start(binaries: pathlib.Path, node_modules: pathlib.Path, folder: pathlib.Path,
          peers: Iterable[str], notes: list[str], stack: contextlib.ExitStack) -> dict[str, Runner]:
    """Starts the runners, and adds a note for each peer that is missing."""
    runners = {}
    for name, command in _commands(binaries, folder, peers).items():
        try:
            runners[name] = Runner(command, _environment(node_modules.absolute()))
            stack.callback(runners[name].close)
        except RunnerError as error:
            if name == "quantd":
                raise
            notes.append(f"**{TITLES[name]} is missing**: {error}.")
    notes += _missing_in_cpp(runners["quantd"], peers)
    return runners


def _missing_in_cpp(quantd: Runner, peers: Iterable[str]) -> Iterator[str]:
    names = {name for name, _ in quantd.contenders}
    for peer, packages in _IN_CPP.items():
        if peer in peers and not any(name.startswith(peer) for name in names):
            yield f"**{peer.capitalize()} is missing**: kernel_runner was built without it ({packages})."
    if "eigen" in peers and "eigen_native" in names and "eigen_avx2" not in names:
        yield "Eigen for AVX2 is left out: this machine's processor has no AVX2."
