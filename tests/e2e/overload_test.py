"""Tests that clients cannot take more of a server's memory than its limits, nor keep others out."""

import pathlib
import subprocess
import tempfile
import threading
import unittest

import grpc
import numpy as np

import api
import quantd_process

MIB = 1024 * 1024
MAX_MESSAGE_BYTES = 4 * MIB
MAX_IN_FLIGHT_BYTES = 16 * MIB
# What the process may hold besides what is in flight.
FIXED_BYTES = 150 * MIB
LIMITS = (f"--max-message-bytes={MAX_MESSAGE_BYTES}", f"--max-in-flight-bytes={MAX_IN_FLIGHT_BYTES}")

FAKE_QUANTIZE = f"/{api.SERVICE}/FakeQuantize"
STREAM_GRADIENT = f"/{api.SERVICE}/StreamFakeQuantizeGradient"


def request_of(elements):
    request = api.FakeQuantizeRequest(input=api.tensor_of_bytes(np.ones(elements, np.float32)))
    request.range.min.append(-1)
    request.range.max.append(1)
    return request


class OverloadTestCase(unittest.TestCase):
    """Base of tests with a server of their own."""

    # How long clients may leave answers unread.
    max_stall = "60s"

    def setUp(self):
        self.quantd = quantd_process.Quantd(*LIMITS, f"--max-stall={self.max_stall}", "--max-wait=60s")
        self.addCleanup(self.quantd.stop)

    def _call_without_reading(self, count):
        """Makes calls with large answers that are not read before the test ends."""
        request = request_of(MIB - 100).SerializeToString()
        for _ in range(count):
            call = self._connect_without_reading().unary_stream(FAKE_QUANTIZE)(request)
            self.addCleanup(call.cancel)

    def _wait_for_calls_to_wait(self):
        quantd_process.wait_until(
            lambda: self.quantd.metrics().value("quantd_waiting_requests") > 0, "calls to wait")

    def _connect_without_reading(self):
        """Returns a channel with a connection of its own, which takes no more than it is asked for."""
        channel = grpc.insecure_channel(self.quantd.address, (
            ("grpc.enable_http_proxy", 0),
            ("grpc.http2.bdp_probe", 0),
            ("grpc.max_receive_message_length", -1),
            ("grpc.use_local_subchannel_pool", 1),
        ))
        self.addCleanup(channel.close)
        return channel

    def _assert_bounded(self):
        self.assertLess(self.quantd.peak_bytes(), MAX_IN_FLIGHT_BYTES + FIXED_BYTES)


class OverloadTest(OverloadTestCase):

    def test_a_message_far_over_the_limit_is_not_held(self):
        call = self.quantd.connect().unary_unary(FAKE_QUANTIZE)
        with self.assertRaises(grpc.RpcError) as raised:
            call(bytes(256 * MIB), timeout=quantd_process.DEADLINE_SECONDS)
        self.assertEqual(raised.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
        self._assert_bounded()

    def test_compressed_messages_are_refused_before_they_are_decompressed(self):
        call = self.quantd.connect().unary_unary(FAKE_QUANTIZE)
        before = self.quantd.processor_seconds()
        with self.assertRaises(grpc.RpcError) as raised:
            call(bytes(512 * MIB), compression=grpc.Compression.Gzip,
                 timeout=quantd_process.DEADLINE_SECONDS)
        self.assertEqual(raised.exception.code(), grpc.StatusCode.UNIMPLEMENTED)
        self.assertLess(self.quantd.peak_bytes(), 64 * MIB)
        self.assertLess(self.quantd.processor_seconds() - before, 0.5)

    def test_answers_that_are_not_read_are_held_within_the_limit(self):
        self._call_without_reading(20)
        self._wait_for_calls_to_wait()
        self._assert_bounded()

    def test_small_calls_do_not_wait_for_large_ones(self):
        self._call_without_reading(4)
        self._wait_for_calls_to_wait()
        self.quantd.stub().FakeQuantize(request_of(10), timeout=quantd_process.DEADLINE_SECONDS / 2)
        self.assertGreater(self.quantd.metrics().value("quantd_waiting_requests"), 0)

    def test_ranges_of_streams_that_do_not_read_are_held_within_the_limit(self):
        channels = 20_000
        empty = api.tensor_of_bytes(np.ones((0, channels), np.float32))
        first = api.FakeQuantizeGradientRequest(gradients=empty, inputs=empty)
        rest = first.SerializeToString()
        first.range.min.extend([-1] * channels)
        first.range.max.extend([1] * channels)
        first.range.axis = 1
        done = threading.Event()
        self.addCleanup(done.set)

        def requests():
            yield first.SerializeToString()
            for _ in range(100):
                yield rest
            done.wait()

        calls = [self._connect_without_reading().stream_stream(STREAM_GRADIENT)(requests())
                 for _ in range(20)]
        # Some are refused, because streams may keep half of the memory; the others stop.
        quantd_process.wait_until(
            lambda: self.quantd.metrics().total("grpc_server_handled_total",
                                                grpc_code="ResourceExhausted") > 0,
            "streams to be refused")
        self.assertGreater(self.quantd.metrics().value("quantd_in_flight_bytes"), 0)
        self.quantd.stub().FakeQuantize(request_of(10), timeout=quantd_process.DEADLINE_SECONDS)
        self._assert_bounded()
        for call in calls:
            call.cancel()
        quantd_process.wait_until(
            lambda: self.quantd.metrics().value("quantd_in_flight_bytes") == 0,
            "memory to be given back")

    def test_a_call_that_runs_into_its_deadline_is_counted_as_such(self):
        self._call_without_reading(4)
        self._wait_for_calls_to_wait()
        with self.assertRaises(grpc.RpcError) as raised:
            self.quantd.stub().FakeQuantize(request_of(MIB - 100), timeout=2)
        self.assertEqual(raised.exception.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
        quantd_process.wait_until(
            lambda: self.quantd.metrics().total("grpc_server_handled_total",
                                                grpc_code="DeadlineExceeded") == 1,
            "the call to be counted")

    def test_streams_of_many_clients_wait_instead_of_failing(self):
        with tempfile.TemporaryDirectory(prefix="quantd-") as name:
            folder = pathlib.Path(name)
            np.save(folder / "input.npy", np.linspace(-2, 2, 8 * MIB, dtype=np.float32))
            clients = [
                subprocess.Popen(
                    [quantd_process.QUANTCTL, "--server", self.quantd.address, "fake-quant",
                     "--min=-1", "--max=1", "--input", folder / "input.npy",
                     "--output", folder / f"output{i}.npy"],
                    env=quantd_process.clean_environment(), stderr=subprocess.PIPE,
                    stdout=subprocess.DEVNULL)
                for i in range(6)
            ]
            for client in clients:
                _, errors = client.communicate(timeout=quantd_process.DEADLINE_SECONDS)
                self.assertEqual(client.returncode, 0, errors)
            outputs = {(folder / f"output{i}.npy").read_bytes() for i in range(6)}
            self.assertEqual(len(outputs), 1)
        self._assert_bounded()


class StallTest(OverloadTestCase):

    max_stall = "1s"

    def test_clients_that_do_not_read_make_room_for_others(self):
        self._call_without_reading(4)
        quantd_process.wait_until(
            lambda: self.quantd.metrics().value("quantd_in_flight_bytes") > MAX_MESSAGE_BYTES,
            "an answer that is not read")
        answer = self.quantd.stub().FakeQuantize(request_of(MIB - 100),
                                                 timeout=quantd_process.DEADLINE_SECONDS)
        self.assertEqual(len(answer.output.data), 4 * (MIB - 100))


if __name__ == "__main__":
    unittest.main()
