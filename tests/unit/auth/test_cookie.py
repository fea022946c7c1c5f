"""The cookie that a browser keeps of a login."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app_server.auth.password import PasswordBackend
from app_server.security.auth.passwords import Cost, hash_password
from app_server.settings import Settings
from tests.support.servers.inside import Inside, inside

QUICK = Cost(2, 1, 1)
SECRET = "s" * 40


def lines(**users: str) -> str:
    """A password file."""
    return "".join(f"{name}:{hash_password(password, cost=QUICK)}\n" for name, password in users.items())


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


@pytest.mark.parametrize(
    ("settings", "name", "path"),
    [
        ({}, "app_server_login", "/"),
        ({"prefix": "/p"}, "app_server_login_", "/p"),
        ({"prefix": "/p", "route": "west"}, "app_server_login_", "/"),
    ],
)
def test_cookies_of_servers_on_one_host_do_not_meet(
    users: Path, settings: dict[str, Any], name: str, path: str
) -> None:
    auth = PasswordBackend(Settings(basic_auth=str(users), cookie_secret=SECRET, **settings))
    assert auth.cookie_name.startswith(name) and auth.cookie_path == path
    assert len(auth.cookie_name) == len(name) + (8 if name.endswith("_") else 0)
    assert auth.hidden_cookies == {auth.cookie_name, auth.form_cookie_name}
    auth.stop()
