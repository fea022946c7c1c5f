"""Loopback ports for the servers of a test run; no two runs on a machine have the same one at a time."""

from __future__ import annotations

import fcntl
import os
import random
import re
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from threading import Lock

_used: set[int] = set()
_lock = Lock()
_LOWEST = 10_000  # below are the ports that programs have by default
_FEWEST = 1_000
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LINUX_FIRST = 32_768
_CLAIMS = Path("/tmp", "app-server-test-ports")
"""For all runs on the machine, whatever their TMPDIR and whoever's they are."""


def free_port() -> int:
    """Return a loopback port without a listener, which this run has not handed out before.

    It is one that the kernel gives to no client: a connection that another program opens meanwhile could have taken
    it before the server binds it, and a client that tries it too early could be connected to itself.
    """
    return consecutive_ports(1)


def consecutive_ports(count: int) -> int:
    """The first of so many ports in a row, each of them as `free_port` has it."""
    with _lock:
        while True:
            first = _candidate(count)
            found = range(first, first + count)
            if _used.isdisjoint(found) and claim(found) and _are_free(found):
                _used.update(found)
                return first


def answers_at(port: int) -> bool:
    """Whether something listens at this loopback port."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def claim(ports: range) -> bool:
    """Keep other processes from being handed these ports until this one ends; False if another one has claimed some.

    Each port has a byte in a file, on which the kernel keeps a lock for its owner.
    """
    if (claims := _claims()) is None:
        return True
    try:
        fcntl.lockf(claims, fcntl.LOCK_EX | fcntl.LOCK_NB, len(ports), ports.start)
    except OSError:
        return False
    return True


@cache
def _claims() -> int | None:
    """The file's descriptor; None if it cannot be opened."""
    try:
        # In a folder of all users, not even root may open with O_CREAT what is another user's.
        return os.open(_CLAIMS, os.O_RDWR) if _CLAIMS.exists() else _created()
    except OSError:
        return None


def _created() -> int:
    claims = os.open(_CLAIMS, os.O_RDWR | os.O_CREAT, 0o666)
    os.fchmod(claims, 0o666)  # whatever the umask is
    return claims


def _are_free(ports: Sequence[int]) -> bool:
    with ExitStack() as stack:
        try:
            for port in ports:
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _candidate(count: int) -> int:
    """A port below those for clients, with `count - 1` behind it; one that the kernel offers if these begin low."""
    ports = share(os.environ)
    if len(ports) >= _FEWEST // 4:
        return random.choice(ports[: len(ports) - count + 1])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def share(environ: dict[str, str] | os._Environ[str], first_of_clients: int | None = None) -> range:
    """This worker's part of the ports below those for clients: no two workers of a run hand out the same one.

    Empty if there are fewer than 1,000 for all of them. `first_of_clients` is the kernel's unless it is given.
    """
    end = _first_of_clients() if first_of_clients is None else first_of_clients
    if end - _LOWEST < _FEWEST:
        return range(0)
    found = re.fullmatch(r"gw(\d+)", environ.get("PYTEST_XDIST_WORKER", ""))
    workers = int(environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) if found else 1
    size = (end - _LOWEST) // workers
    begin = _LOWEST + size * (int(found[1]) % workers if found else 0)
    return range(begin, begin + size)


def _first_of_clients() -> int:
    try:
        return int(_RANGE.read_text(encoding="ascii").split()[0])
    except OSError:
        return _LINUX_FIRST
