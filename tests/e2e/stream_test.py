"""Tests streams, which send one tensor after another in one call and are answered in order."""

import itertools
import queue
import unittest

import grpc
import numpy as np

import api
import golden_cases
import quantd_process


def parts_of(case, rows):
    """Returns the requests of `case` in parts of its first dimension. A range along it is also cut."""
    whole = case.request()
    step = max(1, -(-case.inputs.shape[0] // rows)) if case.inputs.ndim else 1
    for first in range(0, max(1, case.inputs.shape[0]), step):
        part = slice(first, first + step)
        request = type(whole)()
        if first == 0:
            request.spec.CopyFrom(whole.spec)
        if first == 0 or case.axis == 0:
            request.range.CopyFrom(whole.range)
            if case.axis == 0:
                request.range.min[:] = whole.range.min[part]
                request.range.max[:] = whole.range.max[part]
        if case.is_gradient:
            request.gradients.CopyFrom(api.tensor_of_bytes(case.gradients[part]))
            request.inputs.CopyFrom(api.tensor_of_bytes(case.inputs[part]))
        else:
            request.input.CopyFrom(api.tensor_of_bytes(case.inputs[part]))
        yield request


def put_together(case, responses):
    """Combines the answers to the parts of `case` into the answer of the unary call."""
    whole = api.FakeQuantizeGradientResponse() if case.is_gradient else api.FakeQuantizeResponse()
    tensor = whole.input_gradients if case.is_gradient else whole.output
    tensor.data_type = api.DATA_TYPE_FLOAT32
    tensor.shape[:] = case.inputs.shape
    sums = {"min_gradient": [], "max_gradient": []}
    for response in responses:
        part = response.input_gradients if case.is_gradient else response.output
        tensor.data += part.data
        for name in sums if case.is_gradient else ():
            sums[name].append(list(getattr(response, name + "_sum")))
        if case.axis == 0:
            whole.nudged_range.MergeFrom(response.nudged_range)
        else:
            whole.nudged_range.CopyFrom(response.nudged_range)
    if case.is_gradient:
        for name, values in sums.items():
            total = itertools.chain(*values) if case.axis == 0 else np.sum(values, axis=0)
            getattr(whole, name).extend(np.float32(value) for value in total)
    return whole


def request_of(values, **parameters):
    """Returns a request to fake-quantize `values`."""
    return api.FakeQuantizeRequest(input=api.tensor_of_bytes(np.float32(values)), **parameters)


class StreamTest(quantd_process.QuantdTestCase):

    def stream(self, requests, method="StreamFakeQuantize"):
        return getattr(self.stub, method)(iter(requests), timeout=quantd_process.DEADLINE_SECONDS)

    def test_every_golden_case_in_one_message_has_the_right_bits(self):
        for method, cases in self.cases_by_method():
            responses = self.stream([case.request() for case in cases], method)
            for case, response in zip(cases, responses, strict=True):
                with self.subTest(case.name):
                    self.assertEqual(case.problems(response), [])

    def test_every_golden_case_in_parts_has_the_right_bits(self):
        for method, cases in self.cases_by_method():
            for case in cases:
                with self.subTest(case.name):
                    responses = list(self.stream(parts_of(case, 3), method))
                    self.assertEqual(case.problems(put_together(case, responses)), [])

    def cases_by_method(self):
        """Yields each streaming method with its golden cases."""
        cases = golden_cases.all_cases()
        return (
            ("StreamFakeQuantize", [case for case in cases if not case.is_gradient]),
            ("StreamFakeQuantizeGradient", [case for case in cases if case.is_gradient]),
        )

    def test_missing_fields_are_taken_from_the_request_before(self):
        first = {"range": api.Range(min=[0], max=[3]), "spec": api.QuantizationSpec(num_bits=2)}
        second = {"range": api.Range(min=[0], max=[30])}
        third = {"spec": api.QuantizationSpec(num_bits=4)}
        answers = self.stream([request_of([1.4], **parameters)
                               for parameters in (first, {}, second, {}, third)])
        self.assertEqual([answer.nudged_range.scale[0] for answer in answers], [1, 1, 10, 10, 2])

    def test_answers_arrive_before_all_requests_are_sent(self):
        requests = queue.SimpleQueue()
        answers = self.stream(iter(requests.get, None))
        parameters = {"range": api.Range(min=[-1], max=[1])}
        for _ in range(3):
            requests.put(request_of([5], **parameters))
            self.assertAlmostEqual(api.array_of(next(answers).output)[0], 1, places=1)
            parameters = {}
        requests.put(None)
        self.assertEqual(list(answers), [])

    def test_a_bad_request_ends_the_stream_after_the_answers_before_it(self):
        good = request_of([1, 2], range=api.Range(min=[-1], max=[1]))
        bad = request_of([1], range=api.Range(min=[1], max=[-1]))
        answers = self.stream([good, good, bad, good])
        self.assertEqual([len(api.array_of(next(answers).output)) for _ in range(2)], [2, 2])
        with self.assertRaises(grpc.RpcError) as raised:
            next(answers)
        error = api.call_error(raised.exception)
        self.assertEqual((error.code, error.reason),
                         (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_RANGE"))
        self.assertEqual(error.fields, ("range.min[0]",))
        self.assertEqual(error.metadata["message_index"], "2")

    def test_the_first_request_requires_parameters(self):
        with self.assertRaises(grpc.RpcError) as raised:
            list(self.stream([request_of([1])]))
        error = api.call_error(raised.exception)
        self.assertEqual((error.reason, error.fields), ("PARAMETERS_MISMATCH", ("range",)))
        self.assertEqual(error.metadata["message_index"], "0")

    def test_an_invalid_message_ends_the_stream_with_its_index(self):
        good = request_of([1], range=api.Range(min=[-1], max=[1])).SerializeToString()
        call = self.quantd.connect().stream_stream(
            "/quantd.v1.QuantizationService/StreamFakeQuantize")
        answers = call(iter([good, b"\xff", good]), timeout=quantd_process.DEADLINE_SECONDS)
        api.FakeQuantizeResponse.FromString(next(answers))
        with self.assertRaises(grpc.RpcError) as raised:
            next(answers)
        error = api.call_error(raised.exception)
        self.assertEqual((error.code, error.reason),
                         (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE"))
        self.assertEqual(error.metadata["message_index"], "1")

    def test_a_stream_without_requests_has_no_answers(self):
        self.assertEqual(list(self.stream([])), [])

    def test_thousands_of_small_tensors_are_answered_in_order(self):
        count = 5000
        requests = (request_of([i % 256], **({} if i else {"range": api.Range(min=[0], max=[255])}))
                    for i in range(count))
        values = [api.array_of(answer.output)[0] for answer in self.stream(requests)]
        self.assertEqual(values, [i % 256 for i in range(count)])

    def test_a_cancelled_stream_leaves_nothing_in_flight(self):
        requests = queue.SimpleQueue()
        answers = self.stream(iter(requests.get, None))
        requests.put(request_of([5], range=api.Range(min=[-1], max=[1])))
        next(answers)
        answers.cancel()
        requests.put(None)
        quantd_process.wait_until(
            lambda: self.quantd.metrics().value("quantd_in_flight_requests") == 0,
            "the stream to be gone")
        self.assertEqual(len(list(self.stream([request_of([1], range=api.Range(min=[0], max=[1]))]))),
                         1)


class UnixSocketTest(unittest.TestCase):

    def test_streams_work_over_unix_sockets(self):
        cases = [case for case in golden_cases.all_cases() if not case.is_gradient]
        with quantd_process.Quantd(listen=("unix:{directory}/quantd.sock",)) as quantd:
            responses = quantd.stub().StreamFakeQuantize(case.request() for case in cases)
            for case, response in zip(cases, responses, strict=True):
                self.assertEqual(case.problems(response), [], case.name)


if __name__ == "__main__":
    unittest.main()
