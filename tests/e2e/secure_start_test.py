"""Tests that quantd does not start with less security than it is told to have."""

import socket
import unittest

import certificates
import quantd_process
import security_test_case
from security_test_case import info, token_line


class SecureStartTest(security_test_case.SecurityTestCase):

    def failure(self, *flags, code=1, listen="localhost:0"):
        """Returns what a quantd says that does not start."""
        done = quantd_process.run(quantd_process.QUANTD, f"--listen={listen}", "--metrics-listen=", *flags)
        self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
        return done.stderr

    def assert_fails(self, *flags, message, code=1):
        self.assertIn(message, self.failure(*flags, code=code))

    def test_it_does_not_listen_for_other_machines_without_encryption(self):
        for listen in ("0.0.0.0:0", "[::]:0") if socket.has_ipv6 else ("0.0.0.0:0",):
            with self.subTest(listen):
                error = self.failure(listen=listen)
                self.assertIn(f"other machines could call {listen.removesuffix('0')}", error)
                self.assertIn("without encryption", error)
                self.assertIn("--tls-cert and --tls-key", error)
                self.assertIn("--insecure", error)

    def test_it_does_so_with_tls_or_if_it_is_told_to(self):
        with quantd_process.Quantd(*self.tls_flags(), listen=("0.0.0.0:0",)) as quantd:
            port = quantd.address.rsplit(":", 1)[1]
            self.assertTrue(info(self.connect(quantd, address=f"localhost:{port}")).version)
        with quantd_process.Quantd("--insecure", listen=("0.0.0.0:0",)) as quantd:
            self.assertTrue(info(quantd.connect(f"localhost:{quantd.address.rsplit(':', 1)[1]}")).version)
        with quantd_process.Quantd(environment={"QUANTD_INSECURE": "true"},
                                   listen=("0.0.0.0:0",)) as quantd:
            self.assertTrue(quantd.is_running())

    def test_what_belongs_together_is_demanded_together(self):
        certificate, key = self.tls_flags()
        both = "only one of --tls-cert and --tls-key is given"
        self.assert_fails(certificate, message=both, code=2)
        self.assert_fails(key, message=both, code=2)
        self.assert_fails(f"--tls-client-ca={self.authority.path}", code=2,
                          message="--tls-client-ca is given without TLS")
        self.assert_fails("--metrics-secure", code=2, message="--metrics-secure has nothing to ask for")

    def test_certificates_that_cannot_be_used_are_named(self):
        certificate, key = self.tls_flags()
        empty = self.write("empty.pem", "")
        locked = certificates.Certificate(self.directory, "locked", self.authority, passphrase="secret")
        for flags, message in (
            ((f"--tls-cert={self.directory}/none.pem", key), "none.pem: cannot open the file"),
            ((certificate, f"--tls-key={self.directory}/none.key"), "none.key: cannot open the file"),
            ((certificate, f"--tls-key={self.directory}"), "Is a directory"),
            ((f"--tls-cert={empty}", key), "empty.pem has no certificate; expected PEM"),
            ((certificate, f"--tls-key={empty}"), "empty.pem has no private key; expected PEM"),
            ((certificate, f"--tls-key={self.trainer.key_path}"),
             f"trainer.key is not the key of the certificate in {self.localhost.path}"),
            (self.tls_flags(locked), "locked.key has no private key; expected PEM without a passphrase"),
            ((certificate, key, f"--tls-client-ca={empty}"), "empty.pem has no certificate"),
        ):
            with self.subTest(message):
                self.assert_fails(*flags, message=message)

    def test_token_files_that_cannot_be_used_are_named(self):
        line = token_line("trainer", "secret")
        for text, message in (
            ("", "tokens has no tokens"),
            ("trainer\n", "tokens:1: expected a name"),
            (f"# who trains\n\n{line}trainer secret\n", "tokens:4: the hash of the token 'trainer' has 6"),
            (f"{line}{token_line('other', 'secret')}",
             "tokens:2: 'other' has the same token as 'trainer'"),
        ):
            with self.subTest(message):
                error = self.failure(f"--token-file={self.write('tokens', text)}")
                self.assertIn(message, error)
        self.assert_fails(f"--token-file={self.directory}/none", message="none: cannot open the file")

    def test_policies_that_cannot_be_used_are_named(self):
        complete = '[[allow]]\ncallers = ["unix"]\nmethods = ["*"]\n'
        for text, message in (
            ("", "policy.toml permits nothing"),
            ("[[allow]\n", "policy.toml:1:"),
            ('[[allow]]\ncallers = ["unix"]\n', "[[allow]] is incomplete"),
            (complete.replace("unix", "user:me"), "policy.toml:2:12: 'user:me' is not a caller"),
            (complete.replace('"*"', '"Train"'), "policy.toml:3:12: 'Train' is not a method"),
            (complete.replace("allow", "deny"), "'deny' is not a permission"),
            (complete.replace('["*"]', '"*"'), "policy.toml:3:"),
        ):
            with self.subTest(message):
                error = self.failure(f"--policy-file={self.write('policy.toml', text)}")
                self.assertIn(message, error)
        self.assert_fails(f"--policy-file={self.directory}/none", message="none: cannot open the file")


if __name__ == "__main__":
    unittest.main()
