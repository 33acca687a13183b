"""Tests that our own clients lose nothing when servers are replaced one by one, or die.

QUANTD_ROLLING_SECONDS says for how long the load goes on, and QUANTD_ROLLING_ELEMENTS how many floats the
large tensor has.
"""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

import numpy as np

import quantd_process
import security_test_case
from security_test_case import token_line

SECONDS = float(os.environ.get("QUANTD_ROLLING_SECONDS", "8"))
ELEMENTS = int(os.environ.get("QUANTD_ROLLING_ELEMENTS", str(2**24)))
TOKEN = "a-secret-of-the-load-tester"
METHODS = ("fake-quantize", "stream-fake-quantize")


class RollingRestartTest(security_test_case.SecurityTestCase):

    def setUp(self):
        super().setUp()
        self.flags = (*self.mutual_tls_flags(), f"--token-file={self.write('tokens', token_line('load', TOKEN))}")
        self.quantds = [quantd_process.Quantd(*self.flags, listen=("127.0.0.1:0",)) for _ in range(3)]
        self.addCleanup(lambda: [quantd.kill() for quantd in self.quantds])
        self.client = (
            quantd_process.QUANTCTL, "--server", ",".join(quantd.address for quantd in self.quantds),
            "--ca", self.authority.path, "--cert", self.trainer.path, "--key", self.trainer.key_path,
            "--token-file", self.write("token", TOKEN))

    def replace(self, index, number):
        """Ends a server with the signal, and starts its successor at the same address."""
        quantd = self.quantds[index]
        quantd.signal(number)
        quantd.wait()
        self.quantds[index] = quantd_process.Quantd(*self.flags, listen=(quantd.address,))
        quantd.kill()

    def start(self, *arguments):
        process = subprocess.Popen([*map(str, self.client), *map(str, arguments)], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True,
                                   env=quantd_process.clean_environment())
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_no_call_of_a_load_fails(self):
        for method in METHODS:
            with self.subTest(method):
                end = time.monotonic() + SECONDS
                bench = self.start("bench", "--method", method, "--shape", "64,64", "--duration", f"{SECONDS}s",
                                   "--warmup", "0s", "--concurrency", 6, "--verify", "--output", "json")
                restarts = 0
                while time.monotonic() < end - 1:
                    self.replace(restarts % 3, signal.SIGKILL if restarts % 3 == 1 else signal.SIGTERM)
                    restarts += 1
                output, error = bench.communicate(timeout=SECONDS + quantd_process.DEADLINE_SECONDS)
                self.assertEqual(bench.returncode, 0, error)
                result = json.loads(output)
                print(f"{method}: {restarts} restarts, {result['calls']} calls, {result['retries']} retries")
                self.assertEqual(result["errors"], 0, output)
                self.assertEqual(result["verified_answers"], result["calls"])
                self.assertGreater(result["calls"], 100)
                self.assertGreater(restarts, 1)

    def test_a_large_tensor_survives_the_restart_of_each_server(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="quantd-large-")))
        rows = ELEMENTS // 4096
        values = np.lib.format.open_memmap(folder / "x.npy", "w+", np.float32, (rows, 4096))
        block = np.random.default_rng(7).uniform(-8, 8, (64, 4096)).astype(np.float32)
        for row in range(0, rows, len(block)):
            values[row:row + len(block)] = block[:rows - row]
        values.flush()
        quantctl = self.start("fake-quant", "--input", folder / "x.npy", "--min", -6, "--max", 6,
                              "--output", folder / "y.npy")
        # How far it is shows at the servers.
        all_bytes = ELEMENTS * 4
        for index in range(3):
            quantd_process.wait_until(
                lambda index=index: self.received_bytes() > all_bytes * (index + 1) // 8
                or quantctl.poll() is not None, "the tensor on its way")
            self.replace(index, signal.SIGKILL if index == 1 else signal.SIGTERM)
        output, error = quantctl.communicate(timeout=10 * quantd_process.DEADLINE_SECONDS)
        self.assertEqual(quantctl.returncode, 0, error)
        whole = quantd_process.run(*self.client, "fake-quant", "--input", folder / "x.npy", "--min", -6,
                                   "--max", 6, "--output", folder / "z.npy")
        self.assertEqual(whole.returncode, 0, whole.stderr)
        subprocess.run(["cmp", folder / "y.npy", folder / "z.npy"], check=True)

    def received_bytes(self):
        """Returns the bytes of tensors that all servers have computed since they were started."""
        return sum(quantd.metrics().value("quantd_tensor_bytes_total", direction="in", transport="grpc")
                   for quantd in self.quantds if quantd.is_running())


if __name__ == "__main__":
    unittest.main()
