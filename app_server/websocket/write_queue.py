"""What waits until the kernel takes it."""

from __future__ import annotations

import socket
import ssl
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice

from app_server.protocol.websocket import Payload
from app_server.websocket.owner import Traffic

_MAX_CHUNKS_PER_CALL = 64
"""How many chunks one system call gets; Linux takes 1024."""


class WriteQueue:
    """The unsent bytes of one socket, in order."""

    def __init__(self, sock: socket.socket, traffic: Traffic) -> None:
        self._socket = sock
        self._traffic = traffic
        self._vectored = not isinstance(sock, ssl.SSLSocket) and hasattr(sock, "sendmsg")
        self.chunks: deque[Payload] = deque()
        self.queued_bytes = 0

    def append(self, chunks: Iterable[Payload]) -> None:
        """Queue these chunks, which are not copied; see `own`."""
        before = len(self.chunks)
        self.chunks.extend(chunks)
        self.queued_bytes += sum(map(size_of, islice(reversed(self.chunks), len(self.chunks) - before)))

    def append_copies(self, chunks: Iterable[Payload]) -> None:
        """Queue these chunks; arrays are copied."""
        self.append(map(_owned, chunks))

    def own(self) -> None:
        """Copy the arrays that are still queued: they may change before they are sent."""
        self.chunks = deque(map(_owned, self.chunks))

    def send_at_once(self, chunk: Payload) -> Sequence[Payload]:
        """Send a chunk while nothing is queued; what is left of it, usually nothing."""
        try:
            sent = self._socket.send(chunk)
        except OSError:  # also if it would block: the next attempt, from the queue, handles that
            return (chunk,)
        self._traffic.bytes_out += sent
        size = len(chunk) if isinstance(chunk, bytes) else chunk.nbytes
        return () if sent == size else (memoryview(chunk)[sent:],)

    def send(self) -> None:
        """Send as much as one system call takes; OSError from it."""
        chunks = self.chunks
        if self._vectored and len(chunks) > 1:
            size = self._socket.sendmsg(list(islice(chunks, _MAX_CHUNKS_PER_CALL)))
        else:
            size = self._socket.send(chunks[0])
        self._traffic.bytes_out += size
        self.queued_bytes -= size
        self._drop(size)

    def clear(self) -> None:
        """Forget everything."""
        self.chunks.clear()
        self.queued_bytes = 0

    def _drop(self, size: int) -> None:
        """Drop the first `size` bytes, which were sent, and empty chunks after them."""
        chunks = self.chunks
        while size > 0 or (chunks and size_of(chunks[0]) == 0):
            first = size_of(chunks[0])
            if size < first:
                chunks[0] = memoryview(chunks[0])[size:]
                return
            size -= first
            chunks.popleft()


def size_of(chunk: Payload) -> int:
    """Its size in bytes."""
    return chunk.nbytes if isinstance(chunk, memoryview) else len(chunk)


def _owned(chunk: Payload) -> Payload:
    """The chunk, copied if it is the view of an array, which may change before it is sent.

    The rest of a chunk that was sent in part is a view of bytes, and stays one: to copy it again after every write
    would make large messages to slow clients quadratic.
    """
    return chunk.tobytes() if isinstance(chunk, memoryview) and not isinstance(chunk.obj, bytes) else chunk
