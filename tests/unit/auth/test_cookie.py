"""The cookie that a browser keeps of a login."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app_server.auth.password import PasswordBackend
from app_server.settings import Settings
from tests.unit.auth.two_users import SECRET


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
