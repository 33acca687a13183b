"""Measures quantd's fake quantization and its gradient against limits of the machine and against peers.

    kernels.py --binaries FOLDER --output FILE [--quick] [--rounds N] [--peers LIST]
               [--node-modules FOLDER]

contest.py describes how they are measured. See also bench/README.md.
"""

import sys
from collections.abc import Callable

import contest_part
from contest import FLOAT_OPERATIONS, Comparison
from problem import CHANNELS, KIB, MIB

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

PART = contest_part.Part(
    name="kernels",
    section="Kernels",
    operations=FLOAT_OPERATIONS,
    sizes=(64 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB, 256 * MIB),
    peers=("eigen", "numpy", "pytorch", "onnxruntime"),
    comparisons=COMPARISONS,
    plotted_channels=CHANNELS,
    notes=(
        "A tensor of float32 has the named size: forward moves two, and a gradient three.",
        "Codes have 8 bits, channels are along the last axis, and the ranges clip about 0.27 % of the "
        "normally distributed inputs.",
        "Contenders use one thread unless the title says all cores.",
        "PyTorch also allocates a mask for its gradient in every call, and ONNX Runtime the codes "
        "between its two operators.",
    ))


def main(argv: list[str]) -> None:
    """Measures the kernels, and writes the section of the report as JSON."""
    contest_part.main(PART, argv)


if __name__ == "__main__":
    main(sys.argv[1:])
