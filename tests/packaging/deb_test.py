"""Tests the packages that cpack makes: the .deb and the archive."""

import os
import pathlib
import re
import subprocess
import tarfile
import tempfile
import unittest

PROGRAM_FILES = {
    "bin/quantctl",
    "bin/quantd",
    "share/bash-completion/completions/quantctl",
    "share/bash-completion/completions/quantd",
    "share/doc/quantd/README.md",
    "share/doc/quantd/load-testing.md",
    "share/fish/vendor_completions.d/quantctl.fish",
    "share/fish/vendor_completions.d/quantd.fish",
    "share/man/man1/quantctl.1.gz",
    "share/man/man1/quantd.1.gz",
    "share/quantd/proto/google/rpc/error_details.proto",
    "share/quantd/proto/google/rpc/status.proto",
    "share/quantd/proto/grpc/health/v1/health.proto",
    "share/quantd/proto/quantd/v1/quantization.proto",
    "share/quantd/proto/quantd/v1/quantization_service.proto",
    "share/quantd/proto/quantd/v1/tensor.proto",
}
DEBIAN_FILES = {f"usr/{file}" for file in PROGRAM_FILES} | {
    "etc/quantd/quantd.toml",
    "lib/systemd/system/quantd.service",
    "usr/share/doc/quantd/changelog.Debian.gz",
    "usr/share/doc/quantd/changelog.gz",
    "usr/share/doc/quantd/copyright",
    "usr/share/lintian/overrides/quantd",
    "usr/share/zsh/vendor-completions/_quantctl",
    "usr/share/zsh/vendor-completions/_quantd",
}
ARCHIVE_FILES = PROGRAM_FILES | {
    "etc/quantd/quantd.toml",
    "lib/systemd/system/quantd.service",
    "share/doc/quantd/CHANGELOG.md",
    "share/doc/quantd/LICENSE",
    "share/zsh/site-functions/_quantctl",
    "share/zsh/site-functions/_quantd",
}


def run(*command, cwd=None):
    return subprocess.run(command, text=True, check=True, stdout=subprocess.PIPE, timeout=240,
                          cwd=cwd).stdout


class PackageTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory(prefix="quantd-packages-")
        cls.addClassCleanup(directory.cleanup)
        cls.directory = pathlib.Path(directory.name)
        run(os.environ["QUANTD_CPACK"], "--config",
            pathlib.Path(os.environ["QUANTD_BUILD_DIR"], "CPackConfig.cmake"), "-B", cls.directory,
            cwd=cls.directory)
        (cls.deb,) = cls.directory.glob("*.deb")
        (cls.archive,) = cls.directory.glob("*.tar.gz")
        cls.control = cls.directory / "control"
        run("dpkg-deb", "--control", cls.deb, cls.control)

    def fields(self):
        """Returns the single-line fields of the control file."""
        text = (self.control / "control").read_text(encoding="utf-8")
        return dict(re.findall(r"(?m)^([A-Z][A-Za-z-]+): (.*)$", text))

    def test_they_are_named_by_version_and_architecture(self):
        architecture = run("dpkg", "--print-architecture").strip()
        version = os.environ["QUANTD_VERSION"]
        self.assertEqual(self.deb.name, f"quantd_{version}-1_{architecture}.deb")
        self.assertRegex(self.archive.name, rf"^quantd-{re.escape(version)}-linux-\w+\.tar\.gz$")

    def test_the_deb_puts_its_files_where_debian_expects_them(self):
        tar = subprocess.run(["dpkg-deb", "--fsys-tarfile", self.deb], check=True, timeout=60,
                             stdout=subprocess.PIPE).stdout
        listing = subprocess.run(["tar", "-tv", "--numeric-owner"], input=tar, check=True, timeout=60,
                                 stdout=subprocess.PIPE).stdout.decode()
        files = {}
        for line in listing.splitlines():
            mode, owner, _, _, _, name = line.split(maxsplit=5)
            self.assertEqual(owner, "0/0", name)
            if not name.endswith("/"):
                files[name.removeprefix("./")] = mode
        self.assertEqual(set(files), DEBIAN_FILES)
        for name, mode in files.items():
            self.assertEqual(mode, "-rwxr-xr-x" if "/bin/" in name else "-rw-r--r--", name)

    def test_the_archive_has_a_single_top_level_folder(self):
        with tarfile.open(self.archive) as archive:
            names = {member.name for member in archive if member.isfile()}
        folder = self.archive.name.removesuffix(".tar.gz")
        self.assertEqual(names, {f"{folder}/{file}" for file in ARCHIVE_FILES})

    def test_the_deb_depends_on_the_libraries_that_its_programs_load(self):
        depends = self.fields()["Depends"]
        for library in ("libc6", "libgrpc++1.51", "libprotobuf32", "libtbb12",
                        "libtcmalloc-minimal4"):
            self.assertRegex(depends, rf"(^|, ){re.escape(library)}( \(|,|$)")

    def test_the_deb_describes_itself(self):
        fields = self.fields()
        self.assertEqual(fields["Package"], "quantd")
        self.assertEqual(fields["Section"], "net")
        self.assertRegex(fields["Maintainer"], r"^.+ <.+@.+>$")
        self.assertTrue(fields["Description"])

    def test_the_configuration_belongs_to_the_administrator(self):
        conffiles = (self.control / "conffiles").read_text(encoding="utf-8").split()
        self.assertEqual(conffiles, ["/etc/quantd/quantd.toml"])

    def test_its_scripts_are_valid_and_stop_at_the_first_error(self):
        for name in ("postinst", "prerm", "postrm"):
            with self.subTest(name):
                script = self.control / name
                run("sh", "-n", script)
                self.assertRegex(script.read_text(encoding="utf-8"), r"(?m)^set -e$")
                self.assertEqual(script.stat().st_mode & 0o777, 0o755)

    def test_its_programs_are_stripped(self):
        run("dpkg-deb", "--extract", self.deb, self.directory / "root")
        for program in ("quantd", "quantctl"):
            self.assertRegex(run("file", self.directory / "root/usr/bin" / program), r"(?<!not) stripped")


if __name__ == "__main__":
    unittest.main()
