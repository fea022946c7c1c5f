"""Requests whose bodies are too large, too slow or cut off, and clients that vanish."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from app_server.asgi import AuthPolicy, BokehASGI
from app_server.asgi.scope import Event
from tests.support.waiting import patience, until_soon
from tests.unit.asgi.making import Driven, Socket, asked, scope_of
from tests.unit.following import fill


@pytest_asyncio.fixture
async def form(tmp_path: Path) -> AsyncIterator[BokehASGI]:
    """An application with a login, whose form may have 64 KiB."""
    users = tmp_path / "users"
    users.touch(0o600)
    app = BokehASGI({"/app": fill}, basic_auth=str(users), cookie_secret="s" * 40, request_timeout_s=0.05)
    async with app.lifespan():
        yield app


def part(body: bytes, *, more: bool) -> Event:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_body_comes_in_parts(form: BokehASGI) -> None:
    scope = scope_of("/login", method="POST", headers={"content-type": "application/x-www-form-urlencoded"})
    driven = Driven(form, scope, part(b"user=ann&", more=True), part(b"", more=True), part(b"password=b", more=False))
    await driven.task
    assert driven.status in (400, 403), "the form's own cookie is missing"


async def test_body_that_is_too_large_is_refused_before_its_end(
    form: BokehASGI, caplog: pytest.LogCaptureFixture
) -> None:
    driven = Driven(form, scope_of("/login", method="POST"), part(b"x" * 65537, more=True))
    await driven.task
    assert driven.status == 413 and "The request is too large" in driven.text
    assert caplog.messages == ["413 POST /login: a body may have 65536 bytes there"]
    process = form._lifespan._server.state.process  # type: ignore[union-attr]
    assert process.gauges.answers["4xx"] == 1


async def test_body_that_stalls_is_refused(form: BokehASGI) -> None:
    driven = Driven(form, scope_of("/login", method="POST"), part(b"x", more=True))
    await driven.task
    assert driven.status == 408


async def test_client_that_leaves_within_its_body_gets_nothing(form: BokehASGI) -> None:
    driven = Driven(form, scope_of("/login", method="POST"), part(b"x", more=True), {"type": "http.disconnect"})
    await driven.task
    assert driven.sent == []


async def test_malformed_request_is_refused(form: BokehASGI) -> None:
    assert (await asked(form, "/app", headers={"host": "two,hosts"})).status == 400


class Held:
    """Begins to make a session, and goes on when the test says so."""

    def __init__(self) -> None:
        self.begun, self.going_on = asyncio.Event(), asyncio.Event()

    def initialize_document(self, doc: Any) -> None:
        fill(doc)

    async def on_session_created(self, session_context: Any) -> None:
        self.begun.set()
        await self.going_on.wait()


async def test_client_that_leaves_before_the_answer_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    builder = Held()
    app = BokehASGI({"/app": builder})
    async with app.lifespan():
        driven = Driven(app, scope_of("/app"), part(b"", more=False))
        await builder.begun.wait()
        driven.events.put_nowait({"type": "http.disconnect"})
        await driven.task
        builder.going_on.set()
        await until_soon(lambda: bool(app.get_sessions()))
        process = app._lifespan._server.state.process  # type: ignore[union-attr]
        await until_soon(lambda: not process.answers)
    assert driven.sent == []
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_request_that_the_server_gives_up_leaves_nothing_behind() -> None:
    begun, going_on = asyncio.Event(), asyncio.Event()

    async def authenticate(request: Any) -> str:
        begun.set()
        await going_on.wait()
        return "ann"

    app = BokehASGI({"/app": fill}, auth_policy=AuthPolicy(authenticate))
    async with app.lifespan():
        going_on.set()
        token = (await asked(app, "/app")).token
        going_on.clear()
        begun.clear()
        socket = Socket(app, "/app/ws", token)
        await begun.wait()
        socket.task.cancel()
        await asyncio.gather(socket.task, return_exceptions=True)
        going_on.set()
        process = app._lifespan._server.state.process  # type: ignore[union-attr]
        await until_soon(lambda: not process.answers)
        assert socket.sent == [] and not process.wires


async def test_websocket_that_does_not_begin_as_one_is_left() -> None:
    app = BokehASGI({"/app": fill})
    async with app.lifespan():
        driven = Driven(app, scope_of("/app/ws", "websocket"), {"type": "websocket.disconnect"})
        await driven.task
        assert driven.sent == []


async def test_client_that_leaves_while_its_session_is_built_is_let_go() -> None:
    builder = Held()
    app = BokehASGI({"/app": builder}, unused_session_lifetime_ms=1, check_unused_sessions_ms=10)
    async with app.lifespan():
        builder.going_on.set()
        token = (await asked(app, "/app")).token
        await until_soon(lambda: not app.get_sessions())
        builder.begun.clear()
        builder.going_on.clear()
        socket = Socket(app, "/app/ws", token)
        await builder.begun.wait()
        socket.leave()
        await until_soon(socket.task.done)
        builder.going_on.set()
        await until_soon(lambda: not app.get_sessions() and not app._lifespan._server.state.process.wires)  # type: ignore[union-attr]


async def test_middleware_may_give_the_body_again_without_end() -> None:
    app = BokehASGI({"/app": fill})
    sent: list[Event] = []

    async def receive() -> Event:
        return part(b"", more=False)

    async def send(event: Event) -> None:
        sent.append(event)

    async with app.lifespan():
        async with asyncio.timeout(patience(10)):
            await app(scope_of("/app"), receive, send)
    assert sent[0]["status"] == 200 and not sent[-1]["more_body"]


@pytest.mark.parametrize("how", ["raises", "hangs", "is given up"])
async def test_client_that_vanishes_while_its_websocket_opens_leaves_no_connection(how: str) -> None:
    app = BokehASGI({"/app": fill}, idle_timeout_s=0.05 if how == "hangs" else 20)
    accepting = asyncio.Event()

    async def send(event: Event) -> None:
        assert event["type"] == "websocket.accept"
        accepting.set()
        if how == "raises":
            raise OSError("the client went away")
        await asyncio.get_running_loop().create_future()

    async with app.lifespan():
        scope = scope_of("/app/ws", "websocket", subprotocols=["bokeh", (await asked(app, "/app")).token])
        events: asyncio.Queue[Event] = asyncio.Queue()
        events.put_nowait({"type": "websocket.connect"})
        call = asyncio.ensure_future(app(scope, events.get, send))
        await accepting.wait()
        (session,) = app.get_sessions()
        process = app._lifespan._server.state.process  # type: ignore[union-attr]
        if how == "is given up":
            await until_soon(lambda: process.wires)
            call.cancel()
        await asyncio.wait({call})
        await asyncio.sleep(0)
        assert not process.wires and session.connection_count == 0
