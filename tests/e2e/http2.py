"""A client that speaks HTTP/2 frame by frame, to do what no honest client does."""

import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA = 0
HEADERS = 1
RST_STREAM = 3
SETTINGS = 4
PING = 6
GOAWAY = 7

ACK = 1
END_STREAM = 1
END_HEADERS = 4

MAX_CONCURRENT_STREAMS = 3


def connect(address, timeout):
    """Returns a socket that is connected to `address`, HOST:PORT or unix:PATH."""
    if address.startswith("unix:"):
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connected.settimeout(timeout)
        connected.connect(address.removeprefix("unix:"))
        return connected
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host.strip("[]"), int(port)), timeout)


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


class Connection:
    """A connection that has exchanged settings. The `timeout` of each operation is in seconds."""

    def __init__(self, address, timeout):
        self._socket = connect(address, timeout)
        self._received = b""
        self.send(PREFACE + frame(SETTINGS))
        _, _, _, payload = self.wait_for(SETTINGS)
        # The server's settings by their number.
        self.settings = dict(struct.iter_unpack(">HI", payload))
        self.send(frame(SETTINGS, ACK))

    def send(self, frames):
        self._socket.sendall(frames)

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
