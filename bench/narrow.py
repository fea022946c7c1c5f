"""A narrow line to a server: plain TCP that carries a limited number of bytes per second to the client."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_CHUNK_BYTES = 8 * 1024


class NarrowLine:
    """Listens on `port` and passes every connection on to the server; what the server sends comes at this rate."""

    def __init__(self, server_port: int, bytes_per_s: float) -> None:
        self.bytes_per_s = bytes_per_s
        self.carried_bytes = 0
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Accept no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server = socket.create_connection(("127.0.0.1", self._server_port))
            threading.Thread(target=self._pass_on, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(server, client, True), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, is_narrow: bool) -> None:
        free_s = time.monotonic()
        try:
            while data := source.recv(_CHUNK_BYTES):
                if is_narrow:
                    free_s = max(free_s, time.monotonic()) + len(data) / self.bytes_per_s
                    time.sleep(max(0.0, free_s - time.monotonic()))
                    self.carried_bytes += len(data)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return
        finally:
            source.close()


@contextmanager
def narrow_line(server_port: int, bytes_per_s: float) -> Iterator[NarrowLine]:
    """A line of this width to the server on this port."""
    line = NarrowLine(server_port, bytes_per_s)
    try:
        yield line
    finally:
        line.close()
