"""The addresses of servers: what callers write, and the proxies on the way to them."""

import dataclasses
import ipaddress
import re
import urllib.parse
from collections.abc import Mapping, Sequence

_EXPECTED = ("expected HOST:PORT, with an IPv6 address in brackets, or unix:PATH, such as localhost:50051, "
             "[::1]:50051 or unix:/run/quantd/quantd.sock")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_MAX_HOST = 253
#: Linux's sun_path has 108 bytes, the last of which is zero.
_MAX_UNIX_PATH = 107
#: gRPC uses the first of these that is set, and only in lower case.
_PROXY_VARIABLES = ("grpc_proxy", "https_proxy", "http_proxy")
_NO_PROXY_VARIABLES = ("no_grpc_proxy", "no_proxy")


@dataclasses.dataclass(frozen=True)
class Address:
    """The address of a server, or a name that stands for the addresses of several."""

    #: As the caller wrote it.
    text: str
    #: Without brackets; empty for a unix socket.
    host: str
    #: Whether the connection stays on this machine: to a loopback address or over a unix socket.
    is_local: bool

    @property
    def target(self) -> str:
        """What gRPC connects to. It would take a host such as "dns" for the scheme of a target."""
        return "dns:///" + self.text.replace("%", "%25") if self.host else self.text


def parse(value: str | Sequence[str]) -> tuple[Address, ...]:
    """Returns the addresses that a caller gave: one, several separated by commas, or a sequence.

    Errors: TypeError if it is neither a str nor a sequence of these; ValueError if there is none, or one
    that is not an address.
    """
    if isinstance(value, str):
        return tuple(map(_parse_one, value.split(",")))
    if not isinstance(value, Sequence) or not all(isinstance(text, str) for text in value):
        raise TypeError(f"address is {value!r}; expected a str such as 'localhost:50051', or a sequence of "
                        "these")
    if not value:
        raise ValueError("address is an empty sequence; expected at least one address, such as "
                         "localhost:50051")
    return tuple(map(_parse_one, value))


def proxy_of(address: Address, options: Mapping[str, object], environment: Mapping[str, str]) -> str | None:
    """Returns the proxy through which gRPC connects to an address, without user name and password.

    None if it connects directly. `options` are the channel's arguments, which come before the environment.
    """
    if address.is_local or not options.get("grpc.enable_http_proxy", 1):
        return None
    url = options.get("grpc.http_proxy")
    if url is None:
        url = next((environment[name] for name in _PROXY_VARIABLES if name in environment), "")
    if _is_excluded(address.host, environment):
        return None
    try:
        proxy = urllib.parse.urlsplit(str(url))
    except ValueError:
        return None
    # gRPC ignores proxies of any other scheme, and logs that it does.
    if proxy.scheme != "http" or not proxy.netloc:
        return None
    return "http://" + proxy.netloc.rpartition("@")[2]


def _is_excluded(host: str, environment: Mapping[str, str]) -> bool:
    """Returns whether the environment excludes the host from proxies: by suffix, as gRPC, or by network."""
    entries = next((environment[name] for name in _NO_PROXY_VARIABLES if environment.get(name)), "")
    return any(_excludes(entry.strip().lower(), host.lower()) for entry in entries.split(","))


def _excludes(entry: str, host: str) -> bool:
    if not entry:
        return False
    if entry == "*" or host.endswith(entry):
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


def _parse_one(text: str) -> Address:
    if not text:
        raise ValueError(f"address is empty; {_EXPECTED}")
    if any(character.isspace() or not character.isprintable() for character in text):
        raise _invalid(text, "it contains spaces or characters that cannot be printed")
    if text.startswith("unix:"):
        return _parse_unix(text)
    if _SCHEME.match(text):
        raise _invalid(text, "it has a scheme", ": leave out what comes before the host, and pass tls=True "
                       "if the server has TLS")
    host, port = _split(text)
    if not re.fullmatch(r"[0-9]{1,5}", port, re.ASCII) or not 1 <= int(port) <= 65535:
        raise _invalid(text, f"the port is {port!r}, which is not a number from 1 to 65535")
    return Address(text, host, _is_loopback(host))


def _parse_unix(text: str) -> Address:
    path = text.removeprefix("unix:")
    # gRPC takes unix:///run/quantd.sock for a URL.
    size = len(("/" + path.lstrip("/") if path.startswith("//") else path).encode())
    if not path.strip("/"):
        raise _invalid(text, "there is no path after unix:")
    if size > _MAX_UNIX_PATH:
        raise _invalid(text, f"the path has {size} bytes, and that of a unix socket at most {_MAX_UNIX_PATH}",
                       ": use a shorter path, for example through a symbolic link")
    return Address(text, "", is_local=True)


def _split(text: str) -> tuple[str, str]:
    """Returns host and port. Errors: ValueError if either is missing or not valid."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise _invalid(text, f"{host!r} in brackets is not an IPv6 address") from None
        if not bracket:
            raise _invalid(text, "the bracket is not closed")
        colon, port = rest[:1], rest[1:]
        if rest and colon != ":":
            raise _invalid(text, f"{rest!r} follows the bracket")
    else:
        host, colon, port = text.partition(":")
        if ":" in port:
            raise _invalid(text, "there are several colons", _suggestion_for_ipv6(text))
        _check_host(text, host)
    if not colon:
        raise _invalid(text, "there is no port", f": pass '{text}:50051' for quantd's own port")
    return host, port


def _check_host(text: str, host: str) -> None:
    if not host:
        raise _invalid(text, "there is no host before the port")
    labels = host.removesuffix(".").split(".")
    if len(host) > _MAX_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise _invalid(text, f"{host!r} is not the name of a host: that has letters, digits, '-' and '.', at "
                       f"most {_MAX_HOST} characters")
    if labels[-1].isdecimal():
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            raise _invalid(text, f"{host!r} is not an IPv4 address") from None


def _suggestion_for_ipv6(text: str) -> str:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return ""
    return f": if it is an IPv6 address without a port, pass '[{text}]:50051'"


def _is_loopback(host: str) -> bool:
    name = host.lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _invalid(text: str, problem: str, fix: str = "") -> ValueError:
    return ValueError(f"address is {text!r}: {problem}; {_EXPECTED}{fix}")
