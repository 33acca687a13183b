"""Tests how the Python package shows who it is, with a server that wants a token, with TLS and without."""

import hashlib
import os
import pathlib
import tempfile
import unittest
import unittest.mock

import grpc
import numpy as np
import quantd

import byte_server
import python_clients
import quantd_process
from certificates import Certificate
from python_client_case import IN_ONE_MESSAGE
from unreliable_server import failing

X = np.ones(40, np.float32)
WAYS = (IN_ONE_MESSAGE, {"stream_from_bytes": 0})


class TokenTest(quantd_process.QuantdTestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.channel = cls.quantd.connect()

    def setUp(self):
        self.directory = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory(prefix="quantd-token-")))

    def serve(self, method, requests, context):
        """Forwards calls that have the right token."""
        given = dict(context.invocation_metadata()).get("authorization")
        if given is None:
            failing(grpc.StatusCode.UNAUTHENTICATED, "there is no token", reason="CREDENTIALS_MISSING")(context)
        if given == "Bearer reader":
            failing(grpc.StatusCode.PERMISSION_DENIED, "readers may not", reason="NOT_PERMITTED")(context)
        if given != "Bearer se.cr_et~1=":
            failing(grpc.StatusCode.UNAUTHENTICATED, "the token is unknown", reason="INVALID_TOKEN")(context)
        return byte_server.forward_to(self.channel)(method, requests, context)

    def server(self, credentials=None):
        return self.enterContext(byte_server.ByteServer(self.serve, credentials))

    def error_of(self, address, **options):
        with quantd.Client(address, **options) as client, self.assertRaises(quantd.QuantdError) as raised:
            client.fake_quantize(X, -1, 1)
        return raised.exception

    def check(self, client):
        self.assertTrue(client.healthy())
        self.assertEqual(client.fake_quantize(X, -1, 1).output.shape, X.shape)

    def test_every_call_has_the_token(self):
        address = self.server().address
        for way in WAYS:
            for token in ("se.cr_et~1=", " se.cr_et~1=\r\n"):
                with python_clients.connected_to(address, token=token, **way) as client:
                    self.check(client)

    def test_calls_without_the_right_token_have_errors_of_their_own(self):
        address = self.server().address
        for way in WAYS:
            for options, kind, reason in (
                ({}, quantd.UnauthenticatedError, "CREDENTIALS_MISSING"),
                ({"token": "guess"}, quantd.UnauthenticatedError, "INVALID_TOKEN"),
                ({"token": "reader"}, quantd.PermissionDeniedError, "NOT_PERMITTED"),
            ):
                with self.subTest(options):
                    error = self.error_of(address, **options, **way)
                    self.assertIs(type(error), kind)
                    self.assertEqual(error.reason, reason)
        self.assertTrue(issubclass(quantd.PermissionDeniedError, PermissionError))

    def test_quantd_s_own_answers_to_tokens_are_these_errors(self):
        tokens = self.directory / "tokens"
        tokens.write_text(f"trainer {hashlib.sha256(b'right').hexdigest()}\n", encoding="ascii")
        with quantd_process.Quantd(f"--token-file={tokens}") as server:
            for way in WAYS:
                with python_clients.connected_to(server.address, token="right", **way) as client:
                    self.check(client)
                for options, reason in (({}, "CREDENTIALS_MISSING"), ({"token": "wrong"}, "INVALID_TOKEN")):
                    error = self.error_of(server.address, **options, **way)
                    self.assertIsInstance(error, quantd.UnauthenticatedError)
                    self.assertEqual(error.reason, reason)

    def test_the_file_of_a_token_is_read_again_when_it_changes(self):
        address = self.server().address
        file = self.directory / "token"
        file.write_text("\n se.cr_et~1= \n", encoding="ascii")
        for kind in (str, pathlib.Path):
            with python_clients.connected_to(address, token_file=kind(file)) as client:
                self.check(client)
                file.write_text("guess", encoding="ascii")
                with self.assertRaises(quantd.UnauthenticatedError):
                    client.healthy()
                file.unlink()
                for call in (client.healthy, lambda client=client: client.fake_quantize(X, -1, 1)):
                    with self.assertRaisesRegex(quantd.UnauthenticatedError, "cannot be read") as raised:
                        call()
                    self.assertEqual(raised.exception.reason, "CREDENTIALS_MISSING")
                replacement = self.directory / "replacement"
                replacement.write_text("se.cr_et~1=", encoding="ascii")
                replacement.rename(file)
                self.check(client)

    def test_wrong_tokens_are_errors_that_do_not_show_them(self):
        contents = {"empty": b" \n", "long": b"hidden" * 1000, "words": b"hidden token", "binary": b"hidden\xff"}
        for name, content in contents.items():
            (self.directory / name).write_bytes(content)
        for options, error, message in (
            ({"token": ""}, ValueError, "token is empty"), ({"token": " \n"}, ValueError, "token is empty"),
            ({"token": "Bearer hidden"}, ValueError, "spaces.*follows \"Bearer \""),
            ({"token": "hidden\nvalue"}, ValueError, "line breaks"), ({"token": "hidden\0"}, ValueError, "beyond"),
            ({"token": "hiddenä"}, ValueError, "beyond ASCII"), ({"token": b"hidden"}, TypeError, "is a bytes"),
            ({"token": "hidden" * 1000}, ValueError, "more than 4096 characters"),
            ({"token_file": 3}, TypeError, "token_file is a int"),
            ({"token": "hidden", "token_file": "a"}, ValueError, "both given"),
            ({"token_file": self.directory / "none"}, ValueError, "none' cannot be read .No such file"),
            ({"token_file": self.directory}, ValueError, "cannot be read .Is a directory"),
            ({"token_file": self.directory / "empty"}, ValueError, "empty' is empty"),
            ({"token_file": self.directory / "long"}, ValueError, "more than 4096"),
            ({"token_file": self.directory / "words"}, ValueError, "spaces"),
            ({"token_file": self.directory / "binary"}, ValueError, "not ASCII"),
            ({"token_file": "/dev/zero"}, ValueError, "more than 4096"),
            ({"tls": 1}, TypeError, "tls is 1"),
            ({"token": "hidden", "allow_plaintext_token": 1}, TypeError, "allow_plaintext_token is 1"),
        ):
            with self.subTest(options), self.assertRaisesRegex(error, message) as raised:
                quantd.Client(**options)
            self.assertNotIn("hidden", str(raised.exception))

    def test_a_token_does_not_cross_the_network_without_encryption(self):
        for address in ("example.com:50051", "192.0.2.1:50051", "[2001:db8::1]:1", "localhost:1,example.com:1",
                        "localhost.example.com:1", "128.0.0.1:1"):
            for options in ({"token": "hidden"}, {"token_file": self.directory / "token"}):
                (self.directory / "token").write_text("hidden", encoding="ascii")
                with self.subTest(address), self.assertRaisesRegex(ValueError, "without encryption.*tls=True"):
                    quantd.Client(address, **options)
                for more in ({"allow_plaintext_token": True}, {"tls": True},
                             {"credentials": grpc.ssl_channel_credentials()}):
                    with quantd.Client(address, **options, **more):
                        pass
            with quantd.Client(address):
                pass
        for address in ("localhost:1", "LocalHost.:1", "a.localhost:1", "127.1.2.3:1", "[::1]:1",
                        "[::ffff:127.0.0.1]:1", "unix:/a", "localhost:1,unix:/a"):
            with self.subTest(address), quantd.Client(address, token="hidden"):
                pass

    def test_tls_trusts_the_certificates_of_the_system(self):
        authority = Certificate(self.directory, "authority")
        localhost = Certificate(self.directory, "localhost", authority)
        client = Certificate(self.directory, "client", authority)
        roots = self.directory / "authority.pem"
        for asks in (False, True):
            credentials = grpc.ssl_server_credentials(
                ((localhost.private_key, localhost.certificate_chain),), authority.certificate_chain, asks)
            own = ({"private_key": client.private_key, "certificate_chain": client.certificate_chain}
                   if asks else {})
            address = self.server(credentials).address
            with unittest.mock.patch.dict(os.environ, {"SSL_CERT_FILE": str(roots)}):
                os.environ.pop("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", None)
                with python_clients.connected_to(address, tls=True, token="se.cr_et~1=", **own) as connected:
                    self.check(connected)
            with unittest.mock.patch.dict(os.environ):
                os.environ.pop("SSL_CERT_FILE", None)
                error = self.error_of(address, tls=True, token="se.cr_et~1=", retry=False, **own)
                self.assertIsInstance(error, quantd.UnavailableError)


if __name__ == "__main__":
    unittest.main()
