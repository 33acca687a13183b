"""Every query of the dashboard, asked of a real Prometheus that scrapes a server under load.

The counters begin at 0 before the load, and all are looked at in the moment of one scrape: Prometheus
then has nothing to extrapolate, and its rates agree with the calls exactly.
"""

import contextlib
import math
import resource
import socket
import subprocess
import sys
import threading
import unittest

import grpc
import numpy as np

import api
import dashboard
import prometheus_process
import quantd_process

# Replaces Grafana's $__rate_interval. The window starts before the load.
WINDOW_SECONDS = 600

# The relative error of dividing numbers and multiplying them again.
ROUNDING = 1e-9

# The calls that the test makes: successful calls by method, with tensors of so many elements, and bad calls.
ELEMENTS = 3000
CALLS = {"fake-quantize": 300, "gradient": 200, "stream-fake-quantize": 100}
METHODS = {"fake-quantize": "FakeQuantize", "gradient": "FakeQuantizeGradient"}
BAD_CALLS = {"INVALID_RANGE": 3, "RANGE_SIZE_MISMATCH": 2}
MAX_CONNECTIONS = 10
REFUSED_CONNECTIONS = 4

METHOD = ("grpc_method",)
PERCENTILES = (0.5, 0.9, 0.99, 0.999)

# The check of each panel of docker/grafana/make_dashboard.py, by the panel's title.
PANEL_CHECKS = {}


def shown_by(title):
    """Makes a method the check of the panel with this title."""
    def register(check):
        PANEL_CHECKS[title] = check
        return check
    return register


class DashboardTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.dashboard = dashboard.Dashboard(f"{WINDOW_SECONDS}s")
        cls.quantd = quantd_process.Quantd(f"--max-connections={MAX_CONNECTIONS}",
                                           f"--max-connections-per-peer={MAX_CONNECTIONS}")
        cls.addClassCleanup(cls.quantd.stop)
        cls.prometheus = prometheus_process.Prometheus(cls.quantd.metrics_address)
        cls.addClassCleanup(cls.prometheus.stop)
        cls.wait_for_scrape("grpc_server_handled_total", 0)
        cls.open_too_many_connections()
        cls.make_calls()
        with cls.open_stream():
            cls.with_open_stream = cls.wait_for_scrape("quantd_in_flight_requests", 1)
        cls.page = quantd_process.wait_until(cls.page_at_rest, "the last call to be counted")
        handled = cls.page.total("grpc_server_handled_total")
        cls.time = cls.wait_for_scrape("grpc_server_handled_total", handled)

    @classmethod
    def wait_for_scrape(cls, series, total):
        """Waits until a scrape has this sum of `series`, and returns the time of that scrape."""
        def scraped():
            at = cls.prometheus.query("timestamp(quantd_build_info)")
            found = at and cls.prometheus.query(f"sum({series})", time=at[0][1])
            return at[0][1] if found and found[0][1] == total else None
        return quantd_process.wait_until(scraped, f"a scrape in which the sum of {series} is {total}")

    @classmethod
    def open_too_many_connections(cls):
        host, port = cls.quantd.address.rsplit(":", 1)
        with contextlib.ExitStack() as connections:
            for _ in range(MAX_CONNECTIONS + REFUSED_CONNECTIONS):
                connections.enter_context(socket.create_connection((host, int(port))))
            quantd_process.wait_until(
                lambda: cls.quantd.metrics().total("quantd_refused_connections_total")
                == REFUSED_CONNECTIONS, "connections to be refused")
        quantd_process.wait_until(lambda: cls.quantd.metrics().value("quantd_connections") == 0,
                                  "the connections to be closed")

    @classmethod
    def make_calls(cls):
        for method, calls in CALLS.items():
            done = quantd_process.run(
                quantd_process.QUANTCTL, "--server", cls.quantd.address, "bench", "--method", method,
                "--shape", ELEMENTS, "--requests", calls, "--warmup", "0s", "--fail-if", "errors>0")
            if done.returncode != 0:
                raise RuntimeError(done.stdout + done.stderr)
        tensor = api.tensor_of_bytes(np.zeros(ELEMENTS, dtype=np.float32))
        ranges = {"INVALID_RANGE": api.Range(min=[1], max=[-1]),
                  "RANGE_SIZE_MISMATCH": api.Range(min=[1], max=[1, 2])}
        stub = cls.quantd.stub()
        for reason, calls in BAD_CALLS.items():
            for _ in range(calls):
                try:
                    stub.FakeQuantize(api.FakeQuantizeRequest(input=tensor, range=ranges[reason]))
                except grpc.RpcError:
                    continue
                raise AssertionError("a bad request succeeded")

    @classmethod
    @contextlib.contextmanager
    def open_stream(cls):
        """Opens a stream, waits for its first answer, and ends the stream on exit."""
        over = threading.Event()

        def requests():
            yield api.FakeQuantizeRequest(input=api.tensor_of_bytes(np.zeros(1, dtype=np.float32)),
                                          range=api.Range(min=[-1], max=[1]))
            over.wait()

        call = cls.quantd.stub().StreamFakeQuantize(requests())
        next(call)
        try:
            yield
        finally:
            over.set()
        if list(call):
            raise AssertionError("a stream of one request has a second answer")

    @classmethod
    def page_at_rest(cls):
        page = cls.quantd.metrics()
        idle = page.value("quantd_in_flight_requests") == 0
        return page if idle and (page.total("grpc_server_started_total")
                                 == page.total("grpc_server_handled_total")) else None

    # Values from the metrics page in the form of a query's result.

    def calls(self, **labels):
        return self.page.total("grpc_server_handled_total", **labels)

    def totals(self, series, by, **labels):
        """Returns the sums of `series` by the labels `by`, without those that are 0."""
        found = {}
        for sample in self.page.labels(series):
            if labels.items() <= sample.items():
                key = tuple(sample[name] for name in by)
                found[key] = self.page.total(series, **labels, **dict(zip(by, key)))
        return {key: total for key, total in found.items() if total != 0}

    def rates(self, series, by, **labels):
        return {key: total / WINDOW_SECONDS for key, total in self.totals(series, by, **labels).items()}

    # Checks for the result of one query.

    def assert_values(self, expected, result, by=()):
        """Compares series by the labels `by`. Series with the value 0 are optional."""
        found = {tuple(labels[name] for name in by): value for labels, value in result}
        self.assertEqual(len(found), len(result), "two series have the same labels")
        for key in expected.keys() | found.keys():
            with self.subTest(key):
                self.assertTrue(math.isclose(found.get(key, 0), expected.get(key, 0), rel_tol=ROUNDING),
                                f"{found.get(key)} is not {expected.get(key)}")

    def assert_value(self, expected, result):
        self.assert_values({(): expected}, result)

    def assert_quantile(self, share, histogram, result, **labels):
        """Checks that the value lies within the bucket of the call with that rank."""
        ((_, value),) = result
        self.assertTrue(self.bucket_of(share, histogram, **labels)(value), value)

    def bucket_of(self, share, histogram, **labels):
        buckets = sorted((float(bound), total) for (bound,), total
                         in self.totals(histogram + "_bucket", ("le",), **labels).items())
        rank = share * buckets[-1][1]
        bounds = {float(sample["le"]) for sample in self.page.labels(histogram + "_bucket")}
        upper = next(bound for bound, total in buckets if total >= rank)
        lower = max((bound for bound in bounds if bound < upper), default=0)
        # Values above the last finite bound are unknown; Prometheus returns that bound.
        if upper == math.inf:
            return lambda value: value == lower
        return lambda value: lower * (1 - ROUNDING) <= value <= upper * (1 + ROUNDING)

    def results_of(self, title, time=None):
        """Yields the results of a panel's queries. Each must have at least one series, and only numbers."""
        for expression in self.dashboard.queries_of(title):
            result = self.prometheus.query(expression, time=time or self.time)
            self.assertNotEqual(result, [], f"no data for {expression}")
            for labels, value in result:
                self.assertFalse(math.isnan(value), f"{expression} is NaN for {labels}")
            yield result

    def check_panel(self, title):
        check = PANEL_CHECKS.get(title)
        self.assertIsNotNone(check, "no check knows this panel: add what it has to show")
        results = self.results_of(title)
        check(self, results)
        self.assertEqual(list(results), [], "no check uses this query")

    @shown_by("Servers")
    def check_servers(self, results):
        for result in results:
            self.assert_value(1, result)

    @shown_by("Calls per second")
    def check_calls_per_second(self, results):
        self.assert_value(self.calls() / WINDOW_SECONDS, next(results))

    @shown_by("Failed calls")
    def check_failed_calls(self, results):
        self.assert_value((self.calls() - self.calls(grpc_code="OK")) / self.calls(), next(results))

    @shown_by("Build")
    def check_build(self, results):
        ((labels, value),) = next(results)
        self.assertEqual(value, 1)
        self.assertEqual(labels["simd_target"], self.quantd.simd_target)
        self.assertTrue(labels["version"] and labels["revision"])

    @shown_by("Up since")
    def check_up_since(self, results):
        self.assert_values(
            {(self.quantd.metrics_address,): 1000 * self.page.value("process_start_time_seconds")},
            next(results), ("instance",))

    @shown_by("Calls by method")
    def check_calls_by_method(self, results):
        self.assert_values(self.rates("grpc_server_handled_total", METHOD), next(results), METHOD)

    @shown_by("Calls started")
    def check_calls_started(self, results):
        self.assert_values(self.rates("grpc_server_started_total", METHOD), next(results), METHOD)

    @shown_by("Errors by method and code")
    def check_errors(self, results):
        by = ("grpc_method", "grpc_code")
        expected = self.rates("grpc_server_handled_total", by)
        self.assert_values({key: rate for key, rate in expected.items() if key[1] != "OK"},
                           next(results), by)

    @shown_by("Refused requests by reason")
    def check_refused_requests(self, results):
        self.assert_values({(reason,): bad / WINDOW_SECONDS for reason, bad in BAD_CALLS.items()},
                           next(results), ("reason",))

    @shown_by("Duration of unary calls")
    def check_durations(self, results):
        self.assert_values(
            self.totals("grpc_server_handling_seconds_bucket", ("le",), grpc_type="unary"),
            next(results), ("le",))

    @shown_by("Percentiles of unary calls")
    def check_percentiles(self, results):
        for share, result in zip(PERCENTILES, results, strict=True):
            self.assert_quantile(share, "grpc_server_handling_seconds", result, grpc_type="unary")

    @shown_by("p99 by method")
    def check_p99_by_method(self, results):
        result = next(results)
        self.assertEqual({(labels["grpc_method"],) for labels, _ in result},
                         self.totals("grpc_server_handled_total", METHOD).keys())
        for labels, value in result:
            self.assert_quantile(0.99, "grpc_server_handling_seconds", [({}, value)], **labels)

    @shown_by("Messages")
    def check_messages(self, results):
        by = ("grpc_type",)
        for series, result in zip(("received", "sent"), results, strict=True):
            self.assert_values(self.rates(f"grpc_server_msg_{series}_total", by), result, by)

    @shown_by("Elements")
    def check_elements(self, results):
        by = ("operation",)
        self.assert_values(self.rates("quantd_elements_total", by), next(results), by)

    @shown_by("Bytes")
    def check_bytes(self, results):
        by = ("direction", "transport")
        self.assert_values(self.rates("quantd_tensor_bytes_total", by), next(results), by)

    @shown_by("Kernel time")
    def check_kernel_time(self, results):
        by = ("operation",)
        self.assert_values(self.rates("quantd_kernel_seconds_sum", by), next(results), by)
        self.assert_value(self.quantd.worker_threads, next(results))

    @shown_by("Percentiles of a kernel run")
    def check_kernel_percentiles(self, results):
        for share, result in zip(PERCENTILES, results, strict=True):
            self.assert_quantile(share, "quantd_kernel_seconds", result)

    @shown_by("Requests in flight")
    def check_requests_in_flight(self, results):
        self.assert_value(0, next(results))
        self.assert_value(1, next(self.results_of("Requests in flight", self.with_open_stream)))

    @shown_by("Waiting requests")
    def check_waiting_requests(self, results):
        self.assert_value(self.page.value("quantd_waiting_requests"), next(results))

    @shown_by("Bytes in flight")
    def check_bytes_in_flight(self, results):
        self.assert_value(0, next(results))
        self.assert_value(self.page.value("quantd_max_in_flight_bytes"), next(results))
        self.assert_value(self.page.value("quantd_max_message_bytes"), next(results))

    @shown_by("CPU")
    def check_cpu(self, results):
        ((_, rate),) = next(results)
        self.assertGreater(rate, 0)
        # Prometheus extrapolates to the time before the first scrape, but not below 0. So the
        # result is at most the total, apart from rounding.
        used = self.quantd.metrics().value("process_cpu_seconds_total")
        self.assertTrue(rate * WINDOW_SECONDS < used or
                        math.isclose(rate * WINDOW_SECONDS, used, rel_tol=ROUNDING))

    @shown_by("Memory")
    def check_memory(self, results):
        ((_, memory),) = next(results)
        self.assertGreater(memory, 2**20)
        self.assertLess(memory, 2**40)
        self.assert_value(self.page.value("quantd_memory_limit_bytes"), next(results))

    @shown_by("Connections")
    def check_connections(self, results):
        # Those of the stubs stay open, and closed ones may count for a second.
        ((_, connections),) = next(results)
        self.assertTrue(1 <= connections <= MAX_CONNECTIONS, connections)
        self.assert_value(MAX_CONNECTIONS, next(results))

    @shown_by("Connections that ended early")
    def check_connections_that_ended_early(self, results):
        by = ("reason",)
        self.assert_values({("max_connections",): REFUSED_CONNECTIONS / WINDOW_SECONDS}, next(results), by)
        self.assert_values(self.rates("quantd_broken_off_connections_total", by), next(results), by)

    @shown_by("File descriptors")
    def check_file_descriptors(self, results):
        limit, _ = resource.prlimit(self.quantd.process_id, resource.RLIMIT_NOFILE)
        ((_, files),) = next(results)
        self.assertTrue(3 < files < limit, files)
        self.assert_value(limit, next(results))

    def test_every_query_returns_data_that_matches_the_calls(self):
        for title in self.dashboard.titles:
            with self.subTest(panel=title):
                self.check_panel(title)

    def test_the_metrics_page_matches_the_calls(self):
        for method, name in METHODS.items():
            self.assertEqual(self.page.total("grpc_server_handled_total", grpc_method=name, grpc_code="OK"),
                             CALLS[method])
        self.assertEqual(self.page.total("grpc_server_handled_total", grpc_code="InvalidArgument"),
                         sum(BAD_CALLS.values()))
        # The open stream adds one element.
        self.assertEqual(self.page.total("quantd_elements_total"), ELEMENTS * sum(CALLS.values()) + 1)

    def test_grafana_s_file_is_up_to_date(self):
        made = subprocess.run([sys.executable, dashboard.GRAFANA / "make_dashboard.py"], capture_output=True,
                              text=True, check=True)
        self.assertEqual(dashboard.FILE.read_text(encoding="utf-8"), made.stdout,
                         "run docker/grafana/make_dashboard.py > docker/grafana/quantd.json")

    def test_a_server_that_is_down_can_still_be_selected(self):
        self.assertRegex(self.dashboard.variables["instance"]["definition"], r"^label_values\(up\{")

    def test_every_rule_is_evaluated_and_no_alert_fires(self):
        def rules():
            found = [rule for group in self.prometheus.ask("rules")["groups"] for rule in group["rules"]]
            return found if all(rule["health"] != "unknown" for rule in found) else None
        for rule in quantd_process.wait_until(rules, "Prometheus to evaluate all rules"):
            with self.subTest(rule["name"]):
                self.assertEqual(rule["health"], "ok", rule.get("lastError"))
                if rule["type"] == "recording":
                    quantd_process.wait_until(lambda: self.prometheus.query(rule["name"]),
                                              "the rule to have a result")
                else:
                    self.assertNotEqual(rule["state"], "firing")


if __name__ == "__main__":
    unittest.main()
