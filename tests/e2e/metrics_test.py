"""Tests the metrics page after known traffic."""

import subprocess
import unittest

import grpc
import numpy as np

import api
import quantd_process

# Not a multiple of any vector's width, so that remainders are counted, too.
ELEMENTS = 1025

MEMORY_LIMIT_BYTES = 3 * 2**30

DOCUMENTED_NAMES = {
    "grpc_server_started_total",
    "grpc_server_handled_total",
    "grpc_server_handling_seconds_bucket",
    "grpc_server_handling_seconds_count",
    "grpc_server_handling_seconds_sum",
    "grpc_server_msg_received_total",
    "grpc_server_msg_sent_total",
    "quantd_elements_total",
    "quantd_tensor_bytes_total",
    "quantd_kernel_seconds_bucket",
    "quantd_kernel_seconds_count",
    "quantd_kernel_seconds_sum",
    "quantd_in_flight_requests",
    "quantd_in_flight_bytes",
    "quantd_max_in_flight_bytes",
    "quantd_max_message_bytes",
    "quantd_memory_limit_bytes",
    "quantd_worker_threads",
    "quantd_rejected_requests_total",
    "quantd_connections",
    "quantd_max_connections",
    "quantd_accepted_connections_total",
    "quantd_refused_connections_total",
    "quantd_broken_off_connections_total",
    "quantd_build_info",
    "quantd_log_lines_dropped_total",
    "exposer_transferred_bytes_total",
    "exposer_scrapes_total",
    "exposer_request_latencies_count",
    "exposer_request_latencies_sum",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_start_time_seconds",
}


class MetricsTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        """Makes 3 FakeQuantize, 2 FakeQuantizeGradient, 1 Quantize and 1 GetServerInfo that succeed;
        4 calls fail."""
        cls.quantd = quantd_process.Quantd(f"--memory-limit={MEMORY_LIMIT_BYTES}")
        cls.addClassCleanup(cls.quantd.stop)
        tensor = api.tensor_of_bytes(np.linspace(-2, 2, ELEMENTS, dtype=np.float32))
        interval = api.Range(min=[-1], max=[1])
        stub = cls.quantd.stub()
        for _ in range(3):
            stub.FakeQuantize(api.FakeQuantizeRequest(input=tensor, range=interval))
        for _ in range(2):
            stub.FakeQuantizeGradient(
                api.FakeQuantizeGradientRequest(gradients=tensor, inputs=tensor, range=interval))
        stub.Quantize(api.QuantizeRequest(input=tensor, range=interval))
        cls.info = stub.GetServerInfo(api.GetServerInfoRequest())
        inverted = api.Range(min=[1], max=[-1])
        for bad in (api.FakeQuantizeRequest(input=tensor, range=inverted),
                    api.FakeQuantizeRequest(input=tensor, range=inverted),
                    api.FakeQuantizeRequest(input=tensor),
                    api.FakeQuantizeRequest(input=tensor, range=api.Range(min=[1], max=[1, 2]))):
            try:
                stub.FakeQuantize(bad)
            except grpc.RpcError:
                continue
            raise AssertionError("a bad request succeeded")
        cls.text = cls.quantd.metrics_text()
        cls.metrics = quantd_process.Metrics(cls.text)

    def assert_value(self, expected, name, **labels):
        with self.subTest(name, **labels):
            self.assertEqual(self.metrics.value(name, **labels), expected)

    def test_every_documented_name_exists(self):
        self.assertEqual(DOCUMENTED_NAMES - self.metrics.names(), set())

    def test_calls_are_counted_as_grpc_dashboards_expect(self):
        for method, ok, invalid in (
            ("FakeQuantize", 3, 4), ("FakeQuantizeGradient", 2, 0), ("Quantize", 1, 0),
            ("Dequantize", 0, 0), ("GetServerInfo", 1, 0)
        ):
            labels = {"grpc_type": "unary", "grpc_service": api.SERVICE, "grpc_method": method}
            self.assert_value(ok + invalid, "grpc_server_started_total", **labels)
            self.assert_value(ok, "grpc_server_handled_total", grpc_code="OK", **labels)
            self.assertEqual(
                self.metrics.total("grpc_server_handled_total", grpc_code="InvalidArgument",
                                   grpc_method=method), invalid)
            self.assertEqual(self.metrics.total("grpc_server_handled_total", grpc_method=method),
                             ok + invalid)
            self.assert_value(ok + invalid, "grpc_server_handling_seconds_count", **labels)
            self.assert_value(ok + invalid, "grpc_server_msg_received_total", **labels)
            self.assert_value(ok, "grpc_server_msg_sent_total", **labels)

    def test_elements_and_bytes_are_those_of_successful_calls(self):
        self.assert_value(3 * ELEMENTS, "quantd_elements_total", operation="fake_quantize")
        self.assert_value(2 * ELEMENTS, "quantd_elements_total",
                          operation="fake_quantize_gradient")
        self.assert_value(ELEMENTS, "quantd_elements_total", operation="quantize")
        self.assert_value(0, "quantd_elements_total", operation="dequantize")
        # A gradient request has two tensors, and its answer has one. Codes have a quarter of the
        # bytes of their values.
        self.assert_value((3 + 2 * 2 + 1) * 4 * ELEMENTS, "quantd_tensor_bytes_total",
                          direction="in", transport="grpc")
        self.assert_value((3 + 2) * 4 * ELEMENTS + ELEMENTS, "quantd_tensor_bytes_total",
                          direction="out", transport="grpc")

    def test_kernel_time_is_measured_once_per_call_that_computes(self):
        self.assert_value(3, "quantd_kernel_seconds_count", operation="fake_quantize")
        self.assert_value(2, "quantd_kernel_seconds_count", operation="fake_quantize_gradient")
        kernel = self.metrics.total("quantd_kernel_seconds_sum")
        self.assertGreater(kernel, 0)
        self.assertLess(kernel, self.metrics.total("grpc_server_handling_seconds_sum"))

    def test_no_log_line_is_dropped_while_its_file_takes_it(self):
        self.assert_value(0, "quantd_log_lines_dropped_total")

    def test_rejections_are_counted_by_reason(self):
        self.assert_value(2, "quantd_rejected_requests_total", reason="INVALID_RANGE")
        self.assert_value(1, "quantd_rejected_requests_total", reason="PARAMETERS_MISMATCH")
        self.assert_value(1, "quantd_rejected_requests_total", reason="RANGE_SIZE_MISMATCH")
        self.assertEqual(self.metrics.total("quantd_rejected_requests_total"), 4)

    def test_nothing_is_in_flight_when_all_calls_are_answered(self):
        self.assert_value(0, "quantd_in_flight_requests")
        self.assert_value(0, "quantd_in_flight_bytes")

    def test_the_limits_match_those_of_get_server_info(self):
        self.assert_value(self.info.max_in_flight_bytes, "quantd_max_in_flight_bytes")
        self.assert_value(self.info.max_message_bytes, "quantd_max_message_bytes")
        self.assert_value(self.info.worker_threads, "quantd_worker_threads")
        self.assert_value(MEMORY_LIMIT_BYTES, "quantd_memory_limit_bytes")

    def test_connections_are_counted(self):
        self.assert_value(1, "quantd_connections")
        self.assert_value(1, "quantd_accepted_connections_total")
        for reason in ("max_connections", "max_connections_per_peer", "no_descriptors",
                       "no_memory"):
            self.assert_value(0, "quantd_refused_connections_total", reason=reason)
        for reason in ("aborted_calls", "memory"):
            self.assert_value(0, "quantd_broken_off_connections_total", reason=reason)
        self.assertGreater(self.metrics.value("quantd_max_connections"), 0)

    def test_the_build_is_described(self):
        (labels,) = self.metrics.labels("quantd_build_info")
        self.assertEqual(labels.keys(), {"version", "revision", "simd_target"})
        self.assertEqual(labels["version"], self.info.version)
        self.assertEqual(labels["simd_target"], self.info.simd_target)
        self.assert_value(1, "quantd_build_info", **labels)

    def test_the_process_is_described(self):
        self.assertGreater(self.metrics.value("process_cpu_seconds_total"), 0)
        self.assertGreater(self.metrics.value("process_resident_memory_bytes"), 2**20)
        self.assertGreater(self.metrics.value("process_open_fds"), 3)
        self.assertGreater(self.metrics.value("process_start_time_seconds"), 1.6e9)

    def test_series_of_errors_exist_before_the_first_error(self):
        # Otherwise rate() would miss the first error.
        with quantd_process.Quantd() as quantd:
            metrics = quantd.metrics()
        labels = {"grpc_type": "unary", "grpc_service": api.SERVICE, "grpc_method": "FakeQuantize"}
        for code in ("OK", "InvalidArgument", "ResourceExhausted", "Unavailable"):
            self.assertEqual(
                metrics.value("grpc_server_handled_total", grpc_code=code, **labels), 0)
        self.assertEqual(metrics.value("quantd_rejected_requests_total", reason="INVALID_RANGE"), 0)

    def test_promtool_accepts_the_page(self):
        done = subprocess.run(["promtool", "check", "metrics"], input=self.text, text=True,
                              capture_output=True, check=False,
                              timeout=quantd_process.DEADLINE_SECONDS)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))


if __name__ == "__main__":
    unittest.main()
