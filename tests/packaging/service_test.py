"""Tests that the systemd unit is valid and sandboxed."""

import configparser
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

BINARY_DIRECTORY = pathlib.Path(os.environ["QUANTD_BINARY_DIR"])
UNITS = {package: pathlib.Path(os.environ["QUANTD_BUILD_DIR"], "packaging", package, "quantd.service")
         for package in ("debian", "archive")}

# The exposure level of systemd-analyze, in tenths: 0 is fully sandboxed, 100 is not sandboxed at all.
# Below 20 it reports OK.
MOST_EXPOSURE = 19


def analyze(*arguments):
    return subprocess.run(["systemd-analyze", *arguments], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=120)


class ServiceTest(unittest.TestCase):

    def test_systemd_accepts_it_without_warnings(self):
        for package, unit in UNITS.items():
            with self.subTest(package), tempfile.TemporaryDirectory() as directory:
                # The program that the unit starts is not installed here.
                text = re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={BINARY_DIRECTORY}/quantd",
                              unit.read_text(encoding="utf-8"))
                here = pathlib.Path(directory, "quantd.service")
                here.write_text(text, encoding="utf-8")
                done = analyze("verify", "--man=no", "--recursive-errors=no", here)
                self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_systemd_considers_it_well_sandboxed(self):
        for package, unit in UNITS.items():
            with self.subTest(package):
                done = analyze("security", "--offline=true", "--no-pager",
                               f"--threshold={MOST_EXPOSURE}", unit)
                self.assertEqual(done.returncode, 0, done.stdout)

    def test_it_starts_the_installed_server_with_the_installed_configuration(self):
        for package, prefix, configuration in (
            ("debian", "/usr", "/etc/quantd/quantd.toml"),
            ("archive", "/usr/local", "/usr/local/etc/quantd/quantd.toml"),
        ):
            self.assertEqual(self.service(package)["ExecStart"],
                             f"{prefix}/bin/quantd --config {configuration}")

    def test_it_gives_the_server_enough_time_to_drain(self):
        done = subprocess.run([BINARY_DIRECTORY / "quantd", "--check-config"], text=True, check=True,
                              stdout=subprocess.PIPE, timeout=60, env={})
        drain_seconds = int(re.search(r'(?m)^drain-timeout = "(\d+)s"$', done.stdout)[1])
        self.assertGreater(int(self.service("debian")["TimeoutStopSec"]), drain_seconds)

    def service(self, package):
        """Returns the unit's [Service] section. If a key occurs twice, the last one counts."""
        parser = configparser.ConfigParser(strict=False, interpolation=None)
        parser.optionxform = str
        parser.read(UNITS[package], encoding="utf-8")
        return parser["Service"]


if __name__ == "__main__":
    unittest.main()
