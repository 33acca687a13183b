"""Samples the memory and the descriptors of a server."""

import pathlib
import statistics
import threading
import time

# What the process may take besides --max-in-flight-bytes.
OTHER_BYTES = 150 * 1024 * 1024


class Resources(threading.Thread):
    """Samples what a process uses, until it is stopped."""

    INTERVAL_SECONDS = 0.2

    def __init__(self, process_id):
        super().__init__(daemon=True)
        self._process = pathlib.Path("/proc", str(process_id))
        self._stopping = threading.Event()
        # Time, resident bytes and descriptors.
        self._samples = []

    def run(self):
        while not self._stopping.wait(self.INTERVAL_SECONDS):
            self._samples.append((time.monotonic(), self.status_bytes("VmRSS"),
                                  self.descriptors()))

    def stop(self):
        self._stopping.set()
        self.join()

    def status_bytes(self, key):
        """Returns a value of /proc/PID/status in bytes."""
        status = self._process.joinpath("status").read_text(encoding="ascii")
        (line,) = (line for line in status.splitlines() if line.startswith(f"{key}:"))
        return int(line.split()[1]) * 1024

    def descriptors(self):
        """Returns how many descriptors are open now."""
        return len(list(self._process.joinpath("fd").iterdir()))

    def mean(self, first, last):
        """Returns the mean of resident bytes and of descriptors between two times."""
        found = [sample for sample in self._samples if first <= sample[0] <= last]
        return tuple(statistics.mean(sample[i] for sample in found) for i in (1, 2))
