"""Tests that the client examples of every language have to pass, against a real server.

An example's driver makes calls with the example's client: `DRIVER SERVER FOLDER` reads FOLDER/calls.json
and the tensors in FOLDER, and writes the answers to FOLDER, as 32-bit numbers (little endian), or as an
error. FOLDER/connection.json has the texts of certificates and a key, the server's name and the token, as
far as they are to be used.
"""

import contextlib
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


@dataclasses.dataclass(frozen=True)
class CodeCase:
    """A request of Quantize or Dequantize, or one of FakeQuantize that the golden cases do not have."""

    name: str
    request: object

    @property
    def method(self):
        return type(self.request).__name__.removesuffix("Request")

    @property
    def code_type(self):
        """The type of the codes; FakeQuantize has none, and ignores it."""
        return {"Quantize": lambda: self.request.output_type,
                "Dequantize": lambda: self.request.input.data_type,
                "FakeQuantize": lambda: api.DATA_TYPE_UINT8}[self.method]()

    def call(self, stub):
        return getattr(stub, self.method)(self.request, timeout=60)

    def write(self, folder):
        """Writes the tensor, and returns the entry in calls.json."""
        tensor, spec, affine = self.request.input, self.request.spec, self.request.affine
        (folder / f"{self.name}.inputs").write_bytes(tensor.data)
        call = {
            "name": self.name,
            "method": self.method,
            "inputs": f"{self.name}.inputs",
            "shape": list(tensor.shape),
            "codeType": api.DataType.Name(self.code_type),
            "narrowRange": spec.narrow_range,
            "numerics": api.Numerics.Name(spec.numerics),
            "signedInput": spec.signed_input,
            "rounding": api.Rounding.Name(spec.rounding),
        }
        if self.request.HasField("affine"):
            call |= {"scale": list(affine.scale), "zeroPoint": list(affine.zero_point)}
            if affine.HasField("block_size"):
                call["blockSize"] = affine.block_size
            parameters = affine
        else:
            call |= {"min": list(self.request.range.min), "max": list(self.request.range.max)}
            parameters = self.request.range
        if parameters.HasField("axis"):
            call["axis"] = parameters.axis
        for key, field in (("numBits", "num_bits"), ("quantMin", "quant_min"), ("quantMax", "quant_max")):
            if spec.HasField(field):
                call[key] = getattr(spec, field)
        return call

    def problems(self, folder, expected):
        """Compares what the driver wrote with the server's answer to the same request."""
        found = {"output": (folder / f"{self.name}.output").read_bytes()}
        wanted = {"output": expected.output.data}
        if self.method == "Quantize":
            found["scale"] = np.fromfile(folder / f"{self.name}.scale", "<f4").tolist()
            found["zeroPoint"] = np.fromfile(folder / f"{self.name}.zeroPoint", "<i4").tolist()
            wanted["scale"] = list(expected.parameters.scale)
            wanted["zeroPoint"] = list(expected.parameters.zero_point)
        return [f"{key} is {found[key]!r} instead of {value!r}"
                for key, value in wanted.items() if found[key] != value]


def _code_cases():
    """Returns requests of every type of codes, and with every kind of parameters."""
    values = np.float32([[-7, -0.3, 0], [1.1, 6, 0.26]])
    tensor = api.tensor_of_bytes(values)
    affine = api.AffineParameters(scale=[0.5, 0.25, 1], zero_point=[0, 1, 1], axis=-1)
    cases = [
        CodeCase(f"quantize_{name}", api.QuantizeRequest(input=tensor, affine=affine, output_type=number))
        for name, number in api.DataType.items() if "INT" in name and name != "DATA_TYPE_INT32"]
    cases += [
        CodeCase("quantize_range", api.QuantizeRequest(
            input=tensor, range=api.Range(min=[-1], max=[3]), output_type=api.DATA_TYPE_INT8,
            spec=api.QuantizationSpec(num_bits=5, narrow_range=True, numerics=api.Numerics.Value(
                "NUMERICS_KERAS_JAX")))),
        CodeCase("quantize_rounding", api.QuantizeRequest(
            input=api.tensor_of_bytes(np.float32([0.5, 1.5, -0.5])), range=api.Range(min=[-128], max=[127]),
            output_type=api.DATA_TYPE_INT8, spec=api.QuantizationSpec(
                numerics=api.Numerics.Value("NUMERICS_TENSORFLOW_QUANTIZE_V2_SCALED"),
                rounding=api.Rounding.Value("ROUNDING_HALF_TO_EVEN")))),
        CodeCase("fake_quantize_signed_input", api.FakeQuantizeRequest(
            input=tensor, range=api.Range(min=[-1], max=[3]), spec=api.QuantizationSpec(
                num_bits=8, numerics=api.Numerics.Value("NUMERICS_TENSORFLOW_QUANTIZE_AND_DEQUANTIZE"),
                signed_input=True))),
        CodeCase("quantize_blocks", api.QuantizeRequest(
            input=tensor, output_type=api.DATA_TYPE_UINT8,
            affine=api.AffineParameters(scale=[1, 2, 3, 4], axis=1, block_size=2))),
        CodeCase("quantize_codes", api.QuantizeRequest(
            input=tensor, output_type=api.DATA_TYPE_INT32,
            affine=api.AffineParameters(scale=[0.125]),
            spec=api.QuantizationSpec(quant_min=-9, quant_max=10, numerics=api.NUMERICS_PYTORCH))),
    ]
    for name, size in (("INT8", 6), ("UINT8", 6), ("INT16", 12), ("UINT16", 12), ("INT32", 24),
                       ("INT4", 3), ("UINT4", 3), ("INT2", 2), ("UINT2", 2)):
        codes = api.Tensor(data_type=api.DataType.Value(f"DATA_TYPE_{name}"), shape=[2, 3],
                           data=bytes(range(0x17, 0x17 + size)))
        cases.append(CodeCase(f"dequantize_{name}", api.DequantizeRequest(
            input=codes, affine=api.AffineParameters(scale=[0.5, 0.25, 1], axis=-1),
            output_type=api.DATA_TYPE_FLOAT32)))
    cases.append(CodeCase("dequantize_empty", api.DequantizeRequest(
        input=api.Tensor(data_type=api.DATA_TYPE_INT8, shape=[0, 3], data=b""),
        range=api.Range(min=[-1], max=[1]), output_type=api.DATA_TYPE_FLOAT32)))
    return cases


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


class ClientExampleDriver:
    """A mixin for a test case that defines how to run its driver."""

    driver = ()

    def run_silently(self, *command):
        """Runs a command that has to succeed without warnings, and returns what it printed."""
        done = quantd_process.run(*command)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout

    @contextlib.contextmanager
    def driven(self, write, cases, connection=None):
        """Has the driver make the calls that write(folder, case) writes, and gives its folder."""
        with tempfile.TemporaryDirectory(prefix="quantd-calls-") as folder:
            folder = pathlib.Path(folder)
            calls = [write(folder, case) for case in cases]
            (folder / "calls.json").write_text(json.dumps(calls), encoding="utf-8")
            (folder / "connection.json").write_text(json.dumps(connection or {}), encoding="utf-8")
            self.run_silently(*self.driver, self.quantd.address, folder)
            yield folder

    def answers_of(self, cases, connection=None):
        """Returns the driver's result for each case: the answer, or the error as a dictionary."""
        with self.driven(_write_call, cases, connection) as folder:
            return [_read_answer(folder, case) for case in cases]

    def assert_right_bits(self, cases, connection=None):
        for case, answer in zip(cases, self.answers_of(cases, connection)):
            with self.subTest(case.name):
                self.assertNotIsInstance(answer, dict)
                self.assertEqual(case.problems(answer), [])


class ClientExampleTests(ClientExampleDriver):
    """A mixin for a QuantdTestCase that defines how to run its driver and its program."""

    program = ()
    maxDiff = None

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

    def test_codes_and_their_values_are_the_server_s_for_every_type(self):
        cases = _code_cases()
        with self.driven(lambda folder, case: case.write(folder), cases) as folder:
            for case in cases:
                with self.subTest(case.name):
                    self.assertEqual(case.problems(folder, case.call(self.stub)), [])

    def test_fake_quantization_takes_a_scale(self):
        case = golden_cases.one_case_of_each_op()[0]
        request = api.FakeQuantizeRequest(
            input=api.tensor_of_bytes(case.inputs),
            affine=api.AffineParameters(scale=[0.25], zero_point=[3]),
            spec=api.QuantizationSpec(num_bits=4, numerics=api.NUMERICS_PYTORCH))
        scaled = CodeCase("scaled", request)
        with self.driven(lambda folder, case: case.write(folder), [scaled]) as folder:
            self.assertEqual(scaled.problems(folder, scaled.call(self.stub)), [])

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
