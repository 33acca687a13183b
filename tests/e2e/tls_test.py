"""Tests that connections over the network are encrypted, and that both ends know who is at the other."""

import contextlib
import time
import unittest

import api
import certificates
import http2
import quantd_process
import security_test_case
from security_test_case import credentials, handshake_error, info, tls_context

FAKE_QUANTIZE = f"/{api.SERVICE}/FakeQuantize"
# More calls than a connection may abort.
MAX_FLOOD = 100_000
# How long a handshake may take (server/connections/transport_settings.cc), and how much later its end
# may come, with a machine that is busy.
HANDSHAKE_SECONDS = 10
LATE_SECONDS = 20


class ServerCertificateTest(security_test_case.SecurityTestCase):

    def certificate_error(self, certificate, context=None):
        """Returns why a client refuses a server with `certificate`."""
        with quantd_process.Quantd(*self.tls_flags(certificate)) as quantd:
            self.assert_no_connection(quantd.address, credentials(self.authority))
            return handshake_error(quantd.address, context or tls_context(self.authority)).verify_message

    def test_a_client_that_trusts_the_authority_calls_by_name_and_by_address(self):
        with quantd_process.Quantd(*self.tls_flags()) as quantd:
            port = quantd.address.rsplit(":", 1)[1]
            for host in ("localhost", "127.0.0.1"):
                with self.subTest(host):
                    channel = self.connect(quantd, address=f"{host}:{port}")
                    self.assertTrue(info(channel).version)

    def test_a_client_refuses_a_certificate_that_has_expired(self):
        expired = certificates.Certificate(self.directory, "localhost", self.authority, days=-1)
        with quantd_process.Quantd(*self.tls_flags(expired)) as quantd:
            quantd.wait_for_log('event="certificate has expired"')
        self.assertEqual(self.certificate_error(expired), "certificate has expired")

    def test_a_client_refuses_a_certificate_for_another_name(self):
        elsewhere = certificates.Certificate(self.directory, "elsewhere.example", self.authority)
        self.assertIn("Hostname mismatch", self.certificate_error(elsewhere))

    def test_a_client_refuses_a_certificate_of_another_authority(self):
        other = certificates.Certificate(self.directory, "other")
        localhost = certificates.Certificate(self.directory, "localhost", other)
        self.assertIn("unable to get local issuer certificate", self.certificate_error(localhost))

    def test_metrics_say_when_the_certificate_expires(self):
        with quantd_process.Quantd(*self.tls_flags()) as quantd:
            expiry = quantd.metrics().value("quantd_certificate_expiry_timestamp_seconds")
        with quantd_process.Quantd() as plain:
            self.assertNotIn("quantd_certificate_expiry_timestamp_seconds", plain.metrics().names())
        self.assertAlmostEqual(expiry - time.time(), 2 * 86400, delta=3600)


class ClientCertificateTest(security_test_case.SecurityTestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.quantd = cls.enterClassContext(quantd_process.Quantd(*cls.mutual_tls_flags()))

    def assert_refused(self, client, reason="certificate verify failed"):
        self.assert_no_connection(self.quantd.address, credentials(self.authority, client))
        self.quantd.wait_for_log(reason)
        self.assert_serves(self.quantd, self.trainer)

    def test_a_certificate_of_the_authority_is_accepted(self):
        self.assert_serves(self.quantd, self.trainer)

    def test_a_client_without_a_certificate_is_refused(self):
        self.assert_refused(None, "peer did not return a certificate")

    def test_a_certificate_that_has_expired_is_refused(self):
        self.assert_refused(
            certificates.Certificate(self.directory, "trainer", self.authority, days=-1))

    def test_a_certificate_of_another_authority_is_refused(self):
        self.assert_refused(certificates.Certificate(self.directory, "trainer", self.stranger))
        self.assert_refused(self.stranger)


class EncryptionTest(security_test_case.SecurityTestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.quantd = cls.enterClassContext(quantd_process.Quantd(
            *cls.tls_flags(), listen=("localhost:0", "unix:{directory}/s")))

    def test_tls_1_2_and_1_3_are_spoken_and_older_ones_are_not(self):
        self.assert_protocols(self.quantd.address)

    def test_a_connection_in_plain_text_fails(self):
        self.assert_no_connection(self.quantd.address)
        with http2.connect(self.quantd.address, quantd_process.DEADLINE_SECONDS) as connection:
            connection.sendall(http2.PREFACE + http2.frame(http2.SETTINGS))
            with contextlib.suppress(ConnectionResetError):
                self.assertNotIn(b"\0\0\0\4", connection.recv(64))
        self.assert_serves(self.quantd)

    def test_unix_sockets_stay_plain_text(self):
        self.assertTrue(info(self.quantd.connect(self.quantd.addresses[1])).version)

    def test_a_client_with_tls_gets_nowhere_with_a_server_in_plain_text(self):
        with quantd_process.Quantd() as plain:
            self.assert_no_connection(plain.address, credentials(self.authority))
            with self.assertRaises(OSError):
                http2.connect(plain.address, quantd_process.DEADLINE_SECONDS,
                              tls_context(self.authority))
            self.assertTrue(info(plain.connect()).version)

    def test_handshakes_that_stall_keep_nobody_out_and_end(self):
        with contextlib.ExitStack() as stack:
            start = time.monotonic()
            stalled = []
            # A client that is silent, and one that stops within its first message.
            for sent in (b"", b"\x16\x03\x01\x02\x00\x01") * 10:
                connection = stack.enter_context(
                    http2.connect(self.quantd.address, HANDSHAKE_SECONDS + LATE_SECONDS))
                connection.sendall(sent)
                stalled.append(connection)
            self.assert_serves(self.quantd)
            self.assertLess(time.monotonic() - start, HANDSHAKE_SECONDS)
            for connection in stalled:
                with contextlib.suppress(ConnectionResetError):
                    self.assertEqual(connection.recv(1), b"")
            self.assertLess(time.monotonic() - start, HANDSHAKE_SECONDS + LATE_SECONDS)

    def test_a_flood_of_aborted_calls_is_broken_off(self):
        honest = self.connect(self.quantd)
        with http2.Connection(self.quantd.address, quantd_process.DEADLINE_SECONDS,
                              tls_context(self.authority)) as flood:
            self.assertLess(flood.abort_calls(FAKE_QUANTIZE, MAX_FLOOD), MAX_FLOOD,
                            "the connection was not broken off")
            self.assertTrue(info(honest).version)
        self.assertEqual(self.quantd.metrics().value("quantd_broken_off_connections_total",
                                                     reason="aborted_calls"), 1)
        self.quantd.wait_for_log("reason=aborted_calls")


if __name__ == "__main__":
    unittest.main()
