"""Tests Quantize, Dequantize and what GetServerInfo says of them, with the real server."""

import unittest

import numpy as np

import api
import quantd_process


def scales(scale, zero_point=0, **options):
    """Returns AffineParameters for a whole tensor."""
    return api.AffineParameters(scale=[scale], zero_point=[zero_point], **options)


class ConversionTest(quantd_process.QuantdTestCase):

    def quantize(self, values, output_type=api.DATA_TYPE_UINT8, **parameters):
        """Returns the answer for `values`."""
        return self.stub.Quantize(api.QuantizeRequest(
            input=api.tensor_of_bytes(np.float32(values)), output_type=output_type, **parameters))

    def dequantize(self, codes, **parameters):
        """Returns the values of a tensor."""
        return api.array_of(self.stub.Dequantize(
            api.DequantizeRequest(input=codes, **parameters)).output)

    def test_one_input_tells_three_numerics_apart(self):
        values = (0.5, -0.5, 1.5, np.nan, np.inf, 3e9)
        for numerics, expected in (
            (api.NUMERICS_ONNX, [5, 5, 7, -128, 127, 127]),
            (api.NUMERICS_LITERT, [6, 4, 7, -128, -128, -128]),
            (api.NUMERICS_LITERT_XNNPACK, [5, 5, 7, 127, 127, 127]),
        ):
            with self.subTest(api.Numerics.Name(numerics)):
                answer = self.quantize(values, api.DATA_TYPE_INT8, affine=scales(1, 5),
                                       spec=api.QuantizationSpec(numerics=numerics))
                self.assertEqual(np.frombuffer(answer.output.data, np.int8).tolist(), expected)
                self.assertEqual(answer.numerics, numerics)

    def test_codes_give_the_bits_of_fake_quantization(self):
        values = np.linspace(-2, 2, 1001, dtype=np.float32)
        for parameters in (
            {"range": api.Range(min=[-0.75], max=[1.5])},
            {"affine": scales(0.0123, 77), "spec": api.QuantizationSpec(numerics=api.NUMERICS_PYTORCH)},
        ):
            with self.subTest(parameters=sorted(parameters)):
                expected = self.stub.FakeQuantize(api.FakeQuantizeRequest(
                    input=api.tensor_of_bytes(values), **parameters))
                codes = self.quantize(values, **parameters)
                actual = self.dequantize(codes.output, **parameters)
                np.testing.assert_array_equal(actual, api.array_of(expected.output))

    def test_codes_of_four_bits_are_packed_across_the_tensor(self):
        codes = self.quantize([0, 1, 2, 3, 4], api.DATA_TYPE_INT4, affine=scales(1))
        self.assertEqual(codes.output.data, b"\x10\x32\x04")
        np.testing.assert_array_equal(self.dequantize(codes.output, affine=scales(1)), range(5))

    def test_parameters_may_come_from_the_data(self):
        values = np.float32([-1, 0, 0.5, 2])
        answer = self.quantize(values, data_range=api.DataRange(),
                               spec=api.QuantizationSpec(numerics=api.NUMERICS_ONNX))
        self.assertEqual(np.float32(answer.parameters.scale[0]), np.float32(3) / np.float32(255))
        np.testing.assert_allclose(self.dequantize(answer.output, affine=answer.parameters), values,
                                   atol=answer.parameters.scale[0] / 2)

    def test_server_info_lists_what_each_method_takes(self):
        info = self.stub.GetServerInfo(api.GetServerInfoRequest())
        entries = [
            (entry.method, api.Numerics.Name(entry.numerics),
             *map(api.ParameterKind.Name, entry.parameters)) for entry in info.methods
        ]
        for entry in (
            ("FakeQuantize", "NUMERICS_TENSORFLOW", "PARAMETER_KIND_RANGE",
             "PARAMETER_KIND_RANGE_PER_CHANNEL"),
            ("FakeQuantizeGradient", "NUMERICS_PYTORCH", "PARAMETER_KIND_AFFINE",
             "PARAMETER_KIND_AFFINE_PER_CHANNEL"),
            ("Quantize", "NUMERICS_ONNX", "PARAMETER_KIND_AFFINE", "PARAMETER_KIND_AFFINE_PER_CHANNEL",
             "PARAMETER_KIND_AFFINE_BLOCKS", "PARAMETER_KIND_DATA_RANGE"),
            ("Dequantize", "NUMERICS_LITERT_XNNPACK", "PARAMETER_KIND_AFFINE"),
        ):
            self.assertIn(entry, entries)
        types = {number for entry in info.methods for number in (*entry.input_types, *entry.output_types)}
        self.assertEqual(set(info.data_types), types)
        self.assertEqual(types, set(api.DataType.values()) - {0})


if __name__ == "__main__":
    unittest.main()
