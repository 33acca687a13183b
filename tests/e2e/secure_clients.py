"""What the tests of clients in every language share that call a quantd with certificates and tokens.

The server asks for a certificate and for a token: its policy permits everything to the token, and nothing
to the certificate alone.
"""

import dataclasses
import pathlib
import typing

import certificates
import golden_cases
import quantd_process
import security_test_case
from security_test_case import token_line

SERVER_NAME = "quantd.example"
POLICY = '[[allow]]\ncallers = ["token:trainer"]\nmethods = ["*"]\n'
FOUR_MIB = 2**22


@dataclasses.dataclass(frozen=True)
class Identity:
    """What a client shows, and whom it trusts. None: nothing, or what the address says."""

    authority: certificates.Certificate
    certificate: certificates.Certificate | None
    token_file: pathlib.Path | None
    server_name: str | None = None

    @property
    def token(self):
        return self.token_file and self.token_file.read_text(encoding="ascii")


class Refusal(typing.NamedTuple):
    """How a call failed, as the client shows it. The code is None if the client shows none."""

    code: str | None
    reason: str
    message: str


def cases():
    """Returns a golden case of each operation, also with tensors that are sent in parts."""
    small = golden_cases.one_case_of_each_op()
    return [*small, *(case.repeated(FOUR_MIB // case.inputs.nbytes + 1) for case in small if case.axis is None)]


class SecureClientTestCase(security_test_case.SecurityTestCase):
    """Base of the tests, with a server and the identity that it accepts."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        named = certificates.Certificate(cls.shared, SERVER_NAME, cls.authority,
                                         ("DNS:localhost", f"DNS:{SERVER_NAME}"))
        for name, text in (("right", "se.cr_et~1=\n"), ("wrong", "guess\n"), ("policy.toml", POLICY),
                           ("tokens", token_line("trainer", "se.cr_et~1="))):
            (cls.shared / name).write_text(text, encoding="ascii")
        cls.right = Identity(cls.authority, cls.trainer, cls.shared / "right")
        cls.quantd = quantd_process.Quantd(
            *cls.tls_flags(named), f"--tls-client-ca={cls.authority.path}",
            f"--token-file={cls.shared / 'tokens'}", f"--policy-file={cls.shared / 'policy.toml'}")
        cls.addClassCleanup(cls.quantd.stop)


class SecureClientTests:
    """A mixin for a SecureClientTestCase that defines how its client makes calls."""

    def check(self, identity):
        """Makes calls of all kinds, and checks the bits of the answers."""
        raise NotImplementedError

    def refusals(self, identity, connects):
        """Makes calls that need a token, and returns the Refusal of each. `connects`: whether the client
        can connect; if not, all calls are made, and once."""
        raise NotImplementedError

    def calls_received(self):
        return self.quantd.metrics().total("grpc_server_started_total")

    def assert_refused(self, code, reason, **changes):
        refusals = self.refusals(dataclasses.replace(self.right, **changes), connects=True)
        self.assertTrue(refusals)
        for refusal in refusals:
            self.assertIn(refusal.code, (code, None), refusal)
            self.assertEqual(refusal.reason, reason, refusal)

    def assert_no_connection(self, *says, **changes):
        """Checks that no call arrives, and that either the client or the server says why."""
        before, log_before = self.calls_received(), len(self.quantd.log)
        refusals = self.refusals(dataclasses.replace(self.right, **changes), connects=False)
        self.assertTrue(refusals)
        for refusal in refusals:
            self.assertIn(refusal.code, ("UNAVAILABLE", None), refusal)
            self.assertEqual(refusal.reason, "", refusal)
            self.assertNotIn("refused", refusal.message)
        self.assertEqual(self.calls_received(), before)
        quantd_process.wait_until(
            lambda: any(text in said for text in says for said in (
                self.quantd.log[log_before:], *(refusal.message for refusal in refusals))),
            f"one of {says} in the log or {refusals}")

    def test_a_client_that_the_server_expects_has_the_right_bits(self):
        for server_name in (None, SERVER_NAME):
            with self.subTest(server_name):
                before = self.calls_received()
                self.check(dataclasses.replace(self.right, server_name=server_name))
                self.assertGreater(self.calls_received(), before)

    def test_a_wrong_token_is_refused(self):
        self.assert_refused("UNAUTHENTICATED", "INVALID_TOKEN", token_file=self.shared / "wrong")

    def test_a_certificate_without_a_token_is_refused(self):
        self.assert_refused("PERMISSION_DENIED", "NOT_PERMITTED", token_file=None)

    def test_a_client_without_a_certificate_cannot_connect(self):
        self.assert_no_connection("peer did not return a certificate", certificate=None)

    def test_a_server_with_another_name_is_not_trusted(self):
        self.assert_no_connection("elsewhere.example", server_name="elsewhere.example")

    def test_a_server_of_another_authority_is_not_trusted(self):
        self.assert_no_connection("certificate verify failed", "self-signed certificate", "unable to verify",
                                  "unknown authority", "unknown ca", authority=self.stranger)
