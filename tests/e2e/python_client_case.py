"""The base of tests of the Python package, which make calls in one message and in parts."""

import contextlib

import numpy as np
import quantd

import api
import python_clients
import quantd_process

MIB = 2**20
IN_ONE_MESSAGE = {"stream_from_bytes": 2**30}
# Small enough that all kinds of parts occur: whole rows, whole channels, and pieces of a channel.
IN_PARTS = tuple({"stream_from_bytes": 0, "stream_message_bytes": size} for size in (16, 100, 1000))


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
