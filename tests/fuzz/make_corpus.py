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
FAKE_QUANTIZE, FAKE_QUANTIZE_GRADIENT, QUANTIZE, DEQUANTIZE = range(4)
REQUEST, RESPONSE = 2 * FAKE_QUANTIZE, 2 * FAKE_QUANTIZE + 1
GRADIENT_REQUEST, GRADIENT_RESPONSE = 2 * FAKE_QUANTIZE_GRADIENT, 2 * FAKE_QUANTIZE_GRADIENT + 1
QUANTIZE_REQUEST, QUANTIZE_RESPONSE = 2 * QUANTIZE, 2 * QUANTIZE + 1
DEQUANTIZE_REQUEST, DEQUANTIZE_RESPONSE = 2 * DEQUANTIZE, 2 * DEQUANTIZE + 1

INHERITS_RANGE, INHERITS_SPEC, INHERITS_SCALES, INHERITS_TYPE = 1, 2, 1 | 32, 64

# Numbers of the schema's enums.
FLOAT16, BFLOAT16, FLOAT64, INT8, UINT8, INT16, INT32, INT4, UINT4, INT2, UINT2 = 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13
TENSORFLOW, TENSORFLOW_ARGS, KERAS_JAX, ONNX, PYTORCH, LITERT, XNNPACK, UNIFORM = 1, 2, 7, 11, 12, 13, 14, 15
QUANTIZE_AND_DEQUANTIZE, MIN_COMBINED, MIN_FIRST, SCALED = 10, 16, 17, 18
HALF_TO_EVEN, HALF_UP = 1, 2

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
# A field that no message has.
GROUP = tag(9, START_GROUP) + number_field(1, 1) + tag(9, END_GROUP)


def tensor(dimensions: tuple[int, ...], data: bytes, data_type: int = 1) -> bytes:
    """The fields of a Tensor."""
    return number_field(1, data_type) + shape(*dimensions) + nested(3, data)


def ranges(bounds: Iterable[float], axis: int | None = None) -> bytes:
    """The fields of a Range whose minima are the negated `bounds`."""
    bounds = tuple(bounds)
    fields = nested(1, floats(-bound for bound in bounds)) + nested(2, floats(bounds))
    return fields if axis is None else fields + number_field(3, axis)


def scales(values: Iterable[float], zero_points: Iterable[int] = (), axis: int | None = None,
           block_size: int | None = None) -> bytes:
    """The fields of AffineParameters."""
    fields = nested(1, floats(values))
    zero_points = tuple(zero_points)
    if zero_points:
        fields += nested(2, *map(varint, zero_points))
    if axis is not None:
        fields += number_field(3, axis)
    return fields if block_size is None else fields + number_field(4, block_size)


def data_range(symmetric: bool = False, axis: int | None = None, block_size: int | None = None) -> bytes:
    """The fields of a DataRange."""
    fields = number_field(1, symmetric)
    if axis is not None:
        fields += number_field(2, axis)
    return fields if block_size is None else fields + number_field(3, block_size)


def spec(num_bits: int = 8, narrow_range: bool = False, numerics: int = 0) -> bytes:
    return number_field(1, num_bits) + number_field(2, narrow_range) + number_field(3, numerics)


def numerics_alone(numerics: int) -> bytes:
    """The fields of a QuantizationSpec."""
    return number_field(3, numerics)


def choices(numerics: int, signed_input: bool = False, rounding: int = 0) -> bytes:
    """The fields of a QuantizationSpec that some numerics leave to their callers."""
    return numerics_alone(numerics) + number_field(7, signed_input) + number_field(8, rounding)


def codes(quant_min: int, quant_max: int, numerics: int = 0) -> bytes:
    """The fields of a QuantizationSpec with explicit codes, in zigzag."""
    zigzag = [value << 1 ^ value >> 31 for value in (quant_min, quant_max)]
    return numerics_alone(numerics) + number_field(4, zigzag[0]) + number_field(5, zigzag[1])


PER_TENSOR = nested(2, ranges([1]))
MATRIX = tensor((2, 3), ramp(6))
HALVES = tensor((2, 3), bytes(range(12)), FLOAT16)
DOUBLES = tensor((3,), struct.pack("<3d", -1.5, 0.25, 1e300), FLOAT64)
BYTES = tensor((2, 3), bytes((0, 1, 127, 128, 254, 255)), UINT8)

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
    yield "scales", nested(1, MATRIX) + nested(4, scales([0.5], [3]))
    yield "scales-per-channel", nested(1, MATRIX) + nested(4, scales([1, 2, 3], axis=1))
    yield "scales-in-blocks", nested(1, MATRIX) + nested(4, scales([1, 2, 3, 4], axis=1, block_size=2))
    yield "explicit-codes", nested(1, MATRIX) + nested(4, scales([0.5])) + nested(3, codes(-7, 8))
    yield "float16", nested(1, HALVES) + PER_TENSOR
    yield "bfloat16", nested(1, tensor((2,), b"\x80\x3f\xc0\x7f", BFLOAT16)) + PER_TENSOR
    yield "float16-precision", nested(1, HALVES) + nested(4, scales([0.5])) + nested(
        3, numerics_alone(ONNX) + number_field(6, FLOAT16))
    yield "float64", nested(1, DOUBLES) + nested(4, scales([0.5])) + nested(3, numerics_alone(PYTORCH))
    yield "keras-jax", nested(1, MATRIX) + PER_TENSOR + nested(3, numerics_alone(KERAS_JAX))
    yield "litert", nested(1, MATRIX) + PER_TENSOR + nested(3, numerics_alone(LITERT))
    yield "signed-input", nested(1, MATRIX) + PER_TENSOR + nested(
        3, choices(QUANTIZE_AND_DEQUANTIZE, True, HALF_UP))
    yield "range-of-float64", nested(1, DOUBLES) + PER_TENSOR + nested(3, choices(QUANTIZE_AND_DEQUANTIZE))
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
    yield "group", head + GROUP + nested(3, ramp(6))
    yield "group-in-float-values", head + nested(4, GROUP, nested(1, ramp(6)), GROUP)
    yield "group-in-shared-memory", head + nested(5, number_field(1, 7), GROUP)
    yield "stretches-and-numbers", head + nested(4, stretch, unpacked) + nested(4, unpacked, stretch)
    yield "numbers-then-data", head + nested(4, unpacked) + nested(3, ramp(6)) + nested(4, unpacked)
    yield "long-and-short-stretches", FLOAT32 + shape(203) + nested(
        4, stretch, nested(1, ramp(100)), unpacked, nested(1, ramp(97)))
    yield "greatest-rank", FLOAT32 + shape(*[1] * 64) + nested(3, ramp(1))
    yield "rank-too-great", FLOAT32 + shape(*[1] * 65) + nested(3, ramp(1))
    yield "unpacked-rank-too-great", FLOAT32 + number_field(2, 1) * 70 + nested(3, ramp(1)) + shape(1)
    yield "long-dimensions", FLOAT32 + nested(2, varint(2, 9), varint(3, 1)) + nested(3, ramp(6))
    yield "dimension-too-long", FLOAT32 + nested(2, varint(2, 10)) + nested(3, ramp(6))
    yield "dimension-across-end", FLOAT32 + nested(2, b"\x82") + b"\x00" + nested(3, ramp(6))
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
    yield "tensor-last", fields_behind + input_
    yield "merged", nested(field, FLOAT32 + shape(2)) + fields_behind + nested(
        field, shape(3) + nested(3, ramp(6)))
    yield "tensor-twice", input_ + fields_behind + input_
    yield "merged-empty", input_ + nested(field) + fields_behind
    yield "unknown-fields", number_field(99, 1) + input_ + fields_behind + nested(1 << 20, b"?")
    yield "group-before", GROUP + input_ + fields_behind
    yield "groups-in-groups", tag(9, START_GROUP) + GROUP + tag(9, END_GROUP) + input_ + fields_behind
    yield "deepest-groups", tag(9, START_GROUP) * 100 + tag(9, END_GROUP) * 100 + input_ + fields_behind
    yield "deep-groups-in-tensor", nested(field, tag(9, START_GROUP) * 100 + tag(9, END_GROUP) * 100)
    yield "crossed-groups", tag(9, START_GROUP) + tag(8, START_GROUP) + tag(9, END_GROUP) + tag(8, END_GROUP)
    yield "group-across-end", nested(field, MATRIX, tag(9, START_GROUP)) + tag(9, END_GROUP) + fields_behind
    yield "zero-in-group", tag(9, START_GROUP) + b"\x00" + tag(9, END_GROUP) + input_
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
    yield "unknown-in-range", input_ + nested(2, number_field(9, 1), ranges([1]), GROUP, nested(12, b"?"))
    yield "unknown-in-spec", input_ + PER_TENSOR + nested(3, GROUP, spec(4), tag(1, FIXED32), b"four")
    yield "long-range-with-unknown", input_ + nested(2, nested(12, b"?" * 200), ranges([1]))
    yield "unclosed-group-in-range", input_ + nested(2, ranges([1]), tag(9, START_GROUP))
    yield "three-ranges", input_ + nested(2, ranges([1, 2, 3]))
    yield "axis-out-of-range", input_ + nested(2, ranges([1], axis=2))
    yield "min-twice", input_ + nested(2, ranges([1])) + nested(2, ranges([2]))
    yield "unpacked-min", input_ + nested(2, tag(1, FIXED32) + floats([-1]) + nested(2, floats([1])))
    yield "infinite-range", input_ + nested(2, ranges([float("inf")]))
    yield "range-without-scale", input_ + nested(2, nested(1, floats([0])) + nested(2, floats([6e-45])))
    yield "no-bits", input_ + PER_TENSOR + nested(3, spec(0))
    yield "many-bits", input_ + PER_TENSOR + nested(3, spec(1 << 31))
    yield "unknown-numerics", input_ + PER_TENSOR + nested(3, spec(numerics=10))
    yield "range-and-scales", input_ + PER_TENSOR + nested(4, scales([1]))
    yield "numerics-without-ranges", input_ + PER_TENSOR + nested(3, numerics_alone(ONNX))
    yield "numerics-without-scales", input_ + nested(4, scales([1])) + nested(3, numerics_alone(TENSORFLOW))
    yield "no-scales", input_ + nested(4)
    yield "scale-of-zero", input_ + nested(4, scales([0]))
    yield "negative-zero-point", input_ + nested(4, scales([1], [-1]))
    yield "two-zero-points", input_ + nested(4, scales([1], [1, 2]))
    yield "unpacked-zero-points", input_ + nested(
        4, scales([1, 2], axis=0) + number_field(2, 1) + number_field(2, 2))
    yield "blocks-without-axis", input_ + nested(4, scales([1], block_size=2))
    yield "blocks-of-zero", input_ + nested(4, scales([1, 1], axis=0, block_size=0))
    yield "one-block-missing", input_ + nested(4, scales([1, 2, 3], axis=1, block_size=2))
    yield "one-code", input_ + nested(4, scales([1])) + nested(3, codes(5, 5))
    yield "lowest-code-alone", input_ + nested(4, scales([1])) + nested(3, number_field(4, 1))
    yield "unknown-rounding", input_ + PER_TENSOR + nested(3, choices(QUANTIZE_AND_DEQUANTIZE, rounding=99))
    yield "rounding-without-a-choice", input_ + PER_TENSOR + nested(3, choices(TENSORFLOW, rounding=HALF_TO_EVEN))
    yield "signed-input-without-a-choice", input_ + PER_TENSOR + nested(3, choices(TENSORFLOW, True))
    yield "unknown-precision", input_ + nested(4, scales([1])) + nested(3, number_field(6, 99))
    yield "float16-without-precision", input_ + nested(4, scales([1])) + nested(3, number_field(6, FLOAT16))
    yield "integers", nested(1, tensor((6,), bytes(6), INT8)) + PER_TENSOR
    yield "numbers-as-float16", nested(1, number_field(1, FLOAT16) + shape(6) + nested(4, nested(1, ramp(6)))) + PER_TENSOR
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


def quantize_requests() -> Iterator[Named]:
    input_ = nested(1, MATRIX)
    per_tensor = nested(2, ranges([1]))
    five = nested(1, tensor((5,), floats((0, 1, 2, 3, 4))))
    yield "range", input_ + per_tensor
    yield "range-per-channel", input_ + nested(2, ranges([1, 2, 3], axis=1))
    yield "min-combined", input_ + per_tensor + nested(5, numerics_alone(MIN_COMBINED))
    yield "min-first", input_ + per_tensor + nested(5, numerics_alone(MIN_FIRST)) + number_field(6, INT16)
    yield "scaled", input_ + nested(2, ranges([1, 2, 3], axis=1)) + nested(
        5, choices(SCALED, rounding=HALF_TO_EVEN)) + number_field(6, INT8)
    yield "scales", input_ + nested(3, scales([0.5], [3]))
    yield "scales-per-channel", input_ + nested(3, scales([1, 2], [3, 255], axis=0)) + nested(
        5, numerics_alone(PYTORCH))
    yield "blocks", input_ + nested(3, scales([1, 2, 3, 4], axis=-1, block_size=2))
    yield "data-range", input_ + nested(4)
    yield "data-range-per-channel", input_ + nested(4, data_range(True, axis=1)) + nested(
        5, numerics_alone(TENSORFLOW_ARGS))
    yield "dynamic", input_ + nested(4) + nested(5, numerics_alone(ONNX))
    yield "no-elements-for-a-data-range", nested(1, tensor((0, 3), b"")) + nested(4, data_range(axis=1))
    yield "int8", input_ + per_tensor + number_field(6, INT8)
    yield "int4", five + nested(3, scales([1])) + number_field(6, INT4)
    yield "uint2", five + nested(3, scales([1])) + number_field(6, UINT2)
    yield "int16", input_ + per_tensor + nested(5, spec(12, True)) + number_field(6, INT16)
    yield "int32", input_ + nested(3, scales([0.5])) + nested(5, numerics_alone(UNIFORM)) + number_field(6, INT32)
    yield "xnnpack", input_ + nested(3, scales([0.5])) + nested(5, numerics_alone(XNNPACK))
    yield "float16", nested(1, HALVES) + per_tensor
    yield "type-first", number_field(6, INT8) + per_tensor + input_
    yield "type-twice", input_ + per_tensor + number_field(6, INT8) + number_field(6, INT4)
    yield "not-a-number", nested(1, tensor((2,), floats([1, float("nan")]))) + nested(3, scales([1]))
    yield "not-a-number-without-a-code", nested(1, tensor((2,), floats([1, float("nan")]))) + per_tensor
    yield "not-a-number-in-data", nested(1, tensor((2,), floats([1, float("nan")]))) + nested(4)
    yield "no-parameters", input_
    yield "all-parameters", input_ + per_tensor + nested(3, scales([1])) + nested(4)
    yield "range-and-data-range", input_ + per_tensor + nested(4)
    yield "data-range-in-blocks", input_ + nested(4, data_range(axis=1, block_size=2))
    yield "symmetric-dynamic", input_ + nested(4, data_range(True)) + nested(5, numerics_alone(ONNX))
    yield "data-range-of-pytorch", input_ + nested(4) + nested(5, numerics_alone(PYTORCH))
    yield "axis-of-data-range", input_ + nested(4, data_range(axis=2))
    yield "unknown-type", input_ + per_tensor + number_field(6, 99)
    yield "huge-type", input_ + per_tensor + number_field(6, (1 << 32) + INT8)
    yield "floats-as-codes", input_ + per_tensor + number_field(6, 1)
    yield "type-that-tensorflow-has-not", input_ + per_tensor + number_field(6, INT32)
    yield "too-many-bits", input_ + per_tensor + nested(5, spec(9))
    yield "codes-beyond-the-type", input_ + nested(3, scales([1])) + nested(5, codes(0, 256))
    yield "no-input", per_tensor
    yield "cut-off", (input_ + per_tensor)[:-1]


def dequantize_requests() -> Iterator[Named]:
    input_ = nested(1, BYTES)
    per_tensor = nested(2, ranges([1]))
    packed = b"\x10\x32\xf4"
    yield "range", input_ + per_tensor
    yield "range-per-channel", input_ + nested(2, ranges([1, 2, 3], axis=1))
    yield "min-combined", input_ + nested(2, ranges([1, 2, 3], axis=1)) + nested(4, numerics_alone(MIN_COMBINED))
    yield "min-first", input_ + per_tensor + nested(4, numerics_alone(MIN_FIRST))
    yield "scaled", input_ + per_tensor + nested(4, numerics_alone(SCALED))
    yield "scales", input_ + nested(3, scales([0.5], [3]))
    yield "blocks", input_ + nested(3, scales([1, 2, 3, 4], axis=1, block_size=2))
    yield "int4", nested(1, tensor((5,), packed, INT4)) + nested(3, scales([1]))
    yield "uint4", nested(1, tensor((6,), packed, UINT4)) + per_tensor
    yield "int2", nested(1, tensor((9,), packed, INT2)) + per_tensor
    yield "int32", nested(1, tensor((2,), bytes(range(8)), INT32)) + nested(3, scales([0.5]))
    yield "float16", input_ + per_tensor + number_field(5, FLOAT16)
    yield "bfloat16", input_ + nested(3, scales([0.5])) + nested(4, numerics_alone(ONNX)) + number_field(5, BFLOAT16)
    yield "scalar", nested(1, tensor((), b"\x07", INT4)) + per_tensor
    yield "no-elements", nested(1, tensor((0,), b"", UINT2)) + per_tensor
    yield "packed-cut-short", nested(1, tensor((5,), packed[:2], INT4)) + per_tensor
    yield "packed-too-long", nested(1, tensor((4,), packed, INT4)) + per_tensor
    yield "most-packed", nested(1, tensor(((1 << 60) - 1,), packed, INT2)) + per_tensor
    yield "floats", nested(1, MATRIX) + per_tensor
    yield "numbers", nested(1, number_field(1, UINT8) + shape(1) + nested(4, nested(1, ramp(1)))) + per_tensor
    yield "type-that-tensorflow-has-not", nested(1, tensor((1,), bytes(4), INT32)) + per_tensor
    yield "codes-as-values", input_ + per_tensor + number_field(5, UINT8)
    yield "data-range-of-another-message", input_ + nested(4)
    yield "no-parameters", input_
    yield "cut-off", (input_ + per_tensor)[:-1]


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


def quantize_responses() -> Iterator[Named]:
    used = nested(2, scales([0.5], [3]))
    yield "whole", nested(1, BYTES) + used + number_field(4, ONNX)
    yield "parameters-first", used + nested(1, BYTES)
    yield "cut-off", (nested(1, BYTES) + used)[:-1]


def dequantize_responses() -> Iterator[Named]:
    yield "whole", nested(1, MATRIX) + number_field(2, ONNX)
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
    yield Seed("request-inherits-scales", REQUEST, input_, INHERITS_SCALES)
    yield Seed("request-replaces-scales", REQUEST, input_ + PER_TENSOR + nested(3, spec()), INHERITS_SCALES)
    yield Seed("request-replaces-range-by-scales", REQUEST, input_ + nested(4, scales([2])), INHERITS_RANGE)
    yield Seed("request-inherits-for-float16", REQUEST, nested(1, HALVES), INHERITS_RANGE)
    yield Seed("gradient-request-inherits-scales", GRADIENT_REQUEST, both, INHERITS_SCALES)
    yield Seed("quantize-request-inherits-both", QUANTIZE_REQUEST, input_, INHERITS_RANGE | INHERITS_SPEC)
    yield Seed("quantize-request-inherits-scales-and-type", QUANTIZE_REQUEST, input_, INHERITS_SCALES | INHERITS_TYPE)
    yield Seed("quantize-request-replaces-type", QUANTIZE_REQUEST, input_ + number_field(6, INT4),
               INHERITS_RANGE | INHERITS_TYPE)
    yield Seed("quantize-request-data-range-in-stream", QUANTIZE_REQUEST, input_ + nested(4), INHERITS_RANGE)
    yield Seed("quantize-request-inherits-type-alone", QUANTIZE_REQUEST, input_, INHERITS_TYPE)
    codes_ = nested(1, BYTES)
    yield Seed("dequantize-request-inherits-both", DEQUANTIZE_REQUEST, codes_, INHERITS_RANGE | INHERITS_SPEC)
    yield Seed("dequantize-request-inherits-scales-and-type", DEQUANTIZE_REQUEST, codes_,
               INHERITS_SCALES | INHERITS_TYPE)
    yield Seed("dequantize-request-inherits-for-int4", DEQUANTIZE_REQUEST,
               nested(1, tensor((3,), b"\x10\x02", INT4)), INHERITS_RANGE)


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
    for name, message in quantize_requests():
        yield Seed(f"quantize-request-{name}", QUANTIZE_REQUEST, message)
    for name, message in dequantize_requests():
        yield Seed(f"dequantize-request-{name}", DEQUANTIZE_REQUEST, message)
    for name, message in quantize_responses():
        yield Seed(f"quantize-response-{name}", QUANTIZE_RESPONSE, message)
    for name, message in dequantize_responses():
        yield Seed(f"dequantize-response-{name}", DEQUANTIZE_RESPONSE, message)
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
