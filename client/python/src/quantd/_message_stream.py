"""A bidirectional stream of messages."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc


def run_stream(start: Callable[[Iterator[bytes]], Any], requests: Iterator[bytes],
               take_response: Callable[[bytes], None], end: Callable[[], float]) -> None:
    """Sends `requests` over the stream that `start` opens, until the server ends the stream.

    gRPC asks for the next request, on its own thread, when the transport has taken the one before. The
    next answer is received when `take_response` has returned. So neither side holds more than a few
    messages.

    Errors: those of `requests` and `take_response`; StreamTimeout if there is no answer by `end()`, a
    time.monotonic() that each answer may move; grpc.RpcError if the stream fails.
    """
    sender = Sender(requests)
    call = start(sender)
    with _Watch(end, call.cancel) as watch:
        try:
            for response in call:
                take_response(response)
        except grpc.RpcError as error:
            if sender.error is not None:
                raise sender.error from None
            if watch.has_run_out:
                raise StreamTimeout from error
            raise
        finally:
            # An exception or an interrupt may have left the stream unfinished.
            call.cancel()


class StreamTimeout(Exception):
    """The server has not answered in time."""


class Sender:
    """Iterates over requests and keeps the error if one fails, which gRPC would only log."""

    def __init__(self, requests: Iterator[bytes]) -> None:
        self._requests = requests
        self.error: BaseException | None = None

    def __iter__(self) -> "Sender":
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._requests)
        except StopIteration:
            raise
        except BaseException as error:
            self.error = error
            # gRPC cancels the call only for an Exception, not for any BaseException.
            raise RuntimeError("there is no next request") from error


class _Watch:
    """Calls `run_out` when time.monotonic() has reached `end()`. Only runs within its context."""

    def __init__(self, end: Callable[[], float], run_out: Callable[[], Any]) -> None:
        self._end = end
        self._run_out = run_out
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="quantd-stream-watch", daemon=True)
        self.has_run_out = False

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._left.wait(max(0, self._end() - time.monotonic())):
            if time.monotonic() >= self._end():
                self.has_run_out = True
                self._run_out()
                return
