"""Runs quantd, and asks it for the results of cases through the Python package."""

import re
import subprocess
import tempfile

import ml_dtypes
import numpy as np
import quantd

_SERVING = re.compile(r"quantd \S+ serving on (\S+)")


class QuantdServer:
    """A running server with a client. Use as a context manager."""

    def __init__(self, program):
        self._directory = tempfile.TemporaryDirectory(prefix="quantd-peers-")
        self.address = f"unix:{self._directory.name}/quantd.sock"
        self._process = subprocess.Popen([program, f"--listen={self.address}", "--metrics-listen=",
                                          "--log-level=error"],
                                         stdout=subprocess.PIPE, text=True)
        line = self._process.stdout.readline()
        if not _SERVING.match(line):
            self._process.kill()
            raise RuntimeError(f"{program} does not serve: it printed {line!r}")
        self.description = line.strip()
        self.client = quantd.Client(self.address)
        self.client.wait_until_connected()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()
        self._process.terminate()
        self._process.wait()
        self._process.stdout.close()
        self._directory.cleanup()

    def compute(self, case):
        """Returns quantd's results for a case as a producer does."""
        answer = getattr(self, "_" + case.operation)(case)
        return {name: _bits(value) for name, value in answer.items() if value is not None}

    def quantize_and_dequantize(self, case):
        """Returns the same for fake quantization in two steps, with codes of one type or another."""
        types = ("uint8", "int8", "uint16", "int16", "uint4", "int4", "uint2", "int2")
        bits = {name: int(name.removeprefix("u").removeprefix("int")) for name in types}
        fitting = [name for name in types if bits[name] >= case.num_bits]
        code_type = fitting[case.inputs.size % 7 % len(fitting)]
        arguments = _parameters(case) | _spec(case)
        codes = self.client.quantize(_floats(case.inputs, case.input_type), output_type=code_type, **arguments)
        values = self.client.dequantize(codes.output, input_type=code_type, output_type=case.output_type,
                                        **arguments)
        return {"output": _bits(values.output)}

    def quantize_by_data(self, case):
        """Returns the same for parameters from the data."""
        result = self.client.quantize(case.inputs, data_range="min_max", output_type=case.output_type,
                                      numerics=quantd.Numerics[case.numerics])
        zero_point = result.zero_point.astype(case.output_type)
        return {"output": result.output, "scale": result.scale, "zero_point": zero_point}

    def _fake_quantize(self, case):
        result = self.client.fake_quantize(_floats(case.inputs, case.input_type), **_parameters(case),
                                           **_spec(case))
        return {"output": result.output}

    def _fake_quantize_gradient(self, case):
        result = self.client.fake_quantize_gradient(
            _floats(case.gradients, case.input_type), _floats(case.inputs, case.input_type),
            **_parameters(case), **_spec(case))
        return {"input_gradients": result.input_gradients, "min_gradient": result.min_gradient,
                "max_gradient": result.max_gradient}

    def _quantize(self, case):
        result = self.client.quantize(_floats(case.inputs, case.input_type), **_parameters(case), **_spec(case),
                                      output_type=case.output_type)
        ends = {} if case.min is None else {"output_min": result.nudged_range.min,
                                            "output_max": result.nudged_range.max}
        return {"output": result.output} | ends

    def _dequantize(self, case):
        result = self.client.dequantize(case.inputs, **_parameters(case), **_spec(case),
                                        input_type=case.input_type, output_type=case.output_type)
        return {"output": result.output}


def _floats(array, element_type):
    return array.view(ml_dtypes.bfloat16) if element_type == "bfloat16" else array


def _bits(array):
    return array.view(np.uint16) if array.dtype == ml_dtypes.bfloat16 else array


def _parameters(case):
    names = ("min", "max", "scale", "zero_point", "axis", "block_size")
    return {name: getattr(case, name) for name in names}


def _spec(case):
    names = ("num_bits", "narrow_range", "quant_min", "quant_max", "precision", "signed_input")
    return {name: getattr(case, name) for name in names} | {
        "numerics": quantd.Numerics[case.numerics],
        "rounding": None if case.rounding is None else quantd.Rounding[case.rounding]}
