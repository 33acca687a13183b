"""Tests that bench/rpc.py and the programs it runs work, and detect errors."""

import contextlib
import io
import json
import os
import pathlib
import tempfile
import unittest

import grpc

import rpc

BINARIES = pathlib.Path(os.environ["QUANTD_BINARY_DIR"])
SERVICE = "/quantd.v1.QuantizationService"
DEADLINE_SECONDS = 60


class ServerTestCase(unittest.TestCase):
    """Base of tests that share one server, `self.server`, of the program `binary`."""

    binary = ""

    @classmethod
    def setUpClass(cls):
        directory = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.server = cls.enterClassContext(
            rpc.Server(BINARIES / cls.binary, pathlib.Path(directory)))


class EchoServerTest(ServerTestCase):

    binary = "echo_server"
    # These are not valid protobuf messages, because the server does not parse them.
    MESSAGES = (b"x", b"\xff" * 1000, os.urandom(5 * rpc.MIB), b"")

    def channel(self, transport):
        unlimited = (("grpc.max_receive_message_length", -1), ("grpc.enable_http_proxy", 0))
        return grpc.insecure_channel(self.server.addresses[transport], unlimited)

    def test_unary_calls_are_answered_with_the_bytes_sent(self):
        for transport in rpc.TRANSPORTS:
            with self.channel(transport) as channel:
                call = channel.unary_unary(f"{SERVICE}/FakeQuantize")
                for message in self.MESSAGES:
                    with self.subTest(transport=transport, size=len(message)):
                        self.assertEqual(call(message, timeout=DEADLINE_SECONDS), message)

    def test_a_stream_is_answered_with_the_bytes_sent_in_order(self):
        # There are more messages than the server holds at once.
        messages = [*self.MESSAGES, *(str(i).encode() for i in range(1000))]
        for transport in rpc.TRANSPORTS:
            with self.subTest(transport=transport), self.channel(transport) as channel:
                call = channel.stream_stream(f"{SERVICE}/StreamFakeQuantize")
                answers = call(iter(messages), timeout=DEADLINE_SECONDS)
                self.assertEqual(list(answers), messages)


class DriverTest(ServerTestCase):

    binary = "plain_server"

    def setUp(self):
        self.driver = self.enterContext(rpc.Driver(BINARIES / "rpc_benchmark"))

    def case(self, **changes):
        return {"server_address": self.server.addresses["unix"], "tensor_bytes": 4096,
                "warmup_ms": 0, "duration_ms": 0} | changes

    def test_the_requested_calls_are_counted_in_whole_windows(self):
        for method in ("unary", "stream"):
            for client in ("raw", "message"):
                with self.subTest(method=method, client=client):
                    result = self.driver.measure(self.case(
                        method=method, client=client, in_flight=4, minimum_calls=10))
                    self.assertEqual(result["calls"], 12)
                    self.assertLessEqual(result["p50_seconds"], result["p99_seconds"])

    def test_the_cpu_time_of_both_processes_is_measured(self):
        result = self.driver.measure(self.case(server_process=self.server.process_id))
        self.assertGreater(result["client_cpu_seconds"], 0)
        self.assertGreater(result["server_cpu_seconds"], 0)

    def test_a_wrong_answer_is_detected(self):
        # This server does not echo.
        for method in ("unary", "stream", "client"):
            for client in ("raw", "message"):
                with self.subTest(method=method, client=client):
                    with self.assertRaisesRegex(RuntimeError, "the answer is wrong"):
                        self.driver.measure(self.case(method=method, client=client, answer="echo"))

    def test_a_failed_case_is_reported_and_the_next_one_is_measured(self):
        for changes, reason in (({"tensor_bytes": 5}, "multiple of 4"),
                                ({"method": "client", "in_flight": 2}, "its calls block"),
                                ({"channel_argument": ["=3"]}, "expected NAME=VALUE"),
                                ({"unknown": 1}, "unknown"),
                                ({"server_address": "unix:/nowhere"}, "UNAVAILABLE")):
            with self.subTest(changes):
                with self.assertRaisesRegex(RuntimeError, reason):
                    self.driver.measure(self.case(**changes))
        self.assertGreater(self.driver.measure(self.case())["calls"], 0)

    def test_channel_arguments_take_effect(self):
        refused = "grpc.max_receive_message_length=100"
        with self.assertRaisesRegex(RuntimeError, "larger than max"):
            self.driver.measure(self.case(channel_argument=[refused]))


class ReportTest(unittest.TestCase):

    def test_ratios_are_computed_within_rounds_before_their_median(self):
        load = rpc.Load("unix", 4 * rpc.KIB, 1)
        ratio = rpc.Ratio("", "calls_per_second", (rpc.QUANTD, load), (rpc.ECHO, load), 0.95)
        plan = rpc.Plan({load: (rpc.QUANTD, rpc.ECHO)}, [ratio], 1, load.tensor_bytes, 0, 0, 1)
        figures = ("calls_per_second", "gigabytes_per_second", "p50_seconds", "p99_seconds",
                   "client_cpu_seconds_per_gigabyte", "server_cpu_seconds_per_gigabyte")
        rounds = [{(rpc.QUANTD, load): dict.fromkeys(figures, quantd),
                   (rpc.ECHO, load): dict.fromkeys(figures, echo)}
                  for quantd, echo in ((1, 2), (30, 10), (4, 20))]
        section = rpc.Report(plan, rounds).section()
        self.assertEqual(section["ratios"][0]["rounds"], [0.5, 3, 0.2])
        # The ratio of the medians would be 4 / 10.
        self.assertEqual(section["ratios"][0]["value"], 0.5)
        self.assertEqual(section["tables"][0]["rows"][0][:3], ["4 KiB", "quantd", 4])

    def test_the_limit_of_a_ratio_is_that_of_the_faster_echo(self):
        load = rpc.Load("unix", 4 * rpc.KIB, 1)
        measured = {(subject, load): {"calls_per_second": figure} for subject, figure in
                    ((rpc.QUANTD, 4), (rpc.ECHO, 5), (rpc.TUNED_ECHO, 6), (rpc.PLAIN, 2))}
        ratio = rpc.Ratio("", "calls_per_second", (rpc.QUANTD, load), (rpc.PLAIN, load),
                          limiters=(rpc.ECHO, rpc.TUNED_ECHO))
        self.assertEqual((ratio.value(measured), ratio.limit(measured)), (2, 3))

    def test_the_full_plan_contains_every_ratio_with_a_target(self):
        plan = rpc.full_plan()
        targets = [ratio.target for ratio in plan.ratios if ratio.target is not None]
        # There are 2 transports. The throughput ratios have 2 sizes and 3 numbers in flight each, and the
        # load tester's ratios have these 3 numbers.
        self.assertEqual(sorted(targets), [0.9] * 4 + [0.95] * 18 + [1.1] * 2 + [1.6] * 12 + [2.5, 3.5] + [4] * 2)
        for ratio in plan.ratios:
            for subject, load in (ratio.of, ratio.to):
                self.assertIn(subject, plan.loads[load], ratio.title)


class QuickRunTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        output = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory())) / "rpc.json"
        code = rpc.main(["--quick", "--rounds=2", f"--binaries={BINARIES}", f"--output={output}"])
        if code != 0:
            raise RuntimeError(f"rpc.py ended with code {code}; see its message above")
        cls.section = json.loads(output.read_text(encoding="utf-8"))

    def assert_positive(self, values):
        self.assertTrue(values)
        for value in values:
            self.assertGreater(value, 0)

    def test_every_server_has_positive_figures_in_the_tables(self):
        servers = set()
        for table in self.section["tables"]:
            for row in table["rows"]:
                self.assertEqual(len(row), len(table["columns"]))
                # A load tester does not know its server's CPU time.
                known = row[2:-1] if "quantctl bench" in row[1] else row[2:]
                self.assert_positive(known)
                servers.add(row[1])
        subjects = (*rpc.UNARY, *rpc.STREAM, rpc.QUANTD_CLIENT, rpc.QUANTD_BENCH,
                    rpc.QUANTIZE_BENCH)
        self.assertEqual(servers, {subject.name for subject in subjects})

    def test_every_ratio_has_one_positive_value_per_round(self):
        self.assertEqual(len(self.section["ratios"]), 13)
        for ratio in self.section["ratios"]:
            self.assert_positive([ratio["value"], *ratio["rounds"]])
            self.assertEqual(len(ratio["rounds"]), 2)
            self.assertIn(ratio["target_kind"], ("at least", "at most"))

    def test_every_plot_has_series_with_positive_figures(self):
        self.assertTrue(self.section["plots"])
        for plot in self.section["plots"]:
            for series in plot["series"].values():
                self.assertEqual(len(series), len(plot["x"]))
                self.assert_positive([value for value in series if value is not None])

    def test_the_section_has_a_name_and_notes(self):
        self.assertEqual(self.section["section"], "RPC")
        self.assertTrue(all(self.section["notes"]))


class MissingProgramsTest(unittest.TestCase):

    def test_the_error_names_a_missing_program(self):
        with tempfile.TemporaryDirectory() as empty:
            with contextlib.redirect_stderr(io.StringIO()) as message:
                code = rpc.main(["--quick", f"--binaries={empty}", f"--output={empty}/rpc.json"])
            self.assertEqual(code, 1)
            self.assertIn(f"{empty}/echo_server", message.getvalue())
            self.assertFalse(pathlib.Path(empty, "rpc.json").exists())
