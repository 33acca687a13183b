"""Describes the machine on which figures were measured, and the software that was measured."""

import datetime
import os
import pathlib
import platform
import re
import subprocess
from typing import Any

_PACKAGES = {"gRPC": "libgrpc++-dev", "Protocol Buffers": "libprotobuf-dev",
             "Abseil": "libabsl-dev", "Highway": "libhwy-dev", "oneTBB": "libtbb-dev"}


def describe(binaries: pathlib.Path, command: str) -> dict[str, Any]:
    """Returns what a reader needs to judge the figures or to repeat the measurement."""
    return {
        "command": command,
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "revision": _output_of("git", "-C", str(pathlib.Path(__file__).parent), "describe",
                               "--always", "--dirty"),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "caches": _caches(),
        "memory": _memory(),
        "kernel": f"{platform.system()} {platform.release()}",
        "compiler": _compiler(binaries),
        "versions": {name: version for name, package in _PACKAGES.items()
                     if (version := _output_of("dpkg-query", "-W", "-f", "${Version}", package))},
    }


def _output_of(*command: str) -> str:
    """Returns the first line that a command prints; empty if there is none, or no such command."""
    try:
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""
    return output.partition("\n")[0].strip()


def _processor() -> str:
    match = re.search(r"^Model name:\s*(.+)$", _whole_output_of_lscpu(), re.MULTILINE)
    return match[1] if match else platform.machine()


def _whole_output_of_lscpu() -> str:
    environment = os.environ | {"LC_ALL": "C"}
    try:
        return subprocess.run(["lscpu"], capture_output=True, text=True, check=True,
                              env=environment).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def _caches() -> str:
    caches = re.findall(r"^(L\d\w?) cache:\s*(.+)$", _whole_output_of_lscpu(), re.MULTILINE)
    return ", ".join(f"{level} {size}" for level, size in caches) or "unknown"


def _memory() -> str:
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{size / 2**30:.1f} GiB"


def _compiler(binaries: pathlib.Path) -> str:
    """Returns the compiler and flags of the binaries, as recorded in their build folder."""
    cache = binaries.parent / "CMakeCache.txt"
    if not cache.exists():
        return "unknown"
    values = dict(re.findall(r"^(\w+):\w+=(.*)$", cache.read_text(encoding="utf-8"),
                             re.MULTILINE))
    build_type = values.get("CMAKE_BUILD_TYPE", "")
    flags = " ".join((values.get("CMAKE_CXX_FLAGS", ""),
                      values.get(f"CMAKE_CXX_FLAGS_{build_type.upper()}", ""))).strip()
    return f"{_output_of(values.get('CMAKE_CXX_COMPILER', ''), '--version')}, {flags}"
