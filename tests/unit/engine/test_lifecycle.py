"""How sessions end: by themselves, and with their application."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from app_server.engine.local import LocalRuntime
from app_server.session.session import Session
from tests.support.clock import SkippingLoop
from tests.support.servers.stage import Line
from tests.unit.engine.making import Door, Observer, runtime_of


def test_session_ends_once(loop: SkippingLoop) -> None:
    observer = Observer()
    runtime = runtime_of(loop, observer=observer)
    session = loop.run_until_complete(runtime.session("one", None, {}))

    async def twice() -> None:
        await asyncio.gather(runtime.end(session), runtime.end(session))

    loop.run_until_complete(twice())
    assert observer.seen == [("begun", session), ("ended", session)]
    assert runtime.gauges.ended == 1 and session.destroyed


def test_session_ends_for_its_clients_although_its_farewell_fails(loop: SkippingLoop) -> None:
    class Failing(LocalRuntime):
        async def _say_goodbye(self, session: Session) -> None:
            await super()._say_goodbye(session)
            raise ValueError("oops")

    observer = Observer()
    runtime = runtime_of(loop, kind=Failing, observer=observer)
    session = loop.run_until_complete(runtime.session("one", None, {}))
    door = Door(SimpleNamespace(loop=loop, runtime=runtime, session=session))  # type: ignore[arg-type]
    runtime.connect(session, door.connection, door)
    with pytest.raises(ValueError, match="oops"):
        loop.run_until_complete(runtime.end(session))
    assert door.said == ["1001 the session has ended"] and session.destroyed
    assert observer.seen == [("begun", session), ("ended", session)]


def test_unused_sessions_end_after_their_lifetime(loop: SkippingLoop) -> None:
    ended: list[tuple[str, float]] = []
    runtime = runtime_of(loop, on_session_destroyed=lambda context: ended.append((context.id, round(loop.time()))))
    loop.run_until_complete(runtime.start())
    sessions = {
        name: loop.run_until_complete(runtime.session(name, None, {}))
        for name in ("unused", "blocked", "asked", "used")
    }
    sessions["blocked"].block_expiration()
    sessions["asked"].request_expiration()
    stage = SimpleNamespace(loop=loop, runtime=runtime, session=sessions["used"])
    line = Line(stage, 1e9)  # type: ignore[arg-type]
    runtime.connect(sessions["used"], line.connection, line)
    loop.run_for(20)
    assert ended == [("asked", 1), ("unused", 11)]
    runtime.disconnect(sessions["used"], line.connection)
    sessions["blocked"].unblock_expiration()
    loop.run_for(12)
    assert sorted(ended[2:]) == [("blocked", 21), ("used", 31)]
    assert len(runtime.registry) == 0


def test_stop_ends_all_sessions_beside_each_other_before_the_application_is_unloaded(loop: SkippingLoop) -> None:
    order: list[str] = []

    async def destroyed(context: Any) -> None:
        await asyncio.sleep(1)
        order.append(context.id)

    runtime = runtime_of(
        loop, on_session_destroyed=destroyed, on_server_unloaded=lambda context: order.append("unloaded")
    )
    loop.run_until_complete(runtime.start())
    for name in ("one", "two"):
        loop.run_until_complete(runtime.session(name, None, {}))
    stage = SimpleNamespace(loop=loop, runtime=runtime, session=runtime.registry.get("one"))
    door = Door(stage)  # type: ignore[arg-type]
    runtime.connect(stage.session, door.connection, door)
    loop.run_until_complete(runtime.stop(1012))
    assert order == ["one", "two", "unloaded"] and loop.time() == pytest.approx(1)
    assert door.said == ["1012 the server is going away"]
