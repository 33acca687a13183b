"""Tests of connections that the client examples of every language have to pass, with their programs."""

import pathlib
import tempfile

import grpc

import byte_server
import quantd_process
from certificates import Certificate
from unreliable_server import UNAVAILABLE, UnreliableServer, failing

TOKEN = "se.cr_et~1="


class ClientConnectionTests:
    """A mixin for a QuantdTestCase that defines how to run its program."""

    program = ()
    # The variables without which the language's gRPC does not retry.
    retry_environment = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        directory = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="quantd-tls-")))
        cls.directory = directory
        cls.authority = Certificate(directory, "authority")
        cls.elsewhere = Certificate(directory, "elsewhere.example", cls.authority)
        cls.client = Certificate(directory, "client", cls.authority)
        cls.channel = cls.quantd.connect()

    def run_program(self, server, *options, environment=None):
        return quantd_process.run(*self.program, "--server", server, *options, environment=environment)

    def assert_works(self, done):
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("output", done.stdout)

    def serve_with_token(self, method, requests, context):
        """Forwards calls that have the right token."""
        if dict(context.invocation_metadata()).get("authorization") != f"Bearer {TOKEN}":
            failing(grpc.StatusCode.UNAUTHENTICATED, "who are you", reason="INVALID_TOKEN")(context)
        return byte_server.forward_to(self.channel)(method, requests, context)

    def token_file(self, contents):
        file = self.directory / "token"
        file.write_text(contents, encoding="ascii")
        return "--token-file", file

    def test_tls_with_certificates_of_both_sides_and_a_token(self):
        credentials = grpc.ssl_server_credentials(
            ((self.elsewhere.private_key, self.elsewhere.certificate_chain),),
            self.authority.certificate_chain, require_client_auth=True)
        trust = ("--root-certificates", self.authority.path, "--server-name", "elsewhere.example")
        own = ("--private-key", self.client.key_path, "--certificate-chain", self.client.path)
        with byte_server.ByteServer(self.serve_with_token, credentials) as server:
            self.assert_works(self.run_program(server.address, *trust, *own, *self.token_file(f"{TOKEN}\n")))
            for options in (trust, (*trust[:2], *own), ()):
                done = self.run_program(server.address, *options)
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertIn("reason: none", done.stderr)

    def test_a_token_goes_to_this_machine_without_encryption(self):
        with byte_server.ByteServer(self.serve_with_token) as server:
            self.assert_works(self.run_program(server.address, *self.token_file(TOKEN)))
            done = self.run_program(server.address, *self.token_file("guess"))
            self.assertIn("who are you\nreason: INVALID_TOKEN\n", done.stderr)

    def test_a_token_does_not_go_elsewhere_without_encryption(self):
        done = self.run_program("example.com:50051", *self.token_file("guess"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("without encryption", done.stderr)
        self.assertNotIn("guess", done.stderr)

    def test_malformed_addresses_are_errors_that_say_what_was_expected(self):
        for address in ("localhost", "1.2.3.4", ":70000", "host:0", "http://localhost:1", "a b:1", "unix:"):
            with self.subTest(address):
                done = self.run_program(address)
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertRegex(done.stderr, "HOST:PORT.*unix:PATH.*" + address)

    def test_connections_on_this_machine_use_no_proxy(self):
        proxy = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
        with quantd_process.Quantd(listen=("unix:{directory}/quantd.sock", "127.0.0.1:0", "[::1]:0")) as server:
            for address in server.addresses:
                with self.subTest(address):
                    self.assert_works(self.run_program(address, environment=proxy))

    def test_calls_are_made_again_while_no_server_is_available(self):
        with UnreliableServer(self.channel, [UNAVAILABLE] * 3) as server:
            self.assert_works(self.run_program(server.address, environment=self.retry_environment))
