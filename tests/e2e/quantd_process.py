"""Runs the real quantd and quantctl, each server on free ports and in a separate directory."""

import contextlib
import os
import pathlib
import re
import resource
import selectors
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.request

import grpc
from prometheus_client.parser import text_string_to_metric_families

import api

BINARIES = pathlib.Path(os.environ["QUANTD_BINARY_DIR"])
QUANTD = BINARIES / "quantd"
QUANTCTL = BINARIES / "quantctl"

# The time limit for all operations, which is generous because sanitizers on a busy machine are slow.
DEADLINE_SECONDS = 60

_SERVING_LINE = re.compile(
    r"quantd \S+ serving on (?P<addresses>.+?)"
    r"(?:, metrics on https?://(?P<metrics>\S+)/metrics)? "
    r"\((?P<simd_target>\w+), (?P<threads>\d+) worker threads?\)\n"
)


def clean_environment(extra=None):
    """Returns the environment without variables that would change quantd's or gRPC's behavior."""
    kept = {
        key: value for key, value in os.environ.items()
        if not key.startswith(("QUANTD_", "QUANTCTL_", "GRPC_"))
        and not key.lower().endswith("_proxy")
    }
    return kept | (extra or {})


def run(program, *arguments, environment=None):
    """Runs a program to completion, and returns its subprocess.CompletedProcess, with text."""
    return subprocess.run(
        [program, *map(str, arguments)], env=clean_environment(environment), check=False,
        capture_output=True, text=True, timeout=DEADLINE_SECONDS,
    )


def wait_until(condition, what):
    """Evaluates `condition` repeatedly until it is true, and returns its value."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        if result := condition():
            return result
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {DEADLINE_SECONDS} s for {what}")
        time.sleep(0.005)


class Quantd:
    """A running quantd. As a context manager, it is stopped on exit, and its exit code is checked."""

    def __init__(self, *flags, listen=("localhost:0",), metrics_listen="localhost:0",
                 environment=None, descriptor_limit=None, stderr=None, before_start=None):
        """`descriptor_limit` is like `ulimit -n`, or a pair of a soft and a hard limit. `stderr` is
        where the server writes its log instead of the file of `log`; `before_start` is called in its
        process before quantd replaces it."""
        self._directory = tempfile.TemporaryDirectory(prefix="quantd-")
        self.directory = pathlib.Path(self._directory.name)
        self._log_path = self.directory / "stderr"
        arguments = [QUANTD, "--metrics-listen", metrics_listen, *flags]
        for address in listen:
            arguments.append(f"--listen={address.format(directory=self.directory)}")
        if isinstance(descriptor_limit, int):
            descriptor_limit = (descriptor_limit, descriptor_limit)

        def prepare():
            if descriptor_limit is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, descriptor_limit)
            if before_start is not None:
                before_start()

        with open(self._log_path, "wb") as log:
            self._process = subprocess.Popen(
                arguments, env=clean_environment(environment), cwd=self.directory,
                stdout=subprocess.PIPE, stderr=log if stderr is None else stderr,
                # Without it, Python needs no fork(), which gRPC's clients do not always survive.
                preexec_fn=prepare if descriptor_limit or before_start else None,
            )
        self._channels = contextlib.ExitStack()
        try:
            serving = self._read_serving_line()
        except BaseException:
            self.kill()
            raise
        self.addresses = serving["addresses"].split(", ")
        self.metrics_address = serving["metrics"]
        self.simd_target = serving["simd_target"]
        self.worker_threads = int(serving["threads"])

    @property
    def address(self):
        """The first address on which the server listens."""
        return self.addresses[0]

    @property
    def log(self):
        """What the server has written to stderr so far. A thread of its own writes it: while the server
        runs, a line may come later than what it describes."""
        return self._log_path.read_text(encoding="utf-8", errors="replace")

    def wait_for_log(self, text):
        """Waits until the log has `text`, and returns the lines that have it."""
        return wait_until(lambda: [line for line in self.log.splitlines(keepends=True)
                                   if text in line and line.endswith("\n")],
                          f"{text} in the log")

    def connect(self, address=None, credentials=None):
        """Returns a connected channel with a separate connection, which is closed when the server stops.
        It is encrypted if there are `credentials`.

        gRPC 1.51 sometimes treats a connection in progress as failed and retries it (see its pull request
        35064). A call that does not wait for the connection fails in that case.
        """
        options = (
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            ("grpc.enable_http_proxy", 0),
            ("grpc.use_local_subchannel_pool", 1),
        )
        address = address or self.address
        channel = self._channels.enter_context(
            grpc.secure_channel(address, credentials, options) if credentials
            else grpc.insecure_channel(address, options))
        grpc.channel_ready_future(channel).result(DEADLINE_SECONDS)
        return channel

    def stub(self):
        """Returns a QuantizationServiceStub with a separate connection."""
        return api.QuantizationServiceStub(self.connect())

    def metrics_text(self):
        """Returns the metrics page as text."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        url = f"http://{self.metrics_address}/metrics"
        with opener.open(url, timeout=DEADLINE_SECONDS) as answer:
            return answer.read().decode("utf-8")

    def metrics(self):
        """Returns the parsed metrics page."""
        return Metrics(self.metrics_text())

    @property
    def process_id(self):
        return self._process.pid

    def resident_bytes(self):
        """Returns how much memory the process has."""
        return self._status_bytes("VmRSS")

    def peak_bytes(self):
        """Returns how much memory the process has had at most."""
        return self._status_bytes("VmHWM")

    def processor_seconds(self):
        """Returns how much processor time the process has used."""
        stat = pathlib.Path(f"/proc/{self.process_id}/stat").read_text(encoding="utf-8")
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def signal(self, number=signal.SIGTERM):
        self._process.send_signal(number)

    def is_running(self):
        return self._process.poll() is None

    def wait(self):
        """Waits until the server has ended, and returns the exit code."""
        return self._process.wait(DEADLINE_SECONDS)

    def stop(self):
        """Stops the server. Raises an error if it does not end properly."""
        if self.is_running():
            self.signal(signal.SIGTERM)
        try:
            code = self.wait()
            if code != 0:
                raise RuntimeError(f"quantd ended with exit code {code}:\n{self.log}")
        finally:
            self.kill()

    def __enter__(self):
        return self

    def __exit__(self, exception_type, exception, traceback):
        if exception_type is None:
            self.stop()
        else:
            self.kill()

    def _status_bytes(self, name):
        with open(f"/proc/{self.process_id}/status", encoding="utf-8") as status:
            (line,) = (line for line in status if line.startswith(f"{name}:"))
        return int(line.split()[1]) * 1024

    def _read_serving_line(self):
        line = b""
        deadline = time.monotonic() + DEADLINE_SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n") and selector.select(deadline - time.monotonic()):
                part = os.read(self._process.stdout.fileno(), 4096)
                if not part:
                    break
                line += part
        serving = _SERVING_LINE.fullmatch(line.decode("utf-8"))
        if serving is None:
            raise RuntimeError(f"quantd did not print its serving line, but {line!r}:\n{self.log}")
        return serving

    def kill(self):
        """Kills the server, like a crash."""
        self._channels.close()
        if self.is_running():
            self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        self._directory.cleanup()


class Metrics:
    """The samples of a metrics page."""

    def __init__(self, text):
        self._samples = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                self._samples[sample.name, frozenset(sample.labels.items())] = sample.value

    def names(self):
        return {name for name, _ in self._samples}

    def labels(self, name):
        """Returns the label sets of the series `name` as a list of dictionaries."""
        return [dict(labels) for sample, labels in self._samples if sample == name]

    def value(self, name, **labels):
        """Returns the value of one series. Raises KeyError if there is none."""
        return self._samples[name, frozenset(labels.items())]

    def total(self, name, **labels):
        """Returns the sum of all series `name` with at least these labels."""
        return sum(value for (sample, found), value in self._samples.items()
                   if sample == name and labels.items() <= dict(found).items())


class QuantdTestCase(unittest.TestCase):
    """Base of tests that share one server with default settings, `self.quantd`."""

    flags = ()

    @classmethod
    def setUpClass(cls):
        cls.quantd = Quantd(*cls.flags)
        cls.addClassCleanup(cls.quantd.stop)
        cls.stub = cls.quantd.stub()
