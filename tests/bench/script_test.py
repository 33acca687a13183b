"""Tests that script/bench runs, and that its report contains every section."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

BINARIES = os.environ["QUANTD_BINARY_DIR"]
SCRIPT = pathlib.Path(os.environ["QUANTD_SOURCE_DIR"], "script/bench")

# The parts of the benchmark and their sections of the report.
PARTS = {"kernels": "Kernels", "codes": "Codes and 16-bit floats", "rpc": "RPC"}


def bench(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, check=False)


class QuickRunTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            # Only uses peers that every machine has; the others are left out.
            cls.process = bench("--quick", "--binaries", BINARIES, "--output", folder, "--peers",
                            "eigen,numpy,xnnpack", *PARTS)
            if cls.process.returncode != 0:
                raise AssertionError(cls.process.stderr)
            cls.files = {file.name: file.read_text(encoding="utf-8")
                         for file in pathlib.Path(folder).iterdir()}
        cls.results = json.loads(cls.files["results.json"])

    def test_json_and_markdown_contain_every_section(self):
        self.assertEqual([s["section"] for s in self.results["sections"]], list(PARTS.values()))
        for section in self.results["sections"]:
            self.assertIn(f"## {section['section']}\n", self.files["report.md"])
            for kind in ("notes", "tables", "ratios", "plots"):
                self.assertTrue(section[kind], (section["section"], kind))

    def test_every_figure_is_positive(self):
        for section in self.results["sections"]:
            for ratio in section["ratios"]:
                self.assertGreater(ratio["value"], 0, ratio["title"])
            for table in section["tables"]:
                figures = [value for row in table["rows"] for value in row
                           if isinstance(value, float)]
                self.assertTrue(figures, table["title"])
                self.assertGreater(min(figures), 0, table["title"])

    def test_every_plot_exists_and_is_in_the_report(self):
        for section in self.results["sections"]:
            for plot in section["plots"]:
                self.assertIn("<svg", self.files[plot["file"]])
                self.assertIn(f"]({plot['file']})", self.files["report.md"])

    def test_the_report_names_the_machine_and_the_command(self):
        machine = self.results["machine"]
        self.assertTrue(machine["command"].startswith("script/bench --quick --binaries "))
        for name in ("processor", "cores", "memory", "kernel", "compiler", "date"):
            self.assertTrue(machine[name], name)
            self.assertIn(str(machine[name]), self.files["report.md"])
        self.assertIn(machine["command"], self.files["report.md"])

    def test_the_report_is_printed(self):
        self.assertIn(self.files["report.md"], self.process.stdout)

    def test_the_notes_name_peers_that_were_left_out(self):
        kernels = next(s for s in self.results["sections"] if s["section"] == "Kernels")
        self.assertTrue(any("pytorch was left out" in note for note in kernels["notes"]))


class UsageTest(unittest.TestCase):

    def test_bad_usage_is_reported(self):
        for arguments, expected in ((("speed",), "'speed' is no option, and not kernels, codes or rpc"),
                                    (("--rounds",), "--rounds needs a value"),
                                    (("--binaries", BINARIES, "--peers", "jax", "kernels"),
                                     "there is no peer called jax")):
            with self.subTest(arguments):
                run = bench(*arguments)
                self.assertEqual(run.returncode, 2)
                self.assertIn(expected, run.stderr)


if __name__ == "__main__":
    unittest.main()
