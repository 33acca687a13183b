"""Tests that the report shows whether each ratio reaches its target, and renders any section."""

import pathlib
import tempfile
import unittest

import report

MACHINE = {"command": "script/bench --quick", "processor": "a fast one", "versions": {"gRPC": "1"}}


def ratio(value, target, kind="at least", limit=None):
    return {"title": "a / b", "value": value, "rounds": [value / 2, value * 2], "target": target,
            "target_kind": kind, "limit": limit}


def section(name, **content):
    return {"section": name, "notes": [], "tables": [], "ratios": [], "plots": []} | content


class TargetTest(unittest.TestCase):

    def test_at_least_is_met_from_the_target_upwards(self):
        self.assertTrue(report.is_met(ratio(1.6, 1.6)))
        self.assertFalse(report.is_met(ratio(1.59, 1.6)))

    def test_at_most_is_met_from_the_target_downwards(self):
        self.assertTrue(report.is_met(ratio(1.1, 1.1, "at most")))
        self.assertFalse(report.is_met(ratio(1.11, 1.1, "at most")))

    def test_a_ratio_without_a_target_is_neither_met_nor_missed(self):
        self.assertIsNone(report.is_met(ratio(1.0, None)))


class MarkdownTest(unittest.TestCase):

    def markdown(self, *sections):
        return report.markdown({"machine": MACHINE, "sections": sections})

    def row_of(self, value):
        text = self.markdown(section("Kernels", ratios=[value]))
        (row,) = [line for line in text.splitlines() if "a / b" in line]
        return [cell.strip() for cell in row.strip("|").split("|")]

    def test_a_ratio_shows_its_rounds_and_whether_its_target_is_met(self):
        self.assertEqual(self.row_of(ratio(12.345, 10)),
                         ["a / b", "12.3", "6.17 … 24.7", "–", "at least 10", "met"])
        self.assertEqual(self.row_of(ratio(12.345, 10, "at most"))[-2:],
                         ["at most 10", "**not met**"])
        self.assertEqual(self.row_of(ratio(12.345, None))[-2:], ["–", ""])

    def test_a_target_that_even_the_limit_misses_is_marked(self):
        self.assertEqual(self.row_of(ratio(8.0, 10, limit=9.0))[-3:],
                         ["9", "at least 10", "**not met**, nor by the limit"])
        self.assertEqual(self.row_of(ratio(8.0, 10, limit=11.0))[-1], "**not met**")
        self.assertEqual(self.row_of(ratio(10.0, 10, limit=9.0))[-1], "met")

    def test_every_section_has_its_notes_tables_and_plots(self):
        text = self.markdown(
            section("Kernels", notes=["a note"]),
            section("RPC", tables=[{"title": "calls", "columns": ["", "1 KiB"],
                                    "rows": [["echo", 1234.5], ["quantd", None]]}],
                    plots=[{"title": "a plot", "file": "a.svg"}]))
        for expected in ("## Kernels", "- a note", "## RPC", "### calls", "| echo   | 1234  |",
                         "| quantd | –     |", "![a plot](a.svg)", "`script/bench --quick`",
                         "a fast one", "gRPC 1"):
            self.assertIn(expected, text)


class PlotTest(unittest.TestCase):

    def draw(self, **plot):
        with tempfile.TemporaryDirectory() as folder:
            report.write_plots([section("RPC", plots=[
                {"title": "a title", "file": "a.svg", "x_label": "x", "y_label": "y",
                 "x": [4096, 1048576], "x_scale": "log2"} | plot])], pathlib.Path(folder))
            return pathlib.Path(folder, "a.svg").read_text(encoding="utf-8")

    def test_a_series_may_have_gaps_or_be_absent(self):
        for series in ({"echo": [1.5, None]}, {"echo": [None, None]}, {}):
            with self.subTest(series):
                self.assertIn("<svg", self.draw(series=series))

    def test_sizes_and_names_are_readable_on_a_white_background(self):
        text = self.draw(series={"echo": [1.5, 20.0]}, y_scale="log10")
        for expected in ("4 KiB", "1 MiB", "echo", "a title", "fill: #ffffff"):
            self.assertIn(expected, text)

    def test_the_same_results_produce_the_same_file(self):
        series = {"echo": [1.5, 20.0]}
        self.assertEqual(self.draw(series=series), self.draw(series=series))


if __name__ == "__main__":
    unittest.main()
