"""Measures quantizing to codes, dequantizing and fake-quantizing 16-bit floats, beside memcpy and peers.

    codes.py --binaries FOLDER --output FILE [--quick] [--rounds N] [--peers LIST]
             [--node-modules FOLDER]

contest.py describes how they are measured. See also bench/README.md.
"""

import sys
from collections.abc import Iterator

import contest_part
from contest import CODE_OPERATIONS, Comparison
from problem import CODE_CHANNELS, KIB, MIB

# The contenders that compute as a peer does, and the peer.
_COMPARED = (("quantd_xnnpack", "xnnpack", "XNNPACK"), ("quantd", "onnxruntime", "ONNX Runtime"),
             ("quantd_pytorch", "pytorch", "PyTorch"), ("quantd", "numpy", "numpy"))


def _comparisons() -> Iterator[Comparison]:
    for operation in CODE_OPERATIONS:
        yield Comparison(operation, ("memcpy",), "memcpy of as many bytes", CODE_CHANNELS,
                         of_limit=True)
        for contender, peer, title in _COMPARED:
            yield Comparison(operation, (peer,), title, CODE_CHANNELS, contender=contender)


PART = contest_part.Part(
    name="codes",
    section="Codes and 16-bit floats",
    operations=CODE_OPERATIONS,
    sizes=(64 * KIB, MIB, 16 * MIB, 256 * MIB),
    peers=("xnnpack", "numpy", "pytorch", "onnxruntime"),
    comparisons=tuple(_comparisons()),
    on_one_core=True,
    shows_share_of_memcpy=True,
    notes=(
        "The size is that of a float32 tensor with as many elements: dequantizing to 64 KiB of "
        "float32 reads 16 KiB of int8.",
        "quantd computes as the peer that it is compared with: as XNNPACK, as PyTorch, and else as "
        "ONNX Runtime. numpy divides, rounds, adds, clips and converts, pass by pass.",
        "Peers that are not listed do not have the operation: XNNPACK has none per channel.",
    ))


def main(argv: list[str]) -> None:
    """Measures codes, and writes the section of the report as JSON."""
    contest_part.main(PART, argv)


if __name__ == "__main__":
    main(sys.argv[1:])
