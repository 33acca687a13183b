"""Tests that no message costs many times its bytes in memory or much of a processor."""

import dataclasses
import time
import unittest

import numpy as np

import api
import quantd_process

MIB = 1024 * 1024
MESSAGE_BYTES = 32 * MIB
CHANNELS = 1024 * 1024
# What gRPC and the allocator need for a message of any kind besides its own bytes.
FIXED_BYTES = 24 * MIB
# In multiples of what a loop over the bytes of a message takes on this machine at present.
LOOPS = 25

FAKE_QUANTIZE = f"/{api.SERVICE}/FakeQuantize"
VARINT, LENGTH, START_GROUP, END_GROUP = 0, 2, 3, 4


def varint(value):
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(encoded) + bytes((value,))


def tag(number, wire_type):
    return varint(number << 3 | wire_type)


def field(number, content):
    return tag(number, LENGTH) + varint(len(content)) + content


def repeat(pattern):
    return pattern * (MESSAGE_BYTES // len(pattern))


def good_request():
    request = api.FakeQuantizeRequest(input=api.tensor_of_bytes(np.float32([-3, 0.25, 1])))
    request.range.min.append(-1)
    request.range.max.append(1)
    return request.SerializeToString()


def loop_seconds():
    """Returns the processor time of a loop over as many bytes as a message has."""
    content = bytes(MESSAGE_BYTES)
    start = time.process_time()
    sum(content)
    return time.process_time() - start


@dataclasses.dataclass
class Cost:
    """What a call cost the server."""

    bytes: int
    processor_seconds: float
    # None if the call succeeded.
    error: api.CallError | None


def cost_of(call, *flags):
    """Returns what `call`, which gets a connected server, cost it."""
    with quantd_process.Quantd(*flags) as server:
        channel = server.connect()
        before = server.resident_bytes(), server.processor_seconds()
        error = None
        try:
            call(channel)
        except quantd_process.grpc.RpcError as failure:
            error = api.call_error(failure)
        return Cost(server.peak_bytes() - before[0], server.processor_seconds() - before[1], error)


def cost_of_bytes(message):
    """Returns what a FakeQuantize of these bytes cost the server."""
    def call(channel):
        channel.unary_unary(FAKE_QUANTIZE)(message, timeout=quantd_process.DEADLINE_SECONDS)
    return cost_of(call)


class CostlyMessageTest(unittest.TestCase):

    def assert_cheap(self, name, message, times):
        """Checks the call's memory, in multiples of the message, and its processor time. Returns the
        error, if any."""
        seconds = LOOPS * loop_seconds()
        cost = cost_of_bytes(message)
        print(f"{name}: {cost.bytes / len(message):.2f} times the message's {len(message) / MIB:.0f} MiB, "
              f"{cost.processor_seconds:.2f} s of processor time, less than {seconds:.2f}")
        self.assertLess(cost.bytes, times * len(message) + FIXED_BYTES, name)
        self.assertLess(cost.processor_seconds, seconds, name)
        return cost.error

    def test_dimensions_are_refused_before_they_are_stored(self):
        shape = repeat(b"\x01")
        unpacked = repeat(tag(2, VARINT) + b"\x01")
        for name, dimensions in (("dimensions", field(2, shape)), ("unpacked dimensions", unpacked)):
            error = self.assert_cheap(
                name, good_request() + field(1, dimensions), times=2)
            self.assertEqual(error.reason, "TENSOR_SIZE_MISMATCH")
            self.assertEqual(error.fields, ("input.shape",))
            self.assertIn("more than 64 dimensions; expected at most 64", error.message)

    def test_unknown_fields_are_skipped(self):
        number = repeat(tag(9, VARINT) + b"\x01")
        for name, message in {
            "unknown numbers": good_request() + number,
            "groups": good_request() + repeat(tag(9, START_GROUP) + tag(9, END_GROUP)),
            "groups in groups": good_request() + repeat(
                tag(9, START_GROUP) * 99 + tag(9, END_GROUP) * 99),
            "unknown fields of a range": good_request() + field(2, number),
            "unknown fields of a spec": good_request() + field(3, number),
            "unknown fields of a tensor": good_request() + field(1, number),
            "empty unknown fields": good_request() + repeat(field(9, b"")),
        }.items():
            self.assertIsNone(self.assert_cheap(name, message, times=2), name)

    def test_rare_forms_of_tensors_are_not_copied_several_times(self):
        floats = repeat(tag(1, 5) + bytes(4))
        head = tag(1, VARINT) + b"\x01" + field(2, varint(len(floats) // 5))
        range_ = field(2, field(1, np.float32([-1]).tobytes()) + field(2, np.float32([1]).tobytes()))
        self.assertIsNone(self.assert_cheap(
            "floats that are not packed", field(1, head + field(4, floats)) + range_, times=5))
        # Only the last of them counts.
        data = repeat(field(3, bytes(4)))
        self.assertIsNone(self.assert_cheap(
            "data again and again",
            field(1, tag(1, VARINT) + b"\x01" + field(2, b"\x01") + data) + range_, times=2))
        self.assertIsNone(self.assert_cheap(
            "tensors again and again", repeat(field(1, b"")) + good_request(), times=4))

    def test_parameters_of_one_byte_cost_no_more_than_they_weigh(self):
        message = good_request() + field(4, field(2, repeat(b"\x01")))
        error = self.assert_cheap("zero points", message, times=1 + 15)
        self.assertEqual(error.reason, "PARAMETERS_MISMATCH")

    def test_channels_weigh_what_they_take(self):
        values = np.linspace(-1, 1, CHANNELS, dtype=np.float32)
        highs = np.abs(values) + 1
        codes = api.Tensor(data_type=api.DATA_TYPE_UINT8, shape=(CHANNELS,), data=bytes(CHANNELS))
        scales = api.AffineParameters(scale=highs, zero_point=np.full(CHANNELS, 3, np.int32), axis=0)
        ranges = api.Range(min=-highs, max=highs, axis=0)
        tensor = api.tensor_of_bytes(values)
        # The bytes for each channel that a session counts: those of the tensors, and the operation's.
        for name, method, request, weight in (
            ("range", "FakeQuantize", api.FakeQuantizeRequest(input=tensor, range=ranges), 8 + 150),
            ("gradient", "FakeQuantizeGradient",
             api.FakeQuantizeGradientRequest(gradients=tensor, inputs=tensor, range=ranges), 12 + 170),
            ("codes", "Quantize", api.QuantizeRequest(input=tensor, range=ranges), 5 + 112),
            ("scales", "Quantize", api.QuantizeRequest(input=tensor, affine=scales), 5 + 112),
            ("data range", "Quantize",
             api.QuantizeRequest(input=tensor, data_range=api.DataRange(axis=0)), 5 + 112),
            ("values", "Dequantize", api.DequantizeRequest(input=codes, range=ranges), 5 + 64),
        ):
            with self.subTest(name):
                cost = cost_of(lambda channel, method=method, request=request: getattr(
                    api.QuantizationServiceStub(channel), method)(request))
                self.assertIsNone(cost.error)
                print(f"{name}: {cost.bytes / CHANNELS:.0f} bytes for each of {CHANNELS} channels")
                self.assertLess(cost.bytes, weight * CHANNELS + FIXED_BYTES)


if __name__ == "__main__":
    unittest.main()
