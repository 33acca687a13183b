"""Runs 32 clients at once with good and bad requests, and checks every answer and all counts."""

import collections
import random
import threading
import time
import unittest

import grpc
import numpy as np

import api
import golden_cases
import quantd_process

CLIENTS = 32
SECONDS = 3
# The spelling of go-grpc-prometheus.
CODE_NAMES = {"OK": "OK", "INVALID_ARGUMENT": "InvalidArgument"}


class GoodCall:
    """A call with a golden case."""

    def __init__(self, case):
        self.method = case.method
        self.request = case.request().SerializeToString()
        self.code = "OK"
        self.reason = None
        self.elements = case.inputs.size
        self._case = case
        self._response_type = (api.FakeQuantizeGradientResponse if case.is_gradient
                               else api.FakeQuantizeResponse)

    def problems(self, outcome):
        if isinstance(outcome, grpc.RpcError):
            return [f"{self._case.name} failed: {outcome}"]
        return self._case.problems(self._response_type.FromString(outcome))


class BadCall:
    """A request that has to be rejected with INVALID_ARGUMENT and a reason."""

    def __init__(self, method, request, reason):
        self.method = method
        self.request = request
        self.code = "INVALID_ARGUMENT"
        self.reason = reason
        self.elements = 0

    def problems(self, outcome):
        if not isinstance(outcome, grpc.RpcError):
            return [f"a request to be refused with {self.reason} succeeded"]
        error = api.call_error(outcome)
        if (error.code.name, error.reason) != (self.code, self.reason):
            return [f"expected {self.code} {self.reason}, got {error}"]
        return []


def good_calls():
    """Returns all golden cases, and one case per op that is large enough for the worker threads."""
    large = [case.repeated(100) for case in golden_cases.one_case_of_each_op()
             if case.axis is None]
    return [GoodCall(case) for case in [*golden_cases.all_cases(), *large]]


def bad_calls():
    tensor = api.tensor_of_bytes(np.ones(8, np.float32))
    large = api.tensor_of_bytes(np.ones(2**16, np.float32))
    interval = api.Range(min=[-1], max=[1])
    inverted = api.Range(min=[1], max=[-1])
    cut = api.Tensor(data_type=api.DATA_TYPE_FLOAT32, shape=[9], data=tensor.data)
    refused = [
        (api.FakeQuantizeRequest(input=tensor, range=interval,
                                 spec=api.QuantizationSpec(num_bits=1)), "INVALID_NUM_BITS"),
        (api.FakeQuantizeRequest(input=tensor), "PARAMETERS_MISMATCH"),
        (api.QuantizeRequest(input=tensor, affine=api.AffineParameters(scale=[0])), "INVALID_SCALE"),
        (api.FakeQuantizeRequest(input=tensor, range=inverted), "INVALID_RANGE"),
        (api.FakeQuantizeRequest(input=large, range=inverted), "INVALID_RANGE"),
        (api.FakeQuantizeRequest(input=cut, range=interval), "TENSOR_SIZE_MISMATCH"),
        (api.FakeQuantizeRequest(input=tensor, range=api.Range(min=[-1], max=[1], axis=1)),
         "AXIS_OUT_OF_RANGE"),
        (api.FakeQuantizeGradientRequest(gradients=tensor, inputs=large, range=interval),
         "SHAPE_MISMATCH"),
    ]
    calls = [BadCall(type(request).__name__.removesuffix("Request"), request.SerializeToString(),
                     reason) for request, reason in refused]
    return calls + [BadCall("FakeQuantize", b"\xff" * 100, "MALFORMED_MESSAGE")]


class Client(threading.Thread):
    """Makes random calls until the deadline, and counts them."""

    def __init__(self, channel, calls, seed, deadline):
        super().__init__()
        self._methods = {call.method: channel.unary_unary(f"/{api.SERVICE}/{call.method}")
                         for group in calls for call in group}
        self._calls = calls
        self._random = random.Random(seed)
        self._deadline = deadline
        self.made = collections.Counter()
        self.problems = []

    def run(self):
        while time.monotonic() < self._deadline and not self.problems:
            call = self._random.choice(self._random.choice(self._calls))
            try:
                outcome = self._methods[call.method](call.request,
                                                     timeout=quantd_process.DEADLINE_SECONDS)
            except grpc.RpcError as error:
                outcome = error
            self.made[call] += 1
            self.problems = call.problems(outcome)


class LoadTest(unittest.TestCase):

    def test_every_answer_is_right_and_every_call_is_counted(self):
        calls = (good_calls(), bad_calls())
        with quantd_process.Quantd("--log-level=error") as quantd:
            deadline = time.monotonic() + SECONDS
            clients = [Client(quantd.connect(), calls, seed, deadline) for seed in range(CLIENTS)]
            for client in clients:
                client.start()
            for client in clients:
                client.join()
            for client in clients:
                self.assertEqual(client.problems, [])
            made = sum((client.made for client in clients), collections.Counter())
            print(f"{made.total()} calls by {CLIENTS} clients in {SECONDS:g} s")
            self.assertTrue(all(client.made for client in clients))
            self.check_metrics(quantd.metrics(), made)

    def check_metrics(self, metrics, made):
        for method in ("FakeQuantize", "FakeQuantizeGradient"):
            labels = {"grpc_type": "unary", "grpc_service": api.SERVICE, "grpc_method": method}
            codes = _sum_by(made, lambda call, method=method: call.code if call.method == method
                            else None)
            for name in ("grpc_server_started_total", "grpc_server_handling_seconds_count",
                         "grpc_server_msg_received_total"):
                self.assertEqual(metrics.value(name, **labels), codes.total(), (name, method))
            self.assertEqual(metrics.value("grpc_server_msg_sent_total", **labels), codes["OK"])
            self.assertEqual(metrics.total("grpc_server_handled_total", grpc_method=method),
                             codes.total())
            for code, count in codes.items():
                self.assertEqual(metrics.value("grpc_server_handled_total",
                                               grpc_code=CODE_NAMES[code], **labels), count)

        reasons = _sum_by(made, lambda call: call.reason)
        for reason, count in reasons.items():
            self.assertEqual(metrics.value("quantd_rejected_requests_total", reason=reason), count)
        self.assertEqual(metrics.total("quantd_rejected_requests_total"), reasons.total())

        for method, operation in (("FakeQuantize", "fake_quantize"),
                                  ("FakeQuantizeGradient", "fake_quantize_gradient")):
            elements = sum(call.elements * count for call, count in made.items()
                           if call.method == method)
            self.assertEqual(metrics.value("quantd_elements_total", operation=operation), elements)
        self.assertEqual(metrics.value("quantd_in_flight_requests"), 0)
        self.assertEqual(metrics.value("quantd_in_flight_bytes"), 0)


def _sum_by(made, key):
    """Returns the number of calls by key(call). Calls without a key are left out."""
    result = collections.Counter()
    for call, count in made.items():
        if (value := key(call)) is not None:
            result[value] += count
    return result


if __name__ == "__main__":
    unittest.main()
