"""Tests that a server never waits for its log, and that it can be given a new file and level."""

import contextlib
import json
import os
import pathlib
import re
import resource
import signal
import tempfile
import unittest

import grpc
import numpy as np

import api
import quantd_process

SERVING = api.health_pb2.HealthCheckResponse.SERVING


def request(num_bits=8):
    return api.FakeQuantizeRequest(
        input=api.tensor_of_bytes(np.ones(3, np.float32)), range=api.Range(min=[-1], max=[1]),
        spec=api.QuantizationSpec(num_bits=num_bits))


class _LogTestCase(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="quantd-")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def refused_calls(self, stub, count):
        """Makes calls of which each is refused."""
        for _ in range(count):
            with self.assertRaises(grpc.RpcError) as raised:
                stub.FakeQuantize(request(num_bits=17), timeout=quantd_process.DEADLINE_SECONDS)
            self.assertEqual(raised.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)

    def check_that_it_serves(self, quantd):
        self.refused_calls(quantd.stub(), 1)
        quantd.stub().FakeQuantize(request(), timeout=quantd_process.DEADLINE_SECONDS)
        health = api.health_pb2_grpc.HealthStub(quantd.connect())
        self.assertEqual(
            health.Check(api.health_pb2.HealthCheckRequest(),
                         timeout=quantd_process.DEADLINE_SECONDS).status, SERVING)

    def wait_for_text(self, path, text):
        """Waits until a file exists and has `text`, and returns its lines."""
        quantd_process.wait_until(
            lambda: path.exists() and text in path.read_text(encoding="utf-8"), f"{text} in {path}")
        return path.read_text(encoding="utf-8").splitlines()


@contextlib.contextmanager
def pipe():
    """Yields both ends of a pipe, as files that close themselves."""
    reader, writer = os.pipe()
    with open(reader, "rb") as reading, open(writer, "wb") as writing:
        yield reading, writing


def fill(writer):
    """Fills a pipe, without a change of the flags that quantd's end shares."""
    descriptor = os.open(f"/proc/self/fd/{writer.fileno()}", os.O_WRONLY | os.O_NONBLOCK)
    try:
        for size in (4096, 1):
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(descriptor, b"\n" * size)
    finally:
        os.close(descriptor)


class BlockedLogTest(_LogTestCase):

    def test_a_pipe_that_nobody_reads_stops_nothing(self):
        with pipe() as (_, writer):
            fill(writer)
            with quantd_process.Quantd("--log-level=debug", stderr=writer) as quantd:
                self.refused_calls(quantd.stub(), 2000)
                self.check_that_it_serves(quantd)
                self.assertIn("quantd_log_lines_dropped_total", quantd.metrics_text())
                quantd.signal(signal.SIGTERM)
                self.assertEqual(quantd.wait(), 0)

    def test_a_pipe_whose_reader_is_gone_stops_nothing(self):
        with pipe() as (reader, writer):
            with quantd_process.Quantd(stderr=writer, metrics_listen="") as quantd:
                writer.close()
                reader.close()
                self.refused_calls(quantd.stub(), 100)
                self.check_that_it_serves(quantd)

    def test_without_stderr_nothing_else_takes_its_number(self):
        with quantd_process.Quantd(metrics_listen="",
                                   before_start=lambda: os.close(2)) as quantd:
            self.check_that_it_serves(quantd)
            self.assertEqual(os.readlink(f"/proc/{quantd.process_id}/fd/2"), "/dev/null")

    def test_it_continues_once_a_full_disk_has_room_again(self):
        path = self.directory / "log"
        with quantd_process.Quantd(f"--log-file={path}", "--log-level=debug") as quantd:
            self.check_that_it_serves(quantd)
            self.wait_for_text(path, "event=\"call\" method=FakeQuantize")
            # The kernel refuses to write beyond this size, within a line.
            limit = path.stat().st_size + 10
            unlimited = resource.prlimit(quantd.process_id, resource.RLIMIT_FSIZE)
            resource.prlimit(quantd.process_id, resource.RLIMIT_FSIZE, (limit, unlimited[1]))
            self.check_that_it_serves(quantd)
            quantd_process.wait_until(lambda: path.stat().st_size == limit, "the limit")
            resource.prlimit(quantd.process_id, resource.RLIMIT_FSIZE, unlimited)
        lines = self.wait_for_text(path, "event=\"stopped\"")
        for line in lines:
            self.assertRegex(line, r"^time=\S+ level=[a-z]+ event=")
        calls = [line for line in lines if "method=FakeQuantize" in line]
        self.assertEqual(len(calls), 4, lines)


class RepeatedFailureTest(_LogTestCase):

    def test_failures_that_repeat_are_summed_up(self):
        calls = 1000
        with quantd_process.Quantd("--log-format=json") as quantd:
            self.refused_calls(quantd.stub(), calls)
            quantd.signal()
            quantd.wait()
            log = quantd.log
        failures = [line for line in map(json.loads, log.splitlines())
                    if line["event"] == "call failed"]
        self.assertEqual(sum(line.get("suppressed", 1) for line in failures), calls)
        self.assertLess(len(failures), calls / 2)


class GrpcLineTest(_LogTestCase):

    def test_lines_of_grpc_have_the_format_of_the_log(self):
        environment = {"GRPC_VERBOSITY": "debug", "GRPC_TRACE": "http"}
        for log_format, pattern in (("json", None), ("text", r"^time=\S+ level=[a-z]+ event=")):
            with self.subTest(log_format):
                with quantd_process.Quantd("--log-level=debug", f"--log-format={log_format}",
                                           environment=environment) as quantd:
                    self.check_that_it_serves(quantd)
                    quantd.signal()
                    quantd.wait()
                    lines = quantd.log.splitlines()
                if pattern is None:
                    events = [json.loads(line)["event"] for line in lines]
                else:
                    for line in lines:
                        self.assertRegex(line, pattern)
                    events = [re.search(r'event="([^"]*)"', line)[1] for line in lines]
                self.assertIn("gRPC", events)
                self.assertIn("call failed", events)


class ReloadTest(_LogTestCase):

    def setUp(self):
        super().setUp()
        self.config = self.directory / "quantd.toml"
        self.log = self.directory / "log"

    def configure(self, level):
        self.config.write_text(f'log-level = "{level}"\nlog-file = "{self.log}"\n',
                               encoding="utf-8")

    def start(self, **arguments):
        self.configure("info")
        return quantd_process.Quantd(f"--config={self.config}", **arguments)

    def test_sighup_reopens_the_file(self):
        with self.start() as quantd:
            self.refused_calls(quantd.stub(), 1)
            self.wait_for_text(self.log, "call failed")
            rotated = self.log.rename(self.directory / "log.1")
            quantd.signal(signal.SIGHUP)
            self.wait_for_text(self.log, "settings reloaded")
            before = rotated.read_text(encoding="utf-8")
            self.refused_calls(quantd.stub(), 1)
            self.wait_for_text(self.log, "call failed")
            self.assertEqual(rotated.read_text(encoding="utf-8"), before)
            self.assertEqual(quantd.log, "")

    def test_a_file_that_cannot_be_reopened_is_reported_in_the_old_one(self):
        with self.start() as quantd:
            rotated = self.log.rename(self.directory / "log.1")
            self.log.mkdir()
            quantd.signal(signal.SIGHUP)
            self.wait_for_text(rotated, "cannot reopen the log")
            self.check_that_it_serves(quantd)
            self.wait_for_text(rotated, "call failed")

    def test_sighup_reads_the_level_again(self):
        with self.start() as quantd:
            self.configure("debug")
            quantd.signal(signal.SIGHUP)
            self.wait_for_text(self.log, "settings reloaded")
            quantd.stub().FakeQuantize(request())
            self.wait_for_text(self.log, 'event="call" method=FakeQuantize')

    def test_an_invalid_file_is_reported_and_changes_nothing(self):
        with self.start() as quantd:
            self.configure("loud")
            quantd.signal(signal.SIGHUP)
            lines = self.wait_for_text(self.log, "cannot reload the settings")
            self.assertIn("loud", lines[-1])
            self.assertIn("quantd.toml", lines[-1])
            self.check_that_it_serves(quantd)
            self.wait_for_text(self.log, "call failed")

    def test_sighup_before_it_serves_does_not_end_it(self):
        def hang_up():
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
            signal.raise_signal(signal.SIGHUP)

        with self.start(before_start=hang_up) as quantd:
            self.wait_for_text(self.log, "settings reloaded")
            self.check_that_it_serves(quantd)

    def test_sighup_during_a_drain_does_not_end_it(self):
        with self.start() as quantd:
            health = api.health_pb2_grpc.HealthStub(quantd.connect())
            watch = health.Watch(api.health_pb2.HealthCheckRequest())
            self.assertEqual(next(watch).status, SERVING)
            quantd.signal(signal.SIGTERM)
            self.assertNotEqual(next(watch).status, SERVING)
            quantd.signal(signal.SIGHUP)
            self.assertEqual(quantd.wait(), 0)

    def test_a_log_file_that_cannot_be_opened_is_an_error(self):
        done = quantd_process.run(quantd_process.QUANTD, "--listen=localhost:0",
                                  "--metrics-listen=", "--log-file=/no/such/folder/log")
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("/no/such/folder/log", done.stderr)


if __name__ == "__main__":
    unittest.main()
