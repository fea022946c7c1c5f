"""What the tests of the engine share: runtimes without a server, turns that note themselves, a client that does too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from bokeh.models import Slider

from app_server.engine.lifecycle import UNOBSERVED, Lifetimes, SessionObserver
from app_server.engine.local import LocalRuntime
from app_server.engine.loop import EngineLoop
from app_server.engine.runtime import ApplicationRuntime
from app_server.security.admission import Admission
from app_server.session.limits import MessageLimits
from app_server.session.session import Session
from tests.support.clock import SkippingLoop
from tests.support.servers.stage import Hooked, Line, Stage


def fill(document: Any) -> None:
    """A slider."""
    document.add_root(Slider(name="slider", start=0, end=1000, value=0))


def noting(order: list[str], name: str) -> Callable[[], list[Any]]:
    """A turn that notes that it was taken."""

    def turn() -> list[Any]:
        order.append(name)
        return []

    return turn


def holding(stage: Stage, order: list[str], name: str = "hold", holds_s: float = 1.0) -> Callable[[], list[Any]]:
    """A turn whose callback holds the document for a while."""

    async def hold() -> None:
        order.append(f"{name} begins")
        await asyncio.sleep(holds_s)
        order.append(f"{name} ends")

    return lambda: stage.session.turn(hold, name)


class Door(Line):
    """A client that notes whether it is read from."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage, 1e9)
        self.said: list[str] = []

    def pause(self) -> None:
        self.said.append("pause")

    def resume(self) -> None:
        self.said.append("resume")

    def close(self, code: int, reason: str = "") -> None:
        self.said.append(f"{code} {reason}")


class Observer:
    """Notes the sessions that begin and end, and how often one fails."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Session]] = []
        self.failures = 0

    def begun(self, session: Session) -> None:
        self.seen.append(("begun", session))

    def failed(self) -> None:
        self.failures += 1

    def ended(self, session: Session) -> None:
        self.seen.append(("ended", session))


def runtime_of(
    loop: SkippingLoop,
    build: Callable[[Any], Any] = fill,
    admission: Admission | None = None,
    kind: Callable[..., ApplicationRuntime] = LocalRuntime,
    observer: SessionObserver = UNOBSERVED,
    **hooks: Any,
) -> Any:
    """The application's runtime, which looks for unused sessions each second and lets them live for ten."""
    application = Hooked(build, **hooks)
    limits, lifetimes = MessageLimits(1_000_000), Lifetimes(10, 1)
    return kind(application, "/app", limits, lifetimes, EngineLoop(loop), admission=admission, observer=observer)
