"""Tests that quantd notifies systemd when it is ready and when it is stopping."""

import os
import pathlib
import socket
import tempfile
import unittest

import quantd_process


class ServiceManagerTest(unittest.TestCase):

    def check(self, name, address):
        """`name` is the socket in the environment; `address` is the same socket for Python."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(address)
            manager.settimeout(quantd_process.DEADLINE_SECONDS)
            with quantd_process.Quantd(environment={"NOTIFY_SOCKET": name}) as quantd:
                self.assertEqual(manager.recv(100), b"READY=1")
                quantd.signal()
                self.assertEqual(manager.recv(100), b"STOPPING=1")
                self.assertEqual(quantd.wait(), 0, quantd.log)

    def test_it_notifies_a_socket_in_the_file_system(self):
        with tempfile.TemporaryDirectory(prefix="quantd-") as directory:
            path = str(pathlib.Path(directory) / "notify")
            self.check(path, path)

    def test_it_notifies_an_abstract_socket(self):
        name = f"quantd-test-{os.getpid()}"
        self.check("@" + name, "\0" + name)

    def test_it_serves_even_if_nothing_listens(self):
        with quantd_process.Quantd(environment={"NOTIFY_SOCKET": "/nonexistent"}) as quantd:
            quantd_process.wait_until(lambda: "/nonexistent" in quantd.log, "a warning")
            self.assertTrue(quantd.is_running())


if __name__ == "__main__":
    unittest.main()
