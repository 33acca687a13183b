"""Tests the errors of the Python package: of a real server, and without any."""

import concurrent.futures
import pickle
import queue
import signal
import socket
import unittest
import unittest.mock

import grpc
import numpy as np
import quantd

import api
import python_clients
import quantd_process
from python_client_case import IN_ONE_MESSAGE, IN_PARTS, MIB, PythonClientTestCase


class ErrorTest(PythonClientTestCase):

    kinds_of_errors_in_parts = (MemoryError, SystemExit)

    def error_of(self, *arguments, client, **keywords):
        with self.assertRaises(quantd.QuantdError) as raised:
            client.fake_quantize(*arguments, **keywords)
        return raised.exception

    def test_bad_arguments_are_the_same_value_errors_in_one_message_and_in_parts(self):
        x = np.ones((2, 3), np.float32)
        bounds = {"min": [-1, -2, -3], "max": [1, 2, 3], "axis": 1}
        for options in (IN_ONE_MESSAGE, *IN_PARTS):
            with self.connected(**options) as client:
                self.assertEqual(client.fake_quantize(x, **bounds).output.shape, (2, 3))
                for changed, reason, field in (
                    ({"num_bits": 17}, "INVALID_NUM_BITS", "spec.num_bits"),
                    ({"num_bits": -1}, "INVALID_NUM_BITS", "spec.num_bits"),
                    ({"min": [], "max": []}, "RANGE_SIZE_MISMATCH", "range.min"),
                    ({"max": [1, 2]}, "RANGE_SIZE_MISMATCH", "range.max"),
                    ({"max": [1, 2, 3, 4]}, "RANGE_SIZE_MISMATCH", "range.max"),
                    ({"min": -1, "max": 1}, "RANGE_SIZE_MISMATCH", "range.min"),
                    ({"min": [-1] * 4, "max": [1] * 4}, "RANGE_SIZE_MISMATCH", "range.min"),
                    ({"min": np.zeros((1, 3))}, "RANGE_SIZE_MISMATCH", "range.min"),
                    ({"min": [-1, -np.inf, -3]}, "INVALID_RANGE", "range.min[1]"),
                    ({"max": [1, 2, 1e300]}, "INVALID_RANGE", "range.max[2]"),
                    ({"min": [-1, -2, 5]}, "INVALID_RANGE", "range.min[2]"),
                    ({"axis": 2}, "AXIS_OUT_OF_RANGE", "range.axis"),
                    ({"axis": -3}, "AXIS_OUT_OF_RANGE", "range.axis"),
                    ({"axis": 2**40}, "AXIS_OUT_OF_RANGE", "range.axis"),
                ):
                    with self.subTest(**changed, **options):
                        error = self.error_of(x, client=client, **bounds | changed)
                        self.assertIsInstance(error, quantd.InvalidArgumentError)
                        self.assertIsInstance(error, ValueError)
                        self.assertIs(error.code, grpc.StatusCode.INVALID_ARGUMENT)
                        self.assertEqual((error.reason, error.field), (reason, field))
                        self.assertIn("expected", error.message)
                        self.assertEqual(str(error), error.message)

    def test_a_call_in_parts_fails_with_the_same_message_as_one_message(self):
        x = np.ones((3, 3), np.float32)
        for axis in (0, 1, -2):
            errors = []
            for options in (IN_ONE_MESSAGE, *IN_PARTS):
                with self.connected(**options) as client:
                    error = self.error_of(x, [-1, -2, 5], [1, 2, 3], axis=axis, client=client)
                    errors.append((error.message, error.metadata))
            with self.subTest(axis=axis):
                self.assertEqual(errors[1:], errors[:1] * 3)
                self.assertEqual(errors[0][1]["channel"], "2")

    def test_gradients_of_another_shape_are_rejected(self):
        with self.connected() as client, self.assertRaises(quantd.InvalidArgumentError) as raised:
            client.fake_quantize_gradient(np.ones(3, np.float32), np.ones((3, 1), np.float32), -1, 1)
        self.assertEqual((raised.exception.reason, raised.exception.field),
                         ("SHAPE_MISMATCH", "inputs.shape"))

    def test_a_request_over_the_server_s_limit_names_the_limit(self):
        with (quantd_process.Quantd("--max-message-bytes=64KiB") as server,
              python_clients.connected_to(server.address) as client):
            error = self.error_of(np.ones(2**15, np.float32), -1, 1, client=client)
            self.assertIsInstance(error, quantd.ResourceExhaustedError)
            self.assertEqual((error.reason, error.retry_delay), ("MESSAGE_TOO_LARGE", None))
            self.assertEqual(error.metadata["max_message_bytes"], str(2**16))

    def test_errors_while_making_a_part_reach_the_caller(self):
        for error in self.kinds_of_errors_in_parts:
            with (self.subTest(error), self.connected() as client,
                  unittest.mock.patch("quantd._messages.encode_request", side_effect=error("no part")),
                  self.assertRaisesRegex(error, "no part")):
                client.fake_quantize(np.ones(MIB, np.float32), -1, 1)

    def test_errors_survive_pickling(self):
        with self.connected() as client:
            refused = self.error_of(np.ones(1, np.float32), 2, 1, client=client)
        for error in (refused, quantd.UnavailableError("nobody"), quantd.DeadlineExceededError("late")):
            copy = pickle.loads(pickle.dumps(error))
            self.assertIs(type(copy), type(error))
            self.assertEqual(vars(copy), vars(error))
            self.assertEqual(str(copy), error.message)

    def test_a_server_that_is_shutting_down_is_unavailable_and_unhealthy(self):
        with (quantd_process.Quantd("--drain-timeout=60s") as server,
              python_clients.connected_to(server.address, retry=False) as client):
            requests = queue.SimpleQueue()
            answers = server.stub().StreamFakeQuantize(iter(requests.get, None))

            def is_draining():
                # A stream in use is not ended, so this keeps the server running.
                requests.put(api.FakeQuantizeRequest(
                    input=api.tensor_of_bytes(np.ones(1, np.float32)), range=api.Range(min=[-1], max=[1])))
                next(answers)
                return not client.healthy()

            self.assertFalse(is_draining())
            server.signal(signal.SIGTERM)
            quantd_process.wait_until(is_draining, "the drain")
            for count in (1, MIB):
                error = self.error_of(np.ones(count, np.float32), -1, 1, client=client)
                self.assertIsInstance(error, quantd.UnavailableError)
                self.assertIsInstance(error, ConnectionError)
                self.assertEqual(error.reason, "SHUTTING_DOWN")
            requests.put(None)
            self.assertEqual(server.wait(), 0, server.log)

    def test_a_closed_client_raises_an_error(self):
        client = quantd.Client(self.quantd.address)
        client.close()
        client.close()
        for call in (client.healthy, client.server_info, client.wait_until_connected,
                     lambda: client.fake_quantize(np.ones(1, np.float32), -1, 1),
                     lambda: client.fake_quantize(np.ones(MIB, np.float32), -1, 1)):
            with self.assertRaisesRegex(ValueError, "closed"):
                call()


class NoServerTest(unittest.TestCase):

    def test_calls_without_a_server_and_retries_fail_at_once_and_name_the_address(self):
        # Reserves the port, but does not listen.
        port = self.enterContext(socket.socket())
        port.bind(("localhost", 0))
        address = f"localhost:{port.getsockname()[1]}"
        with quantd.Client(address, retry=False) as client:
            for call in (client.healthy, client.server_info,
                         lambda: client.fake_quantize(np.ones(1, np.float32), -1, 1),
                         lambda: client.fake_quantize(np.ones(MIB, np.float32), -1, 1)):
                with self.assertRaises(quantd.UnavailableError) as raised:
                    call()
                self.assertIn(address, raised.exception.message)
                self.assertEqual(raised.exception.reason, "")

    def test_a_server_that_never_answers_causes_a_timeout(self):
        with socket.create_server(("localhost", 0)) as silent:
            address = f"localhost:{silent.getsockname()[1]}"
            with quantd.Client(address, timeout=0.2) as client:
                for call in (client.healthy, client.wait_until_connected,
                             lambda: client.fake_quantize(np.ones(1, np.float32), -1, 1),
                             lambda: client.fake_quantize(np.ones(MIB, np.float32), -1, 1)):
                    with self.assertRaises(quantd.DeadlineExceededError) as raised:
                        call()
                    self.assertIsInstance(raised.exception, TimeoutError)
                    self.assertIn(address, raised.exception.message)
                    self.assertIn("0.2 s", raised.exception.message)

    def test_closing_a_client_ends_its_wait_for_a_connection(self):
        with (socket.create_server(("localhost", 0)) as silent,
              concurrent.futures.ThreadPoolExecutor() as threads):
            client = quantd.Client(f"localhost:{silent.getsockname()[1]}", timeout=3600)
            waiting = threads.submit(client.wait_until_connected)
            client.close()
            self.assertIsInstance(waiting.exception(quantd_process.DEADLINE_SECONDS), ValueError)

    def test_bad_options_are_rejected(self):
        for options, error, message in (
            ({"address": ""}, ValueError, "HOST:PORT"), ({"address": 50051}, TypeError, "localhost:50051"),
            ({"timeout": 0}, ValueError, "more than 0"),
            ({"timeout": float("nan")}, ValueError, "more than 0"),
            ({"timeout": float("inf")}, ValueError, "at most a year"),
            ({"stream_message_bytes": 0}, ValueError, "1 to 1073741824"),
            ({"stream_from_bytes": -1}, ValueError, "0 to 1073741824"),
            ({"root_certificates": "ca.pem"}, TypeError, "read_bytes"),
            ({"private_key": b"key"}, ValueError, "private_key and certificate_chain"),
            ({"server_name_override": "a"}, ValueError, "TLS"),
            ({"private_key": b"", "credentials": grpc.ssl_channel_credentials()}, ValueError, "together"),
        ):
            with self.subTest(**options), self.assertRaisesRegex(error, message):
                quantd.Client(**options)


if __name__ == "__main__":
    unittest.main()
