"""Tests that quantd answers all accepted calls when it stops."""

import contextlib
import signal
import threading
import time
import unittest

import grpc
import numpy as np

import api
import golden_cases
import quantd_process
import slow_link

MIB = 1024 * 1024
DRAIN_TIMEOUT_SECONDS = 1
# How much longer than --drain-timeout a drain may take.
GRACE_SECONDS = 2


class DrainTest(unittest.TestCase):

    def test_calls_during_the_drain_are_answered_or_unavailable(self):
        case = golden_cases.one_case_of_each_op()[0]
        with quantd_process.Quantd() as quantd:
            clients = [_EndlessClient(quantd.stub(), case) for _ in range(8)]
            for client in clients:
                client.start()
            quantd_process.wait_until(lambda: all(client.right_answers > 10 for client in clients),
                                      "ten answers for every client")
            quantd.signal(signal.SIGTERM)
            self.assertEqual(quantd.wait(), 0, quantd.log)
            for client in clients:
                client.join()
                self.assertEqual(client.problems, [])
                self.assertEqual(client.end, grpc.StatusCode.UNAVAILABLE)

    def test_a_running_call_is_finished(self):
        case = next(case for case in golden_cases.all_cases() if case.op == "vars")
        case = case.repeated(2**23 // case.inputs.size)
        with quantd_process.Quantd() as quantd:
            call = quantd.stub().FakeQuantize.future(case.request(),
                                                     timeout=quantd_process.DEADLINE_SECONDS)
            quantd_process.wait_until(
                lambda: call.done() or quantd.metrics().value("quantd_in_flight_requests") == 1,
                "the call to arrive",
            )
            quantd.signal(signal.SIGTERM)
            self.assertEqual(case.problems(call.result()), [])
            self.assertEqual(quantd.wait(), 0, quantd.log)

    def test_an_upload_is_told_that_the_server_is_shutting_down(self):
        with quantd_process.Quantd("--drain-timeout=60s") as quantd, \
                slow_link.SlowLink(quantd.address, to_server=2 * MIB) as link:
            call = _start_call(quantd.connect(link.address), 4 * MIB)
            quantd_process.wait_until(lambda: link.carried("to_server") > MIB, "half of an upload")
            quantd.signal(signal.SIGTERM)
            with self.assertRaises(grpc.RpcError) as raised:
                call.result(quantd_process.DEADLINE_SECONDS)
            self.assertEqual(api.call_error(raised.exception).reason, "SHUTTING_DOWN")
            self.assertEqual(quantd.wait(), 0, quantd.log)

    def test_an_upload_that_takes_too_long_is_cut_off_in_time(self):
        with self._slow_call("to_server", 64 * 1024) as (quantd, call, link):
            self._assert_cut_off_in_time(quantd, call, link)

    def test_a_client_that_reads_slowly_does_not_delay_the_end(self):
        with self._slow_call("to_client", 60_000) as (quantd, call, link):
            self._assert_cut_off_in_time(quantd, call, link)

    def test_a_frozen_client_does_not_delay_the_end(self):
        with self._slow_call("to_client", 60_000) as (quantd, call, link):
            link.to_client = link.to_server = 0
            self._assert_cut_off_in_time(quantd, call, link)

    @contextlib.contextmanager
    def _slow_call(self, direction, rate):
        """Gives a server, a call whose request or answer has begun to move at `rate`, and its link."""
        quantd = quantd_process.Quantd(f"--drain-timeout={DRAIN_TIMEOUT_SECONDS}s")
        # It need not end with success.
        self.addCleanup(quantd.kill)
        with slow_link.SlowLink(quantd.address, **{direction: rate}) as link:
            call = _start_call(quantd.connect(link.address), 16 * MIB)
            quantd_process.wait_until(lambda: link.carried(direction) > rate, "a second's worth")
            yield quantd, call, link

    def _assert_cut_off_in_time(self, quantd, call, link):
        start = time.monotonic()
        quantd.signal(signal.SIGTERM)
        self.assertEqual(quantd.wait(), 1, "a call was lost")
        self.assertLess(time.monotonic() - start, DRAIN_TIMEOUT_SECONDS + GRACE_SECONDS)
        self.assertIn("1 calls were still running and were cut off", quantd.log)
        # The link still has what the server sent before.
        link.close()
        with self.assertRaises(grpc.RpcError) as raised:
            call.result(quantd_process.DEADLINE_SECONDS)
        self.assertEqual(raised.exception.code(), grpc.StatusCode.UNAVAILABLE)

    def test_interrupts_stop_the_server_as_well(self):
        with quantd_process.Quantd() as quantd:
            quantd.signal(signal.SIGINT)
            self.assertEqual(quantd.wait(), 0, quantd.log)

    def test_health_watchers_are_notified(self):
        serving_status = api.health_pb2.HealthCheckResponse
        for service in ("", api.SERVICE):
            with self.subTest(service), quantd_process.Quantd() as quantd:
                health = api.health_pb2_grpc.HealthStub(quantd.connect())
                watch = health.Watch(api.health_pb2.HealthCheckRequest(service=service))
                self.assertEqual(next(watch).status, serving_status.SERVING)
                quantd.signal(signal.SIGTERM)
                self.assertEqual(next(watch).status, serving_status.NOT_SERVING)
                # The open stream does not delay the server.
                self.assertEqual(quantd.wait(), 0, quantd.log)


def _start_call(channel, size):
    """Starts a call with a tensor of `size` bytes, and returns its future."""
    request = api.FakeQuantizeRequest(input=api.tensor_of_bytes(np.ones(size // 4, np.float32)))
    request.range.min.append(-1)
    request.range.max.append(1)
    return api.QuantizationServiceStub(channel).FakeQuantize.future(
        request, timeout=2 * quantd_process.DEADLINE_SECONDS)


class _EndlessClient(threading.Thread):
    """Repeats a call until one fails."""

    def __init__(self, stub, case):
        super().__init__()
        self._stub = stub
        self._case = case
        self.right_answers = 0
        self.problems = []
        self.end = None

    def run(self):
        try:
            while not self.problems:
                self.problems = self._case.problems(self._case.call(self._stub))
                self.right_answers += 1
        except grpc.RpcError as error:
            self.end = error.code()


if __name__ == "__main__":
    unittest.main()
