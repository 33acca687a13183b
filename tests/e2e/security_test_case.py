"""What the tests of quantd's security share: certificates, and clients that show who they are."""

import hashlib
import pathlib
import ssl
import subprocess
import tempfile
import unittest

import grpc

import api
import certificates
import http2
import quantd_process

# Of quantd; clients of gRPC speak no other protocol over TLS.
PROTOCOL = "h2"


def token_line(name, token):
    """Returns the line of a token file."""
    return f"{name} {hashlib.sha256(token.encode()).hexdigest()}\n"


def bearer(token):
    """Returns the metadata of a call that shows `token`; None: of one that shows nothing."""
    return () if token is None else (("authorization", f"Bearer {token}"),)


def credentials(authority, client=None):
    """Returns those of a channel that trusts `authority` and has the certificate `client`."""
    return grpc.ssl_channel_credentials(
        authority.certificate_chain,
        client.private_key if client else None, client.certificate_chain if client else None)


def tls_context(authority, client=None):
    """Returns the ssl.SSLContext of a client like that of credentials()."""
    context = ssl.create_default_context(cafile=authority.path)
    context.set_alpn_protocols([PROTOCOL])
    if client:
        context.load_cert_chain(client.path, client.key_path)
    return context


def shown_certificate(address, authority):
    """Returns the certificate that a new connection is shown, in DER."""
    with http2.connect(address, quantd_process.DEADLINE_SECONDS, tls_context(authority)) as connection:
        return connection.getpeercert(binary_form=True)


def handshake_error(address, context):
    """Returns the ssl.SSLError of a handshake that has to fail."""
    try:
        http2.connect(address, quantd_process.DEADLINE_SECONDS, context).close()
    except ssl.SSLError as error:
        return error
    raise AssertionError("the client accepted the server")


def info(channel, token=None):
    return api.QuantizationServiceStub(channel).GetServerInfo(
        api.GetServerInfoRequest(), timeout=quantd_process.DEADLINE_SECONDS, metadata=bearer(token))


def fake_quantize(channel, token=None):
    return api.QuantizationServiceStub(channel).FakeQuantize(
        api.FakeQuantizeRequest(), timeout=quantd_process.DEADLINE_SECONDS, metadata=bearer(token))


def refusal(call, *arguments):
    """Returns the api.CallError of a call that has to fail."""
    try:
        call(*arguments)
    except grpc.RpcError as error:
        return api.call_error(error)
    raise AssertionError("the call was permitted")


class SecurityTestCase(unittest.TestCase):
    """Base of tests whose servers and clients have certificates of one authority."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shared = pathlib.Path(cls.enterClassContext(
            tempfile.TemporaryDirectory(prefix="quantd-security-")))
        cls.authority = certificates.Certificate(cls.shared, "authority")
        cls.localhost = certificates.Certificate(
            cls.shared, "localhost", cls.authority, ("DNS:localhost", "IP:127.0.0.1", "IP:::1"))
        cls.trainer = certificates.Certificate(cls.shared, "trainer", cls.authority)
        cls.stranger = certificates.Certificate(cls.shared, "stranger")

    def setUp(self):
        self.directory = pathlib.Path(self.enterContext(
            tempfile.TemporaryDirectory(prefix="quantd-security-")))

    def write(self, name, text):
        """Writes a file of this test, and returns its path."""
        path = self.directory / name
        certificates.replace(path, text.encode())
        return path

    @classmethod
    def tls_flags(cls, certificate=None):
        """Returns the flags of a server with TLS."""
        certificate = certificate or cls.localhost
        return f"--tls-cert={certificate.path}", f"--tls-key={certificate.key_path}"

    @classmethod
    def mutual_tls_flags(cls):
        """Returns the flags of a server that asks its clients for certificates of the authority."""
        return *cls.tls_flags(), f"--tls-client-ca={cls.authority.path}"

    def connect(self, quantd, client=None, address=None):
        """Returns a channel with TLS and, if there is one, the certificate `client`."""
        return quantd.connect(address, credentials(self.authority, client))

    def assert_serves(self, quantd, client=None):
        """Checks that a well-behaved client is served over a connection of its own."""
        self.assertTrue(info(self.connect(quantd, client)).version)

    def assert_no_connection(self, address, channel_credentials=None):
        """Checks that no call reaches the server."""
        options = (("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1))
        with (grpc.secure_channel(address, channel_credentials, options) if channel_credentials
              else grpc.insecure_channel(address, options)) as channel:
            error = refusal(info, channel)
        self.assertEqual((error.code, error.reason), (grpc.StatusCode.UNAVAILABLE, ""), error)
        # It is there.
        self.assertNotIn("refused", error.message)

    def assert_protocols(self, address):
        """Checks that TLS 1.2 and 1.3 are spoken, and nothing older."""
        for flag, protocol in (("-tls1_3", "TLSv1.3"), ("-tls1_2", "TLSv1.2"), ("-tls1_1", None),
                               ("-tls1", None)):
            with self.subTest(flag):
                self.assertEqual(self._protocol(address, flag), protocol)

    def _protocol(self, address, flag):
        """Returns the protocol that openssl and the server agree on, or None."""
        done = subprocess.run(
            # With its default of ciphers, openssl itself refuses what is old.
            [certificates.OPENSSL, "s_client", flag, "-cipher", "DEFAULT@SECLEVEL=0", "-connect", address,
             "-alpn", PROTOCOL, "-CAfile", self.authority.path, "-brief"],
            stdin=subprocess.DEVNULL, capture_output=True, check=False,
            timeout=quantd_process.DEADLINE_SECONDS)
        for line in done.stderr.decode().splitlines():
            if line.startswith("Protocol version: "):
                return line.removeprefix("Protocol version: ")
        self.assertNotEqual(done.returncode, 0)
        # Rather than that nobody answered.
        self.assertRegex(done.stderr.decode(), "unexpected eof|alert protocol version")
        return None
