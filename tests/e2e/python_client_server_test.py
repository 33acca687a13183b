"""Tests what the Python package says of servers, and how it treats those that misbehave."""

import concurrent.futures
import contextlib
import tempfile
import threading
import unittest

import grpc
import numpy as np
import quantd

import api
import byte_server
import golden_cases
import python_clients
import quantd_process
from python_client_case import IN_ONE_MESSAGE, IN_PARTS, MIB, PythonClientTestCase, answer_to


class ServerTest(PythonClientTestCase):

    def test_server_info_describes_the_server(self):
        with self.connected() as client:
            info = client.server_info()
        self.assertEqual(info.simd_target, self.quantd.simd_target)
        self.assertIn(info.simd_target, info.supported_simd_targets)
        self.assertEqual(info.worker_threads, self.quantd.worker_threads)
        self.assertEqual(info.data_types[0], "DATA_TYPE_FLOAT32")
        self.assertIn("DATA_TYPE_UINT2", info.data_types)
        (dequantize,) = (entry for entry in info.methods
                         if (entry.method, entry.numerics) == ("Dequantize", "NUMERICS_LITERT_XNNPACK"))
        self.assertEqual(dequantize.parameters, ("PARAMETER_KIND_AFFINE",))
        self.assertEqual(dequantize.input_types, ("DATA_TYPE_INT8", "DATA_TYPE_UINT8"))
        self.assertIn("DATA_TYPE_FLOAT32", dequantize.output_types)
        self.assertEqual(info.max_message_bytes, 256 * MIB)
        self.assertEqual(info.max_in_flight_bytes, 1024 * MIB)
        self.assertEqual(info.shared_memory_socket, "")

    def test_healthy_reports_the_server_s_health(self):
        with self.connected() as client:
            self.assertIs(client.healthy(), True)
            self.assertIs(client.healthy("quantd.v1.QuantizationService"), True)
            with self.assertRaises(quantd.NotFoundError):
                client.healthy("no.such.Service")

    def test_many_threads_can_use_one_client(self):
        cases = golden_cases.all_cases()
        with (self.connected(**IN_ONE_MESSAGE) as whole, self.connected(**IN_PARTS[2]) as in_parts,
              concurrent.futures.ThreadPoolExecutor(8) as threads):
            for client in (whole, in_parts):
                problems = threads.map(lambda case, client=client: case.problems(answer_to(client, case)),
                                       cases * 2)
                self.assertEqual(list(filter(None, problems)), [])

    def test_a_client_reconnects_to_a_restarted_server(self):
        directory = self.enterContext(tempfile.TemporaryDirectory(prefix="quantd-"))
        address = f"unix:{directory}/quantd.sock"
        with contextlib.ExitStack() as client_context:
            with quantd_process.Quantd(listen=(address,)):
                client = client_context.enter_context(python_clients.connected_to(address, retry=False))
                self.assertTrue(client.healthy())
            with self.assertRaises(quantd.UnavailableError):
                client.healthy()
            with quantd_process.Quantd(listen=(address,)):
                client.wait_until_connected()
                self.assertTrue(client.healthy())


class StrangeServerTest(PythonClientTestCase):
    """Servers that behave in ways in which quantd never does."""

    X = np.ones(40, np.float32)

    def calls(self, serve, **options):
        """Runs `serve` as a server, and yields calls in one message and in five parts."""
        stack = self.enterContext(contextlib.ExitStack())
        server = stack.enter_context(byte_server.ByteServer(serve))
        for stream in (IN_ONE_MESSAGE, {"stream_from_bytes": 0, "stream_message_bytes": 32}):
            client = stack.enter_context(python_clients.connected_to(server.address, **stream | options))
            yield lambda client=client: client.fake_quantize(self.X, -1, 1)

    def real(self):
        return byte_server.forward_to(self.quantd.connect())

    def test_a_busy_server_suggests_a_retry_delay(self):
        def refuse(_method, _requests, context):
            status = api.status_pb2.Status(code=8)
            info = api.error_details_pb2.ErrorInfo(reason="IN_FLIGHT_LIMIT", domain="quantd")
            status.details.add().Pack(info)
            retry = api.error_details_pb2.RetryInfo()
            retry.retry_delay.FromMilliseconds(1250)
            status.details.add().Pack(retry)
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too much work")

        for call in self.calls(refuse, retry=False):
            with self.assertRaises(quantd.ResourceExhaustedError) as raised:
                call()
            error = raised.exception
            self.assertEqual((error.reason, error.retry_delay, str(error)),
                             ("IN_FLIGHT_LIMIT", 1.25, "too much work"))

    def test_other_failures_are_quantd_errors_with_their_code_regardless_of_details(self):
        def fail(_method, _requests, context):
            context.set_trailing_metadata((("grpc-status-details-bin", b"no status"),))
            context.abort(grpc.StatusCode.DATA_LOSS, "not today")

        for call in self.calls(fail):
            with self.assertRaisesRegex(quantd.QuantdError, "^not today$") as raised:
                call()
            self.assertIs(type(raised.exception), quantd.QuantdError)
            self.assertIs(raised.exception.code, grpc.StatusCode.DATA_LOSS)

    def test_answers_that_do_not_match_are_internal_errors(self):
        short = api.FakeQuantizeResponse(output=api.tensor_of_bytes(np.ones(1, np.float32)))

        def garbage(_method, requests, _context):
            return (b"\xff" for _ in requests)

        def endless_number(_method, requests, _context):
            return (b"\x0a" + b"\xff" * MIB for _ in requests)

        def no_output(_method, requests, _context):
            return (b"" for _ in requests)

        def too_short(_method, requests, _context):
            return (short.SerializeToString() for _ in requests)

        def no_range(method, requests, context):
            for answer in self.real()(method, requests, context):
                response = api.FakeQuantizeResponse.FromString(answer)
                response.ClearField("nudged_range")
                yield response.SerializeToString()

        for serve in (garbage, endless_number, no_output, too_short, no_range):
            for call in self.calls(serve):
                with self.subTest(serve.__name__), self.assertRaises(quantd.QuantdError) as raised:
                    call()
                self.assertIs(raised.exception.code, grpc.StatusCode.INTERNAL)
                self.assertIn("versions of client and server match", raised.exception.message)

    def test_other_answers_that_are_invalid_messages_are_internal_errors(self):
        def garbage(_method, requests, _context):
            return (b"\xff" for _ in requests)

        with (byte_server.ByteServer(garbage) as server,
              python_clients.connected_to(server.address) as client):
            for call in (client.healthy, client.server_info):
                with self.assertRaisesRegex(quantd.QuantdError, "client and server match") as raised:
                    call()
                self.assertIs(raised.exception.code, grpc.StatusCode.INTERNAL)

    def test_too_few_or_too_many_answers_are_internal_errors(self):
        def too_few(method, requests, context):
            answers = list(self.real()(method, requests, context))
            return iter(answers[:-1])

        def too_many(method, requests, context):
            answers = list(self.real()(method, requests, context))
            return iter(answers + answers[-1:])

        for serve in (too_few, too_many):
            _, in_parts = self.calls(serve)
            with self.subTest(serve.__name__), self.assertRaises(quantd.QuantdError) as raised:
                in_parts()
            self.assertIs(raised.exception.code, grpc.StatusCode.INTERNAL)

    def test_a_range_that_does_not_fit_gives_no_output_even_if_the_server_accepts_it(self):
        def agree(_method, requests, _context):
            for request in requests:
                bounds = api.FakeQuantizeRequest.FromString(request).range.min
                yield api.FakeQuantizeResponse(
                    output=api.tensor_of_bytes(np.empty(0, np.float32)), numerics="NUMERICS_TENSORFLOW",
                    nudged_range=api.NudgedRange(min=bounds, max=bounds, scale=bounds,
                                                 zero_point=[0] * len(bounds))).SerializeToString()

        with (byte_server.ByteServer(agree) as server,
              python_clients.connected_to(server.address, stream_from_bytes=0) as client):
            for minimum, maximum, axis in ((-1, 1, 9), ([-1, -2], [1, 2], 0)):
                with self.subTest(axis=axis), self.assertRaisesRegex(quantd.QuantdError, "do not fit"):
                    client.fake_quantize(self.X, minimum, maximum, axis=axis)

    def test_answers_in_unusual_forms_are_accepted(self):
        def reordered(method, requests, context):
            for answer in self.real()(method, requests, context):
                response = api.FakeQuantizeResponse.FromString(answer)
                rest = api.FakeQuantizeResponse(nudged_range=response.nudged_range).SerializeToString()
                response.ClearField("nudged_range")
                yield rest + response.SerializeToString()

        with self.connected() as client:
            expected = client.fake_quantize(self.X, -1, 1).output
        for call in self.calls(reordered):
            self.assert_equal_bits(call().output, expected)

    def test_a_silent_stream_times_out(self):
        released = threading.Event()
        self.addCleanup(released.set)

        def stall(method, requests, context):
            for index, answer in enumerate(self.real()(method, requests, context)):
                if index == 2:
                    released.wait()
                yield answer

        _, in_parts = self.calls(stall, timeout=1)
        with self.assertRaisesRegex(quantd.DeadlineExceededError, "within 1 s"):
            in_parts()
        released.set()

    def test_a_slow_stream_does_not_time_out_while_answers_keep_coming(self):
        never = threading.Event()

        def slow(method, requests, context):
            for index, answer in enumerate(self.real()(method, requests, context)):
                never.wait(2 if index in (1, 3, 5) else 0)
                yield answer

        _, in_parts = self.calls(slow, timeout=5)
        self.assertEqual(in_parts().output.shape, self.X.shape)


if __name__ == "__main__":
    unittest.main()
