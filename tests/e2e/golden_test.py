"""Tests TensorFlow's bits through the real server, with a client that shares no code with it."""

import unittest

import api
import golden_cases
import quantd_process


class GoldenTest(quantd_process.QuantdTestCase):

    def test_there_are_118_cases(self):
        self.assertEqual(len(golden_cases.all_cases()), 118)

    def test_every_case_has_the_right_bits(self):
        for case in golden_cases.all_cases():
            with self.subTest(case.name):
                self.assertEqual(case.problems(case.call(self.stub)), [])

    def test_tensors_may_be_sent_as_a_list_of_numbers(self):
        for case in golden_cases.one_case_of_each_op():
            with self.subTest(case.name):
                response = case.call(self.stub, api.tensor_of_values)
                self.assertEqual(case.problems(response), [])

    def test_tensors_large_enough_for_the_worker_threads_have_the_right_bits(self):
        for case in golden_cases.one_case_of_each_op():
            if case.axis is None:
                with self.subTest(case.name):
                    case = case.repeated(1000)
                    self.assertEqual(case.problems(case.call(self.stub)), [])

    def test_a_negative_axis_counts_from_the_last(self):
        for case in golden_cases.all_cases():
            if case.axis is not None:
                with self.subTest(case.name):
                    request = case.request()
                    request.range.axis -= case.inputs.ndim
                    response = getattr(self.stub, case.method)(request)
                    self.assertEqual(case.problems(response), [])


if __name__ == "__main__":
    unittest.main()
