"""Tests quantctl with real files and a real server."""

import json
import os
import pathlib
import stat
import subprocess
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

    def save(self, name, array, dtype=np.float32):
        """Returns the path of a new .npy file."""
        path = self.directory / name
        np.save(path, np.asarray(array, dtype=dtype))
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
                         {"numerics", "nudged_range", "sqnr_db", "max_abs_error",
                          "clipped_share"})
        self.assertEqual(result["numerics"], "tensorflow")
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


class StreamsTest(QuantctlTestCase):
    """Tests files of every order, pipes, and the standard streams."""

    FLAGS = ("--min", "-1", "--max", "1")

    def setUp(self):
        super().setUp()
        self.values = np.random.default_rng(1).normal(size=(300, 400)).astype(np.float32)
        self.input = self.save("x.npy", self.values)
        self.output = self.directory / "y.npy"
        self.succeed("fake-quant", "--input", self.input, "--output", self.output, *self.FLAGS)
        self.expected = self.output.read_bytes()
        self.output.unlink()

    def shell(self, command):
        """Runs a command of bash, in which `quantctl` calls the server of this class."""
        function = f'quantctl() {{ "{quantd_process.QUANTCTL}" --server {self.quantd.address} "$@"; }}'
        return subprocess.run(
            ["bash", "-c", f"set -o pipefail; {function}; {command}"], cwd=self.directory,
            env=quantd_process.clean_environment(), capture_output=True, check=False,
            timeout=quantd_process.DEADLINE_SECONDS)

    def test_arrays_of_every_order_give_the_same_result(self):
        for order in (np.asfortranarray(self.values), self.values.astype(">f4"),
                      np.asfortranarray(self.values.astype(">f4"))):
            path = self.directory / "other.npy"
            np.save(path, order)
            self.succeed("fake-quant", "--input", path, "--output", self.output, *self.FLAGS)
            self.assertEqual(self.output.read_bytes(), self.expected)

    def test_arrays_are_read_from_pipes_and_written_to_them(self):
        flags = " ".join(self.FLAGS)
        for command in (
                f"cat x.npy | quantctl fake-quant --input - --output - {flags} | cat > y.npy",
                f"quantctl fake-quant --input /dev/stdin --output /dev/stdout {flags} < x.npy > y.npy",
                f"quantctl fake-quant --input <(cat x.npy) --output /dev/stdout {flags} >> y.npy",
                f"quantctl fake-quant --input x.npy --output /dev/fd/7 {flags} 7> y.npy >&2"):
            with self.subTest(command):
                self.output.unlink(missing_ok=True)
                done = self.shell(command)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(self.output.read_bytes(), self.expected)
                self.assertIn(b"SQNR", done.stderr)
                self.assertEqual(done.stdout, b"")

    def test_files_keep_their_permissions_and_links_stay(self):
        link = self.directory / "link.npy"
        link.symlink_to("y.npy")
        for mode in (0o600, 0o664):
            self.output.touch()
            self.output.chmod(mode)
            self.succeed("fake-quant", "--input", self.input, "--output", link, *self.FLAGS)
            self.assertTrue(link.is_symlink())
            self.assertEqual(self.output.read_bytes(), self.expected)
            self.assertEqual(stat.S_IMODE(self.output.stat().st_mode), mode)
        archive_link = self.directory / "link.npz"
        archive_link.symlink_to("new.npz")
        self.succeed("fake-quant", "--input", self.input, "--output", f"{archive_link}:y",
                     *self.FLAGS)
        self.assertTrue(archive_link.is_symlink())
        self.assertEqual(np.load(self.directory / "new.npz").files, ["y"])


class GradientTest(QuantctlTestCase):

    def check(self, case):
        output = self.directory / "dx.npy"
        result = self.json_of("gradient", "--gradients", self.save("g.npy", case.gradients),
                              "--inputs", self.save("x.npy", case.inputs),
                              *self.range_flags(case), "--output", output)
        self.assertEqual(result.keys(),
                         {"numerics", "min_gradient", "max_gradient", "nudged_range"})
        self.assertEqual(result["nudged_range"].keys(), NUDGED_RANGE_KEYS)
        self.assertTrue(golden_cases.equal_bits(np.load(output), case.input_gradients).all())
        problems = case.problems_of_sums(result["min_gradient"], result["max_gradient"])
        self.assertEqual(problems, [])

    def test_files_and_sums_are_those_of_the_golden_cases(self):
        for op in ("vars_gradient", "per_channel_gradient"):
            for case in [case for case in golden_cases.all_cases() if case.op == op][:5]:
                with self.subTest(case.name):
                    self.check(case)


class CodesTest(QuantctlTestCase):
    """Tests quantize and dequantize."""

    def setUp(self):
        super().setUp()
        self.codes = self.directory / "codes.npy"
        self.values = self.directory / "values.npy"

    def quantize(self, *flags, input_file=CONVOLUTION_KERNEL):
        """Returns the report, and the codes that were written."""
        result = self.json_of("quantize", "--input", input_file, "--output", self.codes, *flags)
        return result, np.load(self.codes)

    def dequantize(self, *flags):
        """Returns the values that were written."""
        self.json_of("dequantize", "--input", self.codes, "--output", self.values, *flags)
        return np.load(self.values)

    def test_one_input_tells_the_numerics_apart(self):
        special = self.save("x.npy", [0.5, -0.5, 1.5, np.nan, np.inf, 3e9])
        for numerics, expected in (("onnx", [5, 5, 7, -128, 127, 127]),
                                   ("litert", [6, 4, 7, -128, -128, -128]),
                                   ("litert-xnnpack", [5, 5, 7, 127, 127, 127])):
            with self.subTest(numerics):
                result, codes = self.quantize("--scale", "1", "--zero-point", "5", "--output-type",
                                              "int8", "--numerics", numerics, input_file=special)
                self.assertEqual(codes.dtype, np.int8)
                self.assertEqual(codes.tolist(), expected)
                self.assertEqual(result["numerics"], numerics)

    def test_the_error_is_that_of_the_values_that_dequantize_writes(self):
        kernel = np.load(CONVOLUTION_KERNEL).astype(np.float64)
        scale, zero_point = self.directory / "scale.npy", self.directory / "zero_point.npy"
        result, codes = self.quantize("--data-range", "--axis", "3", "--scale-output", scale,
                                      "--zero-point-output", zero_point)
        self.assertEqual((codes.dtype, codes.shape), (np.uint8, kernel.shape))
        self.assertEqual(np.load(zero_point).tolist(), result["parameters"]["zero_point"])
        values = self.dequantize("--axis", "3", "--scale", scale, "--zero-point", zero_point)
        self.assertEqual((values.dtype, values.shape), (np.float32, kernel.shape))
        error = values.astype(np.float64) - kernel
        self.assertAlmostEqual(result["sqnr_db"],
                               10 * np.log10((kernel**2).sum() / (error**2).sum()), places=6)
        self.assertAlmostEqual(result["max_abs_error"], np.abs(error).max(), places=6)

    def test_dequantize_gives_fake_quant_s_bits_for_quantize_s_codes(self):
        fake = self.directory / "fake.npy"
        for flags in (("--min", "-3", "--max", "2", "--numerics", "tensorflow-xla"),
                      ("--min", "-3", "--max", "2", "--numerics", "keras-jax-jit", "--num-bits", "5"),
                      ("--scale", "0.02", "--zero-point", "3", "--numerics", "pytorch",
                       "--quant-min", "-100", "--quant-max", "100")):
            with self.subTest(flags):
                self.succeed("fake-quant", "--input", CONVOLUTION_KERNEL, "--output", fake, *flags)
                self.quantize("--output-type", "int8", *flags)
                self.assertTrue(golden_cases.equal_bits(self.dequantize(*flags),
                                                        np.load(fake)).all())

    def test_codes_of_four_bits_can_be_packed(self):
        flags = ("--scale", "0.1", "--output-type", "int4")
        _, unpacked = self.quantize(*flags)
        self.assertEqual((unpacked.dtype, unpacked.shape), (np.int8, (5, 5, 8, 32)))
        values = self.dequantize("--scale", "0.1", "--type", "int4")
        _, packed = self.quantize(*flags, "--packed")
        self.assertEqual((packed.dtype, packed.shape), (np.uint8, (unpacked.size // 2,)))
        low, high = unpacked.ravel()[::2] & 15, unpacked.ravel()[1::2] & 15
        self.assertEqual(packed.tolist(), (low | high << 4).astype(np.uint8).tolist())
        again = self.dequantize("--scale", "0.1", "--type", "int4", "--packed", "--shape", "5,5,8,32")
        self.assertTrue(golden_cases.equal_bits(again, values).all())

    def test_arrays_may_lie_in_archives(self):
        archive = self.directory / "q.npz"
        np.savez_compressed(archive, x=np.load(CONVOLUTION_KERNEL), blocks=np.full((5, 5, 8, 2), 0.1, "f4"))
        self.succeed("quantize", "--input", f"{archive}:x", "--scale", f"{archive}:blocks", "--axis",
                     "-1", "--block-size", "16", "--output-type", "int8", "--output",
                     f"{archive}:codes")
        self.succeed("dequantize", "--input", f"{archive}:codes", "--scale", f"{archive}:blocks",
                     "--axis", "-1", "--block-size", "16", "--output-type", "float16", "--output",
                     f"{archive}:y")
        arrays = np.load(archive)
        self.assertEqual(set(arrays.files), {"x", "blocks", "codes", "y"})
        expected = np.rint(arrays["x"] / np.float32(0.1)).astype(np.int8)
        self.assertEqual(arrays["codes"].tolist(), expected.tolist())
        self.assertEqual(arrays["y"].dtype, np.float16)
        self.assertTrue((arrays["y"] == (expected * np.float32(0.1)).astype(np.float16)).all())

    def test_bfloat16_is_read_and_written_as_uint16_if_type_says_so(self):
        bits = self.save("bits.npy", [0x3F80, 0xC000, 0x4049], np.uint16)  # 1, -2, 3.140625
        self.succeed("fake-quant", "--input", bits, "--type", "bfloat16", "--min", "-2", "--max",
                     "2", "--num-bits", "2", "--output", self.values)
        written = np.load(self.values)
        self.assertEqual(written.dtype, np.uint16)
        # The range is nudged to -2.6666667 .. 1.3333334.
        self.assertEqual((written.astype(np.uint32) << 16).view(np.float32).tolist(),
                         [1.3359375, -1.3359375, 1.3359375])
        _, codes = self.quantize("--type", "bfloat16", "--scale", "1", "--output-type", "int8",
                                 input_file=bits)
        self.assertEqual(codes.tolist(), [1, -2, 3])

    def test_large_tensors_have_the_same_codes_as_small_ones(self):
        small = np.random.default_rng(1).normal(size=(3, 8191)).astype(np.float32)
        large = self.save("large.npy", np.tile(small, (400, 1)))
        _, codes = self.quantize("--scale", "0.3", "--output-type", "int4", input_file=large)
        expected = np.clip(np.rint(small / np.float32(0.3)), -8, 7).astype(np.int8)
        self.assertTrue((codes == np.tile(expected, (400, 1))).all())


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

    def test_info_lists_what_each_method_takes(self):
        methods = {(entry["method"], entry["numerics"]): entry
                   for entry in self.json_of("info")["methods"] if "RANGE" not in entry["parameters"]}
        xnnpack = methods["Quantize", "LITERT_XNNPACK"]
        self.assertEqual(xnnpack["parameters"], ["AFFINE"])
        self.assertEqual(set(xnnpack["output_types"]), {"INT8", "UINT8"})
        self.assertIn("AFFINE_BLOCKS", methods["Dequantize", "ONNX"]["parameters"])
        self.assertIn("INT2", methods["Dequantize", "ONNX"]["input_types"])
        self.assertRegex(self.succeed("info"), r"(?m)^Quantize\n(  .*\n)+\nDequantize$")

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
        other_type = self.directory / "int64.npy"
        np.save(other_type, good.astype(np.int64))
        for path in (self.directory / "missing.npy", not_an_array, truncated, other_type):
            with self.subTest(path.name):
                done = self.fake_quant(path)
                self.assertEqual(done.returncode, 1, done)
                self.assertIn(path.name, done.stderr)

    def test_bad_usage_exits_with_2(self):
        for flags in (["--min", "0"], ["--no-such-flag"], ["--min", "a", "--max", "1"],
                      ["--min", "0", "--max", "1", "--num-bits", "many"],
                      ["--min", "0", "--max", "1", "--numerics", "tensorflow2"],
                      ["--min", "0", "--max", "1", "--scale", "1"], ["--zero-point", "1"]):
            with self.subTest(flags):
                self.assertEqual(self.fake_quant(CONVOLUTION_KERNEL, *flags).returncode, 2)
        for arguments in ([], ["no-such-command"]):
            with self.subTest(arguments):
                done = self.quantctl(*arguments)
                self.assertEqual(done.returncode, 2)
                self.assertNotEqual(done.stderr, "")


if __name__ == "__main__":
    unittest.main()
