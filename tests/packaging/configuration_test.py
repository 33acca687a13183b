"""Tests the configuration file that packages install, in which all settings are commented out."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

QUANTD = pathlib.Path(os.environ["QUANTD_BINARY_DIR"]) / "quantd"
CONFIGURATION = pathlib.Path(os.environ["QUANTD_BUILD_DIR"]) / "packaging/documentation/quantd.toml"

# The settings that the file does not take from the machine that built it, and what it has instead.
EXAMPLES = {"worker-threads": "1", "memory-limit": '"4GiB"'}


def in_effect(*arguments):
    """Returns the settings that would be in effect, by name. Raises an error if quantd rejects them."""
    done = subprocess.run([QUANTD, *arguments, "--check-config"], text=True, check=True,
                          stdout=subprocess.PIPE, timeout=60, env={})
    return dict(re.findall(r"(?m)^([a-z-]+) = (.*)$", done.stdout))


class ConfigurationTest(unittest.TestCase):

    def setUp(self):
        self.text = CONFIGURATION.read_text(encoding="utf-8")

    def test_it_changes_nothing(self):
        self.assertEqual(in_effect("--config", CONFIGURATION), in_effect())

    def test_it_has_every_setting_with_its_default(self):
        keys = dict(re.findall(r"(?m)^#([a-z-]+) = (.*)$", self.text))
        # The defaults of this machine may be others.
        defaults = in_effect("--worker-threads=1", "--memory-limit=4GiB")
        self.assertEqual(EXAMPLES, {key: defaults[key] for key in EXAMPLES})
        self.assertEqual(keys, defaults)

    def test_every_setting_can_be_enabled(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml", encoding="utf-8") as file:
            file.write(re.sub(r"(?m)^#([a-z-]+ = )", r"\1", self.text))
            file.flush()
            self.assertEqual(in_effect("--config", file.name),
                             in_effect("--worker-threads=1", "--memory-limit=4GiB"))

    def test_every_setting_is_explained(self):
        lines = self.text.splitlines()
        for before, line in zip(lines, lines[1:]):
            if re.match(r"#[a-z-]+ = ", line):
                self.assertRegex(before, r"^# [A-Z].*\.$")


if __name__ == "__main__":
    unittest.main()
