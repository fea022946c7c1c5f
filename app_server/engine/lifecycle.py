"""The living sessions of one application: how they are found, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from app_server.engine.delivery import Delivery
from app_server.engine.loop import EngineLoop
from app_server.engine.turns.queue import MakeSession, TurnQueue
from app_server.engine.turns.traced import traced
from app_server.observe.gauges import ApplicationGauges
from app_server.observe.otel.tracing import SessionTrace
from app_server.security.admission import Admission
from app_server.session.connection import Connection
from app_server.session.effects import Await
from app_server.session.naming import LogName
from app_server.session.registry import Registry
from app_server.session.session import Session


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long a session lives without a client, and how often that is checked."""

    unused_s: float
    check_s: float


class SessionObserver(Protocol):
    """What wants to know of the sessions of an application."""

    def begun(self, session: Session) -> None:
        """A session was built."""

    def failed(self) -> None:
        """A session's code raised the exception that is at hand."""

    def ended(self, session: Session) -> None:
        """A session has ended."""


class _Unobserved:
    """The observer of an application if nothing else wants to know of its sessions."""

    def begun(self, session: Session) -> None: ...

    def failed(self) -> None: ...

    def ended(self, session: Session) -> None: ...


UNOBSERVED: SessionObserver = _Unobserved()


class Lifecycle:
    """The sessions of one application that live in this process, each with the queue of its turns."""

    def __init__(
        self,
        url: str,
        loop: EngineLoop,
        delivery: Delivery,
        gauges: ApplicationGauges,
        admission: Admission,
        lifetimes: Lifetimes,
        observer: SessionObserver,
        farewell: Callable[[Session], Awaitable[None]],
        turns: type[TurnQueue] = TurnQueue,
    ) -> None:
        self.registry = Registry()
        self.observer = observer
        self._url = url
        self._name = LogName(url, application=url)
        self._loop = loop
        self._delivery = delivery
        self._gauges = gauges
        self._admission = admission
        self._lifetimes = lifetimes
        self._farewell = farewell
        self._turns = turns
        self.queues: dict[str, TurnQueue] = {}
        """The turns of each session that has not ended, by its id."""
        self.stopping = False
        """Whether no session may begin any more."""
        self._endings: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.Task[None] | None = None

    def observe(self, observer: SessionObserver) -> None:
        """Notify this observer from now on."""
        self.observer = observer

    def start(self) -> None:
        """Begin to look for unused sessions."""
        self._sweeper = self._loop.asyncio.create_task(self._sweep())

    def begin_stop(self) -> None:
        """Let no more sessions begin: those that are being built are taken back, and their pages go elsewhere."""
        self.stopping = True

    async def stop(self) -> None:
        """End all sessions, beside each other."""
        self.begin_stop()
        if self._sweeper is not None:
            self._sweeper.cancel()
        for session in self.registry:
            self.begin_end(session)
        while self._endings:
            await asyncio.wait(self._endings)

    def open(self, session_id: str, make_session: MakeSession, trace: SessionTrace | None = None) -> TurnQueue:
        """A session and its queue; it is not in the registry yet. With `trace`, its turns are spans."""
        parts = self._name, self._loop, self._delivery, self._gauges, make_session, self.observer.failed
        queue = self._turns(*parts) if trace is None else traced(self._turns)(trace, *parts)
        self.queues[session_id] = queue
        return queue

    def discard(self, session_id: str) -> None:
        """Take back what `open` has made: no client could have the session."""
        self.queues.pop(session_id).stop()

    def connect(self, session: Session, connection: Connection) -> None:
        """A client has come."""
        self.queues[session.id].submit(partial(session.join, connection))

    def begin_end(self, session: Session) -> None:
        """End a session in a task of its own: a hook that takes its time, or never returns, holds up no other."""
        ending = self._loop.asyncio.create_task(self.end(session))
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)

    async def end(self, session: Session) -> None:
        """End a session: its hooks run, its connections are closed, its memory is free."""
        if not self.registry.remove(session):
            return
        self._admission.leave((self._url, session.id))
        self._gauges.ended += 1
        queue = self.queues.pop(session.id)
        queue.stop()
        session.begin_end()
        try:
            await self._farewell(session)
        finally:  # a page whose connection stayed open would be frozen
            queue.stop()  # what the hooks have begun and not awaited
            self._delivery.deliver([effect for effect in session.end() if not isinstance(effect, Await)])
            self.observer.ended(session)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._lifetimes.check_s)
            await self._end_unused()

    async def _end_unused(self) -> None:
        # Not in the loop of `_sweep`, where a name would keep the last session until another one ends.
        for session in self.registry.unused(self._loop.time(), self._lifetimes.unused_s):
            if not session.connections:
                self.begin_end(session)
                # One session in each round of the loop: the living ones do not notice.
                await asyncio.sleep(0)
