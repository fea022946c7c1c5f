"""The handshake of a WebSocket, whom it is refused, and what a client's connection does to its session."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from app_server.engine.saving import waker
from app_server.security import tokens
from app_server.store.errors import Busy
from app_server.store.folder import FolderStore
from app_server.websocket import raw_socket
from tests.support.clients.raw import handshake_headers
from tests.support.servers.inside import Inside, expired, inside
from tests.support.waiting import patience
from tests.unit.following import fill

ORIGIN = {"Origin": "http://localhost"}
ANN, BOB = {"X-User": "ann"}, {"X-User": "bob"}


def fail(document: Any) -> None:
    """An application with a fault."""
    raise ValueError("it is broken")


@pytest.fixture(scope="module")
def state() -> Iterator[Inside]:
    """Two applications, one of which fails; pages of one origin may open their sockets."""
    with inside(
        {"/app": fill, "/broken": fail}, allow_websocket_origin=("localhost",), websocket_max_message_size_bytes=5000
    ) as served:
        yield served


@pytest.fixture(scope="module")
def users() -> Iterator[Inside]:
    """Sessions for the user that the proxy names; every program on this machine is believed."""
    with inside({"/app": fill}, auth_header="X-User", auth_header_from=("127.0.0.1",)) as served:
        yield served


def ask(state: Inside, token: str, path: str = "/app/ws", **changed: str | None) -> Any:
    """The answer to a handshake some of whose headers are changed, or left out if None."""
    headers = {**handshake_headers(token), **ORIGIN}
    for name, value in changed.items():
        name = name.replace("_", "-")
        headers = {key: old for key, old in headers.items() if key.lower() != name.lower()}
        if value is not None:
            headers[name] = value
    return state.ask(path, headers=headers)


def counted(state: Inside, reason: str, application: int = 0) -> int:
    """How many were refused for this reason."""
    return state.server.state.runtimes[application].gauges.refused[reason]


# The handshake


def test_client_is_greeted_gets_its_document_and_the_answers_to_what_it_changes(state: Inside) -> None:
    with state.client("/app", origin="http://localhost") as client:
        assert client.set("slider", "value", 7).msgtype == "OK"
        client.wait_value("text", "text", "7")
        assert len(state.server.state.process.wires) == 1
    state.call(lambda: None)
    assert state.server.state.runtimes[0].gauges.bytes_in > 0


@pytest.mark.parametrize(
    ("changed", "status", "fields"),
    [
        ({"Upgrade": None}, 400, "Open the application&#39;s page instead."),
        ({"Connection": "keep-alive"}, 400, "Open the application&#39;s page instead."),
        ({"Sec_WebSocket_Key": None}, 400, "Open the application&#39;s page instead."),
        ({"Sec_WebSocket_Key": "short"}, 400, "Open the application&#39;s page instead."),
        ({"Sec_WebSocket_Version": "8"}, 426, ""),
        ({"Origin": "https://evil.example"}, 403, "This page&#39;s origin may not open a session here"),
        ({"Sec_WebSocket_Protocol": None}, 403, "The subprotocols must be bokeh and a token"),
        ({"Sec_WebSocket_Protocol": "bokeh"}, 403, "The subprotocols must be bokeh and a token"),
        ({"Sec_WebSocket_Protocol": "token, x"}, 403, "The subprotocols must be bokeh and a token"),
        ({"Sec_WebSocket_Protocol": "bokeh, x, y"}, 403, "The subprotocols must be bokeh and a token"),
        ({"Sec_WebSocket_Protocol": "bokeh, x, bokeh-document, y"}, 403, "The subprotocols must be bokeh and a token"),
    ],
)
def test_handshake_that_is_not_as_it_should_be_is_refused(
    state: Inside, changed: dict[str, str | None], status: int, fields: str
) -> None:
    before = counted(state, "origin") + counted(state, "malformed")
    answer = ask(state, "x", **changed)
    assert answer.status == status and fields in answer.text
    assert answer.headers.get("sec-websocket-version") == ("13" if status == 426 else None)
    assert counted(state, "origin") + counted(state, "malformed") == before + 1


def test_client_that_asks_by_its_subprotocol_gets_the_document_and_what_follows(state: Inside) -> None:
    token = state.token("/app")
    words = ["bokeh", token, "bokeh-document"]
    with (
        state.socket("/app", token, subprotocols=words, origin="http://localhost") as early,
        state.client("/app", token, origin="http://localhost") as other,
    ):
        assert (early.socket.subprotocol, early.receive().msgtype) == ("bokeh-document", "ACK")
        reply = early.receive()
        assert (reply.msgtype, reply.reqid) == ("PULL-DOC-REPLY", "early")
        other.set("slider", "value", 7)
        assert early.receive().msgtype == "PATCH-DOC"


def close_of(state: Inside, token: str, app: str = "/app", **options: Any) -> tuple[int, str]:
    """The code and reason with which the server closes a socket at once."""
    with (
        state.socket(app, token, origin="http://localhost", **options) as client,
        pytest.raises(ConnectionClosed) as end,
    ):
        while True:
            client.socket.recv(timeout=patience(5))
    state.call(lambda: None)
    assert end.value.rcvd is not None
    return end.value.rcvd.code, end.value.rcvd.reason


def test_token_that_builds_no_session_is_refused_in_the_protocols_terms(
    state: Inside, caplog: pytest.LogCaptureFixture
) -> None:
    before = counted(state, "token")
    assert close_of(state, "nonsense")[0] == 1008
    late = expired(state, state.server.state.mint_session_id())
    assert close_of(state, late) == (1008, "the token has expired; load the page again")
    assert counted(state, "token") == before + 2
    assert caplog.messages[-1] == "/app: refused a token from 127.0.0.1: the token has expired; load the page again"


def test_session_that_cannot_be_built_is_no_ones_handshakes_fault(
    state: Inside, caplog: pytest.LogCaptureFixture
) -> None:
    ident = state.server.state.mint_session_id()
    token = tokens.mint_token(state.server.state.policy.signer, ident, expires_at=int(time.time()) + 60)
    before = counted(state, "failed", 1)
    assert close_of(state, token, "/broken") == (1011, "the application failed to start; see the server's log")
    assert counted(state, "failed", 1) == before + 1
    assert "/broken: the session could not be built" in caplog.messages


def test_expired_token_joins_the_living_session(state: Inside) -> None:
    ident = state.server.state.policy.read_token(state.token("/app")).session_id
    with state.client("/app", expired(state, ident), origin="http://localhost") as client:
        assert client.value("slider", "value") == 1


def test_page_that_is_loading_gets_nothing_but_its_greeting_while_one_that_came_back_is_helped(state: Inside) -> None:
    policy = state.server.state.policy

    def token(age_s: int) -> str:
        return tokens.mint_token(policy.signer, policy.mint_session_id(), expires_at=policy.token_expiry_s() - age_s)

    with (
        state.socket("/app", token(0), origin="http://localhost") as loading,
        state.socket("/app", token(60), origin="http://localhost") as returning,
    ):
        for client in (loading, returning):
            assert json.loads(client.socket.recv(timeout=patience(5)))["msgtype"] == "ACK"
            assert [client.socket.recv(timeout=patience(5)) for _ in range(2)] == ["{}", "{}"]
        assert json.loads(returning.socket.recv(timeout=patience(5)))["num_buffers"] == 1
        with pytest.raises(TimeoutError):
            loading.socket.recv(timeout=0.01)


def test_server_that_drains_lets_living_sessions_come_back_only() -> None:
    with inside({"/app": fill}, allow_websocket_origin=("localhost",)) as served:
        token = served.token("/app")
        served.server.state.process.begin_draining()
        ident = served.server.state.mint_session_id()
        other = tokens.mint_token(served.server.state.policy.signer, ident, expires_at=int(time.time()) + 60)
        answer = ask(served, other)
        assert answer.status == 503 and "The server is going away" in answer.text
        assert ask(served, "nonsense").status == 503
        with served.client("/app", token, origin="http://localhost") as client:
            assert client.value("slider", "value") == 1


def test_socket_of_a_server_that_is_full_is_told_when_to_come_again() -> None:
    with inside({"/app": fill}, allow_websocket_origin=("localhost",), max_sessions=1) as served:
        served.token("/app")
        ident = served.server.state.mint_session_id()
        other = tokens.mint_token(served.server.state.policy.signer, ident, expires_at=int(time.time()) + 60)
        answer = ask(served, other)
        assert answer.status == 503 and answer.headers["retry-after"] == "5"
        assert "The server has reached its limit of sessions" in answer.text
        assert counted(served, "full") == 1


def test_page_whose_session_may_be_saved_is_told_to_come_again_if_that_cannot_be_read_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_many_files(store: FolderStore, key: str) -> bool:
        raise Busy("Too many open files")

    monkeypatch.setattr(FolderStore, "is_saved", too_many_files)
    monkeypatch.setattr(waker, "_SILENT_FOR_S", 0.05)
    with inside({"/app": fill}, allow_websocket_origin=("localhost",), store=str(tmp_path / "saved")) as served:
        token = expired(served, served.server.state.mint_session_id())
        answer = ask(served, token)
        assert answer.status == 503 and answer.headers["retry-after"] == "5"
        assert "Saved sessions cannot be read at the moment" in answer.text
        page = served.get("/app", **{"bokeh-token": token})
        assert page.status == 503 and "This session cannot be opened at the moment" in page.text
        assert counted(served, "store") == 2


def test_session_of_another_user_is_refused_before_the_handshake(
    users: Inside, caplog: pytest.LogCaptureFixture
) -> None:
    token = users.get("/app", headers=ANN).token
    own = users.server.url.rstrip("/").replace("127.0.0.1", "localhost")
    answer = ask(users, token, Origin=own, X_User="bob")
    assert answer.status == 403 and "This session belongs to another user" in answer.text
    assert counted(users, "owner") == 1
    assert caplog.messages == ["/app: refused 127.0.0.1 the session of another user"]
    assert ask(users, token, Origin=own, X_User="ann").status == 101
    assert ask(users, token, Origin=own).status == 403
    assert ask(users, "nonsense", Origin=own, X_User="ann").status == 101, "which is answered in the protocol's terms"


def test_messages_are_compressed_if_both_want_that() -> None:
    with inside({"/app": fill}, allow_websocket_origin=("localhost",), websocket_compression_level=6) as served:
        with served.client("/app", origin="http://localhost", compression="deflate") as client:
            assert "permessage-deflate" in client.socket.response.headers["Sec-WebSocket-Extensions"]
            assert client.set("slider", "value", 7).msgtype == "OK"
            client.wait_value("text", "text", "7")
        with served.client("/app", origin="http://localhost") as client:
            assert "Sec-WebSocket-Extensions" not in client.socket.response.headers


def test_client_of_a_request_that_went_away_leaves_a_line_for_debugging(
    state: Inside, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(stream: object) -> None:
        raise OSError("gone")

    monkeypatch.setattr(raw_socket, "take_over", gone)
    with caplog.at_level(logging.DEBUG, "app_server.requests.socket"):
        ask(state, state.token("/app"))
    assert "/app: a client went away during the handshake" in caplog.messages
