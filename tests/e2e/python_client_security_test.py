"""Tests the Python package's clients with a quantd that asks for a certificate and a token."""

import unittest

import grpc
import numpy as np
import quantd

import python_client_async_test
import python_client_case
import python_clients
import quantd_process
import secure_clients

X = np.ones(40, np.float32)
WAYS = (python_client_case.IN_ONE_MESSAGE, {"stream_from_bytes": 2**16, "stream_message_bytes": 2**18})


class SecureClientTest(secure_clients.SecureClientTests, secure_clients.SecureClientTestCase):

    def options(self, identity):
        """Yields the arguments of a client, in all ways to give certificates and a token."""
        own = ({"private_key": identity.certificate.private_key,
                "certificate_chain": identity.certificate.certificate_chain} if identity.certificate else {})
        roots = identity.authority.certificate_chain
        name = {"server_name_override": identity.server_name} if identity.server_name else {}
        token = {"token": identity.token} if identity.token_file else {}
        file = {"token_file": identity.token_file} if identity.token_file else {}
        yield {"root_certificates": roots, **own, **name, **file}
        yield {"credentials": grpc.ssl_channel_credentials(roots, *own.values()), **name, **token}

    def check(self, identity):
        for options in self.options(identity):
            for way in WAYS:
                with python_clients.connected_to(self.quantd.address, **options, **way) as client:
                    self.assertTrue(client.healthy())
                    self.assertTrue(client.server_info().version)
                    for case in secure_clients.cases():
                        answer = python_client_case.answer_to(client, case)
                        self.assertEqual(case.problems(answer), [])

    def refusals(self, identity, connects):
        found = []
        for options in self.options(identity):
            for way in ({"stream_from_bytes": 0}, python_client_case.IN_ONE_MESSAGE):
                with quantd.Client(self.quantd.address, timeout=quantd_process.DEADLINE_SECONDS,
                                   retry=connects, **options, **way) as client:
                    calls = [lambda client=client: client.fake_quantize(X, -1, 1), client.server_info]
                    found += map(self.refusal, calls if connects else [*calls, client.healthy])
        return found

    def refusal(self, call):
        with self.assertRaises(quantd.QuantdError) as raised:
            call()
        error = raised.exception
        return secure_clients.Refusal(error.code.name, error.reason, error.message)


class SecureAsyncClientTest(python_client_async_test.InPlaceOfTheBlockingClient, SecureClientTest):
    """With the asyncio client instead."""


if __name__ == "__main__":
    unittest.main()
