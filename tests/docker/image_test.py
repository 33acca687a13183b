"""Tests the contents of the container image without a container engine; script/test-image uses one."""

import json
import os
import pathlib
import re
import stat
import subprocess
import tempfile
import unittest

import quantd_process

SOURCE_DIRECTORY = pathlib.Path(os.environ["QUANTD_SOURCE_DIR"])
VERSION = os.environ["QUANTD_VERSION"]
COLLECT_ROOT = SOURCE_DIRECTORY / "docker" / "collect-root"
DOCKERFILE = (SOURCE_DIRECTORY / "docker" / "Dockerfile").read_text(encoding="utf-8")
PROGRAMS = {"quantd": quantd_process.QUANTD, "quantctl": quantd_process.QUANTCTL}


def collect_root(root, *programs):
    return subprocess.run([COLLECT_ROOT, root, *programs], capture_output=True, text=True, check=False)


class CollectRootTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory(prefix="quantd-image-")
        cls.addClassCleanup(directory.cleanup)
        cls.directory = pathlib.Path(directory.name)
        cls.root = cls.directory / "root"
        done = collect_root(cls.root, *PROGRAMS.values())
        if done.returncode != 0:
            raise RuntimeError(done.stdout + done.stderr)

    def load(self, *arguments):
        """Runs the root's own loader, which only finds the root's libraries."""
        (loader,) = [path for path in self.root.glob("usr/lib*/**/ld-linux*")]
        libraries = {str(path.parent) for path in (self.root / "usr").rglob("*.so*")}
        return subprocess.run(
            [loader, "--inhibit-cache", "--library-path", ":".join(libraries), *arguments],
            env=quantd_process.clean_environment(), capture_output=True, text=True, check=False)

    def test_the_programs_load_only_from_the_root(self):
        for name in PROGRAMS:
            with self.subTest(name):
                program = self.root / "usr" / "bin" / name
                listed = self.load("--list", program).stdout
                found = re.findall(r"=> (/\S+) \(", listed)
                self.assertNotEqual(found, [])
                outside = [path for path in found if not path.startswith(str(self.root))]
                # The loader appears under the name that the program uses for it.
                self.assertEqual([path for path in outside if "ld-linux" not in path], [])
                self.assertNotIn("not found", listed)
                done = self.load(program, "--version")
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertRegex(done.stdout, rf"^{name} \d")

    def test_there_are_no_other_programs(self):
        found = {path.name for path in (self.root / "usr" / "bin").iterdir()}
        self.assertEqual(found, PROGRAMS.keys())
        self.assertFalse((self.root / "bin").exists())

    def test_it_is_small(self):
        files = [path for path in self.root.rglob("*") if path.is_file() and not path.is_symlink()]
        self.assertLess(sum(file.stat().st_size for file in files), 90_000_000)

    def test_only_tmp_is_writable(self):
        writable = [path.relative_to(self.root) for path in self.root.rglob("*")
                    if not path.is_symlink() and path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)]
        self.assertEqual(writable, [pathlib.Path("tmp")])

    def test_the_user_of_the_image_has_a_name_and_certificates(self):
        user = re.search(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)
        passwd = (self.root / "etc" / "passwd").read_text(encoding="utf-8")
        self.assertIn(f"quantd:x:{user[1]}:{user[2]}:", passwd)
        certificates = (self.root / "etc/ssl/certs/ca-certificates.crt").read_text(encoding="utf-8")
        self.assertIn("BEGIN CERTIFICATE", certificates)

    def test_every_library_s_license_is_included(self):
        packages = {path.parent.name for path in (self.root / "usr/share/doc").rglob("copyright")}
        self.assertLessEqual({"libc6", "libgrpc29", "libprotobuf32", "libtbb12"}, packages)

    def test_errors_name_what_cannot_be_collected(self):
        text = self.directory / "text"
        text.write_text("no program\n", encoding="utf-8")
        for root, program, message in (
            (self.directory / "other", text, f"'{text}' is not a program"),
            (self.root, PROGRAMS["quantd"], f"'{self.root}' exists"),
        ):
            with self.subTest(message):
                done = collect_root(root, program)
                self.assertEqual(done.returncode, 1)
                self.assertIn(message, done.stderr)


class ImageConfigurationTest(unittest.TestCase):

    def environment(self):
        block = re.search(r"^ENV ((?:.*\\\n)*.*)$", DOCKERFILE, re.MULTILINE)[1]
        return dict(setting.split("=", 1) for setting in block.replace("\\\n", " ").split())

    def test_the_server_accepts_its_environment_and_listens_on_all_addresses(self):
        environment = self.environment()
        done = quantd_process.run(quantd_process.QUANTD, "--check-config", environment=environment)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        ports = re.search(r"^EXPOSE (\d+) (\d+)$", DOCKERFILE, re.MULTILINE)
        self.assertEqual(environment["QUANTD_LISTEN"], f"[::]:{ports[1]}")
        self.assertEqual(environment["QUANTD_METRICS_LISTEN"], f"0.0.0.0:{ports[2]}")
        self.assertEqual(environment["QUANTCTL_SERVER"], f"127.0.0.1:{ports[1]}")
        # Nothing but its ports can be wrong.
        with quantd_process.Quantd(metrics_listen="0.0.0.0:0", listen=["[::]:0"],
                                   environment=environment) as quantd:
            self.assertTrue(quantd.is_running())

    def test_it_can_be_run_with_tls_as_its_comment_says(self):
        said = re.search(r"^# QUANTD_INSECURE (?:.*\n#)*.*", DOCKERFILE, re.MULTILINE)[0]
        environment = self.environment() | dict(re.findall(r"-e (\w+)=(\S+)", said))
        (mounted,) = re.findall(r":(/\S+):ro", said)
        for name in ("QUANTD_TLS_CERT", "QUANTD_TLS_KEY"):
            self.assertTrue(environment[name].startswith(f"{mounted}/"))
        self.assertEqual(environment["QUANTD_LISTEN"].split(",")[1], environment["QUANTCTL_SERVER"])
        done = quantd_process.run(quantd_process.QUANTD, "--check-config", environment=environment)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_the_health_check_passes_only_while_the_server_serves(self):
        command = json.loads(re.search(r"^HEALTHCHECK .*\\\n *CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)[1])
        program = PROGRAMS[pathlib.Path(command[0]).name]
        with quantd_process.Quantd("--insecure", listen=["[::]:0"]) as quantd:
            environment = {"QUANTCTL_SERVER": quantd.address.replace("[::]", "127.0.0.1")}
            done = quantd_process.run(program, *command[1:], environment=environment)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "SERVING\n", ""))
        done = quantd_process.run(program, *command[1:], environment=environment)
        self.assertEqual(done.returncode, 1)

    def test_the_image_has_the_project_s_version(self):
        self.assertEqual(re.search(r"^ARG VERSION=(.*)$", DOCKERFILE, re.MULTILINE)[1], VERSION)


if __name__ == "__main__":
    unittest.main()
