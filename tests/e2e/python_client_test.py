"""Tests the Python package against a real server: the right bits in one message and in parts, and errors."""

import concurrent.futures
import contextlib
import pickle
import queue
import signal
import socket
import tempfile
import threading
import tracemalloc
import unittest
import unittest.mock

import grpc
import numpy as np
import quantd

import api
import byte_server
import golden_cases
import python_clients
import quantd_process

MIB = 2**20
IN_ONE_MESSAGE = {"stream_from_bytes": 2**30}
# Small enough that all kinds of parts occur: whole rows, whole channels, and pieces of a channel.
IN_PARTS = tuple({"stream_from_bytes": 0, "stream_message_bytes": size} for size in (16, 100, 1000))
# 3 x 1747 x 2003 elements are 40 MiB. The dimensions are prime, so that parts have different sizes.
LARGE_SHAPE = (3, 1747, 2003)


def arguments_of(case):
    """Returns the keyword arguments for a golden case."""
    numerics = quantd.Numerics.TENSORFLOW_ARGS if case.op == "args" else quantd.Numerics.TENSORFLOW
    arguments = {"num_bits": case.num_bits, "narrow_range": case.narrow_range, "numerics": numerics,
                 "axis": case.axis, "min": case.min, "max": case.max, "inputs": case.inputs}
    return arguments | ({"gradients": case.gradients} if case.is_gradient else {})


def answer_to(client, case):
    """Returns the package's answer to a golden case, converted to the corresponding message."""
    if case.is_gradient:
        result = client.fake_quantize_gradient(**arguments_of(case))
        answer = api.FakeQuantizeGradientResponse(
            input_gradients=api.tensor_of_bytes(result.input_gradients),
            min_gradient=result.min_gradient, max_gradient=result.max_gradient)
    else:
        result = client.fake_quantize(**arguments_of(case))
        answer = api.FakeQuantizeResponse(output=api.tensor_of_bytes(result.output))
    for name in ("min", "max", "scale", "zero_point"):
        getattr(answer.nudged_range, name).extend(getattr(result.nudged_range, name))
    return answer


class PythonClientTestCase(quantd_process.QuantdTestCase):

    @contextlib.contextmanager
    def connected(self, **options):
        with python_clients.connected_to(self.quantd.address, **options) as client:
            yield client

    def assert_equal_bits(self, actual, expected):
        self.assertEqual(actual.dtype, np.float32)
        self.assertEqual(actual.shape, expected.shape)
        np.testing.assert_array_equal(actual.view(np.uint32), expected.view(np.uint32))


class GoldenTest(PythonClientTestCase):

    def check(self, **options):
        with self.connected(**options) as client:
            for case in golden_cases.all_cases():
                with self.subTest(case.name, **options):
                    self.assertEqual(case.problems(answer_to(client, case)), [])

    def test_every_golden_case_in_one_message_has_the_right_bits(self):
        self.check(**IN_ONE_MESSAGE)

    def test_every_golden_case_in_parts_has_the_right_bits(self):
        for options in IN_PARTS:
            self.check(**options)

    def test_answers_are_read_without_copying(self):
        split = quantd._messages._split  # pylint: disable=protected-access
        found = []

        def spy(answer):
            found.append(split(answer))
            return found[-1]

        with self.connected() as client, unittest.mock.patch("quantd._messages._split", spy):
            for case in golden_cases.one_case_of_each_op():
                self.assertEqual(case.problems(answer_to(client, case)), [])
        self.assertTrue(found)
        self.assertNotIn(None, found)

    def test_unix_sockets_give_the_same_bits(self):
        case = golden_cases.one_case_of_each_op()[0]
        with quantd_process.Quantd(listen=("unix:{directory}/quantd.sock",)) as server:
            with python_clients.connected_to(server.address) as client:
                self.assertEqual(case.problems(answer_to(client, case)), [])


class LargeTensorTest(PythonClientTestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        generator = np.random.default_rng(7)
        cls.inputs = generator.normal(scale=4, size=LARGE_SHAPE).astype(np.float32)
        cls.inputs[:, ::500, ::700] = np.inf
        cls.inputs[:, ::600, ::900] = np.nan
        cls.gradients = generator.normal(size=LARGE_SHAPE).astype(np.float32)

    def ranges(self):
        """Yields each axis, with bounds along it."""
        yield {"axis": None, "min": -3.0, "max": 5.0}
        for axis, channels in enumerate(LARGE_SHAPE):
            yield {"axis": axis, "min": np.linspace(-6, -2, channels), "max": np.linspace(1, 7, channels)}

    def test_parts_give_the_same_bits_as_one_message(self):
        with self.connected() as in_parts, self.connected(**IN_ONE_MESSAGE) as whole:
            for arguments in self.ranges():
                with self.subTest(axis=arguments["axis"]):
                    actual = in_parts.fake_quantize(self.inputs, num_bits=5, **arguments)
                    expected = whole.fake_quantize(self.inputs, num_bits=5, **arguments)
                    self.assert_equal_bits(actual.output, expected.output)
                    for name in ("min", "max", "scale", "zero_point"):
                        np.testing.assert_array_equal(getattr(actual.nudged_range, name),
                                                      getattr(expected.nudged_range, name))

    def test_gradients_in_parts_give_the_same_bits_as_one_message(self):
        with self.connected() as in_parts, self.connected(**IN_ONE_MESSAGE) as whole:
            for arguments in self.ranges():
                with self.subTest(axis=arguments["axis"]):
                    actual = in_parts.fake_quantize_gradient(self.gradients, self.inputs, **arguments)
                    expected = whole.fake_quantize_gradient(self.gradients, self.inputs, **arguments)
                    self.assert_equal_bits(actual.input_gradients, expected.input_gradients)
                    # Both are within an ulp of the exact sum.
                    for name in ("min_gradient", "max_gradient"):
                        np.testing.assert_array_max_ulp(getattr(actual, name), getattr(expected, name), 2)

    def test_large_tensors_are_sent_in_parts_and_small_ones_in_one_message(self):
        methods = ("FakeQuantize", "StreamFakeQuantize")
        with self.connected() as client:
            for inputs, expected in ((self.inputs[0, 0], [1, 0]), (self.inputs, [0, 1])):
                before = [self.calls_of(method) for method in methods]
                client.fake_quantize(inputs, -1, 1)
                after = [self.calls_of(method) for method in methods]
                self.assertEqual([b - a for a, b in zip(before, after, strict=True)], expected)

    def calls_of(self, method):
        return self.quantd.metrics().total("grpc_server_handled_total", grpc_method=method)

    def test_no_array_is_copied_as_a_whole(self):
        for inputs in (self.inputs, self.inputs.T, self.inputs.astype(">f4"), self.inputs.astype(np.float16)):
            with self.subTest(dtype=inputs.dtype, strides=inputs.strides), self.connected() as client:
                tracemalloc.start()
                self.addCleanup(tracemalloc.stop)
                output = client.fake_quantize(inputs, -3, 5).output
                _, peak = tracemalloc.get_traced_memory()
                tracemalloc.stop()
                self.assertGreater(peak, output.nbytes, "the output was not counted")
                self.assertLess(peak, output.nbytes + 16 * MIB)


class ArgumentsTest(PythonClientTestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client = cls.enterClassContext(python_clients.connected_to(cls.quantd.address))

    def test_the_defaults_are_tensorflow_s(self):
        x = np.linspace(-2, 2, 101, dtype=np.float32)
        self.assert_equal_bits(
            self.client.fake_quantize(x, -1, 1).output,
            self.client.fake_quantize(x, -1, 1, 8, False, axis=None,
                                      numerics=quantd.Numerics.TENSORFLOW).output)

    def test_strides_and_byte_order_do_not_matter(self):
        x = np.random.default_rng(1).normal(size=(60, 70, 30)).astype(np.float32)
        for options in ({}, IN_PARTS[2]):
            with self.connected(**options) as client:
                for view in (x.T, x[::-1, ::3], np.asfortranarray(x), x.astype(">f4"), x[:, :1],
                             np.broadcast_to(x[0], (3, 70, 30)), x[::2].astype(">f4").T):
                    with self.subTest(shape=view.shape, strides=view.strides, dtype=view.dtype):
                        plain = np.array(view, np.float32, order="C")
                        arguments = {"min": np.full(view.shape[1], -1), "max": np.full(view.shape[1], 1),
                                     "axis": 1}
                        self.assert_equal_bits(client.fake_quantize(view, **arguments).output,
                                               client.fake_quantize(plain, **arguments).output)
                        self.assert_equal_bits(
                            client.fake_quantize_gradient(view, view, **arguments).input_gradients,
                            client.fake_quantize_gradient(plain, plain, **arguments).input_gradients)

    def test_scalars_and_empty_arrays_keep_their_shape(self):
        for options in ({}, IN_PARTS[0]):
            with self.connected(**options) as client:
                for x in (np.float32(2), np.array(2, np.float32), np.zeros(0, np.float32),
                          np.zeros((3, 0, 2), np.float32)):
                    result = client.fake_quantize(x, -1, 1)
                    self.assertEqual(result.output.shape, x.shape)
                    gradient = client.fake_quantize_gradient(x, x, -1, 1)
                    self.assertEqual(gradient.input_gradients.shape, x.shape)
                self.assertAlmostEqual(float(client.fake_quantize(np.float32(2), 0, 1).output), 1)

    def test_results_belong_to_the_caller(self):
        x = np.ones(3, np.float32)
        result = self.client.fake_quantize(x, 0, 1)
        result.output[0] = 7
        self.assertEqual(x[0], 1)
        with self.assertRaises(AttributeError):
            result.output = x

    def test_dtypes_that_numpy_casts_without_loss_are_accepted(self):
        for dtype in (np.int8, np.uint8, np.int16, np.uint16):
            with self.subTest(dtype):
                x = np.arange(4, dtype=dtype)
                self.assert_equal_bits(self.client.fake_quantize(x, 0, 2).output,
                                       self.client.fake_quantize(x.astype(np.float32), 0, 2).output)

    def test_python_s_numbers_and_lists_are_accepted(self):
        x = [[0, 1], [2, 3]]
        self.assertEqual(self.client.fake_quantize(x, 0, 255).output.tolist(), x)
        self.assertEqual(self.client.fake_quantize(2.0, 0, 255).output, 2)

    def test_inputs_that_would_be_rounded_are_type_errors_that_say_how_to_fix_them(self):
        for x in (np.ones(2, np.int32), np.ones(2, np.int64), np.ones(2, complex), np.ones(2, np.longdouble),
                  np.array(["1"]), ["1"], None, "1", object()):
            with self.subTest(x=x):
                with self.assertRaisesRegex(TypeError, r"inputs has the dtype .*float32"):
                    self.client.fake_quantize(x, -1, 1)
        for x, message in (([[1, 2], [3]], "inputs is not an array"),
                           (np.ma.masked_equal(np.ones(2, np.float32), 1), r"pass inputs\.filled")):
            with self.subTest(message), self.assertRaisesRegex(TypeError, message):
                self.client.fake_quantize(x, -1, 1)
        with self.assertRaisesRegex(TypeError, "gradients has the dtype int64"):
            self.client.fake_quantize_gradient(np.ones(1, np.int64), np.ones(1, np.float32), -1, 1)

    def test_other_arguments_of_the_wrong_type_are_type_errors(self):
        x = np.ones(2, np.float32)
        for arguments, name in (({"min": "1", "max": 2}, "min"), ({"min": 1, "max": None}, "max"),
                                ({"min": 0, "max": 1, "num_bits": 4.0}, "num_bits"),
                                ({"min": 0, "max": 1, "num_bits": True}, "num_bits"),
                                ({"min": 0, "max": 1, "narrow_range": "false"}, "narrow_range"),
                                ({"min": 0, "max": 1, "axis": "last"}, "axis"),
                                ({"min": 0, "max": 1, "numerics": 1}, "numerics"),
                                ({"min": 0, "max": 1, "signed_input": 1}, "signed_input"),
                                ({"min": 0, "max": 1, "rounding": "HALF_UP"}, "rounding"),
                                ({"scale": "1"}, "scale"), ({"scale": [1 + 1j]}, "scale"),
                                ({"scale": 1, "zero_point": 0.5}, "zero_point"),
                                ({"scale": 1, "axis": 0, "block_size": 2.0}, "block_size"),
                                ({"scale": 1, "quant_min": 0.5}, "quant_min"),
                                ({"scale": 1, "quant_max": True}, "quant_max"),
                                ({"scale": 1, "precision": "int8"}, "precision")):
            with self.subTest(name), self.assertRaisesRegex(TypeError, f"^{name} .*expected"):
                self.client.fake_quantize(x, **arguments)

    def test_gradients_and_ranges_have_the_shape_of_the_bounds(self):
        x = np.array([[-2, 2, 0]], np.float32)
        for minimum, maximum, axis in ((-1, 1, None), ([-1], [1], None), ([-1] * 3, np.ones(3), 1)):
            result = self.client.fake_quantize_gradient(x, x, minimum, maximum, axis=axis)
            shape = np.shape(minimum)
            self.assertEqual(result.min_gradient.shape, shape)
            self.assertEqual(result.max_gradient.shape, shape)
            for name, dtype in (("min", np.float32), ("max", np.float32), ("scale", np.float32),
                                ("zero_point", np.int32)):
                values = getattr(result.nudged_range, name)
                self.assertEqual((values.shape, values.dtype), (shape, dtype))
            self.assertEqual((result.min_gradient.sum(), result.max_gradient.sum()), (-2, 2))

    def test_the_nudged_range_contains_exactly_zero(self):
        nudged = self.client.fake_quantize(np.zeros(1, np.float32), 1, 16, num_bits=4).nudged_range
        self.assertEqual((nudged.min, nudged.max, nudged.scale, nudged.zero_point), (0, 15, 1, 0))


class ErrorTest(PythonClientTestCase):

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
        for error in (MemoryError, SystemExit):
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
              python_clients.connected_to(server.address) as client):
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
                client = client_context.enter_context(python_clients.connected_to(address))
                self.assertTrue(client.healthy())
            with self.assertRaises(quantd.UnavailableError):
                client.healthy()
            with quantd_process.Quantd(listen=(address,)):
                client.wait_until_connected()
                self.assertTrue(client.healthy())


class NoServerTest(unittest.TestCase):

    def test_calls_without_a_server_fail_at_once_and_name_the_address(self):
        # Reserves the port, but does not listen.
        port = self.enterContext(socket.socket())
        port.bind(("localhost", 0))
        address = f"localhost:{port.getsockname()[1]}"
        with quantd.Client(address, channel_options=python_clients.WITHOUT_PROXY) as client:
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
            with quantd.Client(address, timeout=0.2, channel_options=python_clients.WITHOUT_PROXY) as client:
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
            client = quantd.Client(f"localhost:{silent.getsockname()[1]}", timeout=3600,
                                   channel_options=python_clients.WITHOUT_PROXY)
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

        for call in self.calls(refuse):
            with self.assertRaises(quantd.ResourceExhaustedError) as raised:
                call()
            error = raised.exception
            self.assertEqual((error.reason, error.retry_delay, str(error)),
                             ("IN_FLIGHT_LIMIT", 1.25, "too much work"))

    def test_other_failures_are_quantd_errors_with_their_code_regardless_of_details(self):
        def fail(_method, _requests, context):
            context.set_trailing_metadata((("grpc-status-details-bin", b"no status"),))
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "not you")

        for call in self.calls(fail):
            with self.assertRaisesRegex(quantd.QuantdError, "^not you$") as raised:
                call()
            self.assertIs(type(raised.exception), quantd.QuantdError)
            self.assertIs(raised.exception.code, grpc.StatusCode.PERMISSION_DENIED)

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
