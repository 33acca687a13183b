"""Tests which connections quantd accepts, keeps and closes."""

import contextlib
import os
import pathlib
import resource
import socket
import tempfile
import threading
import time
import unittest

import api
import http2
import quantd_process

# How long a client may take to send its first settings (server/connections/transport_settings.cc).
HANDSHAKE_SECONDS = 10
# The least interval between the pings of a client without calls.
PING_SECONDS = 5



def info(quantd, address=None):
    """Calls GetServerInfo over a connection of its own."""
    with contextlib.closing(quantd.connect(address)) as channel:
        return api.QuantizationServiceStub(channel).GetServerInfo(
            api.GetServerInfoRequest(), timeout=quantd_process.DEADLINE_SECONDS)


def connect(address):
    return http2.connect(address, quantd_process.DEADLINE_SECONDS)


def is_closed(connection):
    """Waits until the server closes `connection`. What it sends before does not matter."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True


def failure_to_start(*flags):
    """Returns what a quantd says that cannot serve."""
    done = quantd_process.run(quantd_process.QUANTD, "--metrics-listen=", *flags)
    if done.returncode != 1:
        raise AssertionError(f"exit code {done.returncode}: {done.stdout}{done.stderr}")
    return done.stderr


class DescriptorsTest(unittest.TestCase):

    def test_the_server_survives_more_connections_than_it_has_descriptors(self):
        with quantd_process.Quantd(descriptor_limit=64) as quantd:
            with contextlib.ExitStack() as connections:
                for _ in range(100):
                    connections.enter_context(connect(quantd.address))
                # Metrics keep descriptors of their own.
                refused = quantd_process.wait_until(
                    lambda: quantd.metrics().total("quantd_refused_connections_total"),
                    "refused connections")
                self.assertGreater(refused, 0)
                self.assertLess(quantd.metrics().value("process_open_fds"), 64)
            for _ in range(100):
                connect(quantd.address).close()
            quantd_process.wait_until(
                lambda: quantd.metrics().value("quantd_connections") == 0,
                "the connections to be forgotten")
            self.assertTrue(info(quantd).version)
            # However many are refused, the log has ten lines a second about it, and their number.
            self.assertLess(quantd.log.count("connection refused"), 50, quantd.log)

    def test_the_soft_limit_is_raised_to_the_hard_one(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with quantd_process.Quantd(descriptor_limit=(64, hard)) as quantd:
            self.assertEqual(resource.prlimit(quantd.process_id, resource.RLIMIT_NOFILE),
                             (hard, hard))
            quantd.wait_for_log(f"descriptors={hard}")
        self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE), (soft, hard))

    def test_a_limit_for_which_there_are_too_few_descriptors_is_refused(self):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.assertIn(f"the process may open {hard} files",
                      failure_to_start("--listen=localhost:0", f"--max-connections={hard}"))


class LimitsTest(unittest.TestCase):

    def test_connections_beyond_the_limit_are_closed_and_others_are_not_affected(self):
        with quantd_process.Quantd("--max-connections=2",
                                   "--max-connections-per-peer=2") as quantd:
            with connect(quantd.address), quantd.connect() as channel:
                with connect(quantd.address) as refused:
                    self.assertTrue(is_closed(refused))
                api.QuantizationServiceStub(channel).GetServerInfo(api.GetServerInfoRequest())
                metrics = quantd.metrics()
                self.assertEqual(metrics.value("quantd_connections"), 2)
                self.assertEqual(metrics.value("quantd_max_connections"), 2)
                self.assertEqual(metrics.value("quantd_refused_connections_total",
                                               reason="max_connections"), 1)
            self.assertTrue(info(quantd).version)

    def test_one_peer_cannot_use_up_the_connections_of_others(self):
        with quantd_process.Quantd("--max-connections=2",
                                   listen=("localhost:0", "unix:{directory}/s")) as quantd:
            with connect(quantd.address):
                with connect(quantd.address) as refused:
                    self.assertTrue(is_closed(refused))
                # This is another peer: a user of this machine.
                self.assertTrue(info(quantd, quantd.addresses[1]).version)
            quantd.wait_for_log("reason=max_connections_per_peer peer=127.0.0.1")

    def test_clients_are_told_how_many_calls_a_connection_may_carry(self):
        with quantd_process.Quantd("--max-streams-per-connection=7") as quantd:
            with http2.Connection(quantd.address, quantd_process.DEADLINE_SECONDS) as connection:
                self.assertEqual(connection.settings[http2.MAX_CONCURRENT_STREAMS], 7)

    def test_calls_beyond_the_limit_of_a_connection_wait(self):
        with quantd_process.Quantd("--max-streams-per-connection=2") as quantd:
            stub = quantd.stub()
            calls = [stub.GetServerInfo.future(api.GetServerInfoRequest(),
                                               timeout=quantd_process.DEADLINE_SECONDS)
                     for _ in range(100)]
            self.assertTrue(all(call.result().version for call in calls))

    def test_idle_connections_are_closed_in_the_end(self):
        with quantd_process.Quantd("--max-connection-idle=200ms") as quantd:
            with http2.Connection(quantd.address, quantd_process.DEADLINE_SECONDS) as connection:
                connection.wait_for(http2.GOAWAY)
            # Clients of gRPC do not notice.
            stub = quantd.stub()
            for _ in range(3):
                self.assertTrue(stub.GetServerInfo(api.GetServerInfoRequest()).version)
                quantd_process.wait_until(
                    lambda: quantd.metrics().value("quantd_connections") == 0, "the end")


class SilenceTest(unittest.TestCase):
    """The tests that take long share a server, and their waiting."""

    @classmethod
    def setUpClass(cls):
        cls.quantd = quantd_process.Quantd()
        cls.addClassCleanup(cls.quantd.stop)
        # What half-open clients send before they fall silent.
        cls.half_open = {}
        for name, sent in (("nothing", b""), ("half of the preface", http2.PREFACE[:12]),
                           ("no settings", http2.PREFACE)):
            connection = connect(cls.quantd.address)
            cls.addClassCleanup(connection.close)
            connection.sendall(sent)
            cls.half_open[name] = connection
        cls.opened = time.monotonic()

    def test_half_open_connections_are_closed(self):
        for name, connection in self.half_open.items():
            with self.subTest(name):
                self.assertTrue(is_closed(connection))
                self.assertLess(time.monotonic() - self.opened, HANDSHAKE_SECONDS + 20)
        quantd_process.wait_until(
            lambda: self.quantd.metrics().value("quantd_connections") <= 1, "their end")

    def test_pings_in_the_permitted_interval_are_answered(self):
        with http2.Connection(self.quantd.address, quantd_process.DEADLINE_SECONDS) as connection:
            # Three violations would be forgiven.
            for i in range(5):
                if i > 0:
                    time.sleep(PING_SECONDS + 0.2)
                kind, _, _, payload = connection.ping()
                self.assertEqual(kind, http2.PING, payload)

    def test_a_flood_of_pings_is_ended(self):
        with http2.Connection(self.quantd.address, quantd_process.DEADLINE_SECONDS) as connection:
            kind = http2.PING
            for _ in range(10):
                kind, _, _, payload = connection.ping()
                if kind == http2.GOAWAY:
                    break
            self.assertEqual(kind, http2.GOAWAY)
            self.assertIn(b"too_many_pings", payload)


class BindingTest(unittest.TestCase):

    def test_localhost_is_served_on_ipv4_and_ipv6(self):
        with quantd_process.Quantd() as quantd:
            port = quantd.address.removeprefix("localhost:")
            self.assertTrue(info(quantd, f"127.0.0.1:{port}").version)
            if _HAS_IPV6:
                self.assertTrue(info(quantd, f"[::1]:{port}").version)

    def test_a_half_taken_localhost_is_an_error_that_names_the_half(self):
        for family, half in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            if family == socket.AF_INET6 and not _HAS_IPV6:
                continue
            with self.subTest(half), socket.socket(family, socket.SOCK_STREAM) as other:
                other.bind((half, 0))
                other.listen()
                port = other.getsockname()[1]
                error = failure_to_start(f"--listen=localhost:{port}")
                self.assertIn(f"cannot listen on localhost:{port}: ", error)
                self.assertIn(f"{half}]:{port}" if ":" in half else f"{half}:{port}", error)
                self.assertIn("Address already in use", error)

    @unittest.skipUnless(socket.has_ipv6, "Python has no IPv6")
    def test_all_addresses_of_both_families_can_be_given_together(self):
        if not _HAS_IPV6:
            self.skipTest("this machine has no IPv6")
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as free:
            free.bind(("::", 0))
            port = free.getsockname()[1]
        with quantd_process.Quantd("--insecure", listen=(f"0.0.0.0:{port}", f"[::]:{port}")) as quantd:
            self.assertTrue(info(quantd, f"127.0.0.1:{port}").version)
            self.assertTrue(info(quantd, f"[::1]:{port}").version)

    def test_an_unknown_host_is_named(self):
        self.assertIn("'no.such.host.invalid' is unknown",
                      failure_to_start("--listen=no.such.host.invalid:1"))


class UnixSocketTest(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="quantd-")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.path = self.directory / "s"
        self.address = f"unix:{self.path}"

    def abandon_socket(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
            dead.bind(str(self.path))
            dead.listen()

    def test_it_has_the_given_permissions(self):
        with quantd_process.Quantd("--unix-socket-mode=0620", listen=(self.address,)) as quantd:
            self.assertEqual(self.path.stat().st_mode & 0o777, 0o620)
            self.assertTrue(info(quantd).version)

    def test_it_is_removed_at_the_end_and_leaves_nothing(self):
        with quantd_process.Quantd(listen=(self.address,)) as quantd:
            self.assertTrue(info(quantd).version)
        self.assertEqual(os.listdir(self.directory), [])

    def test_that_of_a_running_server_is_not_taken_over(self):
        with quantd_process.Quantd(listen=(self.address,)) as quantd:
            self.assertIn("another process serves there",
                          failure_to_start(f"--listen={self.address}"))
            self.assertTrue(info(quantd).version)

    def test_that_of_a_successor_is_not_removed(self):
        with quantd_process.Quantd(listen=(self.address,)) as first:
            self.path.unlink()
            with quantd_process.Quantd(listen=(self.address,)) as second:
                first.stop()
                self.assertTrue(info(second).version)

    def test_a_file_that_is_not_a_socket_is_not_removed(self):
        self.path.write_text("precious")
        self.assertIn("a file that is not a socket", failure_to_start(f"--listen={self.address}"))
        self.assertEqual(self.path.read_text(), "precious")

    def test_of_servers_that_start_at_once_exactly_one_serves(self):
        self.abandon_socket()
        started = []
        failed = []

        def start():
            try:
                started.append(quantd_process.Quantd(listen=(self.address,), metrics_listen=""))
            except RuntimeError as error:
                failed.append(str(error))

        threads = [threading.Thread(target=start) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(started), 1, failed)
        self.assertTrue(all("another process serves there" in text for text in failed), failed)
        with started[0] as quantd:
            self.assertTrue(info(quantd).version)


def _has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


_HAS_IPV6 = _has_ipv6()


if __name__ == "__main__":
    unittest.main()
