"""Tests client/examples/go."""

import os
import pathlib
import unittest

import client_connection_tests
import client_examples
import quantd_process
import secure_clients
import secure_examples

BINARIES = pathlib.Path(os.environ["QUANTD_GO_EXAMPLE_DIR"], "bin")


class GoExampleTest(client_connection_tests.ClientConnectionTests, client_examples.ClientExampleTests,
                  quantd_process.QuantdTestCase):

    driver = (BINARIES / "golden_driver",)
    program = (BINARIES / "example",)
    retry_environment = {"GRPC_GO_RETRY": "on"}


class SecureGoExampleTest(secure_examples.SecureExampleTests, secure_clients.SecureClientTestCase):

    driver = GoExampleTest.driver
    program = GoExampleTest.program


if __name__ == "__main__":
    unittest.main()
