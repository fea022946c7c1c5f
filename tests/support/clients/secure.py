"""TLS for clients that read in one thread and write in another, as those of `websockets.sync` do.

OpenSSL's structure for a connection bears one thread at a time, and Python before 3.14 does not see to that: a reader
that waits while another thread writes can hang both, or end the process.
"""

from __future__ import annotations

import select
import ssl
from threading import Lock
from typing import Any


class OneAtATime(ssl.SSLSocket):
    """A socket of which no two threads are inside OpenSSL; who waits for bytes waits outside."""

    _turn: Lock

    def __new__(cls, *args: Any, **options: Any) -> OneAtATime:
        """The socket, with its lock: `ssl` makes sockets without their `__init__`."""
        made = super().__new__(cls, *args, **options)
        made._turn = Lock()
        return made

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Up to so many bytes, as soon as there are any."""
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        while True:
            with self._turn:
                before_s = self.gettimeout()
                self.settimeout(0)
                try:
                    return super().recv(buflen, flags)
                except (ssl.SSLWantReadError, BlockingIOError):
                    pass
                finally:
                    self.settimeout(before_s)
            if not poll.poll(None if before_s is None else 1000 * before_s):
                raise TimeoutError("nothing came in time")

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all of it."""
        with self._turn:
            super().sendall(data, flags)

    def shutdown(self, how: int) -> None:
        """End the connection; who waits is woken."""
        with self._turn:
            super().shutdown(how)


def unverified() -> ssl.SSLContext:
    """A context that takes any certificate."""
    context = ssl._create_unverified_context()
    context.sslsocket_class = OneAtATime
    return context
