"""How large a body each handler may get; what becomes of a larger one is tested against a running server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import RequestHandler

from app_server.apps import application_from_function
from app_server.settings import Settings
from app_server.transport.server import Server

HOOKS = """
from tornado.web import RequestHandler
def get_user(request): return None
login_url = "/sign-in"
class LoginHandler(RequestHandler): pass
"""


class Upload(RequestHandler):
    """A handler of the program that holds the server."""


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def limit(server: Server, path: str) -> int | None:
    start_line = RequestStartLine("POST", path, "HTTP/1.1")
    return server.largest_body(HTTPServerRequest(start_line=start_line, headers=HTTPHeaders({"Host": "localhost"})))


def test_bodies_are_limited_by_what_the_address_takes(loop: asyncio.AbstractEventLoop, tmp_path: Path) -> None:
    users, hooks = tmp_path / "users", tmp_path / "hooks.py"
    users.touch(0o600)
    hooks.write_text(HOOKS, encoding="utf-8")
    applications = {"/app": application_from_function(lambda document: None)}

    def serving(**settings: Any) -> Server:
        return Server(applications, Settings(**settings), loop, [(r"/upload", Upload)])

    with_form = serving(basic_auth=str(users), cookie_secret="s" * 40, metrics=True)
    for path in ("/app", "/app/ws", "/app/autoload.js", "/static/js/bokeh.js", "/healthz", "/metrics", "/", "/nowhere"):
        assert limit(with_form, path) == 8192
    assert limit(with_form, "/login") == limit(with_form, "/%6cogin") == limit(with_form, "/logout") == 65536
    assert limit(with_form, "/upload") is None
    assert limit(serving(auth_module=str(hooks)), "/sign-in") == 1024 * 1024
