"""A connection to servers that do not do what they should."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from app_server.client.address import parse_address
from app_server.client.errors import CannotConnect, ClientError, ConnectionLost, ProtocolViolation, Refused
from app_server.client.link import open_link
from app_server.client.opening import Identity, Opening, Signer
from app_server.protocol import codec
from app_server.protocol.websocket import TEXT, close_payload, masked_frame
from tests.support.ports import free_port
from tests.support.waiting import patience

Behaviour = Callable[[ServerConnection], Awaitable[Any]]


def message(msgtype: str, **content: object) -> list[str]:
    return [json.dumps({"msgid": "1", "msgtype": msgtype}), "{}", json.dumps(content)]


async def greet(connection: ServerConnection) -> None:
    for frame in message("ACK"):
        await connection.send(frame)


def opening(port: int, **options: Any) -> Opening:
    options.setdefault("timeout_s", 5.0)
    return Opening(parse_address(f"http://localhost:{port}/app"), Identity("abc", Signer()), **options)


@asynccontextmanager
async def fake_server(behave: Behaviour, **options: Any) -> AsyncIterator[int]:
    """A server that does this on every connection; its port."""
    port = free_port()
    async with serve(behave, "localhost", port, subprotocols=["bokeh"], compression=None, **options):  # type: ignore[list-item]
        yield port


async def refusal(behave: Behaviour, kind: type[ClientError], **options: Any) -> tuple[ClientError, str]:
    """The error that opening a link to such a server ends with, and its text with the port taken out."""
    link_options = {name: options.pop(name) for name in ("timeout_s", "max_message_bytes") if name in options}
    async with fake_server(behave, **options) as port:
        with pytest.raises(kind) as refused:
            await open_link(opening(port, **link_options))
    return refused.value, str(refused.value).replace(str(port), "PORT")


async def test_request_carries_subprotocol_token_headers_and_arguments() -> None:
    seen: dict[str, Any] = {}

    async def behave(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.update({name.lower(): value for name, value in connection.request.headers.raw_items()})
        seen["path"] = connection.request.path
        await greet(connection)
        await connection.wait_closed()

    async with fake_server(behave) as port:
        address = parse_address(f"http://localhost:{port}/app", {"N": "10"})
        link = await open_link(Opening(address, Identity("abc", Signer(), "to.ken"), {"Cookie": "a=1"}))
        link.abort()
    assert seen["path"] == "/app/ws?N=10"
    assert [word.strip() for word in seen["sec-websocket-protocol"].split(",")] == ["bokeh", "to.ken"]
    assert seen["cookie"] == "a=1"
    assert "origin" not in seen


async def test_what_was_sent_before_the_end_arrives_and_the_end_has_its_reason() -> None:
    seen: list[Any] = []

    async def behave(connection: ServerConnection) -> None:
        await greet(connection)
        try:
            while True:
                seen.append(await connection.recv())
        except ConnectionClosed as closed:
            assert closed.rcvd is not None
            seen.append((closed.rcvd.code, closed.rcvd.reason))

    async with fake_server(behave) as port:
        link = await open_link(opening(port))
        reading = asyncio.create_task(link.receive())
        link.send(codec.encode("PATCH-DOC", b'{"events":[]}', buffers=[("b0", memoryview(b"\0\1"))]))
        await link.close(1000, "done")
        with pytest.raises(ConnectionLost):
            await reading
    assert json.loads(seen[0])["num_buffers"] == 1
    assert seen[1:] == ["{}", '{"events":[]}', '{"id":"b0"}', b"\0\1", (1000, "done")]


async def test_no_server_is_an_error_that_says_how_to_start_one() -> None:
    port = free_port()
    with pytest.raises(CannotConnect) as refused:
        await open_link(opening(port))
    assert str(refused.value).startswith(f"http://localhost:{port}/app: no server answers: ")
    assert str(refused.value).endswith(". Start one with `app-server serve`, or check the address.")
    assert isinstance(refused.value, OSError), "programs written for bokeh.client catch this"


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (HTTPStatus.FORBIDDEN, "If sessions are signed,"),
        (HTTPStatus.NOT_FOUND, "Check the application's path;"),
        (HTTPStatus.FOUND, "The page may require a login,"),
        (HTTPStatus.BAD_GATEWAY, "The proxy at this address cannot reach a server"),
    ],
)
async def test_refusal_has_its_status_and_a_hint(status: HTTPStatus, hint: str) -> None:
    error, text = await refusal(
        greet, Refused, process_request=lambda connection, request: connection.respond(status, "no")
    )
    assert isinstance(error, Refused) and error.status == status
    start = f"http://localhost:PORT/app: the server refused the session with {status.value} {status.phrase}. {hint}"
    assert text.startswith(start)


async def test_page_that_is_no_socket_is_refused() -> None:
    _, text = await refusal(
        greet, Refused, process_request=lambda connection, request: connection.respond(HTTPStatus.OK, "hello")
    )
    assert text.startswith("http://localhost:PORT/app: the answer is not from a server for Bokeh applications: ")


async def test_close_before_the_greeting_is_a_refusal() -> None:
    error, text = await refusal(lambda connection: connection.close(1008, "bad token"), Refused)
    assert isinstance(error, Refused) and (error.status, error.close_code) == (None, 1008)
    assert text == (
        "http://localhost:PORT/app: the server closed the connection (1008 bad token)."
        " The token was not accepted: is BOKEH_SECRET_KEY the server's, and are the clocks right?"
    )


async def test_server_that_does_not_greet_is_given_up() -> None:
    _, text = await refusal(lambda connection: connection.wait_closed(), CannotConnect, timeout_s=0.2)
    assert text.startswith("http://localhost:PORT/app: no greeting within 0.2 s. ")


async def test_server_that_begins_otherwise_is_left() -> None:
    async def behave(connection: ServerConnection) -> None:
        for frame in message("OK"):
            await connection.send(frame)
        await connection.wait_closed()

    _, text = await refusal(behave, ProtocolViolation)
    assert text == "http://localhost:PORT/app: the server began with OK rather than ACK"


@pytest.mark.parametrize(
    ("frame", "what"),
    [
        ("nonsense", "the header of a message is not JSON"),
        (b"\0", "expected the header of a message, got another kind of frame"),
        ('{"msgid":"1","msgtype":"HELLO"}', "unknown message type 'HELLO'"),
    ],
)
async def test_broken_protocol_ends_the_connection_with_its_reason(frame: str | bytes, what: str) -> None:
    ended: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def behave(connection: ServerConnection) -> None:
        await greet(connection)
        await connection.send(frame)
        await connection.wait_closed()
        ended.set_result((connection.close_code, connection.close_reason))

    async with fake_server(behave) as port:
        link = await open_link(opening(port))
        with pytest.raises(ProtocolViolation, match=f"the server broke the protocol: {what}"):
            await link.receive()
        link.abort()
        assert await asyncio.wait_for(ended, 5) == (1002, what)


async def test_connection_that_is_cut_is_lost_without_a_code() -> None:
    async def behave(connection: ServerConnection) -> None:
        await greet(connection)
        await connection.send('{"msgid":')
        connection.transport.abort()

    async with fake_server(behave) as port:
        link = await open_link(opening(port))
        with pytest.raises((ConnectionLost, ProtocolViolation)):
            await link.receive()
        with pytest.raises(ConnectionLost) as lost:
            await link.receive()
        await link.close()
    assert lost.value.close_code is None
    assert lost.value.what == "the connection was lost"


async def test_message_above_the_limit_ends_the_connection() -> None:
    ended: list[int | None] = []

    async def behave(connection: ServerConnection) -> None:
        await greet(connection)
        for frame in message("PULL-DOC-REPLY", doc="x" * 5000):
            await connection.send(frame)
        await connection.wait_closed()
        ended.append(connection.close_code)

    async with fake_server(behave) as port:
        link = await open_link(opening(port, max_message_bytes=1000))
        with pytest.raises(ConnectionLost, match="max_message_size of 1000 bytes") as lost:
            await link.receive()
        await link.hang_up()
    assert lost.value.what == "the server sent a message above this end's max_message_size of 1000 bytes"
    assert ended == [1009]


async def test_server_that_does_not_say_goodbye_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app_server.client.link._CLOSE_PATIENCE_S", 0.1)

    async def behave(connection: ServerConnection) -> None:
        await greet(connection)
        connection.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(2)

    async with fake_server(behave, close_timeout=0.1) as port:
        link = await open_link(opening(port))
        reading = asyncio.create_task(link.receive())
        async with asyncio.timeout(patience(1)):
            await link.close()
        with pytest.raises(ConnectionLost):
            await reading


async def test_masked_frame_breaks_the_protocol() -> None:
    async def behave(connection: ServerConnection) -> None:
        await greet(connection)
        connection.transport.write(masked_frame(TEXT, b"{}", b"mask"))
        await connection.wait_closed()

    async with fake_server(behave) as port:
        link = await open_link(opening(port))
        with pytest.raises(ProtocolViolation, match="the server broke the protocol: a server's frame is masked"):
            await link.receive()
        await link.hang_up(1002)


async def test_ping_is_answered_and_parts_of_a_message_are_joined() -> None:
    answered: list[bool] = []

    async def behave(connection: ServerConnection) -> None:
        await greet(connection)
        header, metadata, content = message("OK")
        await connection.send([header[:5], header[5:]])
        pong = await connection.ping()
        await connection.send(metadata)
        await connection.send(content)
        await pong
        answered.append(True)
        await connection.wait_closed()

    async with fake_server(behave) as port:
        link = await open_link(opening(port))
        assert (await link.receive()).msgtype == "OK"
        reading = asyncio.create_task(link.receive())
        await link.close()
        with pytest.raises(ConnectionLost):
            await reading
    assert answered == [True]


async def test_what_follows_a_close_frame_is_not_read() -> None:
    async def behave(connection: ServerConnection) -> None:
        await greet(connection)
        close = Frame(Opcode.CLOSE, close_payload(1012, "restart")).serialize(mask=False, extensions=[])
        connection.transport.write(close + b"".join(
            Frame(Opcode.TEXT, part.encode()).serialize(mask=False, extensions=[]) for part in message("OK")
        ))  # fmt: skip
        await connection.wait_closed()

    async with fake_server(behave) as port:
        link = await open_link(opening(port))
        for _ in range(2):
            with pytest.raises(ConnectionLost) as lost:
                await link.receive()
            assert (lost.value.close_code, lost.value.what) == (1012, "the server closed the connection (1012 restart)")
        await link.close()


async def test_frames_after_a_violation_are_dropped() -> None:
    async def behave(connection: ServerConnection) -> None:
        await greet(connection)
        for frame in ("nonsense", *message("OK"), *message("OK")):
            await connection.send(frame)
        await connection.wait_closed()

    async with fake_server(behave) as port:
        link = await open_link(opening(port))
        with pytest.raises(ProtocolViolation):
            await link.receive()
        with pytest.raises(ConnectionLost, match="the connection was lost"):
            await link.receive()
        await link.close()
