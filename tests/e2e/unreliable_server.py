"""A server in front of a real one that fails when it is told to, and notes what arrives."""

import threading
import time

import grpc

import api
import byte_server


def status_details(code, message, reason="", domain="quantd", retry_seconds=None):
    """Returns a google.rpc.Status as bytes, with the details that are given."""
    status = api.status_pb2.Status(code=code.value[0], message=message)
    if reason:
        status.details.add().Pack(api.error_details_pb2.ErrorInfo(reason=reason, domain=domain))
    if retry_seconds is not None:
        retry = api.error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(int(retry_seconds * 1000))
        status.details.add().Pack(retry)
    return status.SerializeToString()


def failing(code, message="not now", pushback=None, **details):
    """Returns a function for UnreliableServer that ends a call with this error."""
    trailers = [("grpc-status-details-bin", status_details(code, message, **details))] if details else []
    if pushback is not None:
        trailers.append(("grpc-retry-pushback-ms", pushback))

    def fail(context):
        context.set_trailing_metadata(tuple(trailers))
        context.abort(code, message)

    return fail


UNAVAILABLE = failing(grpc.StatusCode.UNAVAILABLE)


class UnreliableServer:
    """Fails the first calls with `failures`, one after another, and forwards all others to `channel`.

    Each stream of more than `answers_per_stream` answers fails as UNAVAILABLE after these. Use it as a
    context manager.
    """

    def __init__(self, channel, failures=(), answers_per_stream=None):
        self._forward = byte_server.forward_to(channel)
        self._failures = iter(failures)
        self._answers_per_stream = answers_per_stream
        self._lock = threading.Lock()
        #: When calls arrived, as time.monotonic(), and their metadata.
        self.times = []
        self.metadata = []
        #: How many messages were answered.
        self.answers = 0
        self._server = byte_server.ByteServer(self._serve)
        self.address = self._server.address

    def __enter__(self):
        self._server.__enter__()
        return self

    def __exit__(self, *exception):
        self._server.__exit__(*exception)

    @property
    def calls(self):
        return len(self.times)

    @property
    def pauses(self):
        """The times between calls, in seconds."""
        return [after - before for before, after in zip(self.times, self.times[1:])]

    def _serve(self, method, requests, context):
        with self._lock:
            self.times.append(time.monotonic())
            self.metadata.append(dict(context.invocation_metadata()))
            failure = next(self._failures, None)
        if failure is not None:
            failure(context)
        for index, answer in enumerate(self._forward(method, requests, context)):
            if index == self._answers_per_stream:
                UNAVAILABLE(context)
            with self._lock:
                self.answers += 1
            yield answer
