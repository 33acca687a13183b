"""Tests quantctl with real files and a real server."""

import json
import os
import pathlib
import tempfile
import unittest

import numpy as np

import golden_cases
import quantd_process

CONVOLUTION_KERNEL = pathlib.Path(os.environ["QUANTD_DATA_DIR"]) / "basic_pitch_conv2d_4.npy"
NUDGED_RANGE_KEYS = {"min", "max", "scale", "zero_point"}


class QuantctlTestCase(quantd_process.QuantdTestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="quantctl-")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def quantctl(self, *arguments, server=None):
        """Runs quantctl against the server of this class."""
        return quantd_process.run(quantd_process.QUANTCTL, "--server",
                                  server or self.quantd.address, *arguments)

    def succeed(self, *arguments):
        """Returns the standard output of quantctl. Fails if quantctl fails."""
        done = self.quantctl(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def json_of(self, *arguments):
        return json.loads(self.succeed(*arguments, "--json"))

    def save(self, name, array):
        """Returns the path of a new .npy file."""
        path = self.directory / name
        np.save(path, np.asarray(array, dtype=np.float32))
        return path

    def range_flags(self, case):
        """Returns the flags for the range and the spec of a golden case."""
        flags = ["--num-bits", case.num_bits]
        if case.narrow_range:
            flags.append("--narrow-range")
        if case.op == "args":
            flags += ["--numerics", "tensorflow-args"]
        if case.axis is None:
            return flags + ["--min", repr(case.min[0]), "--max", repr(case.max[0])]
        return flags + ["--axis", case.axis, "--min-file", self.save("min.npy", case.min),
                        "--max-file", self.save("max.npy", case.max)]


class FakeQuantTest(QuantctlTestCase):

    def check(self, case):
        output = self.directory / "output.npy"
        self.succeed("fake-quant", "--input", self.save("input.npy", case.inputs),
                     *self.range_flags(case), "--output", output)
        written = np.load(output)
        self.assertEqual((written.dtype, written.shape), (np.float32, case.outputs.shape))
        self.assertTrue(golden_cases.equal_bits(written, case.outputs).all())

    def test_files_have_the_bits_of_the_golden_cases(self):
        for op in ("args", "vars", "per_channel"):
            for case in [case for case in golden_cases.all_cases() if case.op == op][:5]:
                with self.subTest(case.name):
                    self.check(case)

    def test_json_contains_the_nudged_range_and_the_error(self):
        result = self.json_of("fake-quant", "--input", self.save("x.npy", [-7, -1, 0, 1, 2.5]),
                              "--min", "-6", "--max", "6", "--output", self.directory / "y.npy")
        self.assertEqual(result.keys(),
                         {"nudged_range", "sqnr_db", "max_abs_error", "clipped_share"})
        nudged = result["nudged_range"]
        self.assertEqual(nudged.keys(), NUDGED_RANGE_KEYS)
        scale = np.float32(12) / np.float32(255)
        self.assertEqual(np.float32(nudged["scale"]), [scale])
        self.assertEqual(nudged["zero_point"], [128])
        self.assertAlmostEqual(nudged["min"][0], -128 * scale, places=6)
        self.assertAlmostEqual(nudged["max"][0], 127 * scale, places=6)
        self.assertEqual(result["clipped_share"], 0.2)
        self.assertAlmostEqual(result["max_abs_error"], 7 - 128 * scale, places=6)

    def test_the_range_can_come_from_the_data(self):
        kernel = np.load(CONVOLUTION_KERNEL)
        per_tensor = self.json_of("fake-quant", "--input", CONVOLUTION_KERNEL, "--range-from-data",
                                  "--output", self.directory / "y.npy")
        self.assertEqual(len(per_tensor["nudged_range"]["scale"]), 1)
        per_channel = self.json_of("fake-quant", "--input", CONVOLUTION_KERNEL, "--range-from-data",
                                   "--axis", "3", "--output", self.directory / "y.npy")
        self.assertEqual(len(per_channel["nudged_range"]["scale"]), kernel.shape[3])
        self.assertGreater(per_channel["sqnr_db"], per_tensor["sqnr_db"])

    def test_the_error_is_that_of_the_written_file(self):
        output = self.directory / "y.npy"
        result = self.json_of("fake-quant", "--input", CONVOLUTION_KERNEL, "--range-from-data",
                              "--num-bits", "4", "--output", output)
        x = np.load(CONVOLUTION_KERNEL).astype(np.float64)
        error = np.load(output).astype(np.float64) - x
        self.assertAlmostEqual(result["sqnr_db"],
                               10 * np.log10((x**2).sum() / (error**2).sum()), places=6)
        self.assertAlmostEqual(result["max_abs_error"], np.abs(error).max(), places=6)

    def test_the_table_for_people_names_the_figures(self):
        table = self.succeed("fake-quant", "--input", CONVOLUTION_KERNEL, "--range-from-data",
                             "--axis", "-1", "--output", self.directory / "y.npy")
        self.assertIn("SQNR", table)
        self.assertIn("dB", table)
        self.assertLess(len(table.splitlines()), 40)


class GradientTest(QuantctlTestCase):

    def check(self, case):
        output = self.directory / "dx.npy"
        result = self.json_of("gradient", "--gradients", self.save("g.npy", case.gradients),
                              "--inputs", self.save("x.npy", case.inputs),
                              *self.range_flags(case), "--output", output)
        self.assertEqual(result.keys(), {"min_gradient", "max_gradient", "nudged_range"})
        self.assertEqual(result["nudged_range"].keys(), NUDGED_RANGE_KEYS)
        self.assertTrue(golden_cases.equal_bits(np.load(output), case.input_gradients).all())
        problems = case.problems_of_sums(result["min_gradient"], result["max_gradient"])
        self.assertEqual(problems, [])

    def test_files_and_sums_are_those_of_the_golden_cases(self):
        for op in ("vars_gradient", "per_channel_gradient"):
            for case in [case for case in golden_cases.all_cases() if case.op == op][:5]:
                with self.subTest(case.name):
                    self.check(case)


class TrainRangeTest(QuantctlTestCase):

    def train(self, *flags):
        result = self.json_of("train-range", "--input", CONVOLUTION_KERNEL, *flags)
        self.assertEqual(result.keys(), {"min", "max", "sqnr_db_before", "sqnr_db_after", "steps"})
        return result

    def test_few_bits_gain_much_from_training(self):
        four = self.train("--num-bits", "4")
        self.assertAlmostEqual(four["sqnr_db_before"], 7.1, delta=0.1)
        self.assertGreaterEqual(four["sqnr_db_after"], 12.2)
        two = self.train("--num-bits", "2")
        self.assertAlmostEqual(two["sqnr_db_before"], 0.85, delta=0.05)
        self.assertGreaterEqual(two["sqnr_db_after"], 5.55)

    def test_many_bits_lose_nothing(self):
        eight = self.train("--num-bits", "8")
        self.assertAlmostEqual(eight["sqnr_db_before"], 31.2, delta=0.1)
        self.assertGreaterEqual(eight["sqnr_db_after"], eight["sqnr_db_before"])

    def test_the_trained_range_gives_the_reported_error(self):
        trained = self.train("--num-bits", "4", "--steps", "20")
        self.assertEqual(trained["steps"], 20)
        applied = self.json_of("fake-quant", "--input", CONVOLUTION_KERNEL, "--num-bits", "4",
                               "--min", repr(trained["min"][0]), "--max", repr(trained["max"][0]),
                               "--output", self.directory / "y.npy")
        self.assertAlmostEqual(applied["sqnr_db"], trained["sqnr_db_after"], places=4)

    def test_channels_are_trained_independently(self):
        trained = self.train("--num-bits", "4", "--axis", "3", "--steps", "20")
        self.assertEqual((len(trained["min"]), len(trained["max"])), (32, 32))
        self.assertGreater(trained["sqnr_db_after"], trained["sqnr_db_before"])


class InfoAndHealthTest(QuantctlTestCase):

    def test_info_names_version_and_instruction_set(self):
        for text in (self.succeed("info"), json.dumps(self.json_of("info"))):
            self.assertIn(self.quantd.simd_target, text)

    def test_health_exits_with_0_only_if_the_server_serves(self):
        self.assertEqual(self.quantctl("health").returncode, 0)
        self.assertEqual(self.quantctl("health", "--service", "no.such.Service").returncode, 1)
        with quantd_process.Quantd() as stopped:
            address = stopped.address
        done = self.quantctl("--timeout", "5", "health", server=address)
        self.assertEqual(done.returncode, 1)
        self.assertIn(address, done.stderr)


class FailureTest(QuantctlTestCase):

    def fake_quant(self, path, *flags):
        output = self.directory / "output.npy"
        done = self.quantctl("fake-quant", "--input", path, "--output", output,
                             *(flags or ("--min", "-1", "--max", "1")))
        self.assertFalse(output.exists(), "a failed call wrote a file")
        self.assertEqual(done.stdout, "")
        return done

    def test_the_server_s_error_is_shown_with_field_and_fix(self):
        done = self.fake_quant(CONVOLUTION_KERNEL, "--min", "1", "--max", "-1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("INVALID_RANGE", done.stderr)
        self.assertIn("range.m", done.stderr)

    def test_unreadable_files_result_in_exit_code_1_and_are_named(self):
        good = np.ones((2, 3), np.float32)
        not_an_array = self.directory / "text.npy"
        not_an_array.write_text("no array at all", encoding="utf-8")
        truncated = self.save("truncated.npy", good)
        truncated.write_bytes(truncated.read_bytes()[:-1])
        other_type = self.directory / "double.npy"
        np.save(other_type, good.astype(np.float64))
        fortran = self.directory / "fortran.npy"
        np.save(fortran, np.asfortranarray(good))
        for path in (self.directory / "missing.npy", not_an_array, truncated, other_type, fortran):
            with self.subTest(path.name):
                done = self.fake_quant(path)
                self.assertEqual(done.returncode, 1, done)
                self.assertIn(path.name, done.stderr)

    def test_bad_usage_exits_with_2(self):
        for flags in (["--min", "0"], ["--no-such-flag"], ["--min", "a", "--max", "1"],
                      ["--min", "0", "--max", "1", "--num-bits", "many"],
                      ["--min", "0", "--max", "1", "--numerics", "pytorch"]):
            with self.subTest(flags):
                self.assertEqual(self.fake_quant(CONVOLUTION_KERNEL, *flags).returncode, 2)
        for arguments in ([], ["no-such-command"]):
            with self.subTest(arguments):
                done = self.quantctl(*arguments)
                self.assertEqual(done.returncode, 2)
                self.assertNotEqual(done.stderr, "")


if __name__ == "__main__":
    unittest.main()
