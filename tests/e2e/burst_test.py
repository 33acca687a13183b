"""Lets 100 clients send a large tensor at the same moment: all get their answers, in bounded memory.

QUANTD_BURST_MIB is the size of each tensor, by default 16. The server has room for 16 of them, as it
does by default for 16 of 64 MiB.
"""

import os
import threading
import time
import unittest

import numpy as np

import api
import honest_clients
import quantd_process
import server_resources

MIB = 1024 * 1024
TENSOR_MIB = int(os.environ.get("QUANTD_BURST_MIB", "16"))
CLIENTS = 100
MAX_IN_FLIGHT_BYTES = 16 * TENSOR_MIB * MIB
# All clients share the processors; each waits for those before it.
PATIENCE_SECONDS = 900
PART_BYTES = MIB


def request_of(values):
    return api.FakeQuantizeRequest(input=api.tensor_of_bytes(values),
                                   range=api.Range(min=[-3], max=[3])).SerializeToString()


class BurstTest(unittest.TestCase):

    def test_all_unary_calls_are_answered(self):
        self.burst("unary calls", "FakeQuantize", TENSOR_MIB * MIB)

    def test_all_streams_are_answered(self):
        self.burst("streams", "StreamFakeQuantize", PART_BYTES)

    def burst(self, what, method, message_bytes):
        values = np.random.default_rng(0).normal(size=TENSOR_MIB * MIB // 4).astype(np.float32)
        messages = tuple(map(request_of, np.split(values, values.nbytes // message_bytes)))
        flags = () if TENSOR_MIB == 64 else (f"--max-in-flight-bytes={MAX_IN_FLIGHT_BYTES}",
                                             f"--max-message-bytes={MAX_IN_FLIGHT_BYTES // 4}")
        with quantd_process.Quantd(*flags) as quantd:
            exchange = honest_clients.Exchange(method, messages).answered(quantd.connect())
            resources = server_resources.Resources(quantd.process_id)
            start = time.monotonic()
            ready = threading.Barrier(CLIENTS)

            def call(client):
                ready.wait()
                client.make_call(exchange)

            clients = [honest_clients.Client(quantd.address, seed, PATIENCE_SECONDS)
                       for seed in range(CLIENTS)]
            report = honest_clients.run(clients, call)
            peak = resources.status_bytes("VmHWM")
            print(f"{CLIENTS} {what} of {TENSOR_MIB} MiB: all answered after "
                  f"{time.monotonic() - start:.1f} s, {report.retries.total()} retries "
                  f"(at most {report.most_retries} for one call: {dict(report.retries)}), peak "
                  f"resident memory {peak / MIB:.0f} MiB, at most "
                  f"{(MAX_IN_FLIGHT_BYTES + server_resources.OTHER_BYTES) / MIB:.0f} MiB")
            self.assertEqual(report.unexpected_errors, [])
            self.assertEqual(report.wrong_answers, [])
            self.assertEqual(report.calls.total(), CLIENTS)
            self.assertLess(peak, MAX_IN_FLIGHT_BYTES + server_resources.OTHER_BYTES)


if __name__ == "__main__":
    unittest.main()
