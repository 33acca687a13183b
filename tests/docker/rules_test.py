"""Tests that promtool accepts Prometheus' rules, and that every alert is tested and has a runbook."""

import os
import pathlib
import re
import subprocess
import unittest

import yaml

SOURCE_DIRECTORY = pathlib.Path(os.environ["QUANTD_SOURCE_DIR"])
PROMETHEUS = SOURCE_DIRECTORY / "docker" / "prometheus"
OPERATIONS = SOURCE_DIRECTORY / "docs" / "operations.md"
RULES_TEST = SOURCE_DIRECTORY / "tests" / "docker" / "alerts_test.yaml"


def alerts():
    groups = yaml.safe_load((PROMETHEUS / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def promtool(*arguments):
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


class RulesTest(unittest.TestCase):

    def test_promtool_accepts_the_configuration_and_the_rules_it_names(self):
        code, said = promtool("check", "config", PROMETHEUS / "prometheus.yaml")
        self.assertEqual(code, 0, said)
        self.assertIn("2 rule files found", said)

    def test_alerts_fire_when_they_should_and_only_then(self):
        code, said = promtool("test", "rules", RULES_TEST)
        self.assertEqual(code, 0, said)

    def test_every_alert_is_tested_firing_and_not_firing(self):
        fires, silent = set(), set()
        for case in yaml.safe_load(RULES_TEST.read_text(encoding="utf-8"))["tests"]:
            for expectation in case["alert_rule_test"]:
                (fires if expectation.get("exp_alerts") else silent).add(expectation["alertname"])
        names = {alert["alert"] for alert in alerts()}
        self.assertEqual(fires, names)
        self.assertEqual(silent, names)

    def test_every_alert_has_a_runbook_with_its_name(self):
        headings = set(re.findall(r"^#+ (\w+)$", OPERATIONS.read_text(encoding="utf-8"), re.MULTILINE))
        for alert in alerts():
            with self.subTest(alert["alert"]):
                self.assertIn(alert["alert"], headings)
                self.assertEqual(alert["annotations"]["runbook"],
                                 f"docs/operations.md#{alert['alert'].lower()}")
                self.assertIn(alert["labels"]["severity"], ("critical", "warning"))


if __name__ == "__main__":
    unittest.main()
