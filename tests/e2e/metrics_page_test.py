"""Tests that the metrics page answers, whatever other clients do."""

import contextlib
import http.client
import resource
import socket
import time
import unittest

import quantd_process

# More than quantd keeps.
CLIENTS = 500
# A connection of a client that does nothing ends after 10 seconds. A page that waits for that is
# late.
PROMPT_SECONDS = 5


class MetricsPageTest(quantd_process.QuantdTestCase):

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.host, port = self.quantd.metrics_address.rsplit(":", 1)
        self.port = int(port)

    def connect(self, text=b""):
        connection = self.stack.enter_context(
            socket.create_connection((self.host, self.port), quantd_process.DEADLINE_SECONDS))
        connection.sendall(text)
        return connection

    def ask(self, method="GET", path="/metrics", **headers):
        """Returns status, headers and body of an answer."""
        connection = http.client.HTTPConnection(self.host, self.port,
                                                timeout=quantd_process.DEADLINE_SECONDS)
        with contextlib.closing(connection):
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def assert_prompt(self):
        start = time.monotonic()
        self.assertIn("quantd_build_info", self.quantd.metrics_text())
        self.assertLess(time.monotonic() - start, PROMPT_SECONDS)

    def test_clients_that_send_nothing_do_not_block_it(self):
        for _ in range(CLIENTS):
            self.connect()
        self.assert_prompt()

    def test_clients_that_send_half_a_request_do_not_block_it(self):
        for _ in range(CLIENTS):
            self.connect(b"GET /metrics HTTP/1.1\r\nHost:")
            if _ % 100 == 0:
                self.assert_prompt()
        self.assert_prompt()

    def test_clients_that_do_not_read_do_not_block_it(self):
        for _ in range(CLIENTS):
            self.connect(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assert_prompt()

    def test_a_client_that_sends_slowly_is_cut_off(self):
        slow = self.connect(b"GET /metrics HTTP/1.1\r\nName: ")
        slow.settimeout(0.1)
        start = time.monotonic()

        def ended():
            try:
                slow.sendall(b"x")
                return slow.recv(1) == b""
            except TimeoutError:
                return False
            except ConnectionError:
                return True

        quantd_process.wait_until(ended, "the end of the connection")
        self.assertGreater(time.monotonic() - start, PROMPT_SECONDS)
        self.assert_prompt()

    def test_many_scrapers_are_all_answered(self):
        scrapers = [self.connect() for _ in range(200)]
        for scraper in scrapers:
            scraper.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for scraper in scrapers:
            with scraper.makefile("rb") as answer:
                page = answer.read()
            self.assertTrue(page.startswith(b"HTTP/1.1 200 OK\r\n"), page[:100])
            self.assertIn(b"\nprocess_start_time_seconds ", page)

    def test_it_answers_while_descriptors_run_out(self):
        limits = resource.prlimit(self.quantd.process_id, resource.RLIMIT_NOFILE)
        few = int(self.quantd.metrics().value("process_open_fds")) + 5
        resource.prlimit(self.quantd.process_id, resource.RLIMIT_NOFILE, (few, limits[1]))
        try:
            for _ in range(50):
                self.connect()
            self.assert_prompt()
        finally:
            resource.prlimit(self.quantd.process_id, resource.RLIMIT_NOFILE, limits)

    def test_it_says_what_it_does_not_have(self):
        for method, path, status in (
            ("GET", "/metrics", 200), ("HEAD", "/metrics", 200), ("GET", "/metrics?name=x", 200),
            ("GET", "/", 404), ("GET", "/favicon.ico", 404), ("POST", "/metrics", 405),
        ):
            with self.subTest(f"{method} {path}"):
                self.assertEqual(self.ask(method, path)[0], status)
        self.assertEqual(self.ask("DELETE")[1]["Allow"], "GET, HEAD")
        self.assertEqual(self.ask("HEAD")[2], b"")

    def test_it_does_not_compress(self):
        for encodings in ("gzip", "gzip;q=0"):
            with self.subTest(encodings):
                _, headers, page = self.ask(**{"Accept-Encoding": encodings})
                self.assertNotIn("Content-Encoding", headers)
                self.assertIn(b"\nquantd_build_info{", page)

    def test_localhost_serves_both_families(self):
        for host in ("127.0.0.1", "::1"):
            with self.subTest(host):
                self.host = host
                self.assertEqual(self.ask()[0], 200)


if __name__ == "__main__":
    unittest.main()
