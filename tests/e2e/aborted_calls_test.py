"""Tests that clients which abort calls as fast as they can do not fill the server's memory."""

import unittest

import api
import http2
import quantd_process

MIB = 1024 * 1024
# Calls that a flood aborts, unless it is broken off before.
MAX_FLOOD = 100_000
FAKE_QUANTIZE = f"/{api.SERVICE}/FakeQuantize"


class AbortedCallsTest(unittest.TestCase):
    """Clients that abort calls as soon as they have begun (HTTP/2 Rapid Reset, CVE-2023-44487)."""

    def assert_flood_is_broken_off(self, path, listen):
        # With less memory, the connection may be broken off for what it takes before it is for what it
        # does (transport_memory_test).
        with quantd_process.Quantd("--max-message-bytes=4MiB", "--max-in-flight-bytes=128MiB",
                                   listen=(listen,)) as quantd, \
                quantd.connect() as honest:
            stub = api.QuantizationServiceStub(honest)
            with http2.Connection(quantd.address, quantd_process.DEADLINE_SECONDS) as flood:
                sent = flood.abort_calls(path, MAX_FLOOD)
                self.assertLess(sent, MAX_FLOOD, "the connection was not broken off")
                # Other clients do not notice.
                self.assertTrue(stub.GetServerInfo(api.GetServerInfoRequest()).version)
            metrics = quantd.metrics()
            self.assertEqual(metrics.value("quantd_accepted_connections_total"), 2)
            self.assertEqual(metrics.value("quantd_broken_off_connections_total",
                                           reason="aborted_calls"), 1)
            quantd.wait_for_log("reason=aborted_calls")
            self.assertLess(quantd.peak_bytes(), (8 + 150) * MIB)

    def test_a_flood_of_them_is_broken_off_whatever_the_method(self):
        for path in (FAKE_QUANTIZE, "/unknown/method", "/grpc.health.v1.Health/Check"):
            with self.subTest(path):
                self.assert_flood_is_broken_off(path, "localhost:0")

    def test_a_flood_of_them_on_a_unix_socket_is_broken_off(self):
        self.assert_flood_is_broken_off(FAKE_QUANTIZE, "unix:{directory}/s")

    def test_a_client_may_abort_many_calls_at_once(self):
        with quantd_process.Quantd() as quantd:
            with http2.Connection(quantd.address, quantd_process.DEADLINE_SECONDS) as connection:
                for start in (0, 500):
                    self.assertEqual(connection.abort_calls(FAKE_QUANTIZE, 500, start), 500)
                    kind, _, _, payload = connection.ping()
                    self.assertEqual(kind, http2.PING, payload)
                quantd_process.wait_until(
                    lambda: quantd.metrics().total("grpc_server_handled_total") == 1000,
                    "the end of the calls")
                # The server looks for floods more often than for closed connections.
                with quantd.connect() as other:
                    api.QuantizationServiceStub(other).GetServerInfo(api.GetServerInfoRequest())
                quantd_process.wait_until(
                    lambda: quantd.metrics().value("quantd_connections") == 1,
                    "the end of the other connection")
                self.assertEqual(quantd.metrics().total("quantd_broken_off_connections_total"), 0)


if __name__ == "__main__":
    unittest.main()
