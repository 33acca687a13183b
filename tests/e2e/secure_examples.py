"""Tests of security that the client examples of every language have to pass, with the real quantd."""

import re

import grpc

import client_examples
import golden_cases
import quantd_process
import secure_clients

CODES = {code.value[0]: code.name for code in grpc.StatusCode}


class SecureExampleTests(secure_clients.SecureClientTests, client_examples.ClientExampleDriver):
    """A mixin for a SecureClientTestCase that defines how to run its driver and its program."""

    program = ()

    def connection(self, identity):
        """Returns what the driver is told."""
        connection = {"rootCertificates": identity.authority.certificate_chain.decode("ascii")}
        if identity.certificate:
            connection |= {"privateKey": identity.certificate.private_key.decode("ascii"),
                           "certificateChain": identity.certificate.certificate_chain.decode("ascii")}
        if identity.token_file:
            connection["token"] = identity.token
        if identity.server_name:
            connection["serverName"] = identity.server_name
        return connection

    def run_program(self, identity):
        options = ["--root-certificates", identity.authority.path]
        if identity.certificate:
            options += ["--private-key", identity.certificate.key_path,
                        "--certificate-chain", identity.certificate.path]
        if identity.token_file:
            options += ["--token-file", identity.token_file]
        if identity.server_name:
            options += ["--server-name", identity.server_name]
        return quantd_process.run(*self.program, "--server", self.quantd.address, *options)

    def check(self, identity):
        self.assert_right_bits(secure_clients.cases(), self.connection(identity))
        done = self.run_program(identity)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn(done.stdout, client_examples.README.read_text(encoding="utf-8"))

    def refusals(self, identity, connects):
        # Neither the driver nor the program has calls that need no token.
        errors = self.answers_of(golden_cases.one_case_of_each_op()[:2], self.connection(identity))
        for error in errors:
            self.assertIsInstance(error, dict)
        done = self.run_program(identity)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        reason = re.search(r"\nreason: (\w+)\nfield: none\n\Z", done.stderr)
        self.assertIsNotNone(reason, done.stderr)
        return [
            *(secure_clients.Refusal(CODES[error["code"]], error.get("reason") or "", error["message"])
              for error in errors),
            secure_clients.Refusal(None, reason[1].replace("none", ""), done.stderr)]
