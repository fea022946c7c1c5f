"""Servers at uvicorn, for the tests of this folder and for those of others that are run here again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.protocol.conftest import TRANSPORT, Served, apps, guarding, serving


@pytest.fixture(scope="package", autouse=True)
def at_uvicorn() -> Iterator[None]:
    """Whatever is served in this folder is served at uvicorn."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(TRANSPORT, "asgi")
        yield


@pytest.fixture(scope="package")
def plain(at_uvicorn: None) -> Iterator[Served]:
    """All applications, with the settings as they come."""
    with serving(*apps("board.py", "faulty.py", "asking.py", "beats.py", "threads.py", "hooked", "folder")) as served:
        yield served


@pytest.fixture(scope="package")
def brief(at_uvicorn: None) -> Iterator[Served]:
    """A server of little patience: sessions, clients that do not read and large messages end soon."""
    flags = "--unused-session-lifetime 1000 --check-unused-sessions 50 --keep-alive 300 --session-token-expiration 2"
    flags += " --websocket-max-message-size 100000 --token-payload always"
    with serving(*apps("board.py", "asking.py", "beats.py", "hooked", "grasping"), *flags.split()) as served:
        yield served


@pytest.fixture(scope="package")
def guarded(at_uvicorn: None) -> Iterator[Served]:
    """Signed sessions that others make, behind a prefix, with filters, for pages of example.com."""
    with guarding() as served:
        yield served
