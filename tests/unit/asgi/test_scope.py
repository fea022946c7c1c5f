"""Scopes of servers and frameworks, as the request that handlers know."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from tornado.httputil import HTTPInputError

from app_server.asgi.connection import AsgiConnection
from app_server.asgi.scope import (
    AsgiRequest,
    Peer,
    can_refuse_with_page,
    full_path,
    headers_of,
    is_untaken_handshake,
    root_path,
)
from app_server.protocol.handshake import fault_of
from tests.unit.asgi.making import scope_of


async def _send(event: object) -> None: ...


UPGRADE = {"upgrade": "websocket", "sec-websocket-key": "x", "connection": "Upgrade"}


@pytest.mark.parametrize(
    ("root", "path", "raw", "whole"),
    [
        ("", "/app", b"/app", "/app"),
        ("", "/a b", b"/a%20b", "/a%20b"),
        ("", "/a b", b"", "/a%20b"),
        ("", "/a/b", b"/a%2Fb", "/a%2Fb"),
        ("", "", b"", "/"),
        ("", "/app", b"/app?with=query", "/app"),
        ("/mount", "/mount/app", b"/mount/app", "/mount/app"),
        ("/mount", "/mount", b"/mount", "/mount"),
        ("/mount", "/app", b"/app", "/mount/app"),
        ("/mount/", "/app", b"/app", "/mount/app"),
        ("/mount", "/mountain", b"/mountain", "/mount/mountain"),
        ("/my mount", "/my mount/é", b"/my%20mount/%C3%A9", "/my%20mount/%C3%A9"),
        ("/my mount", "/é", b"", "/my%20mount/%C3%A9"),
        ("/outer", "/outer/app", b"/rewritten", "/outer/app"),
    ],
)
def test_path_is_whole_and_escaped_whatever_the_server_says(root: str, path: str, raw: bytes, whole: str) -> None:
    assert full_path({"root_path": root, "path": path, "raw_path": raw}) == whole


@pytest.mark.parametrize(
    ("root", "outer", "path", "whole"),
    [
        ("/proxy/m", "/proxy", "/m/app", "/proxy/m/app"),
        ("/proxy/m", "/proxy", "/m", "/proxy/m"),
        ("/proxy/m", "/proxy/", "/proxy/m/app", "/proxy/m/app"),
        ("/my proxy/é", "/my proxy", "/é/app", "/my%20proxy/%C3%A9/app"),
        ("/m/m", "/m", "/m/app", "/m/m/app"),
        ("/m", "", "/m/app", "/m/app"),
        ("/m", None, "/m/app", "/m/app"),
        ("/proxy/m", "/proxy", "/mountain", "/proxy/m/mountain"),
        ("/elsewhere", "/proxy", "/m/app", "/elsewhere/m/app"),
    ],
)
def test_path_is_whole_below_a_mount_of_starlette_if_a_proxy_takes_away_its_beginning(
    root: str, outer: str | None, path: str, whole: str
) -> None:
    assert full_path({"root_path": root, "app_root_path": outer, "path": path}) == whole


def test_root_path_is_escaped_without_a_slash_at_its_end() -> None:
    assert root_path({"root_path": "/a b/"}) == "/a%20b"
    assert root_path({}) == ""


@pytest.mark.parametrize(
    ("client", "scheme", "peer"),
    [
        (("192.0.2.1", 4000), "https", Peer("192.0.2.1", "https", ("192.0.2.1", 4000), socket.AF_INET)),
        (["::1", 4000], "wss", Peer("::1", "https", ("::1", 4000), socket.AF_INET6)),
        (("unix", None), "ws", Peer("unix", "http", ("unix", 0), socket.AF_UNSPEC)),
        (None, "http", Peer("", "http", (), socket.AF_UNIX)),
        ((None, None), None, Peer("", "http", (), socket.AF_UNIX)),
    ],
)
def test_peer_is_whom_the_server_names(client: Any, scheme: Any, peer: Peer) -> None:
    assert Peer.of({"client": client, "scheme": scheme}) == peer


def test_headers_that_came_several_times_are_joined() -> None:
    headers = [(b"cookie", b"a=1"), (b"Cookie", b"b=2"), (b"x-a", b"1"), (b"X-A", b"2")]
    found = headers_of({"type": "http", "headers": headers})
    assert (found["Cookie"], found["X-A"]) == ("a=1; b=2", "1,2")


@pytest.mark.parametrize("headers", [{}, {"sec-websocket-extensions": "permessage-deflate", **UPGRADE}])
def test_handshake_is_one_whatever_version_of_http_it_came_by(headers: dict[str, str]) -> None:
    scope = scope_of("/app/ws", "websocket", headers=headers, subprotocols=["bokeh", "token"], http_version="2")
    found = headers_of(scope)
    assert fault_of("GET", "HTTP/1.1", found) is None
    assert found["Sec-WebSocket-Protocol"] == "bokeh, token"
    assert "Sec-WebSocket-Extensions" not in found


def test_request_has_what_only_asgi_has() -> None:
    scope = scope_of("/mount/app?a=1", root_path="/mount", user="ann", state={"db": 1}, method="HEAD")
    request = AsgiRequest(scope, AsgiConnection(scope, _send))
    assert (request.method, request.path, request.query, request.version) == ("HEAD", "/mount/app", "a=1", "HTTP/1.1")
    assert (request.root_path, request.user, request.state, request.scope) == ("/mount", "ann", {"db": 1}, scope)
    assert (request.remote_ip, request.protocol, request.host) == ("192.0.2.1", "http", "localhost:5006")
    assert request.arguments == {"a": [b"1"]}


def test_malformed_request_is_an_error_of_its_own() -> None:
    scope = scope_of(headers={"host": "two,hosts"})
    with pytest.raises(HTTPInputError):
        AsgiRequest(scope, AsgiConnection(scope, _send))


def test_handshake_that_came_as_a_request_is_known() -> None:
    assert is_untaken_handshake(scope_of("/app/ws", headers=UPGRADE))
    assert not is_untaken_handshake(scope_of("/app/ws"))
    assert not is_untaken_handshake(scope_of("/app/ws", headers=UPGRADE, method="POST"))
    assert not is_untaken_handshake(scope_of("/app/ws", "websocket", headers=UPGRADE))


def test_refusals_have_a_page_where_the_server_says_so() -> None:
    assert can_refuse_with_page({"extensions": {"websocket.http.response": {}}})
    assert not can_refuse_with_page({"extensions": None}) and not can_refuse_with_page({})
