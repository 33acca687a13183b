"""A connection to a server that carries only so many bytes per second."""

import contextlib
import socket
import threading
import time

# Sockets keep little, so that a link is slow for both sides from the start.
_BUFFER_BYTES = 64 * 1024
_PIECE_BYTES = 4096


class SlowLink:
    """Listens on `address`, and connects each client to a server that listens on `target`.

    `to_server` and `to_client` are rates in bytes per second; None is as fast as possible, 0 carries
    nothing. They may be changed at any time.
    """

    def __init__(self, target, to_server=None, to_client=None):
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self.to_server = to_server
        self.to_client = to_client
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listener]
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._closed = threading.Event()
        self._bytes = {"to_server": 0, "to_client": 0}
        threading.Thread(target=self._accept, daemon=True).start()

    def carried(self, direction):
        """Returns how many bytes the link has carried: "to_server" or "to_client"."""
        return self._bytes[direction]

    def close(self):
        """Breaks off all connections."""
        self._closed.set()
        for end in self._sockets:
            with contextlib.suppress(OSError):  # It was closed by the other side.
                # Wakes the thread that reads from it, as closing alone would not.
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def _accept(self):
        with contextlib.suppress(OSError):  # The listener was closed.
            while True:
                client, _ = self._listener.accept()
                server = socket.socket()
                for end in (client, server):
                    self._sockets.append(end)
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
                server.connect(self._target)
                for source, sink, direction in ((client, server, "to_server"),
                                                (server, client, "to_client")):
                    threading.Thread(target=self._carry, args=(source, sink, direction),
                                     daemon=True).start()

    def _carry(self, source, sink, direction):
        with contextlib.suppress(OSError):  # Either side was closed.
            while not self._closed.is_set():
                rate = getattr(self, direction)
                if rate == 0:
                    self._closed.wait(0.05)
                    continue
                piece = source.recv(_PIECE_BYTES)
                if not piece:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(piece)
                self._bytes[direction] += len(piece)
                if rate is not None:
                    time.sleep(len(piece) / rate)
