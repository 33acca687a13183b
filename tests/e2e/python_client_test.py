"""Tests the Python package against a real server: the right bits in one message and in parts."""

import tracemalloc
import unittest
import unittest.mock

import numpy as np
import quantd

import golden_cases
import python_clients
import quantd_process
from python_client_case import IN_ONE_MESSAGE, IN_PARTS, MIB, PythonClientTestCase, answer_to

# 3 x 1747 x 2003 elements are 40 MiB. The dimensions are prime, so that parts have different sizes.
LARGE_SHAPE = (3, 1747, 2003)


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
        with self.assertRaisesRegex(TypeError, "inputs is not an array"):
            self.client.fake_quantize([[1, 2], [3]], -1, 1)
        with self.assertRaisesRegex(TypeError, "gradients has the dtype int64"):
            self.client.fake_quantize_gradient(np.ones(1, np.int64), np.ones(1, np.float32), -1, 1)

    def test_masked_arrays_are_type_errors_wherever_they_are(self):
        x, masked = np.ones(2, np.float32), np.ma.masked_equal(np.ones(2, np.float32), 1)
        codes = masked.astype(np.uint8)
        for name, call in (
            ("inputs", lambda value: self.client.fake_quantize(value, -1, 1)),
            ("inputs", lambda value: self.client.quantize(value, -1, 1)),
            ("inputs", lambda value: self.client.fake_quantize_gradient(x, value, -1, 1)),
            ("gradients", lambda value: self.client.fake_quantize_gradient(value, x, -1, 1)),
            ("codes", lambda value: self.client.dequantize(codes if value is masked else value, -1, 1)),
            ("min", lambda value: self.client.fake_quantize(x, value, [1, 1], axis=0)),
            ("max", lambda value: self.client.fake_quantize(x, [-1, -1], value, axis=0)),
            ("scale", lambda value: self.client.quantize(x, scale=value, axis=0)),
            ("zero_point", lambda value: self.client.quantize(x, scale=[1, 1], zero_point=value, axis=0)),
        ):
            for value, message in ((masked, rf"^{name} is a masked array.*pass {name}\.filled"),
                                   ([1, np.ma.masked], rf"^{name} contains a masked array.*\.filled"),
                                   ((x, [masked, 1]), rf"^{name} contains a masked array.*\.filled")):
                with self.subTest(name, value=value), self.assertRaisesRegex(TypeError, message):
                    call(value)

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


if __name__ == "__main__":
    unittest.main()
