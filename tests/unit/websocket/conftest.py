"""Fixtures for the tests of this folder: two connected sockets, and Unix sockets below `tmp_path`."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.support.short_paths import runtime_dir, tmp_path
from tests.unit.websocket.making import SMALL_BYTES

__all__ = ["ends", "runtime_dir", "tmp_path"]


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets between which little fits."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BYTES)
    with ours, theirs:
        theirs.setblocking(False)
        yield ours, theirs
