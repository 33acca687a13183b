"""A client that speaks HTTP/2 frame by frame, to do what no honest client does."""

import contextlib
import socket
import ssl
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA = 0
HEADERS = 1
RST_STREAM = 3
SETTINGS = 4
PING = 6
GOAWAY = 7
WINDOW_UPDATE = 8

ACK = 1
END_STREAM = 1
END_HEADERS = 4

MAX_CONCURRENT_STREAMS = 3
INITIAL_WINDOW_SIZE = 4


def connect(address, timeout, tls=None):
    """Returns a socket that is connected to `address`, HOST:PORT or unix:PATH, and encrypted if there is
    an ssl.SSLContext `tls`."""
    if address.startswith("unix:"):
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connected.settimeout(timeout)
        connected.connect(address.removeprefix("unix:"))
        return connected
    host, port = address.rsplit(":", 1)
    host = host.strip("[]")
    connected = socket.create_connection((host, int(port)), timeout)
    if tls is None:
        return connected
    try:
        return tls.wrap_socket(connected, server_hostname=host)
    except BaseException:
        connected.close()
        raise


def frame(kind, flags=0, stream=0, payload=b""):
    """Returns the bytes of a frame."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _literal(name, value):
    """Returns a header that is not in any table of HPACK; both texts are ASCII of up to 126 bytes."""
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def request_headers(path):
    """Returns the header block of a gRPC call of the method `path`."""
    return b"".join(_literal(name, value) for name, value in (
        (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost"),
        ("te", "trailers"), ("content-type", "application/grpc")))


def begun_calls(path, calls):
    """Returns the frames that begin calls of the method `path`, with their indices on the connection."""
    headers = request_headers(path)
    return b"".join(frame(HEADERS, END_HEADERS, 2 * i + 1, headers) for i in calls)


def aborted_calls(path, calls):
    """Returns the frames that begin calls, as begun_calls() does, and abort each at once."""
    headers = request_headers(path)
    cancel = (8).to_bytes(4, "big")
    return b"".join(frame(HEADERS, END_HEADERS, 2 * i + 1, headers)
                    + frame(RST_STREAM, 0, 2 * i + 1, cancel) for i in calls)


@contextlib.contextmanager
def _ends_of_tls():
    """Raises the same error for a connection that has ended, whether it is encrypted or not."""
    try:
        yield
    except ssl.SSLError as error:
        raise ConnectionError(str(error)) from error


class Connection:
    """A connection that has exchanged settings. The `timeout` of each operation is in seconds. See
    connect() for `tls`."""

    def __init__(self, address, timeout, tls=None):
        self._socket = connect(address, timeout, tls)
        self._received = b""
        self.send(PREFACE + frame(SETTINGS))
        _, _, _, payload = self.wait_for(SETTINGS)
        # The server's settings by their number.
        self.settings = dict(struct.iter_unpack(">HI", payload))
        self.send(frame(SETTINGS, ACK))

    def send(self, frames):
        with _ends_of_tls():
            self._socket.sendall(frames)

    def abort_calls(self, path, number, start=0):
        """Begins calls and aborts them. Returns how many before the server closed the connection."""
        for first in range(start, start + number, 50):
            try:
                self.send(aborted_calls(path, range(first, first + 50)))
            except OSError:
                return first - start
        return number

    def begin_message(self, path, size, frame_size):
        """Begins the first call of the connection and sends all but the last byte of its message of
        `size` bytes, in frames of `frame_size`, as the server makes room for them."""
        self.send(frame(HEADERS, END_HEADERS, 1, request_headers(path))
                  + frame(DATA, 0, 1, b"\0" + struct.pack(">I", size)))
        initial = self.settings.get(INITIAL_WINDOW_SIZE, 65535)
        windows = {0: 65535 - 5, 1: initial - 5}
        left = size - 1
        while left > 0:
            number = min(*windows.values(), left, 65536) // frame_size
            if number > 0:
                self.send(frame(DATA, 0, 1, bytes(frame_size)) * number)
                left -= number * frame_size
                windows = {stream: window - number * frame_size for stream, window in windows.items()}
                continue
            kind, flags, stream, payload = self.receive()
            if kind == WINDOW_UPDATE:
                windows[stream] += int.from_bytes(payload, "big")
            elif kind == SETTINGS and not flags & ACK:
                settings = dict(struct.iter_unpack(">HI", payload))
                windows[1] += settings.get(INITIAL_WINDOW_SIZE, initial) - initial
                initial = settings.get(INITIAL_WINDOW_SIZE, initial)
                self.send(frame(SETTINGS, ACK))

    def ping(self):
        """Sends a ping and returns the frame that answers it, which may be a GOAWAY instead."""
        self.send(frame(PING, payload=bytes(8)))
        while True:
            received = self.receive()
            if received[0] == GOAWAY or received[0] == PING and received[1] & ACK:
                return received

    def wait_for(self, kind):
        """Returns the next frame of a kind, and skips others."""
        while (received := self.receive())[0] != kind:
            pass
        return received

    def receive(self):
        """Returns kind, flags, stream and payload of the next frame."""
        header = self._read(9)
        kind, flags, stream = struct.unpack(">BBI", header[3:])
        return kind, flags, stream, self._read(int.from_bytes(header[:3], "big"))

    def _read(self, count):
        while len(self._received) < count:
            with _ends_of_tls():
                part = self._socket.recv(65536)
            if not part:
                raise ConnectionError("the server has closed the connection")
            self._received += part
        result, self._received = self._received[:count], self._received[count:]
        return result

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
