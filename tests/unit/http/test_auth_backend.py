"""What happens to someone whom the backend does not know, and who is at the other end of a connection."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from app_server.http.auth_backend import AuthBackend, peer_of
from tests.support.servers.inside import Inside, inside

HOOKS = """
def get_user(handler):
    return handler.get_cookie("user")
login_url = "/sign-in"
"""


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """An application for those who have a cookie."""
    hooks = tmp_path_factory.mktemp("hooks") / "hooks.py"
    hooks.write_text(HOOKS, encoding="utf-8")
    with inside({"/a": lambda document: None, "/b": lambda document: None}, auth_module=str(hooks)) as served:
        yield served


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/a", "/"])
def test_person_is_led_to_log_in_and_back(state: Inside, method: str, path: str) -> None:
    answer = state.ask(f"{path}?x=1", method)
    assert answer.status == 302 and answer.headers["cache-control"] == "no-store"
    assert answer.headers["location"] == f"/sign-in?next={path.replace('/', '%2F')}%3Fx%3D1"
    assert state.ask(path, method, {"Cookie": "user=ann"}).status == 200


@pytest.mark.parametrize("path", ["/a/autoload.js?bokeh-autoload-element=x", "/a/metadata"])
def test_program_is_told_that_it_is_not_logged_in(state: Inside, path: str) -> None:
    answer = state.ask(path)
    assert answer.status == 403 and "You are not logged in" in answer.text
    assert "Open the application" in answer.text and "location" not in answer.headers


def test_form_that_comes_too_late_is_not_led_away(state: Inside) -> None:
    answer = state.ask("/a", "POST", body=b"x")
    assert answer.status == 403 and "You are not logged in" in answer.text


def test_health_and_files_are_for_everybody(state: Inside) -> None:
    for path in ("/healthz", "/readyz", "/favicon.ico", "/static/js/bokeh.min.js"):
        assert state.ask(path).status == 200
    assert state.ask("/a/autoload.js", "OPTIONS").status == 204, "browsers ask without cookies"


async def test_open_gate_knows_everybody_and_asks_nobody() -> None:
    auth, handler = AuthBackend(), SimpleNamespace()
    assert await auth.user(handler) == "default_user"  # type: ignore[arg-type]
    assert auth.owner("anybody") is None and auth.login_url(handler) is None  # type: ignore[arg-type]
    assert auth.routes(lambda path: pytest.fail(path), {}) == []
    auth.stop()


@pytest.mark.parametrize(
    ("family", "address", "peer"),
    [
        (socket.AF_INET, ("192.0.2.1", 80), "192.0.2.1"),
        (socket.AF_INET6, ("2001:db8::1", 80, 0, 0), "2001:db8::1"),
        (socket.AF_UNIX, "", "unix"),
        (None, None, ""),
    ],
)
def test_peer_is_whoever_is_connected_whatever_the_headers_say(family: Any, address: Any, peer: str) -> None:
    context = SimpleNamespace(address_family=family, address=address, remote_ip="198.51.100.9")
    request = SimpleNamespace(connection=SimpleNamespace(context=context))
    assert peer_of(SimpleNamespace(request=request)) == peer  # type: ignore[arg-type]
    assert peer_of(SimpleNamespace(request=SimpleNamespace(connection=None))) == ""  # type: ignore[arg-type]
