"""Tests that the contests of kernels and codes drop incorrect contenders, and compare within rounds."""

import pathlib
import tempfile
import unittest

import contest
import numpy as np
import problem
from contest import Case

SIZE = 64 * problem.KIB


class FakeRunner:
    """Runs contenders with made-up results; quantd copies its inputs."""

    def __init__(self, folder, distort=lambda results: results):
        self.contenders = [("quantd", "forward"), ("quantd", "gradient"), ("numpy", "forward")]
        self._inputs = np.fromfile(pathlib.Path(folder, "inputs.f32"), np.float32)
        self._distort = distort
        self.seconds = {"quantd": [0.1, 0.2, 0.4], "numpy": [1.0, 1.0, 1.0]}

    def write(self, case, _):
        if case.contender == "quantd":
            return self._inputs.copy()
        return self._distort(self._inputs.copy())

    def time(self, case, _):
        if case.operation == "forward" and case.channels == 0:
            outcome = self.seconds[case.contender].pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome
        return 0.5


class ContestTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        problem.write_problem(self.folder, SIZE)

    def contest(self, **options):
        return contest.Contest({"fake": FakeRunner(self.folder, **options)}, ["numpy"], [SIZE])

    def notes_on(self, distort):
        measured = self.contest(distort=distort)
        measured.verify(self.folder)
        return measured.notes, measured.cases(SIZE)

    def test_contenders_with_the_same_results_take_part(self):
        notes, cases = self.notes_on(lambda results: results)
        self.assertEqual(notes, [])
        self.assertIn(Case("numpy", "forward", 64, SIZE), cases)

    def test_rare_differences_of_one_step_are_tolerated(self):
        def one_tie(results):
            results[5] += np.float32(6 / 255)
            return results

        self.assertEqual(self.notes_on(one_tie)[0], [])

    def test_contenders_with_different_results_are_left_out_and_named(self):
        def missing(results):
            results[3] = np.nan
            return results

        for distort, expected in (
            (lambda results: results + np.float32(6 / 255), "a step away"),
            (lambda results: results * 2, "steps of the quantization"),
            (lambda results: results[:-1], "has 16383 results; expected 16384"),
            (missing, "missing or not finite"),
        ):
            with self.subTest(expected):
                notes, cases = self.notes_on(distort)
                self.assertEqual(len(notes), 1)
                self.assertIn("numpy is left out of forward", notes[0])
                self.assertIn(expected, notes[0])
                self.assertEqual({case.contender for case in cases}, {"quantd"})

    def test_ratios_are_taken_within_a_round(self):
        measured = self.contest()
        for number in range(3):
            measured.run_round(number, 1)
        comparison = contest.Comparison("forward", ("numpy",), "numpy")
        self.assertEqual(measured.ratio(SIZE, 0, comparison), [10.0, 5.0, 2.5])

    def test_slow_cases_only_run_in_the_first_rounds(self):
        fake = FakeRunner(self.folder)
        measured = contest.Contest({"fake": fake}, ["numpy"], [SIZE])
        fake.seconds["numpy"] = [3.0, 3.0]
        for number in range(3):
            measured.run_round(number, 1)
        self.assertEqual(fake.seconds["numpy"], [])
        comparison = contest.Comparison("forward", ("numpy",), "numpy")
        self.assertEqual(measured.ratio(SIZE, 0, comparison), [30.0, 15.0])

    def test_contenders_that_fail_later_are_left_out_and_the_others_continue(self):
        fake = FakeRunner(self.folder)
        fake.seconds["numpy"] = [1.0, contest.RunnerError("it ended: out of memory")]
        measured = contest.Contest({"fake": fake}, ["numpy"], [SIZE])
        for number in range(3):
            measured.run_round(number, 1)
        (note,) = measured.notes
        self.assertIn("out of memory", note)
        self.assertEqual({case.contender for case in measured.seconds}, {"quantd"})
        self.assertEqual(len(measured.seconds[Case("quantd", "forward", 0, SIZE)]), 3)

    def test_quantd_itself_must_not_fail(self):
        fake = FakeRunner(self.folder)
        fake.seconds["quantd"] = [contest.RunnerError("it ended: out of memory")]
        with self.assertRaisesRegex(contest.RunnerError, "quantd failed at forward"):
            contest.Contest({"fake": fake}, ["numpy"], [SIZE]).run_round(0, 1)

    def test_quantd_is_compared_with_the_best_of_several(self):
        measured = self.contest()
        for name, seconds in (("quantd", {0: 1.0, 1: 1.0}),
                              ("eigen_native", {0: 3.0, 1: 9.0}),
                              ("eigen_avx2", {0: 6.0, 1: 5.0})):
            measured.seconds[Case(name, "gradient", 0, SIZE)] = seconds
        comparison = contest.Comparison("gradient", ("eigen_native", "eigen_avx2"), "Eigen")
        self.assertEqual(measured.ratio(SIZE, 0, comparison), [3.0, 5.0])

    def test_a_limit_moves_as_many_bytes_as_its_operation(self):
        measured = self.contest()
        measured.seconds[Case("quantd", "gradient", 64, SIZE)] = {0: 2.0}
        measured.seconds[Case("cached_add", "add", 0, SIZE)] = {0: 1.0}
        comparison = contest.Comparison("gradient", ("cached_add",), "add", of_limit=True)
        self.assertEqual(measured.ratio(SIZE, 64, comparison), [0.5])
        self.assertEqual(Case("quantd", "gradient", 64, SIZE).bytes_moved(),
                         Case("cached_add", "add", 0, SIZE).bytes_moved())

    def test_the_limit_of_a_ratio_is_the_faster_copy_over_the_same_peer(self):
        measured = self.contest()
        for case, seconds in ((Case("quantd", "forward", 64, SIZE), {0: 2.0, 1: 2.0}),
                              (Case("numpy", "forward", 64, SIZE), {0: 6.0, 1: 8.0}),
                              (Case("memcpy", "copy", 0, SIZE), {0: 1.0, 1: 3.0}),
                              (Case("streaming_copy", "copy", 0, SIZE), {0: 1.5, 1: 2.0})):
            measured.seconds[case] = seconds
        peer = contest.Comparison("forward", ("numpy",), "numpy")
        self.assertEqual(measured.limit(SIZE, 64, peer), [6.0, 4.0])
        copy = contest.Comparison("forward", ("memcpy",), "memcpy", of_limit=True)
        self.assertIsNone(measured.limit(SIZE, 64, copy))

    def test_without_the_other_contender_there_is_no_ratio(self):
        comparison = contest.Comparison("forward", ("pytorch",), "PyTorch")
        self.assertIsNone(self.contest().ratio(SIZE, 0, comparison))


class FakeCodeRunner:
    """Quantizes to codes that count up; numpy's are made from quantd's."""

    def __init__(self, folder, distort=lambda codes: codes):
        self.contenders = [(name, f"quantize_{code_type}") for code_type in ("int8", "int4")
                           for name in ("quantd", "quantd_xnnpack", "numpy")]
        self.contenders.append(("memcpy", "copy"))
        self._inputs = np.fromfile(pathlib.Path(folder, "inputs.f32"), np.float32)
        self._distort = distort

    def write(self, case, _):
        if case.operation == "copy":
            return self._inputs[:case.size // 4]
        codes = np.arange(case.size // 4).astype(np.int8) >> (4 if "int4" in case.operation else 0)
        return self._distort(codes) if case.contender == "numpy" else codes

    def time(self, case, _):
        # Twice as fast as memcpy, which moves a byte in one second.
        return case.bytes_moved() / (1 if case.contender == "memcpy" else 2)


class CodesTest(unittest.TestCase):

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        problem.write_problem(self.folder, SIZE)

    def contest(self, **options):
        return contest.Contest({"fake": FakeCodeRunner(self.folder, **options)}, ["numpy"], [SIZE],
                               contest.CODE_OPERATIONS)

    def test_memcpy_moves_as_many_bytes_as_each_operation(self):
        for operation, size in (("quantize_int8", SIZE * 5 // 8), ("dequantize_int16", SIZE * 3 // 4),
                                ("quantize_int4", SIZE * 9 // 16), ("forward_float16", SIZE // 2)):
            with self.subTest(operation):
                case = Case("quantd", operation, -64, SIZE)
                self.assertEqual(case.limit("memcpy"), Case("memcpy", "copy", 0, size))
                self.assertEqual(case.limit("memcpy").bytes_moved(), case.bytes_moved())

    def test_memcpy_runs_once_for_each_number_of_bytes(self):
        copies = [case.size for case in self.contest().cases(SIZE) if case.operation == "copy"]
        self.assertCountEqual(copies, [SIZE * 5 // 8, SIZE * 9 // 16])

    def test_the_share_of_memcpy_is_one_of_speed(self):
        measured = self.contest()
        measured.run_round(0, 1)
        for operation in ("quantize_int8", "quantize_int4"):
            self.assertEqual(measured.share_of_memcpy(Case("numpy", operation, 1024, SIZE)), 2)
        self.assertIsNone(measured.share_of_memcpy(Case("pytorch", "quantize_int8", 0, SIZE)))

    def test_codes_of_a_contender_may_only_rarely_be_a_step_away(self):
        def rarely(codes):
            return codes ^ (np.arange(codes.size) == 0)

        def often(codes):
            return codes ^ (np.arange(codes.size) % 100 == 0)

        for distort, notes in ((rarely, 0), (often, 2)):
            measured = self.contest(distort=distort)
            measured.verify(self.folder)
            self.assertEqual(len(measured.notes), notes, measured.notes)

    def test_contenders_without_operations_per_channel_only_run_per_tensor(self):
        channels = {case.channels for case in self.contest().cases(SIZE)
                    if case.contender == "quantd_xnnpack"}
        self.assertEqual(channels, {0})

    def test_elements_of_every_type_are_read_as_numbers(self):
        file = self.folder / "elements"
        for element_type, data, numbers in (
            ("int4", b"\x10\xf8", [0, 1, -8, -1]), ("int8", b"\x01\xff", [1, -1]),
            ("int16", b"\x00\x80", [-32768]), ("float16", b"\x00\x3e", [1.5]),
            ("bfloat16", b"\xc0\x3f", [1.5]), ("float32", b"\x00\x00\xc0\x3f", [1.5])):
            with self.subTest(element_type):
                file.write_bytes(data)
                self.assertEqual(contest.read_elements(file, element_type).tolist(), numbers)


class RunnerTest(unittest.TestCase):

    def test_a_missing_runner_is_an_error(self):
        with self.assertRaisesRegex(contest.RunnerError, "No such file"):
            contest.Runner(["/nowhere/runner"], {})

    def test_a_runner_that_ends_early_is_reported_with_its_error(self):
        with self.assertRaisesRegex(contest.RunnerError, "No module named 'nothing'"):
            contest.Runner(["/usr/bin/python3", "-c", "import nothing"], {})


if __name__ == "__main__":
    unittest.main()
