"""Tests that certificates, tokens and policies are replaced while the server runs."""

import concurrent.futures
import contextlib
import signal
import threading
import time
import unittest

import certificates
import http2
import quantd_process
import security_test_case
from security_test_case import credentials, info, shown_certificate, tls_context, token_line

# How often the server looks for changes (server/access/reloaded_files.h).
INTERVAL_SECONDS = 1
CLIENTS = 4


class Load:
    """Clients that open connections and call all the time. As a context manager, it ends on exit, and
    raises the error of any of them."""

    def __init__(self, quantd, authority):
        self._quantd = quantd
        self._authority = authority
        self._stop = threading.Event()
        self._executor = concurrent.futures.ThreadPoolExecutor(2 * CLIENTS)
        # Of each client.
        self._calls = [0] * (2 * CLIENTS)

    def _repeat(self, number, call):
        while not self._stop.is_set():
            call()
            self._calls[number] += 1

    def _call(self):
        channel_credentials = credentials(self._authority)
        with contextlib.closing(self._quantd.connect(credentials=channel_credentials)) as channel:
            info(channel)

    def _shake_hands(self):
        """Connects without gRPC, which repeats handshakes that fail."""
        http2.Connection(self._quantd.address, quantd_process.DEADLINE_SECONDS,
                         tls_context(self._authority)).close()

    def wait_for_calls(self):
        """Waits until each client has opened another connection, from beginning to end."""
        before = list(self._calls)
        quantd_process.wait_until(
            lambda: self._stopped() or all(now >= then + 2 for now, then in zip(self._calls, before)),
            "more calls")

    def _stopped(self):
        return any(client.done() for client in self._clients)

    def __enter__(self):
        self._clients = [
            self._executor.submit(self._repeat, number,
                                  self._call if number % 2 else self._shake_hands)
            for number in range(2 * CLIENTS)]
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._executor.shutdown()
        for client in self._clients:
            client.result()


class ReloadTestCase(security_test_case.SecurityTestCase):

    def setUp(self):
        super().setUp()
        self.certificate = self.directory / "certificate.pem"
        self.key = self.directory / "key.pem"
        self.use_key(self.localhost)
        self.use_certificate(self.localhost)

    def use_key(self, certificate):
        certificates.replace(self.key, certificate.private_key)

    def use_certificate(self, certificate):
        certificates.replace(self.certificate, certificate.certificate_chain)

    def new_certificate(self, name="localhost"):
        directory = self.directory / str(time.monotonic_ns())
        directory.mkdir()
        return certificates.Certificate(directory, name, self.authority, ("DNS:localhost",))

    def serve(self, *flags):
        """Starts a server whose certificate and key are replaced, and which ends with the test."""
        return self.enterContext(quantd_process.Quantd(
            f"--tls-cert={self.certificate}", f"--tls-key={self.key}", *flags))

    def shown(self, quantd):
        return shown_certificate(quantd.address, self.authority)

    def wait_until_shown(self, quantd, certificate):
        quantd_process.wait_until(lambda: self.shown(quantd) == certificate.der, "the new certificate")

    def reloads(self, quantd, result):
        return quantd.metrics().value("quantd_file_reloads_total", result=result)

    def wait_until_refused(self, quantd, times, message):
        quantd_process.wait_until(lambda: self.reloads(quantd, "refused") >= times, "a refusal")
        self.assertEqual(self.reloads(quantd, "refused"), times)
        lines = quantd.wait_for_log('event="cannot reload files"')
        self.assertIn(message, lines[-1])
        self.assertIn("what was read before stays in use", lines[-1])


class CertificateRotationTest(ReloadTestCase):

    def test_certificates_are_replaced_under_load_without_a_failed_call(self):
        quantd = self.serve()
        older = self.connect(quantd)
        current = self.localhost
        with Load(quantd, self.authority) as load:
            for refusals in (1, 2, 3):
                new = self.new_certificate()
                # For a moment, the key is not that of the certificate.
                self.use_key(new)
                self.wait_until_refused(quantd, refusals, "is not the key of the certificate")
                load.wait_for_calls()
                self.assertEqual(self.shown(quantd), current.der)
                self.use_certificate(new)
                self.wait_until_shown(quantd, new)
                load.wait_for_calls()
                self.assertEqual(self.shown(quantd), new.der)
                current = new
        self.assertEqual(self.reloads(quantd, "used"), 3)
        # Connections that were open go on.
        self.assertTrue(info(older).version)

    def test_what_cannot_be_used_is_reported_once_and_the_old_certificate_stays(self):
        quantd = self.serve()
        certificates.replace(self.certificate, b"no certificate")
        self.wait_until_refused(quantd, 1, "certificate.pem has no certificate; expected PEM")
        self.assertEqual(self.shown(quantd), self.localhost.der)
        self.certificate.unlink()
        self.wait_until_refused(quantd, 2, "certificate.pem: cannot open the file")
        self.assertEqual(self.shown(quantd), self.localhost.der)
        # As long as a fault stays the same, it is not reported again.
        quantd.signal(signal.SIGHUP)
        quantd.wait_for_log("settings reloaded")
        new = self.new_certificate()
        self.use_key(new)
        self.use_certificate(new)
        self.wait_until_shown(quantd, new)
        self.assertEqual(self.reloads(quantd, "refused"), 2)

    def test_metrics_follow_the_new_certificate(self):
        quantd = self.serve()
        before = quantd.metrics().value("quantd_certificate_expiry_timestamp_seconds")
        new = certificates.Certificate(self.directory, "localhost", self.authority, days=30)
        self.use_key(new)
        self.use_certificate(new)
        self.wait_until_shown(quantd, new)
        after = quantd.metrics().value("quantd_certificate_expiry_timestamp_seconds")
        self.assertAlmostEqual(after - before, 28 * 86400, delta=3600)

    def test_a_new_authority_of_clients_is_used(self):
        authority = self.directory / "authority.pem"
        certificates.replace(authority, self.authority.certificate_chain)
        quantd = self.serve(f"--tls-client-ca={authority}")
        older = self.connect(quantd, self.trainer)
        certificates.replace(authority, self.stranger.certificate_chain)
        quantd.wait_for_log('event="files reloaded" subject=certificates')
        self.assert_no_connection(quantd.address, credentials(self.authority, self.trainer))
        self.assert_serves(quantd, self.stranger)
        # Certificates are looked at once for each connection.
        self.assertTrue(info(older).version)
        # Both may call while clients go from one to the other.
        certificates.replace(authority,
                             self.stranger.certificate_chain + self.authority.certificate_chain)
        quantd_process.wait_until(lambda: self.reloads(quantd, "used") == 2, "both authorities")
        self.assert_serves(quantd, self.stranger)
        self.assert_serves(quantd, self.trainer)

    def test_files_behind_symbolic_links_are_replaced(self):
        # Kubernetes has a link to the folder with the newest files of a Secret.
        newest = self.directory / "..data"
        for number, certificate in enumerate((self.localhost, self.new_certificate())):
            folder = self.directory / f"..{number}"
            folder.mkdir()
            (folder / "tls.crt").write_bytes(certificate.certificate_chain)
            (folder / "tls.key").write_bytes(certificate.private_key)
            link = self.directory / "..new"
            link.symlink_to(folder)
            link.replace(newest)
            if number == 0:
                for name in ("tls.crt", "tls.key"):
                    (self.directory / name).symlink_to(newest / name)
                quantd = self.enterContext(quantd_process.Quantd(
                    f"--tls-cert={self.directory}/tls.crt", f"--tls-key={self.directory}/tls.key"))
            self.wait_until_shown(quantd, certificate)


class ReloadTest(ReloadTestCase):

    def test_a_signal_has_files_read_at_once(self):
        tokens = self.write("tokens", token_line("trainer", "0"))
        quantd = self.serve(f"--token-file={tokens}")
        channel = self.connect(quantd)
        start = time.monotonic()
        for number in range(1, 11):
            self.write("tokens", token_line("trainer", str(number)))
            quantd.signal(signal.SIGHUP)
            quantd_process.wait_until(lambda: self.reloads(quantd, "used") == number, "a reload")
            self.assertTrue(info(channel, str(number)).version)
        # Otherwise, each would take as long as the server waits between two looks.
        self.assertLess(time.monotonic() - start, 5 * INTERVAL_SECONDS)

    def test_tokens_and_policies_that_cannot_be_used_leave_the_old_ones_in_force(self):
        tokens = self.write("tokens", token_line("trainer", "secret"))
        policy = self.write(
            "policy.toml", '[[allow]]\ncallers = ["token:trainer"]\nmethods = ["GetServerInfo"]\n')
        quantd = self.serve(f"--token-file={tokens}", f"--policy-file={policy}")
        channel = self.connect(quantd)
        self.write("tokens", "trainer secret\n")
        self.wait_until_refused(quantd, 1, "tokens:1: the hash of the token 'trainer' has 6 characters")
        self.write("policy.toml", "")
        self.wait_until_refused(quantd, 2, "policy.toml permits nothing")
        self.assertTrue(info(channel, "secret").version)


if __name__ == "__main__":
    unittest.main()
