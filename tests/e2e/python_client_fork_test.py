"""Tests the Python package in processes that fork."""

import os
import subprocess
import sys
import unittest

import quantd_process

# Forks with a client that is connected, and prints what its methods do in the child and then in the parent.
# A new process, because the tests' own has connections and threads.
PROGRAM = """
import asyncio, os, sys
import numpy as np
import quantd

def outcome_of(call):
    try:
        return repr(call())
    except Exception as error:
        return f"{type(error).__name__} {isinstance(error, RuntimeError)} {error}"

address, kind = sys.argv[1:]
client = getattr(quantd, kind)(address)
run = asyncio.new_event_loop().run_until_complete if kind == "AsyncClient" else lambda result: result
large = np.ones(2**20, np.float32)
print("before:", outcome_of(lambda: run(client.healthy())))
sys.stdout.flush()
if (child := os.fork()) == 0:
    # gRPC's own may hang here, and would end the connection of the parent.
    type(client._channels[0]).close = None
    # The loop of the parent does not work here either.
    run = asyncio.new_event_loop().run_until_complete if kind == "AsyncClient" else run
    for call in (client.healthy, client.server_info, client.wait_until_connected,
                 lambda: client.fake_quantize(large, -1, 1), client.close, client.close):
        print("child:", outcome_of(lambda: run(call())))
    del client
    sys.stdout.flush()
    os._exit(0)
print("exit code:", os.waitpid(child, 0)[1])
print("after:", outcome_of(lambda: run(client.healthy())))
run(client.close())
"""


# gRPC 1.51's handlers of forks sometimes wait forever for one of its own threads.
ENVIRONMENT = {"GRPC_ENABLE_FORK_SUPPORT": "0", "PYTHONPATH": os.environ["PYTHONPATH"]}


class ForkTest(quantd_process.QuantdTestCase):

    def test_a_client_belongs_to_the_process_that_made_it(self):
        for kind in ("Client", "AsyncClient"):
            with self.subTest(kind):
                done = subprocess.run(
                    [sys.executable, "-c", PROGRAM, self.quantd.address, kind], check=False,
                    env=quantd_process.clean_environment(ENVIRONMENT), capture_output=True, text=True,
                    timeout=quantd_process.DEADLINE_SECONDS)
                self.assertEqual(done.returncode, 0, done.stderr)
                lines = done.stdout.splitlines()
                self.assertEqual(lines[0], "before: True")
                for line in lines[1:5]:
                    self.assertRegex(line, "^child: ForkedProcessError True .*was forked.*make a new one after")
                self.assertEqual(lines[5:], ["child: None", "child: None", "exit code: 0", "after: True"])


if __name__ == "__main__":
    unittest.main()
