"""Start and stop: by the lifespan protocol, by a framework, by the first request, and in the loop's last moments."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from app_server.asgi import BokehASGI
from app_server.asgi.scope import Event
from tests.support.waiting import until_soon
from tests.unit.asgi.making import Driven, Socket, asked
from tests.unit.following import fill


class Builder:
    """Keeps a diary of its hooks."""

    def __init__(self, fails: bool = False) -> None:
        self.diary: list[str] = []
        self.fails = fails

    def initialize_document(self, doc: Any) -> None:
        fill(doc)

    def on_server_loaded(self, server_context: Any) -> None:
        self.diary.append("loaded")

    def on_server_unloaded(self, server_context: Any) -> None:
        self.diary.append("unloaded")

    async def on_session_destroyed(self, session_context: Any) -> None:
        self.diary.append("destroyed")


def lifespan(app: Any) -> Driven:
    return Driven(app, {"type": "lifespan", "asgi": {}}, {"type": "lifespan.startup"})


async def test_lifespan_starts_and_stops() -> None:
    builder = Builder()
    app = BokehASGI({"/app": builder})
    for _ in range(2):
        life = lifespan(app)
        await until_soon(lambda life=life: life.sent)  # type: ignore[misc]
        assert life.sent == [{"type": "lifespan.startup.complete"}]
        assert builder.diary == ["loaded"]
        await asked(app, "/app")
        life.events.put_nowait({"type": "lifespan.shutdown"})
        await life.task
        assert life.sent[-1] == {"type": "lifespan.shutdown.complete"}
        assert builder.diary == ["loaded", "destroyed", "unloaded"] and app.get_sessions() == []
        builder.diary.clear()


async def test_start_that_fails_is_said_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    app = BokehASGI({"/app": fill}, store="redis://127.0.0.1:1")
    life = lifespan(app)
    await life.task
    (failed,) = life.sent
    assert failed["type"] == "lifespan.startup.failed" and failed["message"].startswith("app-server: ")


async def test_lifespans_may_overlap() -> None:
    builder = Builder()
    app = BokehASGI({"/app": builder})
    async with app.lifespan(object()):
        life = lifespan(app)
        await until_soon(lambda: life.sent)
        life.events.put_nowait({"type": "lifespan.shutdown"})
        await life.task
        assert builder.diary == ["loaded"], "the other one goes on"
    assert builder.diary == ["loaded", "unloaded"]


async def test_pages_are_sent_elsewhere_at_the_end() -> None:
    app = BokehASGI({"/app": fill}, drain_s=0.01)
    async with app.lifespan():
        socket = Socket(app, "/app/ws", (await asked(app, "/app")).token)
        await socket.document()
    assert (await socket.closed())[0] == 1012
    app = BokehASGI({"/app": fill})
    async with app.lifespan():
        socket = Socket(app, "/app/ws", (await asked(app, "/app")).token)
        await socket.document()
    assert (await socket.closed())[0] == 1001


def test_loop_that_ends_runs_the_hooks_without_a_lifespan() -> None:
    builder = Builder()
    app = BokehASGI({"/app": builder})
    asyncio.run(_visit(app))
    assert builder.diary == ["loaded", "destroyed", "unloaded"]


def test_process_that_ends_runs_the_hooks_of_a_loop_that_has_not(caplog: pytest.LogCaptureFixture) -> None:
    builder = Builder()
    app = BokehASGI({"/app": builder})
    loop = asyncio.new_event_loop()
    loop.run_until_complete(_visit(app))
    assert builder.diary == ["loaded"]
    app._lifespan._at_exit()
    assert builder.diary == ["loaded", "destroyed", "unloaded"]
    app._lifespan._at_exit()
    loop.close()


async def _visit(app: BokehASGI) -> None:
    await asked(app, "/app")


def test_second_loop_is_refused_while_the_first_one_serves() -> None:
    app = BokehASGI({"/app": fill})
    loop = asyncio.new_event_loop()
    loop.run_until_complete(app._lifespan.enter())
    with pytest.raises(RuntimeError, match="serves in another event loop"):
        asyncio.run(_visit(app))
    loop.run_until_complete(app._lifespan.leave())
    loop.close()


async def test_end_that_hangs_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    class Hanging(Builder):
        async def on_session_destroyed(self, session_context: Any) -> None:
            await asyncio.Event().wait()

    app = BokehASGI({"/app": Hanging()}, drain_deadline_s=0.05)
    with caplog.at_level(logging.ERROR):
        async with app.lifespan():
            await asked(app, "/app")
    assert "Not everything ended within 0.05 s; stopping anyway" in caplog.messages


async def test_shutdown_without_a_startup_stops_nothing() -> None:
    app = BokehASGI({"/app": fill})
    events: list[Event] = [{"type": "lifespan.shutdown"}]
    life = Driven(app, {"type": "lifespan"}, *events)
    await life.task
    assert life.sent == [{"type": "lifespan.shutdown.complete"}]
