"""Loopback ports for the servers of a test run."""

from __future__ import annotations

import random
import socket
from pathlib import Path
from threading import Lock

_used: set[int] = set()
_lock = Lock()
_LOWEST = 10_000  # below are the ports that programs have by default
_FEWEST = 1_000
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """Return a loopback port that nobody listens on and that this run has not handed out before.

    It is one that the kernel gives to no client: a connection that another program opens meanwhile could have taken
    it before the server binds it, and a client that tries it too early could be connected to itself.
    """
    with _lock:
        while True:
            port = _candidate()
            if port in _used:
                continue
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
            _used.add(port)
            return port


def _candidate() -> int:
    """A port below those for clients; where these begin low, one that the kernel offers."""
    try:
        first = int(_RANGE.read_text(encoding="ascii").split()[0])
    except OSError:
        first = 32_768  # Linux's own
    if first >= _LOWEST + _FEWEST:
        return random.randrange(_LOWEST, first)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
