"""Tests the Python package through a proxy that terminates TLS."""

import contextlib
import pathlib
import tempfile
import unittest

import grpc
import numpy as np
import quantd

import byte_server
import certificates
import golden_cases
import python_client_case
import python_clients
import quantd_process


class TlsTest(quantd_process.QuantdTestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        directory = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="quantd-tls-")))
        cls.authority = certificates.Certificate(directory, "authority")
        cls.localhost = certificates.Certificate(directory, "localhost", cls.authority)
        cls.elsewhere = certificates.Certificate(directory, "elsewhere.example", cls.authority)
        cls.client = certificates.Certificate(directory, "client", cls.authority)
        cls.stranger = certificates.Certificate(directory, "stranger")

    @contextlib.contextmanager
    def proxy(self, certificate=None, asks_for_certificates=False):
        """Runs a proxy in front of the server, and yields its address."""
        certificate = certificate or self.localhost
        credentials = grpc.ssl_server_credentials(
            ((certificate.private_key, certificate.certificate_chain),),
            root_certificates=self.authority.certificate_chain if asks_for_certificates else None,
            require_client_auth=asks_for_certificates)
        serve = byte_server.forward_to(self.quantd.connect())
        with byte_server.ByteServer(serve, credentials) as server:
            yield server.address

    def check(self, address, **options):
        """Makes calls of every kind through `address`."""
        if "credentials" not in options:
            options["root_certificates"] = self.authority.certificate_chain
        with python_clients.connected_to(address, **options) as client:
            self.assertTrue(client.healthy())
            for case in golden_cases.one_case_of_each_op():
                self.assertEqual(case.problems(python_client_case.answer_to(client, case)), [])
            large = np.linspace(-2, 2, 2**20, dtype=np.float32)
            with python_clients.connected_to(self.quantd.address) as plain:
                np.testing.assert_array_equal(client.fake_quantize(large, -1, 1).output,
                                              plain.fake_quantize(large, -1, 1).output)
            with self.assertRaises(quantd.InvalidArgumentError) as raised:
                client.fake_quantize(large, 1, -1)
            self.assertEqual((raised.exception.reason, raised.exception.field),
                             ("INVALID_RANGE", "range.min[0]"))

    def assert_no_connection(self, address, **options):
        with quantd.Client(address, timeout=quantd_process.DEADLINE_SECONDS, retry=False,
                           **options) as client:
            with self.assertRaises(quantd.UnavailableError) as raised:
                client.healthy()
            self.assertIn(address, raised.exception.message)
            # The proxy did answer.
            self.assertNotIn("refused", raised.exception.message)

    def test_a_certificate_of_the_authority_is_trusted(self):
        with self.proxy() as address:
            self.check(address)

    def test_credentials_objects_work_as_well(self):
        with self.proxy() as address:
            self.check(address, credentials=grpc.ssl_channel_credentials(self.authority.certificate_chain))

    def test_a_proxy_can_require_the_client_s_certificate(self):
        with self.proxy(asks_for_certificates=True) as address:
            self.check(address, private_key=self.client.private_key,
                       certificate_chain=self.client.certificate_chain)

    def test_a_certificate_for_another_name_requires_an_override(self):
        with self.proxy(self.elsewhere) as address:
            self.assert_no_connection(address, root_certificates=self.authority.certificate_chain)
            self.check(address, server_name_override="elsewhere.example")

    def test_unknown_certificates_are_not_trusted(self):
        with self.proxy() as address:
            self.assert_no_connection(address, root_certificates=self.stranger.certificate_chain)
        with self.proxy(asks_for_certificates=True) as address:
            self.assert_no_connection(address, root_certificates=self.authority.certificate_chain)
            self.assert_no_connection(address, root_certificates=self.authority.certificate_chain,
                                      private_key=self.stranger.private_key,
                                      certificate_chain=self.stranger.certificate_chain)

    def test_a_connection_without_tls_fails(self):
        with self.proxy() as address:
            self.assert_no_connection(address)


if __name__ == "__main__":
    unittest.main()
