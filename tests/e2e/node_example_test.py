"""Tests client/examples/node."""

import os
import pathlib
import unittest

import client_connection_tests
import client_examples
import quantd_process
import secure_clients
import secure_examples

NODE = os.environ["QUANTD_NODE"]
# A copy of the sources that has node_modules.
COPY = pathlib.Path(os.environ["QUANTD_NODE_EXAMPLE_DIR"])


class NodeExampleTest(client_connection_tests.ClientConnectionTests, client_examples.ClientExampleTests,
                      quantd_process.QuantdTestCase):

    driver = (NODE, COPY / "tests/e2e/node/golden_driver.mjs")
    program = (NODE, COPY / "client/examples/node/example.js")

    def test_the_client_checks_its_arguments_without_a_server(self):
        self.run_silently(NODE, COPY / "tests/e2e/node/client_test.mjs")


class SecureNodeExampleTest(secure_examples.SecureExampleTests, secure_clients.SecureClientTestCase):

    driver = NodeExampleTest.driver
    program = NodeExampleTest.program


if __name__ == "__main__":
    unittest.main()
