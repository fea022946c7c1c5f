"""An application for two users, who log in with passwords."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from app_server.security.auth.passwords import Cost, hash_password
from tests.support.servers.inside import Inside, inside

SECRET = "s" * 40
_QUICK = Cost(2, 1, 1)


def lines(**users: str) -> str:
    """A password file."""
    return "".join(f"{name}:{hash_password(password, cost=_QUICK)}\n" for name, password in users.items())


@pytest.fixture
def users(tmp_path: Path) -> Path:
    """The file of two users."""
    path = tmp_path / "users"
    path.write_text(lines(ann="her password", bob="his password"), encoding="utf-8")
    path.chmod(0o600)
    return path


@pytest.fixture
def state(users: Path) -> Iterator[Inside]:
    """An application for those users, below a prefix."""
    with inside({"/app": lambda document: None}, basic_auth=str(users), cookie_secret=SECRET, prefix="/p") as served:
        yield served


def basic(user: str, password: str) -> str:
    """The header of a program."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
