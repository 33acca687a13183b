"""Tests quantctl bench against a real server: its counts, its view of a stall, and how it ends."""

import csv
import io
import json
import signal
import subprocess
import time
import unittest

import numpy as np

import browser
import quantd_process
from quantctl_test import CONVOLUTION_KERNEL, QuantctlTestCase

PERCENTILES = ("p50", "p90", "p95", "p99", "p99_9", "p99_99", "max")
METHODS = {
    "fake-quantize": ("FakeQuantize", "unary"),
    "gradient": ("FakeQuantizeGradient", "unary"),
    "quantize": ("Quantize", "unary"),
    "dequantize": ("Dequantize", "unary"),
    "stream-fake-quantize": ("StreamFakeQuantize", "bidi_stream"),
    "stream-gradient": ("StreamFakeQuantizeGradient", "bidi_stream"),
    "stream-quantize": ("StreamQuantize", "bidi_stream"),
    "stream-dequantize": ("StreamDequantize", "bidi_stream"),
}


class BenchTestCase(QuantctlTestCase):

    flags = ("--log-level=error",)

    def bench(self, *arguments, expect=0, server=None):
        """Returns the JSON that quantctl bench prints. Fails if the exit code is not `expect`."""
        done = self.quantctl("bench", "--output", "json", *arguments, server=server)
        self.assertEqual(done.returncode, expect, done.stderr + done.stdout)
        return json.loads(done.stdout)

    def start_bench(self, quantd, *arguments):
        """Starts a quantctl bench that runs in the background."""
        process = subprocess.Popen(
            [quantd_process.QUANTCTL, "--server", quantd.address, "bench", "--output", "json",
             *map(str, arguments)],
            env=quantd_process.clean_environment(), stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process


class CountTest(BenchTestCase):

    def messages(self, method):
        """Returns the server's metrics: messages received and sent, and calls that ended with OK."""
        name, kind = METHODS[method]
        metrics = self.quantd.metrics()
        labels = {"grpc_method": name, "grpc_type": kind}
        return np.array([
            metrics.total("grpc_server_msg_received_total", **labels),
            metrics.total("grpc_server_msg_sent_total", **labels),
            metrics.total("grpc_server_handled_total", grpc_code="OK", **labels)])

    def test_counts_match_the_server_s_metrics_exactly(self):
        for method in METHODS:
            for load in (("--concurrency=5",), ("--rate=2000", "--arrivals=poisson")):
                with self.subTest(method=method, load=load):
                    before = self.messages(method)
                    result = self.bench(
                        "--method", method, *load, "--connections=3", "--duration=300ms",
                        "--warmup=0s", "--verify", "--metrics-url",
                        f"http://{self.quantd.metrics_address}/metrics")
                    received, sent, calls = self.messages(method) - before
                    self.assertGreater(result["calls"], 0)
                    self.assertEqual(result["errors"], 0)
                    self.assertEqual(result["status_codes"], {"OK": result["calls"]})
                    self.assertEqual(result["verified_answers"], result["calls"])
                    self.assertEqual(received, result["calls"])
                    self.assertEqual(sent, result["calls"])
                    self.assertEqual(calls, 3 if "stream" in method else result["calls"])
                    self.assertEqual(result["server_view"]["messages_received"], received)
                    self.assertEqual(result["server_view"]["calls"], calls)

    def test_answers_are_verified_for_every_numerics_and_type(self):
        for flags in (
                ("--method=quantize", "--numerics=onnx", "--axis=0", "--output-type=int4"),
                ("--method=quantize", "--numerics=onnx", "--axis=-1", "--block-size=3"),
                ("--method=quantize", "--numerics=pytorch", "--output-type=int32", "--type=float16"),
                ("--method=quantize", "--numerics=tensorflow-xla", "--num-bits=5"),
                ("--method=dequantize", "--numerics=litert", "--type=int16"),
                ("--method=dequantize", "--numerics=onnx", "--type=uint2", "--output-type=bfloat16"),
                ("--method=gradient", "--numerics=keras-jax", "--axis=1", "--type=bfloat16"),
                ("--method=fake-quantize", "--numerics=pytorch", "--type=float64")):
            with self.subTest(flags):
                result = self.bench("--requests=20", "--warmup=0s", "--verify", "--shape=37,29",
                                    *flags)
                self.assertEqual((result["verified_answers"], result["errors"]), (20, 0))

    def test_the_warm_up_is_counted_separately(self):
        before = self.messages("fake-quantize")
        result = self.bench("--duration=200ms", "--warmup=100ms")
        received, _, _ = self.messages("fake-quantize") - before
        self.assertGreater(result["warmup_calls"], 0)
        self.assertEqual(received, result["calls"] + result["warmup_calls"])

    def test_the_requested_number_of_calls_is_made_exactly(self):
        self.assertEqual(self.bench("--requests=777", "--warmup=0s")["calls"], 777)
        self.assertEqual(self.bench("--requests=77", "--rate=1000", "--warmup=0s")["calls"], 77)

    def test_errors_are_counted_by_code_and_the_first_message_is_shown(self):
        with quantd_process.Quantd("--max-message-bytes=64KiB", "--log-level=error") as quantd:
            result = self.bench("--mix=1:4KiB,1:1MiB", "--requests=200", "--warmup=0s",
                                server=quantd.address)
            metrics = quantd.metrics()
        refused = result["status_codes"]["RESOURCE_EXHAUSTED"]
        self.assertEqual(result["calls"], 200)
        self.assertEqual(result["errors"], refused)
        self.assertEqual(result["status_codes"]["OK"], 200 - refused)
        self.assertEqual(metrics.total("quantd_rejected_requests_total"), refused)
        self.assertIn("65536", result["error_messages"]["RESOURCE_EXHAUSTED"])

    def test_unix_sockets_and_real_tensors_can_be_measured(self):
        with quantd_process.Quantd(listen=("unix:{directory}/socket",)) as quantd:
            result = self.bench("--input", CONVOLUTION_KERNEL, "--axis=3", "--num-bits=4",
                                "--requests=50", "--verify", server=quantd.address)
        elements = np.load(CONVOLUTION_KERNEL).size
        self.assertEqual(result["transport"], "unix")
        self.assertEqual(result["verified_answers"], 50)
        self.assertAlmostEqual(result["elements_per_second"] * result["seconds"], 50 * elements,
                               delta=1)


class StallTest(BenchTestCase):

    STALL_SECONDS = 1

    def test_a_stall_shows_in_latencies_from_the_due_time_and_not_in_service_times(self):
        """Stops the server for a second in the middle of an open loop.

        A fifth of all calls become due in that time and have to wait. Only the few calls that were
        already sent have a long service time.
        """
        rate, calls, places = 200, 1000, 1
        with quantd_process.Quantd("--log-level=error") as quantd:
            bench = self.start_bench(
                quantd, f"--rate={rate}", f"--requests={calls}", f"--concurrency={places}",
                "--warmup=0s")
            quantd_process.wait_until(
                lambda: quantd.metrics().total("grpc_server_handled_total",
                                               grpc_method="FakeQuantize") > rate,
                "the calls of one second")
            quantd.signal(signal.SIGSTOP)
            time.sleep(self.STALL_SECONDS)
            quantd.signal(signal.SIGCONT)
            output, _ = bench.communicate(timeout=quantd_process.DEADLINE_SECONDS)
        result = json.loads(output)
        self.assertEqual(result["calls"], calls)
        self.assertEqual(result["errors"], 0)
        latency, service = result["latency_seconds"], result["service_time_seconds"]
        self.assertGreater(latency["p99"], 0.8 * self.STALL_SECONDS)
        self.assertLess(service["p99"], 0.2 * self.STALL_SECONDS)
        # Both include the call during which the server was stopped, or otherwise the next one, 5 ms later.
        self.assertGreater(service["max"], 0.95 * self.STALL_SECONDS)
        self.assertGreaterEqual(result["late_calls"], 0.9 * rate * self.STALL_SECONDS)

    def test_saturation_is_reported(self):
        result = self.bench("--rate=1000000", "--concurrency=1", "--duration=500ms")
        self.assertTrue(result["saturated"])
        self.assertLess(result["sent_rate"], result["offered_rate"])
        self.assertGreater(result["unsent_calls"], 0)
        self.assertTrue(any(warning.startswith("saturated: offered 1000000/s, sent ")
                            for warning in result["warnings"]), result["warnings"])


class OutageTest(BenchTestCase):

    def outage(self, *load):
        """Returns the result of a load during which the server is killed."""
        quantd = quantd_process.Quantd("--log-level=error")
        self.addCleanup(quantd.kill)
        bench = self.start_bench(quantd, "--duration=5s", "--warmup=0s", *load)
        quantd_process.wait_until(
            lambda: quantd.metrics().total("grpc_server_handled_total",
                                           grpc_method="FakeQuantize") > 100, "calls")
        quantd.signal(signal.SIGKILL)
        output, _ = bench.communicate(timeout=quantd_process.DEADLINE_SECONDS)
        return json.loads(output)

    def test_a_closed_loop_makes_few_calls_to_a_server_that_is_gone(self):
        result = self.outage()
        # Eight calls at once, each of which waits for half a second or more in the end.
        self.assertGreater(result["errors"], 8)
        self.assertLess(result["errors"], 8 * 25)
        self.assertEqual(result["outages"], 1)
        self.assertGreater(result["outage_seconds"], 2)
        self.assertLess(result["seconds"], 6)

    def test_an_open_loop_keeps_its_schedule(self):
        result = self.outage("--rate=500")
        self.assertEqual(result["calls"] + result["unsent_calls"], 2500)
        self.assertGreater(result["errors"], 1000)
        self.assertEqual(result["outages"], 1)
        self.assertGreater(result["outage_seconds"], 2)

    def test_a_condition_on_latency_fails_if_calls_fail(self):
        with quantd_process.Quantd("--max-message-bytes=64KiB", "--log-level=error") as quantd:
            result = self.bench("--mix=1:4KiB,1:1MiB", "--requests=200", "--warmup=0s",
                                "--fail-if=p99>1h", server=quantd.address, expect=3)
        (failure,) = result["not_good_enough"]
        self.assertIn("p99 is infinite: ", failure)


class EndTest(BenchTestCase):

    def test_an_interrupted_run_still_reports(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number), \
                    quantd_process.Quantd("--log-level=error") as quantd:
                bench = self.start_bench(quantd, "--duration=10m", "--warmup=0s")
                quantd_process.wait_until(
                    lambda quantd=quantd: quantd.metrics().total("grpc_server_handled_total",
                                                                 grpc_method="FakeQuantize"),
                    "calls")
                bench.send_signal(number)
                output, _ = bench.communicate(timeout=quantd_process.DEADLINE_SECONDS)
                self.assertEqual(bench.returncode, 0)
                result = json.loads(output)
                self.assertTrue(result["interrupted"])
                self.assertEqual(result["errors"], 0)
                self.assertEqual(
                    quantd.metrics().total("grpc_server_handled_total",
                                           grpc_method="FakeQuantize"), result["calls"])

    def test_signals_end_other_commands(self):
        with quantd_process.Quantd() as quantd:
            quantd.signal(signal.SIGSTOP)
            process = subprocess.Popen(
                [quantd_process.QUANTCTL, "--server", quantd.address, "info"],
                env=quantd_process.clean_environment())
            self.addCleanup(process.kill)
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(quantd_process.DEADLINE_SECONDS), -signal.SIGINT)
            quantd.signal(signal.SIGCONT)

    def test_a_condition_that_holds_results_in_exit_code_3(self):
        result = self.bench("--requests=100", "--fail-if=p99>0s", "--fail-if", "errors>0",
                            expect=3)
        (failure,) = result["not_good_enough"]
        self.assertIn("p99>0s (p99 is ", failure)
        self.assertEqual(
            self.bench("--requests=100", "--fail-if=p99>1h")["not_good_enough"], [])

    def test_a_missing_server_results_in_exit_code_1_and_is_named(self):
        done = self.quantctl("--timeout=1", "bench", server="localhost:1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("localhost:1", done.stderr)
        self.assertEqual(done.stdout, "")


class SeriesTest(BenchTestCase):

    def test_a_sweep_of_rates_measures_each(self):
        result = self.bench("--sweep-rate=200..600:200", "--duration=300ms", "--warmup=0s")
        self.assertEqual([load["offered_rate"] for load in result["loads"]], [200, 400, 600])
        # A busy machine may be too late for the last calls that are due.
        self.assertEqual([load["calls"] + load["unsent_calls"] for load in result["loads"]],
                         [60, 120, 180])
        for load in result["loads"]:
            self.assertGreater(load["calls"], load["unsent_calls"])

    def test_a_sweep_of_concurrency_doubles_it(self):
        done = self.quantctl("bench", "--output=csv", "--sweep-concurrency=1..8",
                             "--requests=100", "--warmup=0s")
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        self.assertEqual([row["concurrency"] for row in rows], ["1", "2", "4", "8"])
        for row in rows:
            self.assertEqual(row["calls"], "100")
            self.assertGreaterEqual(float(row["latency_seconds_max"]),
                                    float(row["latency_seconds_p50"]))

    def test_the_highest_rate_that_meets_a_target_is_found(self):
        result = self.bench("--find-max-rate", "--latency-target=p50=2s", "--duration=100ms",
                            "--concurrency=2", "--warmup=0s")
        # A rate may fail at first and hold when it is tried again.
        held = {load["offered_rate"] for load in result["loads"] if load["holds"]}
        missed = {load["offered_rate"] for load in result["loads"]} - held
        self.assertEqual(result["max_rate"], max(held))
        self.assertLess(result["max_rate"], min(missed))

    def test_a_target_that_no_rate_meets_results_in_exit_code_3(self):
        result = self.bench("--find-max-rate", "--latency-target=p50=1ns", "--duration=50ms",
                            "--warmup=0s", expect=3)
        self.assertIsNone(result["max_rate"])
        self.assertEqual(result["not_good_enough"], ["no rate was found that meets p50=1ns"])


class PageTest(BenchTestCase):

    CHARTS = {"throughput-over-time", "latency-over-time", "histogram", "percentiles"}

    def open_report(self, chromium, *arguments):
        path = self.directory / "report.html"
        self.succeed("bench", "--warmup=0s", "--report", path, *arguments)
        page = chromium.open(path)
        self.assertEqual(page.console, [])
        self.assertEqual(page.requests, [path.as_uri()])
        return page

    def check_charts(self, page, expected):
        """Checks that every chart exists, and visibly draws something within its frame."""
        drawn = page.evaluate("""
            Object.fromEntries([...document.querySelectorAll('figure')].map(figure => {
                const frame = figure.querySelector('svg').getBoundingClientRect();
                const marks = [...figure.querySelectorAll('path, .bars rect')].filter(mark => {
                    const box = mark.getBoundingClientRect();
                    return box.width + box.height > 2 && box.left >= frame.left - 1 &&
                        box.right <= frame.right + 1 && box.top >= frame.top - 1 &&
                        box.bottom <= frame.bottom + 1;
                });
                return [figure.id, frame.width > 200 && frame.height > 100 ? marks.length : 0];
            }))""")
        self.assertEqual(set(drawn), expected)
        for name, marks in drawn.items():
            self.assertGreater(marks, 0, name)

    def test_the_report_shows_its_charts_without_errors_or_the_network(self):
        with browser.Browser() as chromium:
            page = self.open_report(
                chromium, "--rate=2000", "--duration=2s", "--metrics-url",
                self.quantd.metrics_address)
            self.check_charts(page, self.CHARTS)
            text = page.evaluate("document.body.innerText")
            self.assertIn("open loop, 2000/s (constant)", text)
            self.assertIn("As the server saw it", text)
            self.assertFalse(page.evaluate(
                "document.documentElement.scrollWidth > document.documentElement.clientWidth"))
            with self.subTest("sweep"):
                page = self.open_report(chromium, "--sweep-rate=200..600:200", "--duration=500ms")
                self.check_charts(page, self.CHARTS | {"sweep-throughput", "sweep-latency"})
                self.assertEqual(page.evaluate("document.querySelectorAll('tr.main').length"), 1)


if __name__ == "__main__":
    unittest.main()
