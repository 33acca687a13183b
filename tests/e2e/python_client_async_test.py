"""Tests the asyncio client of the Python package: as the blocking one, and what only tasks can do."""

import asyncio
import functools
import inspect
import socket
import threading
import unittest
import unittest.mock

import grpc
import numpy as np
import quantd

import byte_server
import python_client_error_test
import python_client_retry_test
import python_client_server_test
import python_client_test
import quantd_process
from python_client_case import IN_ONE_MESSAGE
from unreliable_server import UnreliableServer, failing

X = np.linspace(-2, 2, 40, dtype=np.float32)
IN_PARTS = {"stream_from_bytes": 0, "stream_message_bytes": 40}
WAYS = (IN_ONE_MESSAGE, IN_PARTS)


class BlockingAsyncClient:
    """An AsyncClient with the methods of Client: they wait for the event loop, which runs on a thread."""

    def __init__(self, loop, *arguments, **options):
        self._loop = loop
        self._client = quantd.AsyncClient(*arguments, **options)

    def __getattr__(self, name):
        method = getattr(self._client, name)

        def call(*arguments, **keywords):
            return asyncio.run_coroutine_threadsafe(method(*arguments, **keywords), self._loop).result()

        return call

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class InPlaceOfTheBlockingClient:
    """A mixin for tests of the blocking client, which runs them with the asyncio client instead."""

    @classmethod
    def setUpClass(cls):
        # One for all clients: with several at once, gRPC writes about BlockingIOErrors.
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()

        def end():
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

        cls.addClassCleanup(end)
        cls.enterClassContext(
            unittest.mock.patch("quantd.Client", functools.partial(BlockingAsyncClient, loop)))
        super().setUpClass()


class AsyncGoldenTest(InPlaceOfTheBlockingClient, python_client_test.GoldenTest):
    """Of bits."""


class AsyncLargeTensorTest(InPlaceOfTheBlockingClient, python_client_test.LargeTensorTest):
    """Of parts."""


class AsyncErrorTest(InPlaceOfTheBlockingClient, python_client_error_test.ErrorTest):
    """Of a real server's errors."""

    # A SystemExit would end the event loop.
    kinds_of_errors_in_parts = (MemoryError,)


class AsyncNoServerTest(InPlaceOfTheBlockingClient, python_client_error_test.NoServerTest):
    """Of errors without a server."""


class AsyncServerTest(InPlaceOfTheBlockingClient, python_client_server_test.ServerTest):
    """Of what the server says of itself."""


class AsyncStrangeServerTest(InPlaceOfTheBlockingClient, python_client_server_test.StrangeServerTest):
    """Of servers that misbehave."""


class AsyncRetryTest(InPlaceOfTheBlockingClient, python_client_retry_test.RetryTest):
    """Of retries."""


class AsyncDeadlineTest(InPlaceOfTheBlockingClient, python_client_retry_test.DeadlineTest):
    """Of deadlines."""


class AsyncBudgetTest(InPlaceOfTheBlockingClient, python_client_retry_test.BudgetTest):
    """Of the budget of retries."""


class AsyncStreamTest(InPlaceOfTheBlockingClient, python_client_retry_test.StreamTest):
    """Of streams that break."""


class AsyncFailoverTest(InPlaceOfTheBlockingClient, python_client_retry_test.FailoverTest):
    """Of several servers."""


class TaskTest(unittest.IsolatedAsyncioTestCase):

    @classmethod
    def setUpClass(cls):
        cls.quantd = quantd_process.Quantd()
        cls.addClassCleanup(cls.quantd.stop)
        cls.channel = cls.quantd.connect()

    def test_methods_are_coroutine_functions_with_the_signatures_of_the_blocking_client(self):
        for name, method in vars(quantd.Client).items():
            if not name.startswith("_"):
                with self.subTest(name):
                    other = getattr(quantd.AsyncClient, name)
                    self.assertTrue(inspect.iscoroutinefunction(other))
                    self.assertEqual(inspect.signature(other), inspect.signature(method))
                    self.assertTrue(other.__doc__)

    async def test_many_tasks_can_use_one_client(self):
        arrays = [np.linspace(-2, 2, 2**(index % 20), dtype=np.float32) for index in range(60)]
        async with quantd.AsyncClient(self.quantd.address, stream_from_bytes=2**15,
                                      stream_message_bytes=2**14) as client:
            results = await asyncio.gather(*(client.fake_quantize(x, -1, 1) for x in arrays))
            for x, result in zip(arrays, results, strict=True):
                expected = await client.fake_quantize(x, -1, 1)
                np.testing.assert_array_equal(result.output, expected.output)

    async def hanging(self):
        """Returns a client in each way, and tasks of calls that have reached a server and have no answer."""
        loop = asyncio.get_running_loop()
        released = threading.Event()
        self.addCleanup(released.set)
        for way in WAYS:
            arrived, cancelled = asyncio.Event(), asyncio.Event()

            def hang(_method, _requests, context, arrived=arrived, cancelled=cancelled):
                context.add_callback(lambda: loop.call_soon_threadsafe(cancelled.set))
                loop.call_soon_threadsafe(arrived.set)
                released.wait(quantd_process.DEADLINE_SECONDS)
                return iter(())

            server = self.enterContext(byte_server.ByteServer(hang))
            client = await self.enterAsyncContext(quantd.AsyncClient(server.address, **way))
            task = asyncio.create_task(client.fake_quantize(X, -1, 1))
            await asyncio.wait_for(arrived.wait(), quantd_process.DEADLINE_SECONDS)
            yield client, task, cancelled

    async def test_cancelling_a_task_cancels_its_call(self):
        async for _, task, cancelled in self.hanging():
            self.assertFalse(cancelled.is_set())
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            await asyncio.wait_for(cancelled.wait(), quantd_process.DEADLINE_SECONDS)

    async def test_the_caller_s_own_timeouts_work(self):
        async for _, task, cancelled in self.hanging():
            with self.assertRaises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await task
            await asyncio.wait_for(cancelled.wait(), quantd_process.DEADLINE_SECONDS)

    async def test_closing_the_client_ends_calls_with_an_error(self):
        async for client, task, cancelled in self.hanging():
            await client.close()
            with self.assertRaisesRegex(quantd.QuantdError, "was closed during the call") as raised:
                await task
            self.assertIs(raised.exception.code, grpc.StatusCode.CANCELLED)
            await asyncio.wait_for(cancelled.wait(), quantd_process.DEADLINE_SECONDS)
            await client.close()
            with self.assertRaisesRegex(ValueError, "closed"):
                await client.healthy()

    async def test_a_task_that_was_cancelled_before_the_client_was_closed_ends_as_cancelled(self):
        async for client, task, _ in self.hanging():
            task.cancel()
            await client.close()
            with self.assertRaises(asyncio.CancelledError):
                await task

    async def test_cancelling_a_task_ends_its_pause(self):
        failure = failing(grpc.StatusCode.UNAVAILABLE, pushback="50000")
        for way in WAYS:
            with UnreliableServer(self.channel, [failure]) as server:
                async with quantd.AsyncClient(server.address, retry=quantd.RetryOptions(max_outage=100),
                                              **way) as client:
                    with self.assertRaises(TimeoutError):
                        async with asyncio.timeout(1):
                            await client.fake_quantize(X, -1, 1)
                    self.assertTrue((await client.healthy()))

    async def test_waiting_for_a_connection_can_be_cancelled_and_tried_again(self):
        with socket.create_server(("localhost", 0)) as silent:
            async with quantd.AsyncClient(f"localhost:{silent.getsockname()[1]}") as client:
                for _ in range(2):
                    with self.assertRaises(TimeoutError):
                        async with asyncio.timeout(0.05):
                            await client.wait_until_connected()

    def test_a_client_belongs_to_one_event_loop(self):
        client = quantd.AsyncClient(self.quantd.address)
        with asyncio.Runner() as runner:
            self.assertTrue(runner.run(client.healthy()))
            with asyncio.Runner() as other:
                for method in (client.healthy, client.wait_until_connected, client.close):
                    with self.assertRaisesRegex(RuntimeError, "another event loop"):
                        other.run(method())
            self.assertTrue(runner.run(client.healthy()))
            runner.run(client.close())


if __name__ == "__main__":
    unittest.main()
