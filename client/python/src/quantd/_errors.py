"""Converts failed calls to exceptions. Only this file knows how errors are transmitted."""

import copy
import dataclasses
import re
from typing import Any

import grpc
from google.protobuf import message as protobuf_message

from quantd import _schema


class QuantdError(Exception):
    """A call that failed. str() returns the message: what was wrong, what was expected, how to fix it.

    The subclasses are for errors that callers often handle separately; any other status is a plain
    QuantdError.
    """

    #: The gRPC status.
    code: grpc.StatusCode = grpc.StatusCode.UNKNOWN
    #: The same as str().
    message: str
    #: The reason for programs, such as "INVALID_RANGE"; quantd's README lists all reasons. Empty if the
    #: error does not come from quantd, for example because no server answers.
    reason: str
    #: The field of the request that is at fault, such as "range.min[3]"; empty if there is none.
    field: str
    #: The numbers behind the error: what was given and what was expected.
    metadata: dict[str, str]
    #: The time in seconds after which the server suggests a retry; None if it does not suggest one.
    retry_delay: float | None

    def __init__(self, message: str, *, code: grpc.StatusCode | None = None, reason: str = "",
                 field: str = "", metadata: dict[str, str] | None = None,
                 retry_delay: float | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code
        self.message = message
        self.reason = reason
        self.field = field
        self.metadata = metadata or {}
        self.retry_delay = retry_delay


class InvalidArgumentError(QuantdError, ValueError):
    """The arguments are invalid. The same call will always fail."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class NotFoundError(QuantdError, LookupError):
    """The server has no service of the given name."""

    code = grpc.StatusCode.NOT_FOUND


class UnauthenticatedError(QuantdError):
    """The server needs a token (CREDENTIALS_MISSING), or does not know this client's (INVALID_TOKEN)."""

    code = grpc.StatusCode.UNAUTHENTICATED


class PermissionDeniedError(QuantdError, PermissionError):
    """The server knows who this client is, and does not allow it to make this call (NOT_PERMITTED)."""

    code = grpc.StatusCode.PERMISSION_DENIED


class ResourceExhaustedError(QuantdError):
    """The request is too large (MESSAGE_TOO_LARGE), or the server is overloaded (IN_FLIGHT_LIMIT).

    In the latter case, there is a `retry_delay`. The client has tried again as often as its timeout and its
    retries allowed.
    """

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class UnavailableError(QuantdError, ConnectionError):
    """No server answers, or the server is shutting down (SHUTTING_DOWN). The call may be repeated.

    The client has tried again as often as its timeout and its retries allowed.
    """

    code = grpc.StatusCode.UNAVAILABLE


class DeadlineExceededError(QuantdError, TimeoutError):
    """The server did not answer within the client's timeout. The call may be repeated."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED


class ForkedProcessError(RuntimeError):
    """A client was used in a process that was forked from the one in which it was made."""


_CLASSES: dict[grpc.StatusCode, type[QuantdError]] = {
    error_class.code: error_class
    for error_class in (InvalidArgumentError, NotFoundError, UnauthenticatedError, PermissionDeniedError,
                        ResourceExhaustedError, UnavailableError, DeadlineExceededError)
}

#: gRPC 1.51 ends streams for reasons of its own, which say nothing about the call (docs/reliability.md): the
#: HTTP/2 codes PROTOCOL_ERROR and INTERNAL_ERROR, and ENHANCE_YOUR_CALM while its memory is full.
_STREAM_ENDED_BY_GRPC = {
    grpc.StatusCode.INTERNAL: re.compile(r"RST_STREAM with error code [12]\b"),
    grpc.StatusCode.RESOURCE_EXHAUSTED: re.compile(r"RST_STREAM with error code 11\b"),
}


@dataclasses.dataclass(frozen=True)
class Failure:
    """Why a try failed, and whether another one makes sense."""

    error: QuantdError
    may_be_retried: bool
    #: The pause in seconds that the server asks for; negative if it asks not to try again.
    pause: float | None


def invalid_argument(reason: str, field: str, message: str) -> InvalidArgumentError:
    """Returns an error that was found before anything was sent, in the form of a server's error."""
    return InvalidArgumentError(message, reason=reason, field=field)


def unexpected_answer(message: str) -> QuantdError:
    """Returns the error for an answer that does not match the request."""
    return QuantdError(f"{message}; check that the versions of client and server match",
                       code=grpc.StatusCode.INTERNAL)


def no_answer(address: str, timeout: float) -> DeadlineExceededError:
    """Returns the error for a server that did not answer in time."""
    return DeadlineExceededError(f"no answer from {address} within {timeout:g} s: allow more time, or "
                                 "check that quantd runs there")


def with_message(error: QuantdError, message: str) -> QuantdError:
    """Returns a copy of an error with another message."""
    other = copy.copy(error)
    other.message = message
    other.args = (message,)
    other.__cause__ = error.__cause__
    return other


def failure_of(error: Any, address: str, timeout: float) -> Failure:
    """Returns what a grpc.RpcError of a call to `address` means."""
    result = _error_of(error, address, timeout)
    result.__cause__ = error
    pause = _pushback_of(error.trailing_metadata())
    return Failure(result, _may_be_retried(result), result.retry_delay if pause is None else pause)


def _may_be_retried(error: QuantdError) -> bool:
    if error.code is grpc.StatusCode.UNAVAILABLE:
        return True
    if error.code is grpc.StatusCode.RESOURCE_EXHAUSTED and error.reason != "MESSAGE_TOO_LARGE" and (
            error.reason == "IN_FLIGHT_LIMIT" or error.retry_delay is not None):
        return True
    ended = _STREAM_ENDED_BY_GRPC.get(error.code)
    return ended is not None and not error.reason and ended.search(error.message) is not None


def _pushback_of(trailing_metadata: Any) -> float | None:
    """Returns the pause in gRPC's own trailer, as Failure has it."""
    text = _trailer("grpc-retry-pushback-ms", trailing_metadata)
    if text is None:
        return None
    # By gRPC's specification, a text that is not a number means the same as a negative one.
    return int(text) / 1000 if re.fullmatch("[0-9]{1,10}", text, re.ASCII) else -1


def _error_of(error: Any, address: str, timeout: float) -> QuantdError:
    code = error.code()
    details = _details_of(error.trailing_metadata())
    # Errors from quantd have a reason. Those from gRPC name neither the address nor the timeout.
    if not details.get("reason"):
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return no_answer(address, timeout)
        if code is grpc.StatusCode.UNAVAILABLE:
            return UnavailableError(f"no answer from {address} ({error.details()}): check the address, and "
                                    "that quantd runs")
    message = error.details() or f"the call failed with {code.name}"
    # The index of a message in the stream means nothing to callers.
    if index := details.get("metadata", {}).pop("message_index", ""):
        message = message.removeprefix(f"message {index}: ")
    return _CLASSES.get(code, QuantdError)(message, code=code, **details)


def _details_of(trailing_metadata: Any) -> dict[str, Any]:
    """Returns the contents of google.rpc's details as arguments of QuantdError.

    Details of other services and invalid ones are left out, so that the code and the message are never
    lost.
    """
    found: dict[str, Any] = {}
    status = _trailer("grpc-status-details-bin", trailing_metadata)
    try:
        for detail in _schema.Status.FromString(status or b"").details:
            _take_detail(detail, found)
    except protobuf_message.DecodeError:
        return {}
    return found


def _trailer(name: str, trailing_metadata: Any) -> Any:
    """Returns a value of the metadata, or None. The Metadata of grpc.aio cannot be made a dict in 1.51."""
    return next((value for key, value in trailing_metadata or () if key == name), None)


def _take_detail(detail: Any, found: dict[str, Any]) -> None:
    name = detail.type_url.rpartition("/")[2]
    if name == "google.rpc.ErrorInfo":
        info = _schema.ErrorInfo.FromString(detail.value)
        if info.domain == "quantd":
            found["reason"] = info.reason
            found["metadata"] = dict(info.metadata)
    elif name == "google.rpc.BadRequest":
        violations = _schema.BadRequest.FromString(detail.value).field_violations
        found["field"] = violations[0].field if violations else ""
    elif name == "google.rpc.RetryInfo":
        delay = _schema.RetryInfo.FromString(detail.value).retry_delay
        found["retry_delay"] = delay.seconds + delay.nanos / 1e9
