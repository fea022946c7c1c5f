"""Loopback ports for the servers of a test run."""

from __future__ import annotations

import socket
from threading import Lock

_used: set[int] = set()
_lock = Lock()


def free_port() -> int:
    """Return a loopback port that nobody listens on and that this run has not handed out before.

    The kernel may offer one port twice when nobody has bound it yet, hence the list of those already given away.
    """
    with _lock:
        while True:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port: int = probe.getsockname()[1]
            if port not in _used:
                _used.add(port)
                return port
