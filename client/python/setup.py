"""Compiles proto/ with protoc and adds the schema to the package; pyproject.toml defines the rest."""

import pathlib
import shutil
import subprocess

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.errors import PlatformError

HERE = pathlib.Path(__file__).parent
# A symbolic link in the repository, and a copy in a source distribution.
PROTO = HERE / "proto"


class BuildWithSchema(build_py):
    """Compiles the schema into the file that src/quantd/_schema.py reads."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            self.mkpath(str(self.schema.parent))
        compile_schema(self.schema)

    @property
    def schema(self) -> pathlib.Path:
        root = HERE / "src" if self.editable_mode else pathlib.Path(self.build_lib)
        return root / "quantd" / "schema.binpb"

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        return [*super().get_outputs(include_bytecode), str(self.schema)]


def compile_schema(target: pathlib.Path) -> None:
    """Writes the descriptors of all files of the schema, as a FileDescriptorSet."""
    protoc = shutil.which("protoc")
    if protoc is None:
        raise PlatformError("protoc, which compiles the schema, is not in PATH: install it "
                            "(Debian: apt-get install protobuf-compiler)")
    files = sorted(str(file.relative_to(PROTO)) for file in PROTO.rglob("*.proto"))
    if not files:
        raise PlatformError(f"there are no .proto files in {PROTO}: build from a complete checkout of "
                            "quantd, where client/python/proto links to the schema, or from a source "
                            "distribution")
    subprocess.run([protoc, "-I", PROTO, "--include_imports", f"--descriptor_set_out={target}", *files],
                   check=True)


setup(cmdclass={"build_py": BuildWithSchema})
