"""An application beside another one that does not mount it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app_server.asgi import BokehASGI
from app_server.asgi.scope import Event, Receive, Scope, Send
from app_server.errors import OperatorError
from tests.support.waiting import until_soon
from tests.unit.asgi.making import Driven, Socket, asked, scope_of
from tests.unit.following import fill


class Other:
    """Notes what it is asked; it knows lifespans if `lives` is not None, and then that is its answer."""

    def __init__(self, lives: str | None = "lifespan.startup.complete") -> None:
        self.lives = lives
        self.diary: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            self.diary.append(f"{scope['type']} {scope['path']}")
            return
        if self.lives is None:
            raise ValueError("only HTTP")
        self.diary.append((await receive())["type"])
        await send({"type": self.lives})
        self.diary.append((await receive())["type"])
        await send({"type": "lifespan.shutdown.complete"})


Django = type("ASGIHandler", (Other,), {"__module__": "django.core.handlers.asgi"})


def test_prefix_is_needed() -> None:
    with pytest.raises(OperatorError) as caught:
        BokehASGI(fill).beside(Other())
    assert str(caught.value) == (
        "beside: without a prefix nothing is left to the other application. Give a prefix, such as"
        ' BokehASGI(…, prefix="/bokeh").'
    )


async def test_what_is_below_the_prefix_is_ours() -> None:
    other = Other()
    bokeh = BokehASGI({"/app": fill}, prefix="/bokeh")
    app = bokeh.beside(other)
    async with bokeh.lifespan():
        page = await asked(app, "/bokeh/app")
        assert page.status == 200
        assert (await asked(app, "/root/bokeh/app", root_path="/root", raw_path=b"")).status == 200
        socket = Socket(app, "/bokeh/app/ws", page.token)
        await socket.document()
        socket.leave()
        assert (await asked(app, "/bokeh")).headers["location"] == "/bokeh/app"
        await Driven(app, scope_of("/bokehx")).task
        await Driven(app, scope_of("/chat", "websocket")).task
    assert other.diary == ["http /bokehx", "websocket /chat"]


async def test_django_gets_no_websockets() -> None:
    django = Django()
    app = BokehASGI({"/app": fill}, prefix="/bokeh").beside(django)
    socket = Driven(app, scope_of("/chat", "websocket"), {"type": "websocket.connect"})
    await socket.task
    assert socket.sent == [{"type": "websocket.close", "code": 1008, "reason": "no application answers there"}]
    assert django.diary == []


async def lived(app: Any) -> list[Event]:
    life = Driven(app, {"type": "lifespan"}, {"type": "lifespan.startup"})
    await until_soon(lambda: life.sent)
    life.events.put_nowait({"type": "lifespan.shutdown"})
    async with asyncio.timeout(10):
        await life.task
    return life.sent


@pytest.mark.parametrize(
    ("lives", "diary"), [("lifespan.startup.complete", ["lifespan.startup", "lifespan.shutdown"]), (None, [])]
)
async def test_both_live(lives: str | None, diary: list[str]) -> None:
    other = Other(lives)
    sent = await lived(BokehASGI({"/app": fill}, prefix="/bokeh").beside(other))
    assert [event["type"] for event in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert other.diary == diary


async def test_other_that_cannot_start_starts_nothing() -> None:
    app = BokehASGI({"/app": fill}, prefix="/bokeh").beside(Other("lifespan.startup.failed"))
    assert [event["type"] for event in await lived(app)] == ["lifespan.startup.failed"]


async def test_other_stops_if_ours_cannot_start() -> None:
    other = Other()
    app = BokehASGI({"/app": fill}, prefix="/bokeh", store="redis://127.0.0.1:1").beside(other)
    assert [event["type"] for event in await lived(app)] == ["lifespan.startup.failed"]
    assert other.diary == ["lifespan.startup", "lifespan.shutdown"]
