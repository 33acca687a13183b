#!/usr/bin/env python3
"""Writes the seed corpus of the fuzz target anew, into corpus/ beside this file.

    tests/fuzz/make_corpus.py

The messages are spelt byte by byte, so that there are forms among them that no serializer writes.
fuzz_input.h describes what stands before them. What the fuzzer found, and was then corrected, is
kept as regression-* in the same folder. This script leaves those files alone.
"""

import itertools
import pathlib
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

CORPUS = pathlib.Path(__file__).parent / "corpus"
REGRESSION = "regression-"

# The operations by their place in wire/operations.h, and from these the types of messages.
FAKE_QUANTIZE, FAKE_QUANTIZE_GRADIENT = range(2)
REQUEST, RESPONSE = 2 * FAKE_QUANTIZE, 2 * FAKE_QUANTIZE + 1
GRADIENT_REQUEST, GRADIENT_RESPONSE = 2 * FAKE_QUANTIZE_GRADIENT, 2 * FAKE_QUANTIZE_GRADIENT + 1

INHERITS_RANGE, INHERITS_SPEC = 1, 2

VARINT, FIXED64, LENGTH, START_GROUP, END_GROUP, FIXED32 = range(6)

# How messages are cut: not at all, at every byte, within elements, with empty slices.
CUTS = ((), (1,), (7,), (3, 0, 29), (250, 5))


def varint(value: int, padding: int = 0) -> bytes:
    """`value`, `padding` bytes longer than it needs to be."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    for _ in range(padding):
        out[-1] |= 0x80
        out.append(0)
    return bytes(out)


def overflowing(value: int) -> bytes:
    """`value`, which is less than 128, and the 65th bit."""
    return bytes((value | 0x80, *(0x80,) * 8, 2))


def tag(number: int, wire_type: int) -> bytes:
    return varint(number << 3 | wire_type)


def nested(number: int, *content: bytes) -> bytes:
    joined = b"".join(content)
    return tag(number, LENGTH) + varint(len(joined)) + joined


def number_field(number: int, value: int) -> bytes:
    return tag(number, VARINT) + varint(value)


def floats(values: Iterable[float]) -> bytes:
    return b"".join(struct.pack("<f", value) for value in values)


def ramp(count: int) -> bytes:
    return floats(-3 + 6 * i / max(count, 1) for i in range(count))


def shape(*dimensions: int) -> bytes:
    return nested(2, *map(varint, dimensions)) if dimensions else b""


FLOAT32 = number_field(1, 1)


def tensor(dimensions: tuple[int, ...], data: bytes) -> bytes:
    """The fields of a Tensor."""
    return FLOAT32 + shape(*dimensions) + nested(3, data)


def ranges(bounds: Iterable[float], axis: int | None = None) -> bytes:
    """The fields of a Range whose minima are the negated `bounds`."""
    bounds = tuple(bounds)
    fields = nested(1, floats(-bound for bound in bounds)) + nested(2, floats(bounds))
    return fields if axis is None else fields + number_field(3, axis)


def spec(num_bits: int = 8, narrow_range: bool = False, numerics: int = 0) -> bytes:
    return number_field(1, num_bits) + number_field(2, narrow_range) + number_field(3, numerics)


PER_TENSOR = nested(2, ranges([1]))
MATRIX = tensor((2, 3), ramp(6))

Named = tuple[str, bytes]


def good_requests() -> Iterator[Named]:
    yield "per-tensor", nested(1, MATRIX) + PER_TENSOR
    yield "per-channel", nested(1, MATRIX) + nested(2, ranges([1, 2, 3], axis=1))
    yield "negative-axis", nested(1, MATRIX) + nested(2, ranges([1, 2, 3], axis=-1))
    yield "first-axis", nested(1, MATRIX) + nested(2, ranges([1, 2], axis=0))
    yield "spec", nested(1, MATRIX) + PER_TENSOR + nested(3, spec(4, True, 2))
    yield "scalar", nested(1, tensor((), ramp(1))) + PER_TENSOR
    yield "no-elements", nested(1, tensor((0,), b"")) + PER_TENSOR
    yield "vector", nested(1, tensor((200,), ramp(200))) + PER_TENSOR
    yield "columns", nested(1, tensor((5, 32), ramp(160))) + nested(
        2, ranges([1 + i / 32 for i in range(32)], axis=1))
    yield "runs", nested(1, tensor((2, 70), ramp(140))) + nested(2, ranges([1, 2], axis=0))
    yield "zero-range", nested(1, MATRIX) + nested(2, ranges([0]))
    yield "not-a-number", nested(1, tensor((3,), floats([float("nan"), float("inf"), -0.0]))) + PER_TENSOR


def tensor_forms() -> Iterator[Named]:
    """Tensors in every storage and spelling."""
    stretch = nested(1, ramp(3))
    unpacked = b"".join(tag(1, FIXED32) + floats([value]) for value in (1, -2, 3))
    head = FLOAT32 + shape(2, 3)
    yield "packed", head + nested(4, nested(1, ramp(6)))
    yield "unpacked", FLOAT32 + shape(3) + nested(4, unpacked)
    yield "packed-and-unpacked", head + nested(4, stretch, unpacked)
    yield "two-stretches", head + nested(4, stretch, stretch)
    yield "two-float-values", head + nested(4, stretch) + nested(4, stretch)
    yield "empty-float-values", FLOAT32 + shape(0) + nested(4)
    yield "empty-stretch", FLOAT32 + shape(0) + nested(4, nested(1))
    yield "float-values-with-unknown", head + nested(4, nested(1, ramp(6)), number_field(2, 5))
    yield "broken-stretch", head + nested(4, nested(1, b"abcde"))
    yield "data-twice", head + nested(3, ramp(2)) + nested(3, ramp(6))
    yield "data-then-float-values", head + nested(3, ramp(2)) + nested(4, stretch, stretch)
    yield "float-values-then-data", head + nested(4, stretch) + nested(3, ramp(6))
    yield "data-then-shared-memory", head + nested(3, ramp(6)) + nested(5, number_field(1, 7))
    yield "shared-memory", head + nested(5, number_field(1, 7), number_field(3, 24))
    yield "elements-first", nested(3, ramp(6)) + shape(2, 3) + FLOAT32
    yield "unpacked-shape", FLOAT32 + number_field(2, 2) + number_field(2, 3) + nested(3, ramp(6))
    yield "shape-in-parts", FLOAT32 + shape(2) + nested(3, ramp(6)) + shape(3)
    yield "no-storage", head
    yield "no-type", shape(2, 3) + nested(3, ramp(6))
    yield "two-types", number_field(1, 2) + head + nested(3, ramp(6))
    yield "unknown-type", number_field(1, 77) + shape(2, 3) + nested(3, ramp(6))
    yield "huge-type", number_field(1, (1 << 32) + 1) + shape(2, 3) + nested(3, ramp(6))
    yield "negative-dimension", FLOAT32 + shape(2, -3) + nested(3, ramp(6))
    yield "too-many-elements", FLOAT32 + shape(1 << 40, 1 << 40) + nested(3, ramp(6))
    yield "too-many-beside-zero", FLOAT32 + shape(1 << 40, 1 << 40, 0) + nested(3)
    yield "most-elements", FLOAT32 + shape((1 << 60) - 1) + nested(3, ramp(1))
    yield "too-few-bytes", head + nested(3, ramp(5))
    yield "half-an-element", head + nested(3, ramp(6) + b"ab")
    yield "unknown-field", head + number_field(9, 1) + nested(3, ramp(6)) + nested(12, b"?")
    yield "unknown-fixed", head + tag(9, FIXED64) + b"8 bytes!" + tag(9, FIXED32) + b"four" + nested(3, ramp(6))
    yield "group", head + tag(9, START_GROUP) + number_field(1, 1) + tag(9, END_GROUP) + nested(3, ramp(6))
    yield "data-as-varint", head + number_field(3, 7) + nested(3, ramp(6))
    yield "data-as-group", head + tag(3, START_GROUP) + tag(3, END_GROUP) + nested(3, ramp(6))
    yield "long-tag", head + varint(3 << 3 | LENGTH, 1) + varint(24) + ramp(6)
    yield "long-length", head + tag(3, LENGTH) + varint(24, 2) + ramp(6)
    yield "long-type", tag(1, VARINT) + varint(1, 3) + shape(2, 3) + nested(3, ramp(6))
    yield "type-of-65-bits", tag(1, VARINT) + overflowing(1) + shape(2, 3) + nested(3, ramp(6))
    yield "data-length-of-65-bits", head + tag(3, LENGTH) + overflowing(24) + ramp(6)
    yield "empty", b""


def message_forms(field: int, fields_behind: bytes) -> Iterator[Named]:
    """Messages around a tensor, good and bad."""
    input_ = nested(field, MATRIX)
    group = tag(9, START_GROUP) + number_field(1, 1) + tag(9, END_GROUP)
    yield "tensor-last", fields_behind + input_
    yield "merged", nested(field, FLOAT32 + shape(2)) + fields_behind + nested(
        field, shape(3) + nested(3, ramp(6)))
    yield "tensor-twice", input_ + fields_behind + input_
    yield "merged-empty", input_ + nested(field) + fields_behind
    yield "unknown-fields", number_field(99, 1) + input_ + fields_behind + nested(1 << 20, b"?")
    yield "group-before", group + input_ + fields_behind
    yield "deep-groups", tag(9, START_GROUP) * 101 + tag(9, END_GROUP) * 101 + input_
    yield "tensor-as-varint", number_field(field, 7) + input_ + fields_behind
    yield "tensor-as-group", tag(field, START_GROUP) + tag(field, END_GROUP) + input_
    yield "long-tag", varint(field << 3 | LENGTH, 2) + varint(len(MATRIX)) + MATRIX + fields_behind
    yield "long-length", tag(field, LENGTH) + varint(len(MATRIX), 3) + MATRIX + fields_behind
    yield "longest-tag", varint(field << 3 | LENGTH, 4) + varint(len(MATRIX)) + MATRIX
    yield "tag-too-long", varint(field << 3 | LENGTH, 5) + varint(len(MATRIX)) + MATRIX
    yield "tag-over-32-bits", varint(1 << 35 | field << 3 | LENGTH) + varint(len(MATRIX)) + MATRIX
    yield "tag-over-64-bits", overflowing(field << 3 | LENGTH) + varint(len(MATRIX)) + MATRIX
    yield "length-of-65-bits", tag(field, LENGTH) + overflowing(len(MATRIX)) + MATRIX
    yield "no-message", b"\xff"
    yield "cut-off", (input_ + fields_behind)[:-1]
    yield "cut-off-tensor", input_[:-1]
    yield "length-beyond-end", tag(field, LENGTH) + varint(1 << 20) + MATRIX
    yield "greatest-length", tag(field, LENGTH) + varint((1 << 31) - 1) + MATRIX
    yield "length-over-64-bits", tag(field, LENGTH) + b"\xff" * 9 + b"\x7f" + MATRIX
    yield "data-beyond-tensor", nested(field, tag(3, LENGTH), varint(9), b"abcd") + fields_behind
    yield "stretch-beyond-float-values", nested(field, nested(4, tag(1, LENGTH), varint(9), b"abcd")) + b"12345"
    yield "varint-across-end", nested(field, tag(1, VARINT), b"\x80") + b"\x01"
    yield "tag-across-end", nested(field, b"\x9a") + b"\x00" + fields_behind
    yield "fixed-across-end", nested(field, tag(9, FIXED32), b"ab") + fields_behind
    yield "length-across-end", nested(field, tag(3, LENGTH), b"\x81") + b"\x00ab"
    yield "unclosed-group", tag(9, START_GROUP) + input_
    yield "unopened-group", input_ + tag(9, END_GROUP)
    yield "number-zero", input_ + b"\x02\x00"
    yield "zero", input_ + b"\x00"
    yield "type-6", input_ + varint(9 << 3 | 6)
    yield "type-7", input_ + varint(9 << 3 | 7)
    yield "empty", b""


def bad_requests() -> Iterator[Named]:
    """Requests whose range or spec is refused, by the codec or by core."""
    input_ = nested(1, MATRIX)
    yield "no-range", input_
    yield "no-input", PER_TENSOR
    yield "empty-range", input_ + nested(2)
    yield "three-ranges", input_ + nested(2, ranges([1, 2, 3]))
    yield "axis-out-of-range", input_ + nested(2, ranges([1], axis=2))
    yield "min-twice", input_ + nested(2, ranges([1])) + nested(2, ranges([2]))
    yield "unpacked-min", input_ + nested(2, tag(1, FIXED32) + floats([-1]) + nested(2, floats([1])))
    yield "infinite-range", input_ + nested(2, ranges([float("inf")]))
    yield "range-without-scale", input_ + nested(2, nested(1, floats([0])) + nested(2, floats([6e-45])))
    yield "no-bits", input_ + PER_TENSOR + nested(3, spec(0))
    yield "many-bits", input_ + PER_TENSOR + nested(3, spec(1 << 31))
    yield "unknown-numerics", input_ + PER_TENSOR + nested(3, spec(numerics=3))
    yield "negative-numerics", input_ + PER_TENSOR + nested(3, spec(numerics=-1))


def gradient_requests() -> Iterator[Named]:
    per_tensor = nested(3, ranges([1]))
    both = nested(1, MATRIX) + nested(2, MATRIX)
    packed = FLOAT32 + shape(2, 3) + nested(4, nested(1, ramp(6)))
    columns = tensor((5, 32), ramp(160))
    yield "per-tensor", both + per_tensor
    yield "per-channel", both + nested(3, ranges([1, 2, 3], axis=1))
    yield "spec", both + per_tensor + nested(4, spec(2, True, 1))
    yield "vector", nested(1, tensor((150,), ramp(150))) + nested(2, tensor((150,), ramp(150))) + per_tensor
    yield "columns", nested(1, columns) + nested(2, columns) + nested(
        3, ranges([1 + i / 32 for i in range(32)], axis=-1))
    yield "inputs-first", nested(2, MATRIX) + per_tensor + nested(1, MATRIX)
    yield "packed-inputs", nested(1, MATRIX) + nested(2, packed) + per_tensor
    yield "packed-gradients", nested(1, packed) + nested(2, MATRIX) + per_tensor
    yield "interleaved", nested(1, FLOAT32) + nested(2, MATRIX) + nested(
        1, shape(2, 3) + nested(3, ramp(6))) + per_tensor
    yield "no-gradients", nested(2, MATRIX) + per_tensor
    yield "no-inputs", nested(1, MATRIX) + per_tensor
    yield "no-range", both
    yield "three-ranges", both + nested(3, ranges([1, 2, 3]))
    yield "other-shape", nested(1, MATRIX) + nested(2, tensor((3, 2), ramp(6))) + per_tensor
    yield "other-type", nested(1, MATRIX) + nested(2, number_field(1, 2) + shape(2, 3)) + per_tensor
    yield "unknown-types", nested(1, number_field(1, 99)) + nested(2, number_field(1, 98)) + per_tensor
    yield "cut-off", (both + per_tensor)[:-3]


def responses() -> Iterator[Named]:
    nudged = nested(1, floats([-1])) + nested(2, floats([1])) + nested(3, floats([2 / 255])) + nested(
        4, varint(128))
    yield "whole", nested(1, MATRIX) + nested(2, nudged)
    yield "range-first", nested(2, nudged) + nested(1, MATRIX)
    yield "merged", nested(1, FLOAT32) + nested(1, MATRIX)
    yield "cut-off", nested(1, MATRIX)[:-1]


def gradient_responses() -> Iterator[Named]:
    sums = nested(2, floats([1])) + nested(3, floats([2])) + nested(5, b"8 bytes!") + nested(6, b"8 bytes!")
    yield "whole", nested(1, MATRIX) + sums
    yield "sums-first", sums + nested(1, MATRIX)
    yield "broken-sums", nested(1, MATRIX) + nested(5, b"7 bytes")
    yield "cut-off", nested(1, MATRIX)[:-1]


class Seed(NamedTuple):
    name: str
    message_type: int
    message: bytes
    flags: int = 0

    def input(self) -> bytes:
        # Cut by the name, so that a new seed leaves the others as they are.
        cuts = CUTS[zlib.crc32(self.name.encode()) % len(CUTS)]
        return bytes((self.message_type, self.flags | len(cuts) << 2, *cuts)) + self.message


def inheriting() -> Iterator[Seed]:
    """Requests that an earlier request of their stream left something to."""
    input_ = nested(1, MATRIX)
    both = input_ + nested(2, MATRIX)
    yield Seed("request-inherits-range", REQUEST, input_, INHERITS_RANGE)
    yield Seed("request-inherits-spec", REQUEST, input_ + PER_TENSOR, INHERITS_SPEC)
    yield Seed("request-inherits-both", REQUEST, input_, INHERITS_RANGE | INHERITS_SPEC)
    yield Seed("request-inherits-spec-without-range", REQUEST, input_, INHERITS_SPEC)
    yield Seed("request-replaces-range", REQUEST, input_ + nested(2, ranges([1, 2], axis=0)),
               INHERITS_RANGE | INHERITS_SPEC)
    yield Seed("request-replaces-spec", REQUEST, input_ + nested(3, spec(6)), INHERITS_RANGE | INHERITS_SPEC)
    yield Seed("request-replaces-both", REQUEST, input_ + nested(2, ranges([2])) + nested(3, spec(6)),
               INHERITS_RANGE | INHERITS_SPEC)
    yield Seed("gradient-request-inherits-both", GRADIENT_REQUEST, both, INHERITS_RANGE | INHERITS_SPEC)
    yield Seed("gradient-request-replaces-range", GRADIENT_REQUEST,
               both + nested(3, ranges([1, 2, 3], axis=1)), INHERITS_RANGE | INHERITS_SPEC)


def seeds() -> Iterator[Seed]:
    for name, fields in tensor_forms():
        yield Seed(f"request-tensor-{name}", REQUEST, nested(1, fields) + PER_TENSOR)
    for name, message in itertools.chain(good_requests(), bad_requests()):
        yield Seed(f"request-{name}", REQUEST, message)
    for name, message in message_forms(1, PER_TENSOR):
        yield Seed(f"request-form-{name}", REQUEST, message)
    for name, message in gradient_requests():
        yield Seed(f"gradient-request-{name}", GRADIENT_REQUEST, message)
    for name, message in message_forms(2, nested(1, MATRIX) + nested(3, ranges([1]))):
        yield Seed(f"gradient-request-form-{name}", GRADIENT_REQUEST, message)
    for name, message in responses():
        yield Seed(f"response-{name}", RESPONSE, message)
    for name, message in gradient_responses():
        yield Seed(f"gradient-response-{name}", GRADIENT_RESPONSE, message)
    yield from inheriting()


def main() -> None:
    CORPUS.mkdir(exist_ok=True)
    for file in CORPUS.iterdir():
        if not file.name.startswith(REGRESSION):
            file.unlink()
    for seed in seeds():
        (CORPUS / seed.name).write_bytes(seed.input())


if __name__ == "__main__":
    main()
