"""Tests that every instruction set of this machine gives the same bits."""

import unittest

import api
import golden_cases
import quantd_process


class SimdTargetTest(unittest.TestCase):

    def test_every_supported_target_has_the_right_bits(self):
        with quantd_process.Quantd() as quantd:
            info = quantd.stub().GetServerInfo(api.GetServerInfoRequest())
            self.assertEqual(quantd.simd_target, info.simd_target)
        self.assertEqual(info.supported_simd_targets[0], info.simd_target, "the best is the default")

        for target in info.supported_simd_targets:
            with self.subTest(target), quantd_process.Quantd(f"--simd-target={target}") as quantd:
                stub = quantd.stub()
                used = stub.GetServerInfo(api.GetServerInfoRequest()).simd_target
                self.assertEqual(used, target)
                for case in golden_cases.one_case_of_each_op():
                    self.assertEqual(case.problems(case.call(stub)), [], case.name)

    def test_an_unsupported_target_is_rejected_with_a_list_of_supported_ones(self):
        with quantd_process.Quantd() as quantd:
            best = quantd.simd_target
        done = quantd_process.run(quantd_process.QUANTD, "--simd-target=NOSUCH",
                                  "--listen=localhost:0")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("NOSUCH", done.stderr)
        self.assertIn(best, done.stderr)


if __name__ == "__main__":
    unittest.main()
