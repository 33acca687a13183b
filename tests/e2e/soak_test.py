"""Mixes honest clients with misbehaving ones: answers stay right, and memory stays bounded.

QUANTD_SOAK_SECONDS is how long they are mixed. From LONG_SECONDS on, there are more of them, and
memory must not have grown between the first and the last minute.
"""

import multiprocessing
import os
import time
import unittest

import honest_clients
import misbehaving_clients
import quantd_process
import server_resources

MIB = 1024 * 1024
SECONDS = float(os.environ.get("QUANTD_SOAK_SECONDS", "20"))
LONG_SECONDS = 240
IS_LONG = SECONDS >= LONG_SECONDS
HONEST_CLIENTS = 64 if IS_LONG else 16
# Caches fill meanwhile: those of the allocator, of gRPC and of the kernel.
WARM_UP_SECONDS = 60 if IS_LONG else 4
WINDOW_SECONDS = 60 if IS_LONG else 5
# Honest clients alone.
QUIET_SECONDS = 30 if IS_LONG else 5
PAUSE_SECONDS = 1
PROBE_PAUSE_SECONDS = 0.02

MAX_MESSAGE_BYTES = 8 * MIB
MAX_IN_FLIGHT_BYTES = 64 * MIB
GROWTH = 1.05
LATENCY_RATIO = 10

_SPAWN = multiprocessing.get_context("spawn")


class Background:
    """Runs function(*arguments, stop) in a process of its own, so that clients do not wait for each
    other's Python, until it is stopped."""

    def __init__(self, function, *arguments, niceness=0):
        self._stop = _SPAWN.Event()
        self._receiver, sender = _SPAWN.Pipe(duplex=False)
        self._process = _SPAWN.Process(target=_run, daemon=True,
                                       args=(sender, function, arguments, self._stop, niceness))
        self._process.start()
        sender.close()

    def stop(self):
        """Tells the function to stop."""
        self._stop.set()

    def result(self):
        """Waits for the function's result. Raises EOFError if it failed, which it printed."""
        self.stop()
        result = self._receiver.recv()
        self._process.join()
        return result


def _run(sender, function, arguments, stop, niceness):
    os.nice(niceness)
    sender.send(function(*arguments, stop))


class SoakTest(unittest.TestCase):

    def test_misbehaving_clients_do_not_affect_honest_ones_or_the_server(self):
        flags = (f"--max-message-bytes={MAX_MESSAGE_BYTES}",
                 f"--max-in-flight-bytes={MAX_IN_FLIGHT_BYTES}", "--log-level=error")
        listen = ("127.0.0.1:0", "unix:{directory}/s")
        with quantd_process.Quantd(*flags, listen=listen) as quantd:
            self.mix(quantd)

    def mix(self, quantd):
        resources = server_resources.Resources(quantd.process_id)
        resources.start()
        exchanges = honest_clients.make_exchanges(quantd.connect())
        small = [honest_clients.small_exchange().answered(quantd.connect())]
        descriptors = resources.descriptors()
        target = misbehaving_clients.Target(
            quantd.address, quantd.metrics_address, MAX_MESSAGE_BYTES,
            oversized_bytes=600 * MIB if IS_LONG else 100 * MIB, scale=4 if IS_LONG else 1)

        # Half of the honest clients are on another machine, so to say, and half on that of the
        # misbehaving ones.
        honest = [Background(honest_clients.run_random, address, exchanges, HONEST_CLIENTS // 2,
                             PAUSE_SECONDS) for address in quantd.addresses]
        probes = [Background(honest_clients.run_random, address, small, 1, PROBE_PAUSE_SECONDS)
                  for address in quantd.addresses]
        quantd_process.wait_until(
            lambda: quantd.metrics().value("quantd_connections") >= HONEST_CLIENTS + len(probes),
            "the honest clients")
        quiet = time.monotonic()
        time.sleep(QUIET_SECONDS)

        start = time.monotonic()
        # Elsewhere, they would have processors of their own.
        misbehaving = Background(misbehaving_clients.run, target, niceness=19)
        time.sleep(SECONDS)
        end = time.monotonic()
        for background in (misbehaving, *honest, *probes):
            background.stop()
        ends = misbehaving.result()
        report = honest_clients.Report()
        for background in honest:
            report.add(background.result())
        latency_ratios = []
        for address, background in zip(quantd.addresses, probes, strict=True):
            probe = background.result()
            before = probe.latency(0.99, quiet, start)
            beside = probe.latency(0.99, start, end)
            latency_ratios.append(beside / before)
            print(f"small calls, {'unix' if 'unix' in address else 'TCP'}: p99 {before * 1e3:.1f} ms "
                  f"without misbehaving clients; {beside * 1e3:.1f} ms ({beside / before:.1f} times) "
                  f"beside them, {probe.latency(0.99, start, end, with_retries=True) * 1e3:.1f} ms with "
                  f"{probe.retries.total()} retries of {probe.calls.total()} calls")
            report.add(probe)

        first = resources.mean(start + WARM_UP_SECONDS, start + WARM_UP_SECONDS + WINDOW_SECONDS)
        last = resources.mean(end - WINDOW_SECONDS, end)
        peak = resources.status_bytes("VmHWM")
        resources.stop()
        self.print_summary(report, ends, first, last, peak)

        with self.subTest("answers"):
            self.assertEqual(report.wrong_answers, [])
            self.assertEqual(report.unexpected_errors, [])
        with self.subTest("misbehaving clients"):
            self.check_ends(ends)
        # The quick form prints these figures: other work on the machine would decide the test. The
        # tests of each kind of client hold the peak.
        if IS_LONG:
            with self.subTest("latency"):
                self.assertLess(max(latency_ratios), LATENCY_RATIO)
            with self.subTest("peak of resident memory"):
                self.assertLess(peak, MAX_IN_FLIGHT_BYTES + server_resources.OTHER_BYTES)
            with self.subTest("growth of resident memory"):
                self.assertLess(last[0], first[0] * GROWTH)
        # Nothing is left behind. How many descriptors were open meanwhile depends on how many
        # connections gRPC had just closed for lack of memory.
        quantd_process.wait_until(lambda: resources.descriptors() <= descriptors,
                                  f"the end of all descriptors but {descriptors}")
        self.assertEqual(quantd.metrics().value("quantd_in_flight_bytes"), 0)
        self.assertEqual(quantd.metrics().value("quantd_in_flight_requests"), 0)

    def check_ends(self, ends):
        for kind, end in misbehaving_clients.KINDS.items():
            found = {key[1]: count for key, count in ends.items() if key[0] == kind.__name__}
            self.assertGreater(found.get(end, 0), 0, (kind.__name__, found))
            if end in ("RESOURCE_EXHAUSTED", "UNIMPLEMENTED", "INVALID_ARGUMENT"):
                self.assertNotIn("OK", found, kind.__name__)

    def print_summary(self, report, ends, first, last, peak):
        print(f"{report.calls.total()} calls by {HONEST_CLIENTS} honest clients and 2 of small calls "
              f"in {QUIET_SECONDS + SECONDS:g} s, {len(report.wrong_answers)} wrong answers, "
              f"{len(report.unexpected_errors)} unexpected errors, longest call "
              f"{report.longest_seconds:.1f} s")
        for problem in report.wrong_answers + report.unexpected_errors:
            print(f"  {problem}")
        for method, count in sorted(report.calls.items()):
            print(f"  {method:30} {count:8}")
        print(f"{report.retries.total()} retries, at most {report.most_retries} for one call")
        for error, count in sorted(report.retries.items()):
            print(f"  {error:50} {count:8}")
        print("misbehaving clients, and how they ended")
        for (kind, end), count in sorted(ends.items()):
            print(f"  {kind:30} {end:20} {count:8}")
        for what, before, after, unit in zip(("resident memory, MiB", "descriptors"), first, last,
                                             (MIB, 1), strict=True):
            print(f"{what}: {before / unit:.1f} in the first {WINDOW_SECONDS} s after warm-up, "
                  f"{after / unit:.1f} in the last ({after / before - 1:+.1%})")
        print(f"peak resident memory: {peak / MIB:.0f} MiB, at most "
              f"{(MAX_IN_FLIGHT_BYTES + server_resources.OTHER_BYTES) / MIB:.0f} MiB")


if __name__ == "__main__":
    unittest.main()
