"""Logging out ends a user's sessions, and deletes what is saved of them, and no one else's."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from bokeh.models import Slider

from app_server.security.auth.passwords import Cost, hash_password
from app_server.store.base import Entry
from app_server.store.folder import FolderStore
from tests.support.clients.cookies import Browser
from tests.support.servers.inside import Inside, inside
from tests.support.waiting import until

QUICK = Cost(2, 1, 1)
MODULE = """
from tornado.web import RequestHandler
def get_user(handler):
    return handler.get_cookie("who")
login_url = "/enter"
logout_url = "/leave"
class LogoutHandler(RequestHandler):
    def get(self):
        if self.get_argument("refuses", None):
            self.send_error(403)
            return
        self.clear_cookie("who")
        self.write("goodbye")
"""


def fill(document: Any) -> None:
    document.add_root(Slider(name="slider", start=0, end=10, value=0))


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "users"
    path.write_text("".join(f"{name}:{hash_password(name, cost=QUICK)}\n" for name in ("ann", "bob")))
    path.chmod(0o600)
    return path


@contextmanager
def served(folder: Path, **settings: Any) -> Iterator[Inside]:
    with inside({"/app": fill, "/other": fill}, store=str(folder), secret_key="s" * 40, **settings) as site:
        yield site


def saved(folder: Path) -> list[Entry]:
    store = FolderStore(str(folder), ttl_s=1000, max_bytes=10**9)
    try:
        return list(store.entries())
    finally:
        store.close()


def basic(user: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{user}".encode()).decode()}


def living(site: Inside) -> list[str]:
    """Whose sessions live in the process."""
    return sorted(str(session.context.user) for runtime in site.server.state.runtimes for session in runtime.registry)


def change(site: Inside) -> None:
    """Change every session, and save it."""

    def move() -> None:
        for runtime in site.server.state.runtimes:
            for session in runtime.registry:
                session.document.get_model_by_name("slider").value += 1

    site.call(move)
    saver: Any = site.server._saver
    site.do(saver.save())


def test_logging_out_ends_a_users_sessions_and_deletes_what_is_saved_of_them(tmp_path: Path, users: Path) -> None:
    folder = tmp_path / "sessions"
    settings = {"basic_auth": str(users), "cookie_secret": "c" * 40}
    with served(folder, **settings) as site:
        for user in ("ann", "bob"):
            assert site.ask("/app", headers=basic(user)).status == 200
        change(site)
    assert [entry.owned for entry in saved(folder)] == [False, False]
    with served(folder, **settings) as site:
        for user, path in (("ann", "/app"), ("ann", "/other"), ("bob", "/other")):
            assert site.ask(path, headers=basic(user)).status == 200
        change(site)
        assert len(saved(folder)) == 5 and living(site) == ["ann", "ann", "bob"]
        assert site.ask("/logout", headers={**basic("ann"), "Sec-Fetch-Site": "cross-site"}).status == 403
        assert len(saved(folder)) == 5
        assert site.ask("/logout", headers=basic("ann")).status == 200
        until(lambda: len(saved(folder)) == 2)
        assert living(site) == ["bob"]
    assert len(saved(folder)) == 2


def test_who_is_not_logged_in_logs_out_and_deletes_nothing(tmp_path: Path, users: Path) -> None:
    folder = tmp_path / "sessions"
    with served(folder, basic_auth=str(users), cookie_secret="c" * 40) as site:
        assert site.ask("/app", headers=basic("ann")).status == 200
        change(site)
        assert site.ask("/logout").status == 200
        assert len(saved(folder)) == 1 and living(site) == ["ann"]


def test_session_that_another_process_owns_is_deleted_and_its_clients_find_out(tmp_path: Path, users: Path) -> None:
    folder = tmp_path / "sessions"
    settings = {"basic_auth": str(users), "cookie_secret": "c" * 40}
    with served(folder, **settings) as other, served(folder, **settings) as site:
        assert other.ask("/app", headers=basic("ann")).status == 200
        change(other)
        assert site.ask("/logout", headers=basic("ann")).status == 200
        until(lambda: saved(folder) == [])
        change(other)
        until(lambda: living(other) == [])
    assert saved(folder) == []


def test_logout_handler_of_a_module_deletes_too_unless_it_refuses(tmp_path: Path) -> None:
    folder, module = tmp_path / "sessions", tmp_path / "auth.py"
    module.write_text(MODULE)
    with served(folder, auth_module=str(module)) as site:
        browsers = {user: Browser(site) for user in ("ann", "bob")}
        for user, browser in browsers.items():
            browser.cookies["who"] = user
            assert browser.get("/app").status == 200
        change(site)
        assert browsers["ann"].get("/leave?refuses=1").status == 403
        assert len(saved(folder)) == 2
        assert browsers["ann"].get("/leave").text == "goodbye"
        until(lambda: len(saved(folder)) == 1)
        assert living(site) == ["bob"]


def test_logging_out_without_a_store_ends_a_users_sessions_too(users: Path) -> None:
    with inside({"/app": fill, "/other": fill}, basic_auth=str(users), cookie_secret="c" * 40) as site:
        for user, path in (("ann", "/app"), ("ann", "/other"), ("bob", "/app")):
            assert site.ask(path, headers=basic(user)).status == 200
        assert site.ask("/logout", headers=basic("ann")).status == 200
        until(lambda: living(site) == ["bob"])
