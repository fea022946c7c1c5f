"""The turns of one session, one after another, and what is awaited between them.

A turn is taken when no asynchronous callback holds the session's document. Its effects are performed at once: what it
sends leaves in one write for each client, what it must await is awaited, and the next turn begins.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from app_server.document.callbacks import SessionCallback
from app_server.document.current import current_document
from app_server.engine.delivery import Delivery
from app_server.engine.loop import EngineLoop
from app_server.engine.running import Job, Noted
from app_server.engine.turns.inbox import Inbox, Over, Turn
from app_server.engine.turns.locked_calls import LockedCalls
from app_server.engine.turns.paced import PacedCallbacks
from app_server.engine.turns.timers import Timers
from app_server.observe.gauges import ApplicationGauges
from app_server.session.effects import Await, Close, Effect, Send, SessionHost
from app_server.session.limits import FAULTS
from app_server.session.naming import LogName
from app_server.session.session import Session

MakeSession: TypeAlias = Callable[[SessionHost], Session]

clock = time.monotonic  # the one by which a wire says when its client was heard

_BUSY_TURNS = 256
"""How many turns may wait for an asynchronous callback before the session's clients are not read from any more."""


class TurnQueue:
    """A session and its turns; while an asynchronous callback holds the document, they wait."""

    def __init__(
        self,
        application: LogName,
        loop: EngineLoop,
        delivery: Delivery,
        gauges: ApplicationGauges,
        make_session: MakeSession,
        failed: Callable[[], None],
    ) -> None:
        self._application = application
        self._loop = loop
        self._running = loop.running
        self._delivery = delivery
        self._gauges = gauges
        self._waiting: deque[tuple[Turn, str, float | None, Over]] = deque()
        self._paused = False
        """Whether the session's clients are not read from."""
        self._taking = False
        self._flush_asked = False
        self.held = False
        self.failed = failed
        self.tasks: set[asyncio.Task[None]] = set()
        self.inbox = Inbox(self.submit)
        self.paced = PacedCallbacks(self.submit, delivery, lambda: self.session.viewers)
        self.timers = Timers(application, loop, self, self.inbox)
        self.session: Session = make_session(self)
        self.locked_calls = LockedCalls(self.session, self.submit)

    def submit(self, turn: Turn, kind: str = "", heard_s: float | None = None, over: Over = None) -> None:
        """Take this turn now, or as soon as the turns before it are over: first come, first served.

        `kind` says what it is counted as, if the application's code runs in it; `heard_s` when the message came whose
        answer it holds. `over` is called when the turn has ended, together with what it had to await.
        """
        self._waiting.append((turn, kind, heard_s, over))
        if not self.held:
            self._take_turns()
        elif len(self._waiting) == _BUSY_TURNS:
            self._pause()

    def hear(self, turn: Turn, kind: str = "", heard_s: float | None = None, over: Over = None) -> None:
        """Take the turn of a client's message, after those before it and the next-tick callbacks that they add."""
        self.inbox.put(turn, kind, heard_s, over)
        if len(self._waiting) + len(self.inbox.waiting) >= _BUSY_TURNS:
            self._pause()

    def _pause(self) -> None:
        self._paused = True
        self._delivery.pause(self.session.connections)

    def _take_turns(self) -> None:
        if self._taking:
            return  # a turn that is being taken led here; what waits is taken after it
        self._taking = True
        try:
            while self._waiting and not self.held:
                self.take(*self._waiting.popleft())
                if self.inbox.waiting:
                    self.inbox.go_on()
        finally:
            self._taking = False
        if self._paused and not self._waiting and not self.inbox.waiting:
            self._paused = False
            self._delivery.resume(self.session.connections)

    def take(self, turn: Turn, kind: str, heard_s: float | None = None, over: Over = None) -> None:
        """Take this turn now, and note how long it was."""
        began_s = clock()
        awaited = False
        self._running.stack.append(self.session)
        try:
            effects = turn()
            if kind:
                self._gauges.called_back(kind, clock() - began_s)
            awaited = self.perform(effects, over)
        finally:
            self._running.stack.pop()
            if over is not None and not awaited:
                over()
        if heard_s is not None:
            self._gauges.round_trip.note(clock() - heard_s)

    def perform(self, effects: list[Effect], over: Over = None) -> bool:
        """Do what a turn decided; whether something is awaited, after which `over` is called."""
        sends: list[Send | Close] = []
        awaited = False
        for effect in effects:
            if isinstance(effect, Await):
                self._begin(effect, over)
                awaited = True
            else:
                sends.append(effect)
        self._delivery.deliver(sends)
        return awaited

    def _begin(self, effect: Await, over: Over) -> None:
        if effect.locked:
            self.held = True
        task = self._in_document_context(effect, over)
        self.tasks.add(task)
        task.add_done_callback(partial(self._over, effect.awaitable))

    def _over(self, awaitable: Any, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if task.cancelled() and inspect.iscoroutine(awaitable):
            awaitable.close()  # it may not have begun, and Python would complain about that

    def _in_document_context(self, effect: Await, over: Over) -> asyncio.Task[None]:
        """A task in whose every step, and in whose children, `curdoc()` is this document."""
        document = self.session.document
        with document.at_work():
            if effect.locked:
                return self._loop.asyncio.create_task(self._finish(effect, over))
            unlocked = document.unlocked()
            with current_document(unlocked):
                return self._loop.asyncio.create_task(self._finish(effect, over, unlocked))

    async def _finish(self, effect: Await, over: Over, seen_as_current: object = None) -> None:
        """Await what a callback returned; `seen_as_current` is what `curdoc()` refers to, weakly, meanwhile."""
        began_s = clock()
        try:
            await Noted(self._running, self._job(effect), effect.awaitable)
        except asyncio.CancelledError:
            if self.session.destroyed:
                raise
            self.session.log_failure(effect.name)  # something that it awaited was cancelled, not the session
        except FAULTS:
            self.session.log_failure(effect.name)
        finally:
            if effect.locked:
                self.held = False
            if over is not None:
                over()
            self._gauges.called_back("awaited", clock() - began_s)
        if not self.session.destroyed:
            self.perform(self.session.flush())
        self._take_turns()

    def _job(self, effect: Await) -> Job:
        name = self.session.name
        return Job(LogName(f"{name}, in {effect.name}", application=name.application, session=name.session))

    # What the session asks of its host.

    def wake(self) -> None:
        """Flush the session soon: its document has changed outside of a turn, maybe in a thread."""
        if not self._flush_asked:
            self._flush_asked = True
            self._loop.soon(self._application, self._flush)

    def send_now(self) -> None:
        """Flush the session in the middle of a callback; soon if that runs in a thread, as sockets are the loop's."""
        if self._loop.is_here():
            self._flush()
        else:
            self.wake()

    def callback_added(self, callback: SessionCallback) -> None:
        """Run this callback when it is due."""
        self.timers.callback_added(callback)

    def callback_removed(self, ident: str) -> None:
        """Do not run this callback any more."""
        self.timers.callback_removed(ident)

    def _flush(self) -> None:
        self._flush_asked = False
        if not self.session.destroyed:
            self.perform(self.session.flush())

    def stop(self) -> None:
        """End what is under way and what waits; the hooks of the session's end may still take turns."""
        self.timers.stop()
        self._waiting.clear()
        self.inbox.clear()
        self.paced.clear()
        for task in self.tasks:
            task.cancel()
        self.held = False
        self.locked_calls.stop()
