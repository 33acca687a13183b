"""Tests the error details that clients receive. The server's own tests cover every kind of error."""

import unittest

import grpc
import numpy as np

import api
import quantd_process

INVALID_ARGUMENT = grpc.StatusCode.INVALID_ARGUMENT
RESOURCE_EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


def valid_request():
    """Returns a valid request, per channel for three channels."""
    return api.FakeQuantizeRequest(
        input=api.tensor_of_bytes(np.ones((2, 3), np.float32)),
        range=api.Range(min=[-1, -2, -3], max=[1, 2, 3], axis=1),
    )


class ErrorTest(quantd_process.QuantdTestCase):

    flags = ("--max-message-bytes=1MiB",)

    def error_of(self, call, *arguments):
        with self.assertRaises(grpc.RpcError) as raised:
            call(*arguments, timeout=quantd_process.DEADLINE_SECONDS)
        return api.call_error(raised.exception)

    def test_the_request_that_other_tests_modify_is_valid(self):
        self.assertEqual(api.array_of(self.stub.FakeQuantize(valid_request()).output).shape, (2, 3))

    def test_a_bad_request_names_reason_and_field(self):
        def too_many_bits(request):
            request.spec.num_bits = 17

        def no_range(request):
            request.ClearField("range")

        def range_and_scales(request):
            request.affine.scale[:] = [1]

        def one_max_missing(request):
            del request.range.max[2]

        def infinite_bound(request):
            request.range.min[1] = float("-inf")

        def axis_beyond_the_rank(request):
            request.range.axis = 2

        def data_cut_short(request):
            request.input.data = request.input.data[:-1]

        def negative_dimension(request):
            request.input.shape[0] = -2

        def shape_that_overflows(request):
            request.input.shape[:] = [2**62, 2**62]

        def integers(request):
            request.input.data_type = api.DATA_TYPE_INT8

        def unknown_numerics(request):
            request.spec.numerics = 99

        for spoil, reason, field in (
            (too_many_bits, "INVALID_NUM_BITS", "spec.num_bits"),
            (no_range, "PARAMETERS_MISMATCH", "range"),
            (range_and_scales, "PARAMETERS_MISMATCH", "affine"),
            (one_max_missing, "RANGE_SIZE_MISMATCH", "range.max"),
            (infinite_bound, "INVALID_RANGE", "range.min[1]"),
            (axis_beyond_the_rank, "AXIS_OUT_OF_RANGE", "range.axis"),
            (data_cut_short, "TENSOR_SIZE_MISMATCH", "input.data"),
            (negative_dimension, "TENSOR_SIZE_MISMATCH", "input.shape[0]"),
            (shape_that_overflows, "TENSOR_SIZE_MISMATCH", "input.shape"),
            (integers, "UNSUPPORTED_DATA_TYPE", "input.data_type"),
            (unknown_numerics, "UNSUPPORTED_NUMERICS", "spec.numerics"),
        ):
            with self.subTest(spoil.__name__):
                request = valid_request()
                spoil(request)
                error = self.error_of(self.stub.FakeQuantize, request)
                self.assertEqual(error.code, INVALID_ARGUMENT)
                self.assertEqual((error.domain, error.reason), ("quantd", reason))
                self.assertEqual(error.fields, (field,))
                self.assertGreater(len(error.message), 20)

    def test_bad_scales_codes_and_values_name_reason_and_field(self):
        def bad(reason, field, values=(0.5, 1, 2), output_type=0, spec=None, **affine):
            affine = {"scale": [1, 2, 3], "axis": 0} | affine
            return reason, field, api.QuantizeRequest(
                input=api.tensor_of_bytes(np.float32(values)), affine=api.AffineParameters(**affine),
                spec=api.QuantizationSpec(**spec or {}), output_type=output_type)

        nan = float("nan")
        cases = (
            bad("INVALID_SCALE", "affine.scale[1]", scale=[1, 0, 1]),
            bad("INVALID_SCALE", "affine.scale[2]", scale=[1, 1, nan]),
            bad("PARAMETERS_SIZE_MISMATCH", "affine.scale", scale=[1, 1]),
            bad("PARAMETERS_SIZE_MISMATCH", "affine.zero_point", zero_point=[1]),
            bad("INVALID_ZERO_POINT", "affine.zero_point[0]", zero_point=[256, 0, 0]),
            bad("INVALID_BLOCK_SIZE", "affine.block_size", block_size=0),
            bad("INVALID_QUANT_RANGE", "spec.quant_min", spec={"quant_min": 1, "quant_max": 1}),
            bad("INVALID_QUANT_RANGE", "spec.quant_max", spec={"quant_min": 0}),
            bad("UNSUPPORTED_NUMERICS", "spec.numerics", spec={"numerics": api.NUMERICS_TENSORFLOW}),
            bad("UNSUPPORTED_DATA_TYPE", "output_type", output_type=api.DATA_TYPE_INT32),
            ("INVALID_VALUE", "input.data", api.QuantizeRequest(
                input=api.tensor_of_bytes(np.float32([1, nan])), range=api.Range(min=[-1], max=[1]))),
            ("PARAMETERS_MISMATCH", "data_range", api.QuantizeRequest(
                input=api.tensor_of_bytes(np.float32([1])), range=api.Range(min=[-1], max=[1]),
                data_range=api.DataRange())),
        )
        for reason, field, request in cases:
            with self.subTest(reason, field=field):
                error = self.error_of(self.stub.Quantize, request)
                self.assertEqual((error.code, error.domain, error.reason, error.fields),
                                 (INVALID_ARGUMENT, "quantd", reason, (field,)))
                in_stream = self.error_of(lambda *arguments, **options: list(
                    self.stub.StreamQuantize(*arguments, **options)), iter([request]))
                self.assertEqual(in_stream.message, "message 0: " + error.message)

    def test_the_numbers_behind_an_error_are_in_its_metadata(self):
        request = valid_request()
        request.spec.num_bits = 17
        error = self.error_of(self.stub.FakeQuantize, request)
        self.assertIn("17", error.metadata.values())
        self.assertIn("17", error.message)

    def test_a_gradient_of_another_shape_is_rejected(self):
        request = api.FakeQuantizeGradientRequest(
            gradients=api.tensor_of_bytes(np.ones(3, np.float32)),
            inputs=api.tensor_of_bytes(np.ones(4, np.float32)),
            range=api.Range(min=[-1], max=[1]),
        )
        error = self.error_of(self.stub.FakeQuantizeGradient, request)
        self.assertEqual((error.code, error.reason), (INVALID_ARGUMENT, "SHAPE_MISMATCH"))

    def test_invalid_messages_are_rejected(self):
        channel = self.quantd.connect()
        for method in ("FakeQuantize", "FakeQuantizeGradient", "Quantize", "Dequantize"):
            for garbage in (b"\xff", b"\x0a\x7f", b"\x0b", b"\x0a\x02\x08"):
                with self.subTest(method=method, garbage=garbage):
                    call = channel.unary_unary(f"/{api.SERVICE}/{method}")
                    error = self.error_of(call, garbage)
                    self.assertEqual(error.code, INVALID_ARGUMENT)
                    self.assertEqual(error.reason, "MALFORMED_MESSAGE")

    def test_an_empty_message_is_valid_but_lacks_a_range_or_a_tensor(self):
        error = self.error_of(self.stub.FakeQuantize, api.FakeQuantizeRequest())
        self.assertEqual(error.code, INVALID_ARGUMENT)
        self.assertNotEqual(error.reason, "MALFORMED_MESSAGE")
        self.assertEqual(error.domain, "quantd")

    def test_a_message_over_the_limit_is_rejected_with_the_limit(self):
        request = api.FakeQuantizeRequest(
            input=api.tensor_of_bytes(np.ones(2**18, np.float32)), range=api.Range(min=[-1], max=[1])
        )
        error = self.error_of(self.stub.FakeQuantize, request)
        self.assertEqual((error.code, error.reason), (RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE"))
        self.assertEqual(error.metadata["max_message_bytes"], str(2**20))
        self.assertEqual(error.metadata["message_bytes"], str(request.ByteSize()))

    def test_an_unknown_method_is_unimplemented(self):
        call = self.quantd.connect().unary_unary(f"/{api.SERVICE}/NoSuchMethod")
        self.assertEqual(self.error_of(call, b"").code, grpc.StatusCode.UNIMPLEMENTED)

    def test_every_failed_call_is_logged(self):
        request = valid_request()
        request.spec.num_bits = 1
        self.error_of(self.stub.FakeQuantize, request)
        lines = self.quantd.wait_for_log("INVALID_NUM_BITS")
        self.assertIn("FakeQuantize", lines[-1])
        self.assertIn("spec.num_bits", lines[-1])


if __name__ == "__main__":
    unittest.main()
