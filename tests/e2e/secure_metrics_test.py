"""Tests that the metrics page can ask for what calls ask for."""

import contextlib
import http.client
import socket
import ssl
import unittest

import certificates
import quantd_process
import security_test_case
from security_test_case import token_line

TOKEN = "a-secret-of-prometheus"
OTHER_TOKEN = "a-secret-of-the-trainer"
POLICY = """
[[allow]]
callers = ["token:prometheus", "certificate:trainer"]
methods = ["metrics"]

[[allow]]
callers = ["*"]
methods = ["GetServerInfo"]
"""


class SecureMetricsTest(security_test_case.SecurityTestCase):

    def setUp(self):
        super().setUp()
        self.tokens = self.write("tokens", token_line("prometheus", TOKEN)
                                 + token_line("trainer", OTHER_TOKEN))
        self.policy = self.write("policy.toml", POLICY)

    def serve(self, *flags):
        return self.enterContext(quantd_process.Quantd("--metrics-secure", *flags))

    def tls_context(self, client=None):
        context = ssl.create_default_context(cafile=self.authority.path)
        if client:
            context.load_cert_chain(client.path, client.key_path)
        return context

    def ask(self, quantd, token=None, tls=None, path="/metrics"):
        """Returns the answer's status, its headers and the page. `tls` is an ssl.SSLContext."""
        host, port = quantd.metrics_address.rsplit(":", 1)
        deadline = quantd_process.DEADLINE_SECONDS
        connection = (http.client.HTTPSConnection(host, int(port), timeout=deadline, context=tls) if tls
                      else http.client.HTTPConnection(host, int(port), timeout=deadline))
        with contextlib.closing(connection):
            connection.request("GET", path,
                               headers={"Authorization": f"Bearer {token}"} if token else {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()

    def assert_served(self, quantd, token=None, tls=None):
        status, _, page = self.ask(quantd, token, tls)
        self.assertEqual(status, 200, page)
        self.assertIn("quantd_build_info", page)

    def assert_refused(self, quantd, status, token=None, tls=None):
        """Returns the headers and the text of a refusal."""
        found, headers, text = self.ask(quantd, token, tls)
        self.assertEqual(found, status, text)
        self.assertNotIn("quantd_build_info", text)
        return headers, text

    def test_without_the_flag_it_is_open(self):
        with quantd_process.Quantd(*self.mutual_tls_flags(), f"--token-file={self.tokens}") as quantd:
            self.assert_served(quantd)

    def test_it_asks_for_a_token(self):
        quantd = self.serve(f"--token-file={self.tokens}")
        headers, text = self.assert_refused(quantd, 401)
        self.assertEqual(headers["WWW-Authenticate"], "Bearer")
        self.assertIn("shows no credentials", text)
        self.assert_refused(quantd, 401, "wrong")
        self.assert_served(quantd, TOKEN)
        self.assert_served(quantd, OTHER_TOKEN)
        # The paths that do not exist tell nothing.
        self.assertEqual(self.ask(quantd, path="/other")[0], 404)

    def test_the_policy_decides_who_may_read_it(self):
        quantd = self.serve(*self.tls_flags(), f"--token-file={self.tokens}",
                            f"--policy-file={self.policy}")
        context = self.tls_context()
        self.assert_served(quantd, TOKEN, context)
        _, text = self.assert_refused(quantd, 403, OTHER_TOKEN, context)
        self.assertIn("token:trainer may not call metrics", text)
        self.assert_refused(quantd, 401, None, context)
        quantd.wait_for_log("reason=NOT_PERMITTED")
        denied = quantd.wait_for_log("reason=CREDENTIALS_MISSING")
        self.assertIn("method=metrics", denied[0])
        self.assertIn("peer=127.0.0.1", denied[0])
        self.assertNotIn(OTHER_TOKEN, quantd.log)

    def test_it_is_encrypted(self):
        quantd = self.serve(*self.tls_flags())
        self.assert_served(quantd, tls=self.tls_context())
        with self.assertRaises((http.client.HTTPException, OSError)):
            self.ask(quantd)
        self.assert_protocols(quantd.metrics_address)
        self.assert_served(quantd, tls=self.tls_context())

    def test_it_asks_for_a_client_certificate(self):
        quantd = self.serve(*self.mutual_tls_flags(), f"--policy-file={self.policy}")
        self.assert_served(quantd, tls=self.tls_context(self.trainer))
        other = certificates.Certificate(self.directory, "other", self.authority)
        _, text = self.assert_refused(quantd, 403, tls=self.tls_context(other))
        self.assertIn("may not call metrics", text)
        for refused in (None, self.stranger,
                        certificates.Certificate(self.directory, "trainer", self.authority, days=-1)):
            with self.assertRaises(OSError):
                self.ask(quantd, tls=self.tls_context(refused))
        self.assert_served(quantd, tls=self.tls_context(self.trainer))

    def test_it_shows_a_new_certificate(self):
        certificate = self.directory / "certificate.pem"
        key = self.directory / "key.pem"
        certificates.replace(certificate, self.localhost.certificate_chain)
        certificates.replace(key, self.localhost.private_key)
        quantd = self.serve(f"--tls-cert={certificate}", f"--tls-key={key}")
        self.assert_served(quantd, tls=self.tls_context())
        new = certificates.Certificate(self.directory, "new", self.authority, ("IP:127.0.0.1", "IP:::1"))
        certificates.replace(key, new.private_key)
        certificates.replace(certificate, new.certificate_chain)
        quantd_process.wait_until(lambda: self.shown(quantd) == new.der, "the new certificate")
        self.assert_served(quantd, tls=self.tls_context())

    def shown(self, quantd):
        host, port = quantd.metrics_address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), quantd_process.DEADLINE_SECONDS) as connection, \
                self.tls_context().wrap_socket(connection, server_hostname=host) as encrypted:
            return encrypted.getpeercert(binary_form=True)

    def test_handshakes_that_stall_keep_nobody_out(self):
        quantd = self.serve(*self.tls_flags())
        host, port = quantd.metrics_address.rsplit(":", 1)
        with contextlib.ExitStack() as stack:
            # More than it keeps.
            for _ in range(200):
                stack.enter_context(socket.create_connection((host, int(port))))
            self.assert_served(quantd, tls=self.tls_context())


if __name__ == "__main__":
    unittest.main()
