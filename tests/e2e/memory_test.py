"""Tests that memory returns to a bounded level after large calls."""

import unittest

import numpy as np

import api
import quantd_process

CALLS = 3
# Request and answer exist at the same time, and together they exceed the bound.
ELEMENTS = 48 * 1024 * 1024
MIB = 1024 * 1024
# What a server keeps for its next calls, and the memory of its threads and libraries.
BOUND = 256 * MIB


class MemoryTest(unittest.TestCase):

    def test_memory_is_released_after_large_calls(self):
        request = api.FakeQuantizeRequest(input=api.tensor_of_bytes(np.ones(ELEMENTS, np.float32)))
        request.range.min.append(-1)
        request.range.max.append(1)
        with quantd_process.Quantd() as server:
            stub = server.stub()
            for _ in range(CALLS):
                self.assertEqual(len(stub.FakeQuantize(request).output.data), ELEMENTS * 4)

            self.assertGreater(server.peak_bytes(), BOUND, "the calls were not large")
            quantd_process.wait_until(
                lambda: server.metrics().value("process_resident_memory_bytes") < BOUND,
                f"the server's memory to fall below {BOUND // MIB} MiB")


if __name__ == "__main__":
    unittest.main()
