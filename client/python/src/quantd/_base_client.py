"""What the blocking and the asyncio client have in common, apart from the operations."""

import os
import threading
from collections.abc import Iterable, Sequence
from typing import Any

import grpc

from quantd import _addresses, _arguments, _credentials, _errors
from quantd._retry import Retries, RetryOptions, options_of
from quantd._tensor_call import TensorCall

#: gRPC's arguments for every channel; those of the caller follow.
_CHANNEL_OPTIONS: tuple[tuple[str, Any], ...] = (
    # Only the server limits the size of messages.
    ("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1),
    # By default, gRPC shares connections between clients, even with those of a parent process.
    ("grpc.use_local_subchannel_pool", 1),
    # gRPC 1.51 can lose messages of streams that it retries by itself. The client retries.
    ("grpc.enable_retries", 0),
    # A server that is back is found within about a second, and a name's new addresses are looked up. The
    # first of these is how long a connection may take, in spite of its name.
    ("grpc.min_reconnect_backoff_ms", 3000), ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000), ("grpc.dns_min_time_between_resolutions_ms", 1000),
    # A server that has vanished during a call is noticed within 15 s. quantd allows a ping every 5 s.
    ("grpc.keepalive_time_ms", 10000), ("grpc.keepalive_timeout_ms", 5000),
    ("grpc.keepalive_permit_without_calls", 0), ("grpc.http2.max_pings_without_data", 0),
)


class BaseClient:
    """The arguments of a client, and what its calls share. Use Client or AsyncClient."""

    def __init__(self, address: str | Sequence[str] = "localhost:50051", *, timeout: float = 60.0,
                 retry: bool | RetryOptions = True, tls: bool = False,
                 credentials: grpc.ChannelCredentials | None = None,
                 root_certificates: bytes | None = None, private_key: bytes | None = None,
                 certificate_chain: bytes | None = None, server_name_override: str | None = None,
                 token: str | None = None, token_file: str | os.PathLike[str] | None = None,
                 allow_plaintext_token: bool = False,
                 channel_options: Iterable[tuple[str, Any]] = (), stream_from_bytes: int = 2**20,
                 stream_message_bytes: int = 2**20) -> None:
        """Creates a client. Does not connect yet.

        Args:
            address: "HOST:PORT" (IPv6 addresses in brackets), or "unix:PATH" on the same host; or several of
                these, separated by commas or as a sequence. Calls take turns with the servers. A name that
                has several addresses in the DNS stands for as many servers.
            timeout: how long to wait for an answer, in seconds; above 0 and at most a year. It includes all
                tries and the pauses between them. It limits the whole call if the tensor is sent in one
                message. If it is sent in parts, it limits the time from one answer to the next, and the call
                as a whole may take longer.
            retry: whether and how calls that fail for reasons that may pass are tried again: by default, for
                up to 5 seconds since the first failure.
            tls: whether the connection is encrypted. The certificates to trust are those of the system,
                unless `root_certificates` are given.
            credentials: credentials for TLS, or any others that gRPC offers. Pass either this or some of
                the next three arguments. The connection is encrypted if any of them is given, and with `tls`.
            root_certificates: the certificates to trust, in PEM format.
            private_key: the client's own key in PEM format, if the server requires one.
            certificate_chain: the certificate of `private_key` and those that signed it, in PEM format.
            server_name_override: the name to expect in the server's certificate, if it differs from the
                name in the address.
            token: is sent with each call, as "authorization: Bearer TOKEN", without whitespace around it.
            token_file: a file with the token, instead of the token. It is read for each call, so that the
                token may be replaced while the client runs.
            allow_plaintext_token: whether a token may be sent to another machine without encryption.
            channel_options: gRPC's channel arguments, such as ("grpc.keepalive_time_ms", 20000). They
                follow the client's own arguments.
            stream_from_bytes: tensors are sent in parts if they have more bytes than this in total,
                including their range; from 0 to 1 GiB.
            stream_message_bytes: the approximate number of bytes of tensors per part; from 1 to 1 GiB. A
                part has at least one element.

        Errors: TypeError and ValueError for any other arguments.
        """
        self._process = os.getpid()
        self._is_closed = threading.Event()
        self._addresses = _addresses.parse(address)
        self._timeout = _arguments.as_timeout(timeout)
        self._stream_from_bytes = _arguments.as_message_bytes("stream_from_bytes", stream_from_bytes, 0)
        self._stream_message_bytes = _arguments.as_message_bytes("stream_message_bytes",
                                                                 stream_message_bytes, 1)
        self._credentials = _credentials.channel_credentials(
            tls=tls, credentials=credentials, root_certificates=root_certificates, private_key=private_key,
            certificate_chain=certificate_chain)
        self._token = _credentials.Token(token, token_file)
        self._token.check_plaintext(
            [server.text for server in self._addresses if self._credentials is None and not server.is_local],
            allow_plaintext_token)
        own_options: list[tuple[str, Any]] = []
        if server_name_override is not None:
            if self._credentials is None:
                raise ValueError("server_name_override is given without TLS; expected certificates or "
                                 "credentials as well: pass them, or leave it out")
            own_options.append(("grpc.ssl_target_name_override", server_name_override))
        own_options.extend(channel_options)
        self._options = tuple(
            (*_CHANNEL_OPTIONS, *_options_for(server, own_options), *own_options)
            for server in self._addresses)
        self._retries = Retries(options_of(retry), list(map(_described, self._addresses, self._options)))
        self._open()

    def _open(self) -> None:
        """Does what else there is to do when the arguments are known to be right."""

    @property
    def _address(self) -> str:
        return ", ".join(self._retries.addresses)

    def _channels_of(self, library: Any) -> list[Any]:
        """Returns a channel for each address. `library` is grpc or grpc.aio."""
        if self._credentials is None:
            return [library.insecure_channel(server.target, options)
                    for server, options in zip(self._addresses, self._options, strict=True)]
        return [library.secure_channel(server.target, self._credentials, options)
                for server, options in zip(self._addresses, self._options, strict=True)]

    @property
    def _is_of_parent(self) -> bool:
        return os.getpid() != self._process

    def _check_usable(self) -> None:
        """Raises an error if calls cannot be made. Comes before any use of gRPC, which fails in forks."""
        if self._is_of_parent:
            raise _errors.ForkedProcessError(
                f"this client of {self._address} was made by process {self._process}, from which process "
                f"{os.getpid()} was forked, and its connections do not work in both; expected a client of "
                "this process: make a new one after the fork, or start processes with "
                "multiprocessing.get_context('spawn')")
        if self._is_closed.is_set():
            raise ValueError(f"this client of {self._address} is closed; make a new one")

    def _sends_in_parts(self, call: TensorCall | None) -> bool:
        return call is not None and call.can_be_cut() and call.byte_count() > self._stream_from_bytes

    def _no_connection(self, seconds: float) -> _errors.DeadlineExceededError:
        return _errors.DeadlineExceededError(
            f"no connection to {self._address} within {seconds:g} s: check the address, and that quantd runs "
            "there")

    def _seconds_to_wait(self, timeout: float | None) -> float:
        return self._timeout if timeout is None else _arguments.as_timeout(timeout)


def _options_for(server: _addresses.Address, own_options: Sequence[tuple[str, Any]]
                 ) -> tuple[tuple[str, Any], ...]:
    if server.is_local:
        # What stays on this machine does not go through a proxy, whatever no_proxy says.
        return (("grpc.enable_http_proxy", 0),)
    # All addresses of a name, not the first one that answers.
    options = (("grpc.lb_policy_name", "round_robin"),)
    if _addresses.proxy_of(server, dict(own_options), os.environ) is not None:
        return options
    return (*options, ("grpc.enable_http_proxy", 0))


def _described(server: _addresses.Address, options: tuple[tuple[str, Any], ...]) -> str:
    """Returns how errors name a server."""
    proxy = _addresses.proxy_of(server, dict(options), os.environ)
    return server.text if proxy is None else f"{server.text} through the proxy {proxy}"
