"""Tests the Python package's codes, scales and element types against a real server."""

import sys
import unittest
import unittest.mock

import numpy as np
import quantd

import python_client_case
import python_clients

try:
    import ml_dtypes
except ImportError:
    ml_dtypes = None

IN_ONE_MESSAGE = python_client_case.IN_ONE_MESSAGE
IN_PARTS = python_client_case.IN_PARTS
ONNX, PYTORCH = quantd.Numerics.ONNX, quantd.Numerics.PYTORCH
CODES = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-2**15, 2**15 - 1), "uint16": (0, 2**16 - 1),
         "int4": (-8, 7), "uint4": (0, 15), "int2": (-2, 1), "uint2": (0, 3)}
BY_RANGE = [numerics for numerics in quantd.Numerics if numerics.value < 10] + [quantd.Numerics.LITERT]


class CodesTestCase(python_client_case.PythonClientTestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client = cls.enterClassContext(
            python_clients.connected_to(cls.quantd.address, **IN_ONE_MESSAGE))
        cls.in_parts = [cls.enterClassContext(python_clients.connected_to(cls.quantd.address, **options))
                        for options in IN_PARTS]
        cls.x = np.random.default_rng(3).normal(scale=3, size=(5, 12, 7)).astype(np.float32)

    def assert_same(self, actual, expected):
        self.assertEqual(actual.dtype, expected.dtype)
        np.testing.assert_array_equal(actual, expected)


class WhoseNumbersTest(CodesTestCase):

    def test_one_input_tells_onnx_litert_and_xnnpack_apart(self):
        x = np.array([0.5, -0.5, 1.5, np.nan, np.inf, 3e9], np.float32)
        for numerics, codes in ((ONNX, [5, 5, 7, -128, 127, 127]),
                                (quantd.Numerics.LITERT, [6, 4, 7, -128, -128, -128]),
                                (quantd.Numerics.LITERT_XNNPACK, [5, 5, 7, 127, 127, 127])):
            result = self.client.quantize(x, scale=1, zero_point=5, output_type="int8", numerics=numerics)
            self.assertEqual((result.output.tolist(), result.numerics), (codes, numerics))

    def test_ties_of_the_zero_point_tell_tensorflow_from_xla(self):
        for numerics, code in ((quantd.Numerics.TENSORFLOW, 128), (quantd.Numerics.TENSORFLOW_XLA, 127)):
            nudged = self.client.fake_quantize(self.x, -0.75, 0.75, numerics=numerics).nudged_range
            self.assertEqual(nudged.zero_point, code)

    def test_xla_does_not_keep_zero(self):
        zero = np.zeros(1, np.float32)
        self.assertEqual(self.client.fake_quantize(zero, -25, 20).output, 0)
        moved = self.client.fake_quantize(zero, -25, 20, numerics=quantd.Numerics.TENSORFLOW_XLA).output
        self.assertAlmostEqual(float(moved[0]), -3.9e-7, delta=1e-8)

    def test_the_server_chooses_the_numerics_unless_one_is_named(self):
        for call in (self.client.fake_quantize, self.client.quantize):
            self.assertIs(call(self.x, -1, 1).numerics, quantd.Numerics.TENSORFLOW)
            self.assertIs(call(self.x, scale=0.1).numerics, ONNX)
        self.assertIs(self.client.dequantize(np.ones(2, np.uint8), scale=1).numerics, ONNX)

    def test_modes_of_tensorflow_s_quantize_give_zero_other_codes(self):
        x = np.array([0, -0.3, -1, 5], np.float32)
        for mode, codes, least in (("MIN_COMBINED", [-1, -39, -128, 127], -1),
                                   ("MIN_FIRST", [0, -38, -128, 127], -1),
                                   ("SCALED", [0, -38, -127, 127], np.float32(-1.007874))):
            numerics = quantd.Numerics[f"TENSORFLOW_QUANTIZE_V2_{mode}"]
            result = self.client.quantize(x, -1, 1, output_type="int8", numerics=numerics)
            self.assertEqual((result.output.tolist(), result.nudged_range.min), (codes, least))
            used = result.nudged_range
            values = self.client.dequantize(result.output, used.min, used.max, numerics=numerics).output
            # MIN_FIRST moves all of them by up to a step.
            np.testing.assert_allclose(values[:3], x[:3], rtol=0, atol=1.5 * used.scale)

    def test_sign_and_rounding_of_quantize_and_dequantize(self):
        ties = np.array([0.5, 1.5, -0.5, 200], np.float32)
        arguments = {"min": -128, "max": 127, "numerics": quantd.Numerics.TENSORFLOW_QUANTIZE_AND_DEQUANTIZE}
        for rounding, values in ((None, [0, 2, 0, 127]), (quantd.Rounding.HALF_TO_EVEN, [0, 2, 0, 127]),
                                 (quantd.Rounding.HALF_UP, [1, 2, 0, 127])):
            result = self.client.fake_quantize(ties, signed_input=True, rounding=rounding, **arguments)
            self.assertEqual(result.output.tolist(), values)
        doubles = self.client.fake_quantize(ties.astype(np.float64), signed_input=True, **arguments).output
        self.assertEqual((doubles.dtype, doubles.tolist()), (np.float64, [0, 2, 0, 127]))
        gradient = self.client.fake_quantize_gradient(ties, ties, signed_input=True, **arguments)
        self.assertEqual(gradient.input_gradients.tolist(), [0.5, 1.5, -0.5, 0])
        self.assertEqual((gradient.min_gradient, gradient.max_gradient), (0, 0))

    def test_sign_and_rounding_are_refused_where_there_is_no_choice(self):
        for choice in ({"signed_input": True}, {"rounding": quantd.Rounding.HALF_TO_EVEN}):
            with self.assertRaises(quantd.InvalidArgumentError) as caught:
                self.client.fake_quantize(self.x, -1, 1, **choice)
            self.assertEqual((caught.exception.reason, caught.exception.field),
                             ("UNSUPPORTED_NUMERICS", f"spec.{next(iter(choice))}"))

    def test_python_s_roundings_are_those_of_the_schema(self):
        schema = quantd._schema.Rounding.values_by_name  # pylint: disable=protected-access
        self.assertEqual({rounding.name: rounding.value for rounding in quantd.Rounding},
                         {name.removeprefix("ROUNDING_"): value.number for name, value in schema.items()
                          if value.number != 0})

    def test_python_s_numerics_are_those_of_the_schema(self):
        schema = quantd._schema.Numerics.values_by_name  # pylint: disable=protected-access
        self.assertEqual({numerics.name: numerics.value for numerics in quantd.Numerics},
                         {name.removeprefix("NUMERICS_"): value.number for name, value in schema.items()
                          if value.number != 0})

    def test_dequantized_codes_are_the_fake_quantized_values(self):
        for numerics in BY_RANGE:
            arguments = {"min": -4.3, "max": 5.1, "num_bits": 5, "numerics": numerics}
            expected = self.client.fake_quantize(self.x, **arguments).output
            for output_type in ("uint8", "int8", "int16"):
                with self.subTest(numerics=numerics, output_type=output_type):
                    codes = self.client.quantize(self.x, **arguments, output_type=output_type).output
                    self.assertEqual(codes.dtype, output_type)
                    self.assert_equal_bits(self.client.dequantize(codes, **arguments).output, expected)


class PartsTest(CodesTestCase):
    """Tensors in parts give the same as in one message."""

    def parameters(self, lowest, highest):
        """Yields scales and zero points of every kind for `x`."""
        rng = np.random.default_rng(5)
        for axis, block_size, shape in ((None, None, ()), (0, None, (5,)), (1, None, (12,)), (-1, None, (7,)),
                                        (0, 2, (3, 12, 7)), (1, 5, (5, 3, 7)), (2, 4, (5, 12, 2)),
                                        (2, 100, (5, 12, 1)), (1, 1, (5, 12, 7))):
            yield {"axis": axis, "block_size": block_size, "scale": rng.random(shape) + 0.1,
                   "zero_point": rng.integers(lowest, highest, shape, endpoint=True)}

    def test_codes_of_every_type(self):
        for output_type, codes in CODES.items():
            for parameters in self.parameters(*codes):
                expected = self.client.quantize(self.x, **parameters, output_type=output_type)
                for number, client in enumerate(self.in_parts):
                    with self.subTest(output_type=output_type, client=number, **parameters):
                        actual = client.quantize(self.x, **parameters, output_type=output_type)
                        for name in ("output", "scale", "zero_point"):
                            self.assert_same(getattr(actual, name), getattr(expected, name))
                        self.assert_same(actual.scale, parameters["scale"].astype(np.float32))

    def test_values_of_every_code_type(self):
        for input_type, (lowest, highest) in CODES.items():
            codes = np.random.default_rng(1).integers(lowest, highest, self.x.shape, endpoint=True)
            codes = codes.astype(np.int16 if lowest < 0 else np.uint16)
            codes = codes.astype("int8" if input_type in ("int4", "int2") else
                                 "uint8" if input_type in ("uint4", "uint2") else input_type)
            for parameters in self.parameters(lowest, highest):
                expected = self.client.dequantize(codes, **parameters, input_type=input_type).output
                for number, client in enumerate(self.in_parts):
                    with self.subTest(input_type=input_type, client=number, **parameters):
                        self.assert_equal_bits(
                            client.dequantize(codes, **parameters, input_type=input_type).output, expected)

    def test_fake_quantization_by_scale_and_its_gradient(self):
        for parameters in self.parameters(0, 15):
            numerics = PYTORCH if parameters["block_size"] is None else ONNX
            arguments = parameters | {"quant_min": 0, "quant_max": 15, "numerics": numerics}
            for number, client in enumerate(self.in_parts):
                with self.subTest(client=number, **parameters):
                    self.assert_equal_bits(client.fake_quantize(self.x, **arguments).output,
                                           self.client.fake_quantize(self.x, **arguments).output)
                    if numerics is PYTORCH:
                        actual = client.fake_quantize_gradient(self.x, self.x, **arguments)
                        expected = self.client.fake_quantize_gradient(self.x, self.x, **arguments)
                        self.assert_equal_bits(actual.input_gradients, expected.input_gradients)
                        self.assertIsNone(actual.min_gradient)
                        self.assertIsNone(actual.nudged_range)

    def test_ranges_in_every_numerics(self):
        for numerics in BY_RANGE:
            for axis in (None, 0, 1, -1):
                if axis is not None and ("ARGS_" in numerics.name + "_" and "XLA" in numerics.name
                                         or numerics is quantd.Numerics.LITERT):
                    continue
                channels = () if axis is None else self.x.shape[axis]
                arguments = {"axis": axis, "min": np.full(channels, -2.7), "max": np.full(channels, 3.1),
                             "num_bits": 6, "numerics": numerics}
                expected = self.client.fake_quantize(self.x, **arguments)
                for number, client in enumerate(self.in_parts):
                    with self.subTest(numerics=numerics, axis=axis, client=number):
                        actual = client.fake_quantize(self.x, **arguments)
                        self.assert_equal_bits(actual.output, expected.output)
                        self.assert_same(actual.nudged_range.zero_point, expected.nudged_range.zero_point)

    def test_blocks_that_are_larger_than_a_part_are_sent_whole(self):
        scale = np.ones((5, 1, 7), np.float32)
        with self.connected(stream_from_bytes=0, stream_message_bytes=1) as client:
            self.assert_same(client.quantize(self.x, scale=scale, axis=1, block_size=12).output,
                             self.client.quantize(self.x, scale=scale, axis=1, block_size=12).output)


class DataRangeTest(CodesTestCase):

    def test_onnx_s_dynamic_quantization(self):
        x = np.array([0, 2, -3, -2.5, 1.34, 0.5], np.float32)
        result = self.client.quantize(x, data_range="min_max", numerics=ONNX)
        self.assertEqual(result.output.tolist(), [153, 255, 0, 26, 221, 179])
        self.assertEqual(result.zero_point, 153)
        self.assertAlmostEqual(float(result.scale), 0.0196078438)
        self.assertIsNone(result.nudged_range)

    def test_a_range_of_the_data_is_that_of_their_minimum_and_maximum(self):
        for axis in (None, 1):
            others = tuple({0, 1, 2} - {axis})
            low, high = self.x.min(axis=others), self.x.max(axis=others)
            actual = self.client.quantize(self.x, data_range="min_max", axis=axis,
                                          numerics=quantd.Numerics.TENSORFLOW)
            expected = self.client.quantize(self.x, np.minimum(low, 0), np.maximum(high, 0), axis=axis)
            for name in ("output", "scale", "zero_point"):
                self.assert_same(getattr(actual, name), getattr(expected, name))
            self.assert_same(actual.nudged_range.min, expected.nudged_range.min)

    def test_a_symmetric_range_has_the_size_of_the_largest_element(self):
        result = self.client.quantize(self.x, data_range="symmetric", output_type="int8", narrow_range=True,
                                      numerics=quantd.Numerics.TENSORFLOW)
        self.assertEqual(result.zero_point, 0)
        self.assertAlmostEqual(float(result.scale), np.abs(self.x).max() / 127, places=6)

    def test_parts_do_not_have_the_range_of_the_whole(self):
        self.assert_same(self.in_parts[0].quantize(self.x, data_range="min_max", numerics=ONNX).output,
                         self.client.quantize(self.x, data_range="min_max", numerics=ONNX).output)

    def test_blocks_have_parameters_in_the_shape_of_the_tensor(self):
        result = self.client.quantize(self.x, data_range="min_max", axis=1, block_size=5, numerics=ONNX)
        self.assertEqual((result.scale.shape, result.axis, result.block_size), ((5, 3, 7), 1, 5))
        values = self.client.dequantize(result.output, scale=result.scale, zero_point=result.zero_point, axis=1,
                                        block_size=5).output
        self.assertLess(np.abs(values - self.x).max(), result.scale.max())


class TypesTest(CodesTestCase):

    def test_results_have_the_type_of_the_inputs(self):
        for dtype in (np.float16, np.float64, np.dtype(">f2"), np.dtype(">f8")):
            for client in (self.client, self.in_parts[1]):
                with self.subTest(dtype=dtype):
                    x = self.x.astype(dtype)
                    result = client.fake_quantize(x, scale=0.25, numerics=PYTORCH)
                    self.assertEqual(result.output.dtype, x.dtype.newbyteorder("="))
                    np.testing.assert_array_equal(result.output, np.clip(np.rint(x * 4), 0, 255) / 4)
                    gradient = client.fake_quantize_gradient(x, x, scale=0.25, numerics=PYTORCH)
                    self.assertEqual(gradient.input_gradients.dtype, x.dtype.newbyteorder("="))

    def test_types_that_a_numerics_lacks_are_refused(self):
        with self.assertRaises(quantd.InvalidArgumentError) as raised:
            self.client.fake_quantize(np.ones(2), -1, 1)
        self.assertEqual((raised.exception.reason, raised.exception.field),
                         ("UNSUPPORTED_DATA_TYPE", "input.data_type"))

    def test_codes_of_less_than_a_byte_are_packed_from_the_low_bits(self):
        for name, codes, packed in (("int4", range(5), "103204"), ("int2", [0, 1, 1, 1, 1], "5401"),
                                    ("uint4", [15, 1], "1f"), ("uint2", [3, 0, 0, 1], "43"),
                                    ("int4", [-8, -1, 7], "f807"), ("int4", [], "")):
            element_type = quantd._element_types.named(name)  # pylint: disable=protected-access
            array = np.array(codes, "uint8" if name.startswith("u") else "int8")
            self.assertEqual(element_type.encode(array).tobytes().hex(), packed)
            output = np.empty_like(array)
            element_type.decode(bytes.fromhex(packed), output)
            self.assert_same(output, array)

    def test_output_types_are_names_or_dtypes(self):
        for output_type, dtype in (("int8", np.int8), (np.int8, np.int8), (np.dtype(">i2"), np.int16),
                                   ("uint4", np.uint8), ("int2", np.int8)):
            result = self.client.quantize(self.x, scale=1, output_type=output_type)
            self.assertEqual(result.output.dtype, dtype)
        self.assertEqual(self.client.quantize(self.x, scale=1, output_type="int4").output_type, "int4")
        codes = np.arange(4, dtype=np.int8)
        self.assertEqual(self.client.dequantize(codes, scale=1, output_type=np.float16).output.dtype,
                         np.float16)

    def test_unknown_types_are_type_errors_that_list_those_there_are(self):
        for output_type in ("float32", "int64", float, None, 8, "i1"):
            with self.subTest(output_type), self.assertRaisesRegex(TypeError, "output_type .* expected one of int8"):
                self.client.quantize(self.x, scale=1, output_type=output_type)
        with self.assertRaisesRegex(TypeError, "output_type .* expected one of float32"):
            self.client.dequantize(np.ones(1, np.int8), scale=1, output_type="int8")
        for codes in (self.x, [1, 2], 1, np.ones(1, np.int64), np.ones(1, bool)):
            with self.subTest(codes=codes), self.assertRaisesRegex(TypeError, "codes has the dtype .*int8"):
                self.client.dequantize(codes, scale=1)
        with self.assertRaisesRegex(TypeError, "input_type is uint8, and codes has the dtype int8"):
            self.client.dequantize(np.ones(1, np.int8), scale=1, input_type="uint8")
        with self.assertRaisesRegex(TypeError, "data_range is 'max'; expected 'min_max' or 'symmetric'"):
            self.client.quantize(self.x, data_range="max")

    def test_codes_that_do_not_fit_their_type_are_refused_in_one_message_and_in_parts(self):
        codes = np.zeros(1000, np.int8)
        codes[700] = 8
        for client in (self.client, *self.in_parts):
            with self.assertRaises(quantd.InvalidArgumentError) as raised:
                client.dequantize(codes, scale=1, input_type="int4")
            self.assertEqual((raised.exception.reason, raised.exception.field), ("INVALID_VALUE", "input.data"))
            self.assertIn("-8 to 7", raised.exception.message)

    def test_bfloat16_without_its_package_is_an_error_that_names_it(self):
        with unittest.mock.patch.dict(sys.modules, {"ml_dtypes": None}), \
                self.assertRaisesRegex(ImportError, "pip install ml_dtypes"):
            self.client.dequantize(np.ones(1, np.int8), scale=1, output_type="bfloat16")

    @unittest.skipIf(ml_dtypes is None, "ml_dtypes is not installed")
    def test_ml_dtypes_go_in_and_come_out(self):
        x = self.x.astype(ml_dtypes.bfloat16)
        for client in (self.client, self.in_parts[1]):
            result = client.fake_quantize(x, -4, 4)
            self.assertEqual(result.output.dtype, ml_dtypes.bfloat16)
            expected = client.fake_quantize(x.astype(np.float32), -4, 4).output
            np.testing.assert_array_equal(result.output, expected.astype(ml_dtypes.bfloat16))
            codes = client.quantize(x, scale=1, zero_point=np.array(1, ml_dtypes.int4),
                                    output_type=ml_dtypes.int4)
            self.assertEqual(codes.output.dtype, ml_dtypes.int4)
            values = client.dequantize(codes.output, scale=1, zero_point=1, output_type="bfloat16")
            self.assertEqual(values.output.dtype, ml_dtypes.bfloat16)
            np.testing.assert_array_equal(values.output.astype(np.float32),
                                          np.clip(np.rint(x.astype(np.float32)), -9, 6))


class ErrorTest(CodesTestCase):

    def error_of(self, client, **arguments):
        with self.assertRaises(quantd.InvalidArgumentError) as raised:
            client.quantize(self.x, **arguments)
        return raised.exception

    def test_bad_parameters_are_the_same_errors_in_one_message_and_in_parts(self):
        blocks = {"scale": np.ones((5, 3, 7)), "axis": 1, "block_size": 5}
        for arguments, reason, field in (
            ({"scale": 0}, "INVALID_SCALE", "affine.scale[0]"),
            ({"scale": [1] * 7, "axis": 0}, "PARAMETERS_SIZE_MISMATCH", "affine.scale"),
            ({"scale": [1] * 7, "zero_point": [1], "axis": 2}, "PARAMETERS_SIZE_MISMATCH", "affine.zero_point"),
            ({"scale": [1] * 6 + [np.inf], "axis": 2}, "INVALID_SCALE", "affine.scale[6]"),
            ({"scale": 1, "zero_point": 256}, "INVALID_ZERO_POINT", "affine.zero_point[0]"),
            ({"scale": 1, "zero_point": 2**40}, "INVALID_ZERO_POINT", "affine.zero_point[0]"),
            ({"scale": 1, "axis": 3}, "AXIS_OUT_OF_RANGE", "affine.axis"),
            ({"scale": 1, "axis": 2**40}, "AXIS_OUT_OF_RANGE", "affine.axis"),
            ({"scale": 1, "block_size": 2}, "INVALID_BLOCK_SIZE", "affine.block_size"),
            (blocks | {"block_size": 0}, "INVALID_BLOCK_SIZE", "affine.block_size"),
            (blocks | {"block_size": -1}, "INVALID_BLOCK_SIZE", "affine.block_size"),
            (blocks | {"scale": np.ones((5, 7, 3))}, "PARAMETERS_SIZE_MISMATCH", "affine.scale"),
            (blocks | {"zero_point": np.ones((3, 5, 7), int)}, "PARAMETERS_SIZE_MISMATCH", "affine.zero_point"),
            (blocks | {"scale": np.ones(104)}, "PARAMETERS_SIZE_MISMATCH", "affine.scale"),
            (blocks | {"scale": np.r_[np.ones(104), -1]}, "INVALID_SCALE", "affine.scale[104]"),
            ({"scale": 1, "quant_min": 5, "quant_max": 5}, "INVALID_QUANT_RANGE", "spec.quant_min"),
            ({"scale": 1, "quant_min": -2**40, "quant_max": 5}, "INVALID_QUANT_RANGE", "spec.quant_min"),
            ({}, "PARAMETERS_MISMATCH", "range"),
            ({"min": 0, "max": 1, "scale": 1}, "PARAMETERS_MISMATCH", "range"),
            ({"min": 0, "max": 1, "zero_point": 1}, "PARAMETERS_MISMATCH", "range"),
            ({"data_range": "min_max", "scale": 1}, "PARAMETERS_MISMATCH", "range"),
            ({"min": 0, "max": 1, "block_size": 4}, "PARAMETERS_MISMATCH", "affine.block_size"),
        ):
            messages = set()
            for number, client in enumerate([self.client, *self.in_parts]):
                with self.subTest(client=number, **arguments):
                    error = self.error_of(client, **arguments)
                    self.assertEqual((error.reason, error.field), (reason, field), error.message)
                    messages.add(error.message)
            with self.subTest(**arguments):
                self.assertEqual(len(messages), 1, messages)

    def test_blocks_are_refused_by_numerics_that_have_none(self):
        for client in (self.client, *self.in_parts):
            for numerics in (PYTORCH, quantd.Numerics.LITERT_XNNPACK):
                error = self.error_of(client, scale=np.ones((5, 3, 7)), axis=1, block_size=5, numerics=numerics)
                self.assertEqual((error.reason, error.field), ("UNSUPPORTED_NUMERICS", "spec.numerics"))

    def test_nan_is_refused_where_it_has_no_code(self):
        x = np.array([1, np.nan], np.float32)
        with self.assertRaises(quantd.InvalidArgumentError) as raised:
            self.client.quantize(x, -1, 1)
        self.assertEqual(raised.exception.reason, "INVALID_VALUE")


if __name__ == "__main__":
    unittest.main()
