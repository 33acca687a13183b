"""Tests that quantd answers all accepted calls when it stops."""

import signal
import threading
import unittest

import grpc

import api
import golden_cases
import quantd_process


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
