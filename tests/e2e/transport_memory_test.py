"""Tests that memory which gRPC takes, and which its quota does not see, is bounded as well."""

import concurrent.futures
import contextlib
import pathlib
import ssl
import tempfile
import unittest

import grpc

import api
import certificates
import http2
import quantd_process

MIB = 1024 * 1024
MAX_MESSAGE_BYTES = 4 * MIB
MAX_IN_FLIGHT_BYTES = 8 * MIB
# What the process may hold besides what is in flight.
FIXED_BYTES = 150 * MIB
FAKE_QUANTIZE = f"/{api.SERVICE}/FakeQuantize"


class TransportMemoryTest(unittest.TestCase):

    def assert_bounded(self, connections, misbehave, listen="localhost:0", certificate=None):
        """Lets several clients misbehave(connection) at once, with TLS if the server has a `certificate`.
        The server has to break off the connections of some, and to serve an honest client."""
        flags, credentials, tls = (), None, None
        if certificate is not None:
            flags = (f"--tls-cert={certificate.path}", f"--tls-key={certificate.key_path}")
            credentials = grpc.ssl_channel_credentials(certificate.certificate_chain)
            tls = ssl.create_default_context(cafile=certificate.path)
            tls.set_alpn_protocols(["h2"])
        with quantd_process.Quantd(f"--max-message-bytes={MAX_MESSAGE_BYTES}",
                                   f"--max-in-flight-bytes={MAX_IN_FLIGHT_BYTES}",
                                   *flags, listen=(listen,)) as quantd, \
                quantd.connect(credentials=credentials) as honest, \
                concurrent.futures.ThreadPoolExecutor(connections) as executor:
            stub = api.QuantizationServiceStub(honest)

            def attempt(_):
                with contextlib.suppress(ConnectionError), \
                        http2.Connection(quantd.address, quantd_process.DEADLINE_SECONDS,
                                         tls) as connection:
                    misbehave(connection)
                    return False
                return True

            broken_off = list(executor.map(attempt, range(connections)))
            self.assertTrue(any(broken_off), "no connection was broken off")
            if listen.startswith("unix:"):
                # The server does not know what a unix socket has received, and may take the one for the
                # other while it has a call.
                quantd_process.wait_until(lambda: self.is_served(stub), "the honest client")
            else:
                self.assertTrue(self.is_served(stub))
            self.assertGreater(
                quantd.metrics().value("quantd_broken_off_connections_total", reason="memory"), 0)
            quantd.wait_for_log("reason=memory")
            self.assertLess(quantd.peak_bytes(), MAX_IN_FLIGHT_BYTES + FIXED_BYTES)

    def is_served(self, stub):
        try:
            return stub.GetServerInfo(api.GetServerInfoRequest(),
                                      timeout=quantd_process.DEADLINE_SECONDS).version
        except grpc.RpcError as error:
            self.assertEqual(error.code(), grpc.StatusCode.UNAVAILABLE)
            return None

    def begin_message(self, connection):
        # Each byte takes some 40 with its frame. gRPC's quota sees the bytes alone, and permits them.
        connection.begin_message(FAKE_QUANTIZE, MAX_MESSAGE_BYTES - 1024, frame_size=1)
        connection.ping()

    def test_messages_in_tiny_frames(self):
        for listen in ("localhost:0", "unix:{directory}/s"):
            with self.subTest(listen):
                self.assert_bounded(4, self.begin_message, listen)

    def test_messages_in_tiny_frames_within_tls(self):
        with tempfile.TemporaryDirectory(prefix="quantd-tls-") as directory:
            certificate = certificates.Certificate(pathlib.Path(directory), "localhost")
            self.assert_bounded(4, self.begin_message, certificate=certificate)

    def test_calls_of_headers_only_on_many_connections(self):
        def begin_calls(connection):
            # No more than a connection may have.
            for first in range(0, 900, 50):
                connection.send(http2.begun_calls(FAKE_QUANTIZE, range(first, first + 50)))
            connection.ping()

        self.assert_bounded(20, begin_calls)

    def test_aborted_calls_on_many_connections(self):
        def abort_calls(connection):
            for first in range(0, 1900, 50):
                connection.send(http2.aborted_calls(FAKE_QUANTIZE, range(first, first + 50)))
            connection.ping()

        self.assert_bounded(20, abort_calls)


if __name__ == "__main__":
    unittest.main()
