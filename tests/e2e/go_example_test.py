"""Tests client/examples/go."""

import os
import pathlib
import unittest

import client_examples
import quantd_process

BINARIES = pathlib.Path(os.environ["QUANTD_GO_EXAMPLE_DIR"], "bin")


class GoExampleTest(client_examples.ClientExampleTests, quantd_process.QuantdTestCase):

    driver = (BINARIES / "golden_driver",)
    program = (BINARIES / "example",)


if __name__ == "__main__":
    unittest.main()
