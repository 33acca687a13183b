"""Tests that the client examples of every language have to pass, against a real server.

An example's driver makes calls with the example's client: `DRIVER SERVER FOLDER` reads FOLDER/calls.json
and the tensors in FOLDER, and writes the answers to FOLDER, as 32-bit numbers (little endian), or as an
error.
"""

import dataclasses
import json
import os
import pathlib
import re
import tempfile

import grpc
import numpy as np

import api
import byte_server
import golden_cases
import quantd_process

README = pathlib.Path(os.environ["QUANTD_SOURCE_DIR"], "client", "examples", "README.md")
FOUR_MIB = 2**22


def _large(case):
    """Repeats the case until a tensor is larger than what clients of gRPC receive by default."""
    return case.repeated(FOUR_MIB // case.inputs.nbytes + 1)


def _without_elements(op, **expected):
    empty = np.empty((0, 3), np.float32)
    tensors = {"gradients": empty, "input_gradients": empty} if expected else {"outputs": empty}
    return golden_cases.GoldenCase(name=f"{op}_without_elements", op=op, num_bits=8, narrow_range=False,
                                   min=[-1], max=[1], axis=None, inputs=empty, **tensors, **expected)


def _write_call(folder, case):
    """Writes the tensors of a case, and returns its entry in calls.json."""
    request = case.request()
    call = {
        "name": case.name,
        "method": case.method,
        "shape": case.inputs.shape,
        "min": list(request.range.min),
        "max": list(request.range.max),
        "numBits": request.spec.num_bits,
        "narrowRange": request.spec.narrow_range,
        "numerics": api.Numerics.Name(request.spec.numerics),
    }
    if case.axis is not None:
        call["axis"] = case.axis
    for what in ("inputs", "gradients"):
        elements = getattr(case, what)
        if elements is not None:
            call[what] = f"{case.name}.{what}"
            (folder / call[what]).write_bytes(elements.astype("<f4").tobytes())
    return call


def _read_answer(folder, case):
    error = folder / f"{case.name}.error"
    if error.exists():
        return json.loads(error.read_text(encoding="utf-8"))

    def numbers(what, data_type="<f4"):
        return np.fromfile(folder / f"{case.name}.{what}", data_type)

    def tensor(what):
        return api.tensor_of_bytes(numbers(what).reshape(case.inputs.shape))

    nudged_range = api.NudgedRange(min=numbers("min"), max=numbers("max"), scale=numbers("scale"),
                                   zero_point=numbers("zeroPoint", "<i4"))
    if case.is_gradient:
        return api.FakeQuantizeGradientResponse(
            input_gradients=tensor("inputGradients"), min_gradient=numbers("minGradient"),
            max_gradient=numbers("maxGradient"), nudged_range=nudged_range)
    return api.FakeQuantizeResponse(output=tensor("output"), nudged_range=nudged_range)


class ClientExampleTests:
    """A mixin for a QuantdTestCase that defines how to run its driver and its program."""

    driver = ()
    program = ()
    maxDiff = None

    def run_silently(self, *command):
        """Runs a command that has to succeed without warnings, and returns what it printed."""
        done = quantd_process.run(*command)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout

    def answers_of(self, cases):
        """Returns the driver's result for each case: the answer, or the error as a dictionary."""
        with tempfile.TemporaryDirectory(prefix="quantd-calls-") as folder:
            folder = pathlib.Path(folder)
            calls = [_write_call(folder, case) for case in cases]
            (folder / "calls.json").write_text(json.dumps(calls), encoding="utf-8")
            self.run_silently(*self.driver, self.quantd.address, folder)
            return [_read_answer(folder, case) for case in cases]

    def assert_right_bits(self, cases):
        for case, answer in zip(cases, self.answers_of(cases)):
            with self.subTest(case.name):
                self.assertNotIsInstance(answer, dict)
                self.assertEqual(case.problems(answer), [])

    def test_every_golden_case_has_the_right_bits(self):
        self.assert_right_bits(golden_cases.all_cases())

    def test_tensors_over_4_mib_have_the_right_bits(self):
        self.assert_right_bits([_large(case) for case in golden_cases.one_case_of_each_op()
                                if case.axis is None])

    def test_empty_tensors_give_empty_tensors(self):
        self.assert_right_bits([
            _without_elements("vars"),
            _without_elements("vars_gradient", min_gradient=[0], max_gradient=[0]),
        ])

    def test_a_scalar_is_a_tensor_without_dimensions(self):
        one, quantized = np.float32(1).reshape(()), np.float32(1.0039216).reshape(())
        self.assert_right_bits([golden_cases.GoldenCase(
            name="scalar", op="vars", num_bits=8, narrow_range=False, min=[-1], max=[1], axis=None,
            inputs=one, outputs=quantized)])

    def test_an_error_has_code_reason_field_and_numbers(self):
        for case in golden_cases.one_case_of_each_op():
            with self.subTest(case.name):
                case = dataclasses.replace(case, num_bits=17)
                with self.assertRaises(grpc.RpcError) as raised:
                    case.call(self.stub)
                expected = api.call_error(raised.exception)
                [error] = self.answers_of([case])
                self.assertEqual(error, {
                    "code": grpc.StatusCode.INVALID_ARGUMENT.value[0], "message": expected.message,
                    "reason": "INVALID_NUM_BITS", "field": "spec.num_bits",
                    "numbers": expected.metadata,
                })

    def test_an_error_that_is_not_quantd_s_own_has_no_reason(self):
        status = api.status_pb2.Status(code=grpc.StatusCode.PERMISSION_DENIED.value[0], message="not you")
        status.details.add().Pack(api.error_details_pb2.ErrorInfo(reason="DENIED", domain="mesh.example"))
        for details in (status.SerializeToString(), b"no status"):
            def refuse(_method, _requests, context, details=details):
                context.set_trailing_metadata((("grpc-status-details-bin", details),))
                context.abort(grpc.StatusCode.PERMISSION_DENIED, "not you")

            with self.subTest(details), byte_server.ByteServer(refuse) as server:
                done = quantd_process.run(*self.program, "--server", server.address)
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertTrue(done.stderr.endswith("\nreason: none\nfield: none\n"), done.stderr)

    def test_the_program_prints_what_the_readme_shows(self):
        shown = re.search(r"\n```text\n(input .*?\n)```\n", README.read_text(encoding="utf-8"), re.DOTALL)
        self.assertEqual(self.run_silently(*self.program, "--server", self.quantd.address), shown[1])

    def test_the_program_shows_errors(self):
        for server, num_bits, expected in (
            (self.quantd.address, 17, r"num_bits is 17; .*\nreason: INVALID_NUM_BITS\nfield: spec\.num_bits\n"),
            (f"unix:{self.quantd.directory}/nobody", 4, r".*nobody.*\nreason: none\nfield: none\n"),
        ):
            with self.subTest(server):
                done = quantd_process.run(*self.program, "--server", server, "--num-bits", num_bits)
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertRegex(done.stderr, rf"\A{expected}\Z")
