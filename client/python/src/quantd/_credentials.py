"""What a client shows to servers and expects of them: certificates and tokens."""

import os
import pathlib
import re
import ssl
from typing import Any

import grpc

from quantd import _errors

#: Where Linux distributions keep the certificates of their trusted authorities in one file.
_SYSTEM_ROOTS = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                 "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem")
#: Servers refuse more than 8 KiB of metadata.
_MAX_TOKEN = 4096


def channel_credentials(*, tls: bool, credentials: grpc.ChannelCredentials | None,
                        root_certificates: bytes | None, private_key: bytes | None,
                        certificate_chain: bytes | None) -> grpc.ChannelCredentials | None:
    """Returns the credentials for an encrypted connection, or None for an unencrypted one."""
    if not isinstance(tls, bool):
        raise TypeError(f"tls is {tls!r}; expected True or False")
    pem = {"root_certificates": root_certificates, "private_key": private_key,
           "certificate_chain": certificate_chain}
    for name, value in pem.items():
        if value is not None and not isinstance(value, bytes):
            raise TypeError(f"{name} is a {type(value).__name__}; expected the PEM file's bytes: pass "
                            "pathlib.Path(...).read_bytes()")
    if all(value is None for value in pem.values()):
        if credentials is not None or not tls:
            return credentials
        return grpc.ssl_channel_credentials(_system_roots())
    if credentials is not None:
        raise ValueError("credentials are given together with certificates or a key; expected one or the "
                         "other: make credentials from both")
    if (private_key is None) != (certificate_chain is None):
        raise ValueError("only one of private_key and certificate_chain is given; expected both or neither")
    return grpc.ssl_channel_credentials(
        _system_roots() if root_certificates is None else root_certificates, private_key, certificate_chain)


def _system_roots() -> bytes | None:
    """Returns the certificates that this system trusts; None for those that gRPC finds itself.

    gRPC's packages on PyPI would trust a list of their own.
    """
    if os.environ.get("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"):
        return None
    for file in (ssl.get_default_verify_paths().cafile, *_SYSTEM_ROOTS):
        if file is not None and os.path.isfile(file):
            return pathlib.Path(file).read_bytes()
    return None


class Token:
    """The token that a client sends with each call, if it has one. Any thread may use it."""

    def __init__(self, token: str | None, token_file: str | os.PathLike[str] | None) -> None:
        """Reads the file once, so that a wrong one is noticed early.

        Errors: TypeError and ValueError, which never contain the token.
        """
        if token is not None and token_file is not None:
            raise ValueError("token and token_file are both given; expected one of them: leave out the other")
        self._token: str | None = None
        self._file: pathlib.Path | None = None
        if token is not None:
            if not isinstance(token, str):
                raise TypeError(f"token is a {type(token).__name__}; expected a str")
            self._token = _checked("token", token)
        if token_file is not None:
            if not isinstance(token_file, (str, os.PathLike)):
                raise TypeError(f"token_file is a {type(token_file).__name__}; expected a path, as a str or "
                                "a pathlib.Path")
            self._file = pathlib.Path(token_file)
            self._read(self._file)

    @property
    def is_given(self) -> bool:
        return self._token is not None or self._file is not None

    def metadata(self) -> tuple[tuple[str, str], ...] | None:
        """Returns the metadata of a call. Reads the file again, since it may have changed.

        Errors: UnauthenticatedError (CREDENTIALS_MISSING) if the file has no token any more.
        """
        token = self._token
        if self._file is not None:
            try:
                token = self._read(self._file)
            except ValueError as error:
                raise _errors.UnauthenticatedError(str(error), reason="CREDENTIALS_MISSING") from error
        return None if token is None else (("authorization", f"Bearer {token}"),)

    def check_plaintext(self, remote_addresses: list[str], allow_plaintext_token: Any) -> None:
        """Raises a ValueError if the token would cross a network without encryption.

        `remote_addresses` are those to which the connection is not encrypted.
        """
        if not isinstance(allow_plaintext_token, bool):
            raise TypeError(f"allow_plaintext_token is {allow_plaintext_token!r}; expected True or False")
        if self.is_given and remote_addresses and not allow_plaintext_token:
            raise ValueError(
                f"the token would be sent to {remote_addresses[0]} without encryption, so that others could "
                "read it; expected TLS, or an address on this machine: pass tls=True or root_certificates, "
                "or allow_plaintext_token=True if something else encrypts the connection")

    def _read(self, file: pathlib.Path) -> str:
        name = f"token_file {str(file)!r}"
        try:
            with open(file, "rb") as opened:
                contents = opened.read(_MAX_TOKEN + 1024)
        except OSError as error:
            raise ValueError(f"{name} cannot be read ({error.strerror}); expected a file with a token: check "
                             "the path and its permissions") from error
        if not contents.isascii():
            raise ValueError(f"{name} has bytes that are not ASCII; expected a token and nothing else: check "
                             "that it is the right file")
        return _checked(name, contents.decode("ascii"))


def _checked(name: str, text: str) -> str:
    token = text.strip()
    if not token:
        raise ValueError(f"{name} is empty; expected a token")
    if len(token) > _MAX_TOKEN:
        raise ValueError(f"{name} has more than {_MAX_TOKEN} characters; expected a token and nothing else: "
                         "check that it is the right one")
    if not re.fullmatch(r"[!-~]+", token, re.ASCII):
        raise ValueError(f"{name} has spaces, line breaks or characters beyond ASCII inside; expected a "
                         "token and nothing else: pass what follows \"Bearer \"")
    return token
