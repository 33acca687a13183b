"""Failed calls as exceptions: the only file that knows how errors travel."""

from typing import Any

import grpc
from google.protobuf import message as protobuf_message

from quantd import _schema


class QuantdError(Exception):
    """A call that failed. str() gives the message: what was wrong, what was expected, how to mend it.

    The subclasses are for what callers treat apart; any other status is a QuantdError itself.
    """

    #: The gRPC status.
    code: grpc.StatusCode = grpc.StatusCode.UNKNOWN
    #: The same as str().
    message: str
    #: Why, for programs: "INVALID_RANGE" and so on, as quantd's README lists them. Empty where the
    #: error does not come from quantd: where nobody answers, say.
    reason: str
    #: The field of the request that is at fault, such as "range.min[3]"; empty where it is not one.
    field: str
    #: The numbers behind the error: what was given, what was expected.
    metadata: dict[str, str]
    #: After how many seconds the server asks to try again; None where it does not say.
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
    """The arguments are wrong: the same call will always fail."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class NotFoundError(QuantdError, LookupError):
    """The server has no service of the name whose health was asked for."""

    code = grpc.StatusCode.NOT_FOUND


class ResourceExhaustedError(QuantdError):
    """The request is too large (MESSAGE_TOO_LARGE), or the server has too much work (IN_FLIGHT_LIMIT).

    The latter has a `retry_delay`, after which the call may be repeated.
    """

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class UnavailableError(QuantdError, ConnectionError):
    """Nobody answers, or the server shuts down (SHUTTING_DOWN). The call may be repeated."""

    code = grpc.StatusCode.UNAVAILABLE


class DeadlineExceededError(QuantdError, TimeoutError):
    """The server has not answered within the client's timeout. The call may be repeated."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED


_CLASSES: dict[grpc.StatusCode, type[QuantdError]] = {
    error_class.code: error_class
    for error_class in (InvalidArgumentError, NotFoundError, ResourceExhaustedError, UnavailableError,
                        DeadlineExceededError)
}


def invalid_argument(reason: str, field: str, message: str) -> InvalidArgumentError:
    """An error that is found before anything is sent, as the server would give it."""
    return InvalidArgumentError(message, reason=reason, field=field)


def unexpected_answer(message: str) -> QuantdError:
    """An answer that does not fit the request."""
    return QuantdError(f"{message}; check that client and server are of matching versions",
                       code=grpc.StatusCode.INTERNAL)


def no_answer(address: str, timeout: float) -> DeadlineExceededError:
    """The server took too long."""
    return DeadlineExceededError(f"no answer from {address} within {timeout:g} s: allow more time, or "
                                 "check that quantd runs there")


def error_of(error: Any, address: str, timeout: float) -> QuantdError:
    """The exception for a grpc.RpcError of a call to `address`."""
    code = error.code()
    details = _details_of(error.trailing_metadata())
    # A server's own error has a reason. gRPC's says neither who was asked nor for how long.
    if not details.get("reason"):
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return no_answer(address, timeout)
        if code is grpc.StatusCode.UNAVAILABLE:
            return UnavailableError(f"no answer from {address} ({error.details()}): check the address, and "
                                    "that quantd runs")
    message = error.details() or f"the call failed with {code.name}"
    # Callers do not see the messages of a stream.
    if index := details.get("metadata", {}).pop("message_index", ""):
        message = message.removeprefix(f"message {index}: ")
    return _CLASSES.get(code, QuantdError)(message, code=code, **details)


def _details_of(trailing_metadata: Any) -> dict[str, Any]:
    """What google.rpc's details say, as arguments of QuantdError.

    Others' and unreadable ones are left out: the code and the message are never lost.
    """
    found: dict[str, Any] = {}
    status = dict(trailing_metadata or ()).get("grpc-status-details-bin", b"")
    try:
        for detail in _schema.Status.FromString(status).details:
            _take_detail(detail, found)
    except protobuf_message.DecodeError:
        return {}
    return found


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
