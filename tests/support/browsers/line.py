"""A line between a browser and a server that a test can cut: plain TCP, passed on byte for byte."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_CHUNK_BYTES = 16 * 1024


class Line:
    """Listens on `port` and passes every connection on to the server's port."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._cut_after_bytes: int | None = None
        self._cut_after_frames: int | None = None
        self._is_dead = False
        self._changed: tuple[bytes, bytes] | None = None
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Reset every connection, both ways; new ones get through."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                _reset(end)

    @contextmanager
    def dead(self) -> Iterator[None]:
        """Reset every connection until the end of the block, new ones too."""
        self._is_dead = True
        self.cut()
        try:
            yield
        finally:
            self._is_dead = False

    def cut_after(self, size: int) -> None:
        """Cut as soon as `size` more bytes have gone to the browser."""
        self._cut_after_bytes = size

    def cut_after_frames(self, number: int) -> None:
        """Cut when so many more WebSocket frames have gone to the browser; nothing may be under way now."""
        self._cut_after_frames = number

    def replace(self, text: bytes, other: bytes) -> None:
        """Give the browser another text, of the same length, in place of this one."""
        self._changed = text, other

    def close(self) -> None:
        """Cut, and take no more connections."""
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                browser, _ = self._listener.accept()
            except OSError:
                return
            if self._is_dead:
                _reset(browser)
                continue
            server = socket.create_connection(("127.0.0.1", self._server_port))
            with self._lock:
                self._pairs.append((browser, server))
            threading.Thread(target=self._pass_on, args=(browser, server, False), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(server, browser, True), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, to_browser: bool) -> None:
        try:
            passed = b""
            while data := source.recv(_CHUNK_BYTES):
                if to_browser and self._cut_after_frames is not None:
                    end = _end_of_frames(passed + data, self._cut_after_frames)
                    if end is not None:
                        self._cut_after_frames = None
                        self._cut_after_bytes = end - len(passed)
                    passed += data
                if to_browser and self._cut_after_bytes is not None:
                    data = data[: self._cut_after_bytes]
                    self._cut_after_bytes -= len(data)
                if to_browser and self._changed is not None:
                    data = data.replace(*self._changed)
                target.sendall(data)
                if to_browser and self._cut_after_bytes == 0:
                    self._cut_after_bytes = None
                    self.cut()
                    return
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return


def _end_of_frames(data: bytes, number: int) -> int | None:
    """Where the frame of this number, from 1, ends; None as long as it is not there. Servers do not mask."""
    at = 0
    for _ in range(number):
        if len(data) < at + 2:
            return None
        size, head = data[at + 1], 2
        if size >= 126:
            head = 4 if size == 126 else 10
            size = int.from_bytes(data[at + 2 : at + head], "big")
        at += head + size
    return at if at <= len(data) else None


def _reset(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
        end.close()
    except OSError:
        return


@contextmanager
def cuttable_line(server_port: int) -> Iterator[Line]:
    """A line to the server on this port."""
    line = Line(server_port)
    try:
        yield line
    finally:
        line.close()
