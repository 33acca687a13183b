"""A bidirectional stream of messages."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc

from quantd import _errors


def run_stream(method: Any, requests: Iterator[bytes], take_response: Callable[[bytes], None], *,
               address: str, timeout: float) -> None:
    """Sends `requests` with `method`, a grpc.StreamStreamMultiCallable, until the server ends the stream.

    gRPC asks for the next request, on its own thread, when the transport has taken the one before. The
    next answer is received when `take_response` has returned. So neither side holds more than a few
    messages.

    Errors: those of `requests` and `take_response`; the server's; DeadlineExceededError if the server
    sends no answer for `timeout` seconds, measured from the start or from its last answer.
    """
    sender = _Sender(requests)
    call = method(sender)
    with _Watch(timeout, call.cancel) as watch:
        try:
            for response in call:
                take_response(response)
                watch.restart()
        except grpc.RpcError as error:
            if sender.error is not None:
                raise sender.error from None
            if watch.has_run_out:
                raise _errors.no_answer(address, timeout) from error
            raise _errors.error_of(error, address, timeout) from error
        finally:
            # An exception or an interrupt may have left the stream unfinished.
            call.cancel()


class _Sender:
    """Iterates over requests and keeps the error if one fails, which gRPC would only log."""

    def __init__(self, requests: Iterator[bytes]) -> None:
        self._requests = requests
        self.error: BaseException | None = None

    def __iter__(self) -> "_Sender":
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
    """Calls `run_out` if restart() is not called for `timeout` seconds. Only runs within its context."""

    def __init__(self, timeout: float, run_out: Callable[[], Any]) -> None:
        self._timeout = timeout
        self._run_out = run_out
        self._restarted = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="quantd-stream-watch", daemon=True)
        self.has_run_out = False

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def restart(self) -> None:
        self._restarted = time.monotonic()

    def _watch(self) -> None:
        while not self._ended.wait(max(0, self._restarted + self._timeout - time.monotonic())):
            if time.monotonic() >= self._restarted + self._timeout:
                self.has_run_out = True
                self._run_out()
                return
