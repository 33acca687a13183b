"""The blocking client."""

import functools
import threading
import time
import types
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

import grpc

from quantd import _operations
from quantd._base_client import BaseClient
from quantd._errors import failure_of
from quantd._message_stream import StreamTimeout, run_stream
from quantd._operations import Prepared, describe_method, path_of_stream
from quantd._tensor_call import TensorCall
from quantd._tensor_stream import TensorStream

#: How often a waiting thread checks whether the client was closed.
_CLOSED_CHECK_SECONDS = 0.2

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def _blocking(prepare: Callable[Arguments, Prepared[Result]]
              ) -> "Callable[Concatenate[Client, Arguments], Result]":
    """Returns the method that makes the call which `prepare` returns for its arguments."""
    def method(client: "Client", /, *arguments: Arguments.args, **keywords: Arguments.kwargs) -> Result:
        return client._run(prepare(*arguments, **keywords))

    describe_method(method, prepare)
    return method


class Client(BaseClient):
    """A connection to one or several quantd servers.

        with quantd.Client("localhost:50051") as client:
            result = client.fake_quantize(x, -6, 6, num_bits=4)

    Arguments and results are numpy arrays. Large arrays are sent in parts over a stream, with several
    parts in flight, and give the same bits as in a single message. They may have any size and are never
    copied as a whole. (With `data_range`, and with blocks that are larger than a part, they are sent in one
    message.)

    Whose arithmetic: `numerics` says whose bits to give. Without it, the server chooses
    Numerics.TENSORFLOW for a range and Numerics.ONNX for a scale; every result says what was used.

    Parameters: what the codes stand for is given either by `min` and `max`, or by `scale` and
    `zero_point`: code q represents (q - zero_point) * scale.

    - Without `axis`, they are numbers. With `axis`, they are sequences or arrays with one number per index
      along this dimension; a negative axis counts from the last dimension.
    - With `block_size` (only for a scale), that many neighboring elements along the axis share parameters;
      the last block may have fewer. Then they have the shape of the tensor, with one entry per block along
      the axis.
    - Bounds and scales are rounded to float32. min <= max, and all are finite; min == max is only allowed
      if both are 0, in the numerics of TensorFlow's eager kernels, and with TENSORFLOW_QUANTIZE_… . A scale
      is positive. `zero_point` consists of integers; None means zeros.
    - Codes have `num_bits` bits, from 2 to 16; without the lowest one if `narrow_range` is true. With a
      scale, `quant_min` and `quant_max` can be given instead: the lowest and the highest code. By default,
      codes have 8 bits, or as many as their type has.
    - `precision`, only with Numerics.ONNX, is ONNX's attribute: "float16" divides float16 inputs by the
      scale in float16.
    - `signed_input`, only with Numerics.TENSORFLOW_QUANTIZE_AND_DEQUANTIZE, is the op's attribute: codes lie
      on both sides of zero if it is true. (It is by default in TensorFlow, and not here.)
    - `rounding` says what becomes of a value halfway between two codes, in the numerics that have the
      choice: Rounding.HALF_TO_EVEN (the default) or HALF_UP in TENSORFLOW_QUANTIZE_AND_DEQUANTIZE,
      HALF_AWAY_FROM_ZERO (the default) or HALF_TO_EVEN in TENSORFLOW_QUANTIZE_V2_SCALED.

    Types: floats are arrays of float32, float16, bfloat16 (of the package ml_dtypes) or float64
    (fake_quantize and its gradient with Numerics.PYTORCH or TENSORFLOW_QUANTIZE_AND_DEQUANTIZE only), and
    results have the same type. Arrays that numpy casts to float32 without loss, Python numbers and lists of
    them are sent as float32. Arrays may have any shape, strides and byte order, including 0-d and empty
    ones. They must not change during the call. Masked arrays are refused.

    Threads: one client can be used by any number of threads at once. A process that forks needs a new
    client in the child, where the calls of this one raise a ForkedProcessError, and must not fork during a
    call; spawning is safer.

    Connections are opened by the first call, and reopened whenever they break. For servers on other
    machines, gRPC uses the proxy in the environment variable http_proxy, unless no_proxy names the server.

    Servers that fail: calls have no side effects, so the client makes a call again if no server answers,
    or if one is overloaded or shutting down, for up to 5 seconds (RetryOptions.max_outage) and until the
    `timeout` is over: on the next server at once, and after growing pauses when all have failed. A tensor
    that is sent in parts goes on with the parts that have no answer yet. Other errors are raised at once,
    and so are all with retry=False.

    Errors of a call: QuantdError, in particular InvalidArgumentError (also a ValueError),
    ResourceExhaustedError, UnavailableError (also a ConnectionError), DeadlineExceededError (also a
    TimeoutError), UnauthenticatedError and PermissionDeniedError (also a PermissionError); TypeError if an
    argument has the wrong type. If there were several tries, the message lists them.
    """

    def _open(self) -> None:
        self._channels = self._channels_of(grpc)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, exception_type: type[BaseException] | None, exception: BaseException | None,
                 traceback: types.TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections. Running calls fail with the code CANCELLED. Closing twice does nothing.

        In a process that was forked from that of the client, closing does nothing either.
        """
        if self._is_of_parent:
            return
        self._is_closed.set()
        for channel in self._channels:
            channel.close()

    fake_quantize = _blocking(_operations.fake_quantize)
    fake_quantize_gradient = _blocking(_operations.fake_quantize_gradient)
    quantize = _blocking(_operations.quantize)
    dequantize = _blocking(_operations.dequantize)
    server_info = _blocking(_operations.server_info)
    healthy = _blocking(_operations.healthy)

    def wait_until_connected(self, timeout: float | None = None) -> None:
        """Waits until the client is connected to one of its servers, for example while these start.

        Args:
            timeout: how long to wait, in seconds. None means the timeout of the client.

        Errors: DeadlineExceededError if the client is not connected by then; ValueError if another thread
        closes the client.
        """
        seconds = self._seconds_to_wait(timeout)
        end = time.monotonic() + seconds
        self._check_usable()
        is_connected = threading.Event()
        connections = [grpc.channel_ready_future(channel) for channel in self._channels]
        try:
            for connection in connections:
                connection.add_done_callback(lambda _: is_connected.set())
            # Closing the channels does not complete the futures.
            while not is_connected.wait(min(max(end - time.monotonic(), 0), _CLOSED_CHECK_SECONDS)):
                self._check_usable()
                if time.monotonic() >= end:
                    raise self._no_connection(seconds)
        finally:
            for connection in connections:
                connection.cancel()

    def _run(self, prepared: Prepared[Result]) -> Result:
        self._check_usable()
        call = prepared.tensors
        if call is not None and prepared.result is not None and self._sends_in_parts(call):
            self._stream(call)
            return prepared.result()
        return prepared.read(self._call(prepared.path, prepared.request()))

    def _call(self, path: str, request: bytes) -> bytes:
        """Makes a call with one message."""
        tries = self._retries.begin(self._timeout)
        while True:
            method = self._channels[tries.index].unary_unary(path)
            try:
                response: bytes = method(request, timeout=tries.remaining(),
                                         metadata=self._token.metadata())
            except grpc.RpcError as error:
                self._pause(tries.after(failure_of(error, tries.address, self._timeout)))
            else:
                tries.note_answer()
                return response

    def _stream(self, call: TensorCall) -> None:
        """Makes a call in parts, which are answered in order."""
        stream = TensorStream(call, self._stream_message_bytes)
        tries = self._retries.begin(self._timeout)

        def take_response(response: bytes) -> None:
            stream.take_response(response)
            tries.note_answer()

        while True:
            method = self._channels[tries.index].stream_stream(path_of_stream(call))
            start = functools.partial(method, metadata=self._token.metadata())
            try:
                run_stream(start, stream.requests(), take_response, lambda: tries.end)
            except StreamTimeout as error:
                raise tries.ran_out() from error
            except grpc.RpcError as error:
                failure = failure_of(error, tries.address, self._timeout)
                if stream.is_answered and failure.may_be_retried:
                    break
                self._pause(tries.after(failure))
            else:
                break
        stream.check_complete()

    def _pause(self, seconds: float) -> None:
        """Waits before the next try. Errors: ValueError if another thread closes the client."""
        if seconds > 0:
            self._is_closed.wait(seconds)
        self._check_usable()
