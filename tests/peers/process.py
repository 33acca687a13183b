"""Runs producers, each in a process of its own."""

import os
import pathlib
import subprocess
import sys
import tempfile

import case as cases

_HERE = pathlib.Path(__file__).parent
_DEBIAN_PYTHON = "/usr/bin/python3"


class ProducerError(Exception):
    """A producer could not compute a case."""


class ProducerProcess:
    """A producer that runs. Use as a context manager."""

    def __init__(self, module, python=sys.executable, environment=None):
        self._module = module
        # Libraries log much that does not matter, unless the producer fails.
        self._log = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [python, "-m", "producers.serve", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._log, cwd=_HERE, env=_environment(environment))
        greeting = cases.read(self._process.stdout)
        if greeting is None:
            raise ProducerError(f"{module} did not start:\n{self._messages()}")
        self.version = greeting["version"]

    def compute(self, case):
        """Returns the producer's results as a dictionary of arrays."""
        cases.write(self._process.stdin, cases.to_fields(case))
        answer = cases.read(self._process.stdout)
        if answer is None:
            raise ProducerError(f"{self._module} ended:\n{self._messages()}")
        if "error" in answer:
            raise ProducerError(f"{self._module} failed:\n{answer['error']}")
        return answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
        self._log.close()

    def _messages(self):
        """Waits for the end of the process, and returns the end of its log."""
        self._process.wait()
        self._log.seek(0)
        return self._log.read()[-4000:].decode("utf-8", "replace")


def _environment(extra):
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("XLA_", "TF_", "PYTHON"))}
    # The messages of TensorFlow below errors are not about results.
    return kept | {"PYTHONDONTWRITEBYTECODE": "1", "TF_CPP_MIN_LOG_LEVEL": "2"} | (extra or {})


_FUSED = {"XLA_FLAGS": "--xla_cpu_max_isa=AVX2"}
_UNFUSED = {"XLA_FLAGS": "--xla_cpu_max_isa=AVX"}

#: How to start each producer that a row may name. A new one: a module in producers/, and an entry here.
PRODUCERS = {
    "tensorflow_eager": {"module": "tensorflow_eager"},
    # oneDNN's kernels of QuantizeV2 give other codes.
    "tensorflow_older_ops": {"module": "tensorflow_older_ops", "environment": {"TF_ENABLE_ONEDNN_OPTS": "0"}},
    "tensorflow_xla": {"module": "tensorflow_xla", "environment": _FUSED},
    "tensorflow_xla_unfused": {"module": "tensorflow_xla", "environment": _UNFUSED},
    "keras_jax": {"module": "keras_jax", "environment": _FUSED},
    "keras_jax_unfused": {"module": "keras_jax", "environment": _UNFUSED},
    "onnx_runtime": {"module": "onnx_runtime"},
    "onnx_reference": {"module": "onnx_reference"},
    "pytorch": {"module": "pytorch", "python": _DEBIAN_PYTHON},
    "litert": {"module": "litert"},
}


def start(name):
    """Starts one of PRODUCERS."""
    return ProducerProcess(**PRODUCERS[name])
