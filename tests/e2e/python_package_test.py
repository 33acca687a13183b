"""Tests the built Python package: its contents, and its compatibility with other packages."""

import email
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

import quantd

import python_clients
import quantd_process

SOURCE = pathlib.Path(os.environ["QUANTD_SOURCE_DIR"])
# The wheel that the build made, and the folder where it is installed.
WHEEL = pathlib.Path(os.environ["QUANTD_PYTHON_WHEEL"])
SITE = pathlib.Path(os.environ["QUANTD_PYTHON_SITE"])


def python(*arguments, directory=None):
    """Runs a program with this Python, and returns its standard output."""
    environment = quantd_process.clean_environment({"PYTHONPATH": str(SITE)})
    done = subprocess.run([sys.executable, *map(str, arguments)], cwd=directory, env=environment, check=False,
                          capture_output=True, text=True, timeout=quantd_process.DEADLINE_SECONDS)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return done.stdout


def contents(wheel):
    """Returns the files of a wheel by name, as bytes."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


class WheelTest(quantd_process.QuantdTestCase):

    def test_the_tests_use_the_installed_wheel(self):
        self.assertEqual(pathlib.Path(quantd.__file__).parent, SITE / "quantd")

    def test_types_license_and_schema_are_inside(self):
        files = contents(WHEEL)
        self.assertIn("quantd/py.typed", files)
        (license_file,) = (name for name in files if name.endswith(".dist-info/LICENSE"))
        self.assertEqual(files[license_file], (SOURCE / "LICENSE").read_bytes())
        for message in (b"FakeQuantizeGradientRequest", b"ErrorInfo", b"HealthCheckRequest"):
            self.assertIn(message, files["quantd/schema.binpb"])

    def test_nothing_else_is_inside(self):
        sources = {f"quantd/{file.name}" for file in (SOURCE / "client/python/src/quantd").glob("*.py")}
        others = {name for name in contents(WHEEL) if ".dist-info/" not in name}
        self.assertEqual(others, sources | {"quantd/py.typed", "quantd/schema.binpb"})

    def test_it_describes_itself(self):
        files = contents(WHEEL)
        (name,) = (name for name in files if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(files[name])
        self.assertEqual(metadata["Name"], "quantd")
        self.assertIn("quantd.Client(", metadata.get_payload())
        self.assertEqual({requirement.partition(" ")[0] for requirement in metadata.get_all("Requires-Dist")},
                         {"grpcio", "numpy", "protobuf"})
        with python_clients.connected_to(self.quantd.address) as client:
            self.assertEqual(metadata["Version"], client.server_info().version)

    def test_the_source_distribution_builds_the_same_wheel(self):
        with tempfile.TemporaryDirectory(prefix="quantd-sdist-") as directory:
            directory = pathlib.Path(directory)
            shutil.copytree(SOURCE / "client/python", directory / "source",
                            ignore=shutil.ignore_patterns("build", "dist", "*.egg-info"))
            build = "import sys, setuptools.build_meta as backend; getattr(backend, sys.argv[1])(sys.argv[2])"
            python("-c", build, "build_sdist", directory, directory=directory / "source")
            (archive,) = directory.glob("quantd-*.tar.gz")
            shutil.unpack_archive(archive, directory)
            python("-c", build, "build_wheel", directory,
                   directory=directory / archive.name.removesuffix(".tar.gz"))
            (wheel,) = directory.glob("*.whl")
            actual, expected = contents(wheel), contents(WHEEL)
            self.assertEqual(actual.keys(), expected.keys())
            for name in expected:
                self.assertEqual(actual[name], expected[name], name)


class NeighboursTest(unittest.TestCase):
    """Tests that run in new processes, because modules stay loaded."""

    def test_another_version_of_the_shared_messages_may_be_loaded_first(self):
        output = python("-c", """
from google.protobuf import descriptor_pb2, descriptor_pool
for name, package, message in (("google/rpc/error_details.proto", "google.rpc", "ErrorInfo"),
                               ("google/rpc/status.proto", "google.rpc", "Status"),
                               ("grpc/health/v1/health.proto", "grpc.health.v1", "HealthCheckRequest")):
    file = descriptor_pb2.FileDescriptorProto(name=name, package=package, syntax="proto3")
    fields = file.message_type.add(name=message).field
    fields.add(name="another", number=9, type="TYPE_BOOL", label="LABEL_OPTIONAL")
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
import quantd
print(quantd.Client.__name__)
""")
        self.assertEqual(output, "Client\n")

    def test_it_registers_no_messages_that_others_could_clash_with(self):
        output = python("-c", """
import quantd
from google.protobuf import descriptor_pool
for name in ("google/rpc/status.proto", "quantd/v1/tensor.proto", "grpc/health/v1/health.proto"):
    try:
        descriptor_pool.Default().FindFileByName(name)
        print(name)
    except KeyError:
        pass
""")
        self.assertEqual(output, "")


if __name__ == "__main__":
    unittest.main()
