"""What a client's connection does to its session, and how it ends."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.iostream import IOStream

from app_server.errors import PeerError, TooLargeError
from app_server.requests.socket_client import Client, _closing_reason, realign_after_s
from app_server.websocket.owner import WireLimits
from app_server.websocket.raw_socket import RawSocket
from tests.support.clients.raw import handshake_headers
from tests.support.servers.inside import Inside, inside
from tests.support.servers.stage import staged
from tests.support.waiting import until
from tests.unit.following import fill

ORIGIN = {"Origin": "http://localhost"}
ANN, BOB = {"X-User": "ann"}, {"X-User": "bob"}


def fill_for_good(document: Any) -> None:
    """The same, for pages that do not come back when their connection ends."""
    fill(document)
    document.config.reconnect_session = False


def fail(document: Any) -> None:
    """An application with a fault."""
    raise ValueError("it is broken")


@pytest.fixture(scope="module")
def state() -> Iterator[Inside]:
    """Applications, one of which fails; pages of one origin may open their sockets."""
    applications = {"/app": fill, "/broken": fail, "/for-good": fill_for_good}
    with inside(applications, allow_websocket_origin=("localhost",), websocket_max_message_size_bytes=5000) as served:
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


# What a client sends


def test_message_that_is_too_large_ends_the_connection_and_says_what_would_help(
    state: Inside, caplog: pytest.LogCaptureFixture
) -> None:
    with state.client("/app", origin="http://localhost") as client:
        client.socket.send("x" * 5001)
        assert client.close_code() == 1009
    (line,) = [text for text in caplog.messages if "closing the connection" in text]
    assert line.endswith("To accept larger messages, such as uploads, raise --websocket-max-message-size")


def _send(client: Any, content: object, *buffers: bytes) -> None:
    """Send a PATCH-DOC in pieces, as browsers do."""
    header = {"msgid": "big", "msgtype": "PATCH-DOC", "num_buffers": len(buffers)}
    for part in (header, {}, content):
        client.socket.send(json.dumps(part))
    for number, buffer in enumerate(buffers):
        client.socket.send(json.dumps({"id": str(number)}))
        client.socket.send(buffer)


@pytest.mark.parametrize("compression", [None, "deflate"])
@pytest.mark.parametrize(
    ("text", "buffers"),
    [
        ("x" * 6000, ()),
        ("x" * 6000, (b"y" * 6000, b"y" * 100)),
        ("", (b"y" * 100, b"y" * 6000, b"y" * 100)),
        ("x" * 3000, (b"y" * 3000, b"y" * 3000)),
    ],
)
def test_page_that_would_not_come_back_keeps_its_connection_when_a_message_is_too_large(
    state: Inside, text: str, buffers: tuple[bytes, ...], compression: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    with state.client("/for-good", origin="http://localhost", compression=compression) as client:
        _send(client, {"events": [client.change("text", "text", text)]}, *buffers)
        shown, answer = client.receive(), client.receive()
        [event] = shown.content["events"]
        assert event["kind"] == "RootAdded" and "that was too large" in event["model"]["attributes"]["text"]
        assert (answer.msgtype, answer.reqid) == ("OK", "big")
        assert client.set("slider", "value", 2).msgtype == "OK"
        client.pull()
        assert client.value("text", "text") == "2", "nothing of what was too large is in the document"
        assert len(client.roots) == 2, "nor is the notice"
    (line,) = [text for text in caplog.messages if "ignoring a message from 127.0.0.1: a message of " in text]
    assert line.endswith("To accept larger messages, such as uploads, raise --websocket-max-message-size")


def test_what_is_no_patch_or_comes_from_a_program_ends_the_connection_if_it_is_too_large(state: Inside) -> None:
    with state.client("/for-good", origin="http://localhost") as client:
        client.socket.send("x" * 5001)
        assert client.close_code() == 1009
    with state.client("/for-good") as program:
        _send(program, {"events": [program.change("text", "text", "x" * 6000)]})
        assert program.close_code() == 1009


def test_message_that_breaks_the_protocol_ends_the_connection(state: Inside, caplog: pytest.LogCaptureFixture) -> None:
    with state.client("/app", origin="http://localhost") as client:
        client.socket.send("no JSON")
        assert client.close_code() == 1002
    (line,) = [text for text in caplog.messages if "closing the connection" in text]
    assert "closing the connection from 127.0.0.1: it broke the protocol: " in line


def test_fault_of_the_server_ends_the_connection_and_is_logged_as_one(
    state: Inside, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*anything: object) -> None:
        raise LookupError("ours")

    with state.client("/app", origin="http://localhost") as client:
        monkeypatch.setattr(state.server.state.runtimes[0], "receive", fault)
        client.send("SERVER-INFO-REQ")
        assert client.close_code() == 1011
    assert any("a message could not be handled; this is a fault of the server" in text for text in caplog.messages)


def test_root_that_is_pushed_again_goes_by_even_if_it_is_too_large(state: Inside) -> None:
    with state.client("/app", origin="http://localhost") as client:
        root = client.ident("slider")
        parts: list[Any] = [{"msgid": "big", "msgtype": "PATCH-DOC"}, {}]
        event = {"kind": "RootAdded", "model": {"type": "object", "name": "Slider", "id": root, "x": "y" * 6000}}
        for part in (*parts, {"events": [event]}):
            client.socket.send(json.dumps(part, separators=(",", ":")))  # as browsers write it
        assert client.receive().reqid == "big"
        assert client.set("slider", "value", 2).msgtype == "OK"


@pytest.mark.parametrize(
    ("error", "fields"),
    [
        (PeerError("it came twice"), "it broke the protocol: it came twice"),
        (
            PeerError("too many parts", close_code=1009),
            "too many parts. To accept larger messages, such as uploads, raise --websocket-max-message-size",
        ),
        (
            TooLargeError(5000, 6000, whole=True),
            "a message of 6,000 bytes is larger than 5,000 bytes. To accept larger messages, such as uploads, raise"
            " --websocket-max-message-size",
        ),
    ],
)
def test_log_says_what_a_client_did_and_how_that_is_allowed(error: PeerError, fields: str) -> None:
    assert _closing_reason(error) == fields


# A client that comes and goes


def test_client_that_has_gone_is_noticed(state: Inside) -> None:
    token = state.token("/app")
    ident = state.server.state.policy.read_token(token).session_id
    session = state.server.state.runtimes[0].registry.get(ident)
    assert session is not None
    with state.client("/app", token, origin="http://localhost") as client:
        assert session.connection_count == 1
        client.cut()
    until(lambda: state.call(lambda: session.connection_count) == 0)
    assert not state.server.state.process.wires


@pytest.mark.parametrize("asks", [False, True])
def test_client_that_does_not_ask_for_its_document_is_helped_in_rounds_until_it_does(asks: bool) -> None:
    came_s: list[int] = []
    ours, theirs = socket.socketpair()
    with ours, theirs, staged(fill) as stage:
        ours.setblocking(False)
        stage.session.expect_returning_page()
        client = Client(stage.runtime, "192.0.2.1", from_browser=True)
        process = SimpleNamespace(wires=set())
        state = SimpleNamespace(policy=SimpleNamespace(wire_limits=WireLimits(5000, 5000)), process=process)

        async def begin() -> None:
            client.open(RawSocket(IOStream(ours)), stage.session, state)  # type: ignore[arg-type]

        def came() -> None:
            theirs.recv(100_000)
            came_s.append(round(stage.loop.time()))
            if asks and came_s[-1] == 8:
                client.connection.asked = True

        stage.loop.add_reader(theirs, came)
        stage.loop.run_until_complete(begin())
        stage.loop.run_for(600)
        stage.loop.remove_reader(theirs)
        assert state.process.wires == {client.wire}
        client.wire.abort()
        assert not state.process.wires
    assert sorted(set(came_s))[1:] == [2**number for number in range(4 if asks else 8)]


@pytest.mark.parametrize(("page_age_s", "after_s"), [(-1000, 30), (0, 30), (5, 25), (29.5, 1), (30, 1), (1000, 1)])
def test_page_that_has_just_been_made_has_time_to_load_before_it_is_helped(page_age_s: float, after_s: float) -> None:
    assert realign_after_s(page_age_s) == after_s
