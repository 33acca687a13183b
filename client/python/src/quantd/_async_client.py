"""The asyncio client."""

import asyncio
import types
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar

import grpc
import grpc.aio

from quantd import _errors, _operations
from quantd._base_client import BaseClient
from quantd._errors import failure_of
from quantd._message_stream import Sender
from quantd._operations import Prepared, describe_method, path_of_stream
from quantd._retry import Tries
from quantd._tensor_call import TensorCall
from quantd._tensor_stream import TensorStream

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def _asynchronous(prepare: Callable[Arguments, Prepared[Result]]
                  ) -> "Callable[Concatenate[AsyncClient, Arguments], Coroutine[Any, Any, Result]]":
    """Returns the method that makes the call which `prepare` returns for its arguments."""
    async def method(client: "AsyncClient", /, *arguments: Arguments.args,
                     **keywords: Arguments.kwargs) -> Result:
        return await client._run(prepare(*arguments, **keywords))

    describe_method(method, prepare)
    return method


class AsyncClient(BaseClient):
    """A connection to one or several quantd servers, for asyncio.

        async with quantd.AsyncClient("localhost:50051") as client:
            result = await client.fake_quantize(array, -6, 6, num_bits=4)

    It has the arguments and the methods of Client, which are coroutines here, and the same results and
    errors; see Client. Large arrays are sent in parts as well.

    Any number of tasks of one event loop can use one client at once; the first call decides which loop it
    is. To cancel a task cancels its call. Messages are made and read on the event loop, which takes up to a
    few milliseconds for each part of an array. In a process with several loops at once, gRPC 1.51 writes
    about BlockingIOErrors, which do no harm.
    """

    def _open(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._channels: list[Any] = []
        self._closing = asyncio.Event()

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, exception_type: type[BaseException] | None, exception: BaseException | None,
                        traceback: types.TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections. Running calls fail with the code CANCELLED. Closing twice does nothing.

        It has to run in the event loop of the calls. In a process that was forked from that of the client,
        closing does nothing either.
        """
        if self._is_of_parent:
            return
        self._check_loop()
        self._is_closed.set()
        self._closing.set()
        for channel in self._channels:
            await channel.close()

    fake_quantize = _asynchronous(_operations.fake_quantize)
    fake_quantize_gradient = _asynchronous(_operations.fake_quantize_gradient)
    quantize = _asynchronous(_operations.quantize)
    dequantize = _asynchronous(_operations.dequantize)
    server_info = _asynchronous(_operations.server_info)
    healthy = _asynchronous(_operations.healthy)

    async def wait_until_connected(self, timeout: float | None = None) -> None:
        """Waits until the client is connected to one of its servers, for example while these start.

        Args:
            timeout: how long to wait, in seconds. None means the timeout of the client.

        Errors: DeadlineExceededError if the client is not connected by then; ValueError if another task
        closes the client.
        """
        seconds = self._seconds_to_wait(timeout)
        self._prepare_channels()
        waits = [asyncio.ensure_future(self._closing.wait())]
        waits += [asyncio.ensure_future(channel.channel_ready()) for channel in self._channels]
        try:
            done, _ = await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        self._check_usable()
        if not done:
            raise self._no_connection(seconds)

    async def _run(self, prepared: Prepared[Result]) -> Result:
        self._prepare_channels()
        call = prepared.tensors
        if call is not None and prepared.result is not None and self._sends_in_parts(call):
            await self._stream(call)
            return prepared.result()
        return prepared.read(await self._call(prepared.path, prepared.request()))

    def _prepare_channels(self) -> None:
        """Makes the channels when the event loop is known, to which they belong."""
        self._check_usable()
        self._check_loop()
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._channels = self._channels_of(grpc.aio)

    def _check_loop(self) -> None:
        if self._loop is not None and self._loop is not asyncio.get_running_loop():
            raise RuntimeError(f"this client of {self._address} is used in another event loop than before; "
                               "expected one loop: make a client for each")

    async def _call(self, path: str, request: bytes) -> bytes:
        """Makes a call with one message."""
        tries = self._retries.begin(self._timeout)
        while True:
            method = self._channels[tries.index].unary_unary(path)
            call = method(request, timeout=tries.remaining(), metadata=self._token.metadata())
            try:
                response: bytes = await call
            except grpc.aio.AioRpcError as error:
                await self._pause(tries.after(failure_of(error, tries.address, self._timeout)))
            except asyncio.CancelledError:
                self._check_cancellation()
                raise
            else:
                tries.note_answer()
                return response

    async def _stream(self, call: TensorCall) -> None:
        """Makes a call in parts, which are answered in order."""
        stream = TensorStream(call, self._stream_message_bytes)
        tries = self._retries.begin(self._timeout)
        while True:
            try:
                await self._exchange(path_of_stream(call), stream, tries)
                break
            except grpc.aio.AioRpcError as error:
                failure = failure_of(error, tries.address, self._timeout)
                if stream.is_answered and failure.may_be_retried:
                    break
                await self._pause(tries.after(failure))
        stream.check_complete()

    async def _exchange(self, path: str, stream: TensorStream, tries: Tries) -> None:
        """Sends the parts that have no answer over one stream, until the server ends it.

        gRPC asks for the next request when the transport has taken the one before.
        """
        sender = Sender(stream.requests())
        method = self._channels[tries.index].stream_stream(path)
        call = method(sender, metadata=self._token.metadata())
        answers = aiter(call)
        try:
            while True:
                try:
                    async with asyncio.timeout(tries.remaining()):
                        response = await anext(answers, None)
                except TimeoutError as error:
                    raise tries.ran_out() from error
                if response is None:
                    return
                stream.take_response(response)
                tries.note_answer()
        except (grpc.aio.AioRpcError, asyncio.CancelledError) as error:
            # gRPC cancels the call if there is no next request.
            if sender.error is not None:
                raise sender.error from None
            if isinstance(error, asyncio.CancelledError):
                self._check_cancellation()
            raise
        finally:
            # An exception may have left the stream unfinished.
            call.cancel()

    def _check_cancellation(self) -> None:
        """Raises the error of calls that were cancelled by close(), and not because their task was."""
        task = asyncio.current_task()
        if self._is_closed.is_set() and (task is None or task.cancelling() == 0):
            raise _errors.QuantdError(f"this client of {self._address} was closed during the call",
                                      code=grpc.StatusCode.CANCELLED)

    async def _pause(self, seconds: float) -> None:
        """Waits before the next try. Errors: ValueError if another task closes the client."""
        if seconds > 0:
            try:
                async with asyncio.timeout(seconds):
                    await self._closing.wait()
            except TimeoutError:
                pass
        self._check_usable()
