"""Tests how the Python package tries calls again: when, for how long, on which servers, and what it says."""

import concurrent.futures
import contextlib
import signal
import socket
import threading
import time
import unittest

import grpc
import numpy as np
import quantd

import byte_server
import python_clients
import quantd_process
import slow_link
from python_client_case import IN_ONE_MESSAGE, PythonClientTestCase
from unreliable_server import UNAVAILABLE, UnreliableServer, failing

# Five parts, the first of which has no elements.
X = np.linspace(-2, 2, 40, dtype=np.float32)
IN_FIVE_PARTS = {"stream_from_bytes": 0, "stream_message_bytes": 40}
WAYS = (IN_ONE_MESSAGE, IN_FIVE_PARTS)
QUICK = quantd.RetryOptions(initial_backoff=0.001, max_backoff=0.001)
CODES = grpc.StatusCode


@contextlib.contextmanager
def dead_addresses(count):
    """Yields addresses on which nobody listens."""
    with contextlib.ExitStack() as stack:
        reserved = [stack.enter_context(socket.socket()) for _ in range(count)]
        for port in reserved:
            port.bind(("127.0.0.1", 0))
        yield [f"127.0.0.1:{port.getsockname()[1]}" for port in reserved]


class RetryTestCase(PythonClientTestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.channel = cls.quantd.connect()
        with python_clients.connected_to(cls.quantd.address) as client:
            cls.expected = client.fake_quantize(X, -1, 1).output

    @contextlib.contextmanager
    def client_of(self, *failures, **options):
        """Yields a server that fails like this, and a client of it."""
        with (UnreliableServer(self.channel, failures) as server,
              python_clients.connected_to(server.address, **{"retry": QUICK} | options) as client):
            yield server, client

    def check(self, client):
        np.testing.assert_array_equal(client.fake_quantize(X, -1, 1).output, self.expected)

    def error_of(self, client):
        with self.assertRaises(quantd.QuantdError) as raised:
            client.fake_quantize(X, -1, 1)
        return raised.exception


class RetryTest(RetryTestCase):

    def test_calls_are_made_again_after_errors_that_pass(self):
        for failure in (
            UNAVAILABLE, failing(CODES.UNAVAILABLE, reason="SHUTTING_DOWN"),
            failing(CODES.RESOURCE_EXHAUSTED, reason="IN_FLIGHT_LIMIT"),
            failing(CODES.RESOURCE_EXHAUSTED, reason="BUSY", domain="mesh.example", retry_seconds=0.01),
            failing(CODES.INTERNAL, "Received RST_STREAM with error code 1"),
            failing(CODES.INTERNAL, "Received RST_STREAM with error code 2"),
            failing(CODES.RESOURCE_EXHAUSTED, "Received RST_STREAM with error code 11"),
        ):
            for way in WAYS:
                with self.subTest(failure), self.client_of(failure, failure, failure, **way) as (server, client):
                    self.check(client)
                    self.assertEqual(server.calls, 4)

    def test_all_other_errors_are_raised_at_once(self):
        for failure in (
            failing(CODES.INVALID_ARGUMENT, reason="INVALID_RANGE"), failing(CODES.DEADLINE_EXCEEDED),
            failing(CODES.CANCELLED), failing(CODES.UNAUTHENTICATED), failing(CODES.PERMISSION_DENIED),
            failing(CODES.RESOURCE_EXHAUSTED, reason="MESSAGE_TOO_LARGE", retry_seconds=1),
            failing(CODES.RESOURCE_EXHAUSTED), failing(CODES.INTERNAL, "Received RST_STREAM with error code 11"),
            failing(CODES.INTERNAL, "RST_STREAM with error code 2", reason="OUR_OWN"), failing(CODES.UNKNOWN),
            failing(CODES.RESOURCE_EXHAUSTED, "RST_STREAM with error code 11", reason="MESSAGE_TOO_LARGE"),
        ):
            for way in WAYS:
                with self.subTest(failure), self.client_of(failure, **way) as (server, client):
                    self.assertNotIn("tries", str(self.error_of(client)))
                    self.assertEqual(server.calls, 1)

    def test_without_retries_every_error_is_raised_at_once(self):
        for retry in (False, quantd.RetryOptions(max_outage=0)):
            for way in WAYS:
                with self.client_of(UNAVAILABLE, retry=retry, **way) as (server, client):
                    self.assertRegex(str(self.error_of(client)), "that quantd runs$")
                    self.assertEqual(server.calls, 1)

    def test_pauses_grow_up_to_the_longest(self):
        options = quantd.RetryOptions(initial_backoff=0.1, max_backoff=0.4)
        for way in WAYS:
            with self.client_of(*[UNAVAILABLE] * 5, retry=options, **way) as (server, client):
                self.check(client)
                for pause, shortest in zip(server.pauses, (0.05, 0.1, 0.2, 0.2, 0.2), strict=True):
                    self.assertGreaterEqual(pause, shortest)
                # Twice the sum of the longest: the machine may be slow.
                self.assertLess(sum(server.pauses), 3)

    def test_an_answered_part_begins_the_pauses_anew(self):
        options = quantd.RetryOptions(initial_backoff=0.02, max_backoff=100)
        with (UnreliableServer(self.channel, answers_per_stream=1) as server,
              python_clients.connected_to(server.address, retry=options, stream_from_bytes=0,
                                          stream_message_bytes=12) as client):
            self.check(client)
            self.assertGreater(server.calls, 12)
            self.assertLess(max(server.pauses), 5)

    def test_pauses_are_those_that_the_server_asks_for(self):
        busy = failing(CODES.RESOURCE_EXHAUSTED, reason="IN_FLIGHT_LIMIT", retry_seconds=0.4)
        for failure in (busy, failing(CODES.UNAVAILABLE, pushback="400")):
            for way in WAYS:
                with self.subTest(failure), self.client_of(failure, **way) as (server, client):
                    self.check(client)
                    self.assertGreaterEqual(server.pauses[0], 0.4)

    def test_calls_are_not_made_again_if_the_server_asks_for_that(self):
        for pushback in ("-1", "soon"):
            failure = failing(CODES.UNAVAILABLE, pushback=pushback)
            for way in WAYS:
                with self.subTest(pushback), self.client_of(failure, **way) as (server, client):
                    self.assertIn("gave up after 1 try: the server asks not to try again",
                                  str(self.error_of(client)))
                    self.assertEqual(server.calls, 1)

    def test_a_pause_that_is_longer_than_the_timeout_or_the_outage_is_an_error_at_once(self):
        for max_outage, pause, end in ((4000, 3600, "timeout of 60 s"), (5, 30, "max_outage of 5 s")):
            busy = failing(CODES.RESOURCE_EXHAUSTED, reason="IN_FLIGHT_LIMIT", retry_seconds=pause)
            options = quantd.RetryOptions(max_outage=max_outage)
            for way in WAYS:
                with self.subTest(end), self.client_of(busy, retry=options, **way) as (server, client):
                    error = self.error_of(client)
                    self.assertIsInstance(error, quantd.ResourceExhaustedError)
                    self.assertEqual((error.reason, error.retry_delay), ("IN_FLIGHT_LIMIT", pause))
                    self.assertIn(f"gave up after 1 try: the next try would come after the {end}", str(error))
                    self.assertEqual(server.calls, 1)

    def test_closing_the_client_ends_a_pause(self):
        failure = failing(CODES.UNAVAILABLE, pushback="50000")
        with (self.client_of(failure, retry=quantd.RetryOptions(max_outage=100)) as (server, client),
              concurrent.futures.ThreadPoolExecutor() as threads):
            call = threads.submit(client.fake_quantize, X, -1, 1)
            quantd_process.wait_until(lambda: server.calls, "the call")
            client.close()
            self.assertIsNotNone(call.exception(10))

    def test_bad_options_are_errors(self):
        for options, error in (({"initial_backoff": 0}, ValueError), ({"initial_backoff": 3}, ValueError),
                               ({"max_backoff": 3601}, ValueError), ({"max_backoff": float("nan")}, ValueError),
                               ({"max_outage": -1}, ValueError), ({"max_outage": 3.2e7}, ValueError),
                               ({"max_outage": float("nan")}, ValueError), ({"max_outage": True}, TypeError),
                               ({"initial_backoff": "1"}, TypeError), ({"budget": 0}, ValueError),
                               ({"budget": 1.5}, TypeError), ({"budget": True}, TypeError)):
            with self.subTest(options), self.assertRaisesRegex(error, "expected"):
                quantd.RetryOptions(**options)
        with self.assertRaisesRegex(TypeError, "retry is 3; expected"):
            quantd.Client(retry=3)


class DeadlineTest(RetryTestCase):

    def test_the_timeout_is_for_all_tries_together_and_the_error_lists_them(self):
        with dead_addresses(2) as addresses:
            for way in WAYS:
                for some in (addresses[:1], addresses):
                    with self.subTest(some), quantd.Client(some, timeout=2, **way) as client:
                        began = time.monotonic()
                        error = self.error_of(client)
                        self.assertLess(time.monotonic() - began, 3)
                        self.assertIsInstance(error, quantd.UnavailableError)
                        self.assertRegex(error.message, r"^no answer from 127.*; gave up after \d+ tries within "
                                         r"[\d.]+ s: the next try would come after the timeout of 2 s")
                        for address in some if len(some) > 1 else ():
                            self.assertRegex(error.message,
                                             f"last error of each address: .*{address}: no answer from {address}")

    def test_no_try_begins_after_the_longest_outage(self):
        options = quantd.RetryOptions(initial_backoff=0.3, max_backoff=0.3, max_outage=1)
        for way in WAYS:
            with self.client_of(*[UNAVAILABLE] * 20, retry=options, **way) as (server, client):
                self.assertRegex(str(self.error_of(client)), r"; gave up after [4-7] tries within [\d.]+ s: the "
                                 "next try would come after the max_outage of 1 s$")
                self.assertIn(server.calls, range(4, 8))

    def test_a_call_that_hangs_has_no_outage(self):
        options = quantd.RetryOptions(max_outage=0.1)

        def hang(context):
            threading.Event().wait(0.5)
            UNAVAILABLE(context)

        for way in WAYS:
            with self.client_of(hang, retry=options, **way) as (server, client):
                self.check(client)
                self.assertEqual(server.calls, 2)

    def test_an_answered_part_ends_the_outage(self):
        options = quantd.RetryOptions(initial_backoff=0.2, max_backoff=0.2, max_outage=0.5)
        with (UnreliableServer(self.channel, answers_per_stream=1) as server,
              python_clients.connected_to(server.address, retry=options, **IN_FIVE_PARTS) as client):
            began = time.monotonic()
            self.check(client)
            # Four pauses of 0.1 to 0.2 s and as many outages.
            self.assertGreater(time.monotonic() - began, 0.4)
            self.assertEqual(server.calls, 5)

    def test_a_try_that_has_no_answer_ends_at_the_timeout(self):
        released = threading.Event()
        self.addCleanup(released.set)

        def hang(_context):
            released.wait(quantd_process.DEADLINE_SECONDS)

        for way in WAYS:
            with self.client_of(UNAVAILABLE, hang, timeout=0.5, **way) as (server, client):
                error = self.error_of(client)
                self.assertIsInstance(error, quantd.DeadlineExceededError)
                self.assertIn("within 0.5 s", error.message)
                self.assertIn("gave up after 2 tries", error.message)
                self.assertEqual(server.calls, 2)

    def test_the_timeout_of_parts_runs_from_the_last_answer_over_all_tries(self):
        with UnreliableServer(self.channel, answers_per_stream=2) as server:
            failures = iter([None, *[UNAVAILABLE] * 10_000])
            server._failures = failures  # pylint: disable=protected-access
            with python_clients.connected_to(server.address, timeout=1, **IN_FIVE_PARTS) as client:
                began = time.monotonic()
                self.assertIn("gave up after", str(self.error_of(client)))
                self.assertLess(time.monotonic() - began, 10)
                self.assertGreater(server.calls, 2)


class BudgetTest(RetryTestCase):

    def test_a_server_that_is_down_is_not_stormed(self):
        options = quantd.RetryOptions(initial_backoff=0.001, max_backoff=0.001, budget=5)
        for way in WAYS:
            with self.client_of(*[UNAVAILABLE] * 7, retry=options, **way) as (server, client):
                self.assertIn("gave up after 6 tries", str(self.error_of(client)))
                self.assertEqual(server.calls, 6)
                self.assertIn("gave up after 1 try: this client has used up its 5 retries",
                              str(self.error_of(client)))
                self.assertEqual(server.calls, 7)

    def test_answers_give_retries_back(self):
        options = quantd.RetryOptions(initial_backoff=0.001, max_backoff=0.001, budget=1)
        with self.client_of(UNAVAILABLE, *[None] * 6, UNAVAILABLE, None, UNAVAILABLE, retry=options,
                            **IN_ONE_MESSAGE) as (server, client):
            for _ in range(7):
                self.check(client)
            self.assertEqual(server.calls, 9)
            self.assertIn("used up its 1 retries", str(self.error_of(client)))

    def test_a_dead_server_among_others_does_not_use_up_the_retries(self):
        options = quantd.RetryOptions(initial_backoff=0.001, max_backoff=0.001, budget=10)
        with (dead_addresses(1) as addresses,
              python_clients.connected_to([self.quantd.address, *addresses], retry=options,
                                          **IN_ONE_MESSAGE) as client):
            for _ in range(500):
                self.check(client)


class StreamTest(RetryTestCase):

    def test_a_stream_that_breaks_goes_on_with_the_parts_that_have_no_answer(self):
        generator = np.random.default_rng(3)
        gradients, inputs = generator.normal(scale=2, size=(2, 5, 7, 11)).astype(np.float32)
        ranges = {"min": np.linspace(-3, -1, 7), "max": np.linspace(1, 2, 7), "axis": 1}
        scales = {"scale": np.linspace(0.1, 1, 7), "axis": 1}
        blocks = {"scale": generator.uniform(0.1, 1, (5, 4, 11)), "axis": 1, "block_size": 2}
        with self.connected() as whole:
            for method, arguments in (("fake_quantize_gradient", (gradients, inputs, ranges)),
                                      ("fake_quantize", (inputs, ranges)), ("quantize", (inputs, scales)),
                                      ("quantize", (inputs, blocks))):
                expected = getattr(whole, method)(*arguments[:-1], **arguments[-1])
                for answers in (1, 2, 3):
                    with (self.subTest(method, answers=answers),
                          UnreliableServer(self.channel, answers_per_stream=answers) as one,
                          UnreliableServer(self.channel, answers_per_stream=answers) as other,
                          python_clients.connected_to(f"{one.address},{other.address}", retry=QUICK,
                                                      stream_from_bytes=0, stream_message_bytes=200) as client):
                        actual = getattr(client, method)(*arguments[:-1], **arguments[-1])
                        self.check_same(actual, expected)
                        self.assertGreater(one.calls, 1)
                        self.assertGreater(other.calls, 1)
                        self.assertGreater(one.answers + other.answers, 5)

    def check_same(self, actual, expected):
        for name, value in vars(expected).items():
            found = getattr(actual, name)
            if name in ("min_gradient", "max_gradient"):
                np.testing.assert_array_max_ulp(found, value, 2)
            elif isinstance(value, np.ndarray):
                np.testing.assert_array_equal(found, value)
            elif name == "nudged_range" and value is not None:
                self.check_same(found, value)
            else:
                self.assertEqual(found, value)

    def test_answered_parts_are_not_sent_again(self):
        with self.connected(**IN_FIVE_PARTS) as client:
            client.fake_quantize(X, -1, 1)
        for answers in (1, 2, 4):
            with (self.subTest(answers), UnreliableServer(self.channel, answers_per_stream=answers) as server,
                  python_clients.connected_to(server.address, retry=QUICK, **IN_FIVE_PARTS) as client):
                self.check(client)
                self.assertEqual(server.answers, 5)

    def test_a_stream_that_breaks_after_its_last_answer_is_complete(self):
        def answer_and_break(method, requests, context):
            yield from byte_server.forward_to(self.channel)(method, requests, context)
            UNAVAILABLE(context)

        with (byte_server.ByteServer(answer_and_break) as server,
              python_clients.connected_to(server.address, **IN_FIVE_PARTS) as client):
            self.check(client)


class FailoverTest(RetryTestCase):

    def test_calls_take_turns_with_the_servers(self):
        for separator in (",".join, list, tuple):
            with (UnreliableServer(self.channel) as one, UnreliableServer(self.channel) as other,
                  python_clients.connected_to(separator([one.address, other.address])) as client):
                for _ in range(6):
                    self.check(client)
                self.assertEqual((one.calls, other.calls), (3, 3))

    def test_a_failed_try_goes_to_the_next_server_at_once(self):
        options = quantd.RetryOptions(initial_backoff=20, max_backoff=20)
        for way in WAYS:
            for failure in (UNAVAILABLE, failing(CODES.UNAVAILABLE, pushback="50000"),
                            failing(CODES.RESOURCE_EXHAUSTED, reason="IN_FLIGHT_LIMIT", retry_seconds=50)):
                with (self.subTest(failure), UnreliableServer(self.channel, [failure] * 4) as one,
                      python_clients.connected_to([one.address, self.quantd.address], retry=options,
                                                  **way) as client):
                    began = time.monotonic()
                    for _ in range(4):
                        self.check(client)
                    self.assertLess(time.monotonic() - began, 8)
                    # It is left out after its first failure.
                    self.assertEqual(one.calls, 1)

    def test_no_call_fails_while_servers_are_killed_and_replaced(self):
        servers = [quantd_process.Quantd(listen=("127.0.0.1:0",)) for _ in range(2)]
        stop = threading.Event()
        large = np.linspace(-2, 2, 2**19, dtype=np.float32)
        answered = [0] * 4

        def calls(client, index):
            while not stop.is_set():
                x, expected = (X, self.expected) if index % 2 else (large, expected_large)
                np.testing.assert_array_equal(client.fake_quantize(x, -1, 1).output, expected)
                answered[index] += 1

        def wait_for_answers():
            before = list(answered)
            quantd_process.wait_until(
                lambda: any(thread.done() for thread in threads)
                or all(now > then + 3 for now, then in zip(answered, before)), "answers")

        with contextlib.ExitStack() as stack:
            for server in servers:
                stack.callback(server.kill)
            client = stack.enter_context(python_clients.connected_to(
                [server.address for server in servers], stream_message_bytes=2**16, stream_from_bytes=2**16))
            expected_large = client.fake_quantize(large, -1, 1).output
            pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor())
            stack.callback(stop.set)
            threads = [pool.submit(calls, client, index) for index in range(4)]
            for round_number in range(4):
                wait_for_answers()
                victim = servers[round_number % 2]
                if round_number < 2:
                    victim.signal(signal.SIGKILL)
                    victim.wait()
                else:
                    victim.stop()
                wait_for_answers()
                servers[round_number % 2] = quantd_process.Quantd(listen=(victim.address,))
                stack.callback(servers[round_number % 2].kill)
            stop.set()
            for thread in threads:
                self.assertIsNone(thread.exception())

    def test_a_restarted_server_is_found_within_about_a_second(self):
        server = quantd_process.Quantd(listen=("127.0.0.1:0",))
        self.addCleanup(server.kill)
        options = quantd.RetryOptions(max_outage=60)
        with python_clients.connected_to(server.address, retry=options) as client:
            server.signal(signal.SIGKILL)
            server.wait()
            with concurrent.futures.ThreadPoolExecutor() as pool:
                call = pool.submit(client.fake_quantize, X, -1, 1)
                with self.assertRaises(concurrent.futures.TimeoutError):
                    call.result(3)
                server = quantd_process.Quantd(listen=(server.address,))
                self.addCleanup(server.kill)
                began = time.monotonic()
                call.result(quantd_process.DEADLINE_SECONDS)
                # A pause of 1 s and a connection that is tried every 1.2 s.
                self.assertLess(time.monotonic() - began, 5)

    def test_a_server_that_vanishes_during_a_call_is_noticed(self):
        for way in WAYS:
            with (slow_link.SlowLink(self.quantd.address) as link,
                  python_clients.connected_to([link.address, self.quantd.address], **way) as client):
                def link_has_answered(link=link, client=client):
                    before = link.carried("to_client")
                    self.check(client)
                    return link.carried("to_client") > before + X.nbytes

                quantd_process.wait_until(link_has_answered, "an answer through the link")
                link.to_client = 0
                sent = link.carried("to_server")
                began = time.monotonic()
                self.check(client)
                self.check(client)
                self.assertLess(time.monotonic() - began, 30)
                self.assertGreater(link.carried("to_server"), sent + X.nbytes)


if __name__ == "__main__":
    unittest.main()
