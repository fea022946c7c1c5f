"""Performs what the engine decides: one runtime for each application.

Here are the loop and the clock. A turn of a session is taken when no asynchronous callback holds its document; its
effects are performed at once: what it sends leaves in one write for each client, what it must await is awaited, and the
next turn begins.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from app_server.apps import Application
from app_server.document.current import current_document
from app_server.document.encoding import encoder
from app_server.document.served import ServedDocument, new_document
from app_server.engine.containment import is_fault
from app_server.engine.delivery import Delivery, FrameSink
from app_server.engine.inbox import Inbox, Over, Turn
from app_server.engine.timers import Timers
from app_server.errors import ApplicationError, InternalError, from_keyboard
from app_server.guests import Guest, guest_for
from app_server.observe.gauges import ApplicationGauges
from app_server.protocol import messages
from app_server.protocol.messages import Message
from app_server.security.admission import Admission
from app_server.security.visible_request import VisibleRequest
from app_server.session.connection import Connection
from app_server.session.context import ApplicationContext, SessionContext
from app_server.session.effects import Await, Close, Effect, Send
from app_server.session.naming import LogName
from app_server.session.registry import Registry
from app_server.session.session import FAULTS, MessageLimits, Prepared, Session

log = logging.getLogger(__name__)


_clock = time.monotonic  # the one by which a wire says when its client was heard

_BUSY_TURNS = 256
"""How many turns may wait for an asynchronous callback before the session's clients are not read from any more."""


@dataclass(frozen=True)
class Snapshot:
    """A document that an application has filled for all its sessions, and what is made of it for clients."""

    document: ServedDocument
    prepared: Prepared | None


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long a session lives without a client, and how often that is checked."""

    unused_s: float
    check_s: float


class TurnQueue:
    """The turns of one session, one after another; while an asynchronous callback holds the document they wait."""

    def __init__(self, runtime: ApplicationRuntime, session: Session) -> None:
        self._runtime = runtime
        self.session = session
        self._waiting: deque[tuple[Turn, str, float | None, Over]] = deque()
        self._uncalled: deque[tuple[Turn, str, Over, bool]] = deque()
        self.held = False
        self._paused = False
        """Whether the session's clients are not read from."""
        self._taking = False
        self._flush_asked = False
        self.inbox = Inbox(self.submit)
        self.timers = Timers(runtime.loop, runtime.base_context, runtime.soon, self, self.inbox)
        self.tasks: set[asyncio.Task[None]] = set()
        self._answers: set[asyncio.Future[Any]] = set()
        session.wake = self._wake
        session.send_now = self._send_now

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
        self._runtime.pause(self.session)

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
            self._runtime.resume(self.session)

    def call_back(self, turn: Turn, kind: str, over: Over = None, *, beat: bool) -> None:
        """Submit the turn of a callback, or have it wait for the session's clients.

        Callbacks that wait are submitted in their order, each as soon as it need not wait any more.
        """
        self.call_waiting()
        must_wait = self._must_wait(beat) or (not beat and any(not each[-1] for each in self._uncalled))
        if must_wait:
            self._uncalled.append((turn, kind, over, beat))
            self._runtime.delivery.waited_for(self.session.viewers)
        else:
            self.submit(turn, kind, over=over)

    def call_waiting(self) -> None:
        """Submit the callbacks that have been waiting for clients, if they need not wait any more."""
        while self._uncalled and not self._must_wait(self._uncalled[0][-1]):
            turn, kind, over, _ = self._uncalled.popleft()
            self.submit(turn, kind, over=over)

    def _must_wait(self, beat: bool) -> bool:
        viewers = self.session.viewers
        return bool(viewers) and self._runtime.delivery.must_wait(viewers, beat=beat)

    def take(self, turn: Turn, kind: str, heard_s: float | None = None, over: Over = None) -> None:
        """Take this turn now, and note how long it was."""
        gauges = self._runtime.gauges
        began_s = _clock()
        awaited = False
        try:
            effects = turn()
            if kind:
                gauges.called_back(kind, _clock() - began_s)
            awaited = self.perform(effects, over)
        finally:
            if over is not None and not awaited:
                over()
        if heard_s is not None:
            gauges.round_trip.note(_clock() - heard_s)

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
        self._runtime.delivery.deliver(sends)
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
            awaitable.close()  # it may not have begun, of which Python would complain

    def _in_document_context(self, effect: Await, over: Over) -> asyncio.Task[None]:
        """A task in whose every step, and in whose children, `curdoc()` is this document."""
        document = self.session.document
        with document.at_work():
            if effect.locked:
                return self._runtime.loop.create_task(self._finish(effect, over))
            unlocked = document.unlocked()
            with current_document(unlocked):
                return self._runtime.loop.create_task(self._finish(effect, over, unlocked))

    async def _finish(self, effect: Await, over: Over, seen_as_current: object = None) -> None:
        """Await what a callback returned; `seen_as_current` is what `curdoc()` refers to, weakly, meanwhile."""
        began_s = _clock()
        try:
            await effect.awaitable
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
            self._runtime.gauges.called_back("awaited", _clock() - began_s)
        if not self.session.destroyed:
            self.perform(self.session.flush())
        self._take_turns()

    def _wake(self) -> None:
        """The document has changed outside of a turn (maybe in a thread): flush soon."""
        if not self._flush_asked:
            self._flush_asked = True
            self._runtime.soon(self._flush)

    def _send_now(self) -> None:
        """Flush in the middle of a callback; soon where that runs in a thread, for sockets belong to the loop's."""
        if self._runtime.is_in_loop():
            self._flush()
        else:
            self._wake()

    def _flush(self) -> None:
        self._flush_asked = False
        if not self.session.destroyed:
            self.perform(self.session.flush())

    async def locked_call(self, function: Callable[[ServedDocument], Any]) -> Any:
        """Run `function(document)`, and await what it returns, as a turn of its own; its result or exception.

        None, and nothing was run, where the session ends before its turn comes.
        """
        answer: asyncio.Future[Any] = self._runtime.loop.create_future()
        self._answers.add(answer)
        answer.add_done_callback(self._answers.discard)

        async def call() -> None:
            try:
                result = function(self.session.document)
                value = await result if inspect.isawaitable(result) else result
            except FAULTS as error:
                if isinstance(error, asyncio.CancelledError) and self.session.destroyed or from_keyboard(error):
                    raise
                if not answer.done():
                    answer.set_exception(_as_result(error))
            else:
                if not answer.done():
                    answer.set_result(value)

        self.submit(lambda: self.session.turn(call, "with_locked_document"))
        return await answer

    def stop(self) -> None:
        """End what is under way and what waits; the hooks of the session's end may still take turns."""
        self.timers.stop()
        self._waiting.clear()
        self.inbox.clear()
        self._uncalled.clear()
        for task in self.tasks:
            task.cancel()
        self.held = False
        for answer in list(self._answers):
            if not answer.done():
                answer.set_result(None)


class ApplicationRuntime:
    """One application with its sessions, their clients, and the loop that moves them."""

    def __init__(
        self,
        application: Application,
        url: str,
        limits: MessageLimits,
        lifetimes: Lifetimes,
        loop: asyncio.AbstractEventLoop,
        gauges: ApplicationGauges | None = None,
        admission: Admission | None = None,
    ) -> None:
        self.application = application
        guest_for(application.imports)  # now, for importing what it brings along can take seconds
        self.url = url
        self.limits = limits
        self.gauges = gauges or ApplicationGauges()
        self.admission = admission if admission is not None else Admission()
        self.loop = loop
        self.base_context = contextvars.copy_context()
        self.logout_url: str | None = None
        self.isolated = False
        """Whether each session has a process of its own, which this one is not."""
        self.snapshot: Snapshot | None = None
        """The first session's document, where the application has started for it already."""
        self.on_begin: Callable[[Session], None] = _nothing
        self.on_end: Callable[[Session], None] = _nothing
        self.registry = Registry()
        self.context = ApplicationContext(url, lambda: self.registry)
        self._lifetimes = lifetimes
        self._thread = threading.get_ident()
        self._queues: dict[str, TurnQueue] = {}
        self.delivery = Delivery(self.gauges)
        self._sweeper: asyncio.Task[None] | None = None
        self._endings: set[asyncio.Task[None]] = set()
        self._connections = 0

    @property
    def name(self) -> LogName:
        """The application for the log."""
        return LogName(self.url, application=self.url)

    @property
    def guest(self) -> Guest:
        """The library that the application brings along, where it needs something of its server."""
        return guest_for(self.application.imports)

    async def start(self) -> None:
        """Run the application's on_server_loaded, and begin to look for unused sessions; in the loop's thread."""
        self._thread = threading.get_ident()
        await self._hook("on_server_loaded", self.context.server_context)
        self._sweeper = self.loop.create_task(self._sweep())

    async def replace(self, application: Application) -> None:
        """Serve this application from now on: the old one is unloaded, the new one loaded, with their hooks."""
        await self._hook("on_server_unloaded", self.context.server_context)
        self.application = application
        await self._hook("on_server_loaded", self.context.server_context)

    async def stop(self, close_code: int = 1001) -> None:
        """End every session with its hooks, then run on_server_unloaded."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection, sink in list(self.delivery.sinks.items()):
            sink.close(close_code, "the server is going away")
            self.delivery.disconnect(connection)
        for session in self.registry:
            self.begin_end(session)
        while self._endings:
            await asyncio.wait(self._endings)
        await self._hook("on_server_unloaded", self.context.server_context)

    def is_in_loop(self) -> bool:
        """Whether this is the thread of the loop."""
        return threading.get_ident() == self._thread

    def soon(self, function: Callable[[], None]) -> None:
        """Call `function` in the loop's next iteration; from any thread."""
        try:
            if self.is_in_loop():
                self.loop.call_soon(function, context=self.base_context.copy())
            else:
                self.loop.call_soon_threadsafe(function, context=self.base_context.copy())
        except RuntimeError:
            log.debug("%s: the loop is closed; a callback is dropped", self.name)

    async def session(
        self,
        session_id: str,
        request: VisibleRequest | None,
        token_payload: Mapping[str, Any],
        user: Any = None,
        address: str = "",
    ) -> Session:
        """The session of this id, built if need be, once, however many ask for it at the same time.

        One that is there already may be another user's: the caller looks at its context. Raises ApplicationError
        where the application's code fails, and Full where it cannot be built for one more session of this address.
        """
        living = self.registry.get(session_id)
        if living is not None:
            return living
        under_way = self.registry.building(session_id)
        if under_way is not None:
            awaited: asyncio.Future[Session] = self.loop.create_future()
            under_way.waiters.append(lambda session, error: _settle(awaited, session, error))
            return await awaited
        if self.isolated:
            raise InternalError("a session that has a process of its own was to be built in another one")
        self.admission.enter((self.url, session_id), address)
        build = self.registry.begin(session_id)
        began_s = _clock()
        try:
            session = await self._build(session_id, request, token_payload, user)
        except BaseException as error:
            self.admission.leave((self.url, session_id))
            self.registry.fail(build, error)
            raise
        self.registry.succeed(build, session)
        self.on_begin(session)
        self.gauges.built += 1
        self.gauges.build.note(_clock() - began_s)
        return session

    def check_admission(self, session_id: str, address: str) -> None:
        """Raise Full where this session is not there and cannot be built for this address."""
        if not self.isolated and self.registry.get(session_id) is None and self.registry.building(session_id) is None:
            self.admission.check(address)

    async def _build(
        self, session_id: str, request: VisibleRequest | None, token_payload: Mapping[str, Any], user: Any
    ) -> Session:
        guest = self.guest
        snapshot, self.snapshot = self.snapshot, None
        document = new_document(session_id) if snapshot is None else snapshot.document
        context = SessionContext(
            session_id, self.context.server_context, document, request, token_payload, self.logout_url, user
        )
        document.attach_context(context)
        try:
            await self._hook("on_session_created", context)
            with document.at_work(), guest.building(document):
                if snapshot is None:
                    self.application.build(document)
        except BaseException:
            document.destroy()
            raise
        session = self._open(document, context)
        guest.opened(session)
        document.listen(self._queues[session_id].timers)
        try:
            if snapshot is not None and snapshot.prepared is not None:
                session.prepared = snapshot.prepared
            elif not guest.changes_pages:
                self.prepare(session)
            with document.at_work():
                if self.limits.show_tracebacks:
                    document.validate()
        except BaseException:
            self._queues.pop(session_id).stop()
            guest.ended(document)
            document.destroy()
            raise
        return session

    def prepare(self, session: Session) -> None:
        """Encode the document for the first pull; ApplicationError where no client could get it."""
        with session.document.changing, session.document.at_work():
            session.prepared = Prepared((), *encoder.encode_built(session.document), inline=False)

    def _open(self, document: ServedDocument, context: SessionContext) -> Session:
        session = Session(context.id, document, context, self.limits, application=self.url, now_s=self.loop.time())
        queue = self._queues[session.id] = TurnQueue(self, session)
        context.attach(session, queue.locked_call)
        return session

    def stand_in(self, session_id: str, fill: Callable[[ServedDocument], None], user: Any = None) -> None:
        """Have a session of this id whose document is filled by the server itself, and not by the application."""
        document = new_document(session_id)
        context = SessionContext(session_id, self.context.server_context, document, None, {}, None, user)
        document.attach_context(context)
        with document.at_work():
            fill(document)
        session = self._open(document, context)
        session.expect_returning_page()
        self.registry.succeed(self.registry.begin(session_id), session)

    def begin_end(self, session: Session) -> None:
        """End a session in a task of its own: a hook that takes its time, or never returns, holds up nobody else."""
        ending = self.loop.create_task(self.end(session))
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)

    async def end(self, session: Session) -> None:
        """End a session: its hooks run, its clients are told, its memory is free."""
        if not self.registry.remove(session):
            return
        self.admission.leave((self.url, session.id))
        self.gauges.ended += 1
        queue = self._queues.pop(session.id)
        queue.stop()
        session.begin_end()
        await self._hook("on_session_destroyed", session.context)
        for callback in session.document.ending_callbacks():
            await self._guarded(partial(callback, session.context), "on_session_destroyed")
        if not self.isolated:
            self.guest.ended(session.document)
        queue.stop()  # what the hooks have begun and not awaited
        self.delivery.deliver([effect for effect in session.end() if not isinstance(effect, Await)])
        self.on_end(session)

    def connect(self, session: Session, connection: Connection, sink: FrameSink) -> None:
        """A client has come."""
        self.delivery.connect(connection, session.name, sink)
        self.gauges.connected += 1
        self._queues[session.id].submit(lambda: session.join(connection))

    def next_connection_number(self) -> int:
        """A number for a new connection."""
        self._connections += 1
        return self._connections

    def receive(self, session: Session, connection: Connection, message: Message, heard_s: float | None = None) -> None:
        """A message has come from a client; `heard_s` is when, by the monotonic clock."""
        self.gauges.messages_in += 1
        queue = self._queues.get(session.id)
        if queue is None:
            return
        if message.msgtype == messages.PATCH_DOC:
            queue.hear(lambda: self._change(session, connection, message), "change", heard_s)
        else:
            # A client that has just asked for the document may keep up.
            queue.hear(lambda: session.receive(connection, message), over=queue.call_waiting)

    def _change(self, session: Session, connection: Connection, message: Message) -> list[Effect]:
        self.delivery.set_by(connection, message)
        return session.receive(connection, message)

    def caught_up(self, session: Session, connection: Connection) -> None:
        """A client that was late has read what it was sent."""
        self.delivery.caught_up(connection)
        queue = self._queues.get(session.id)
        if queue is not None:
            queue.call_waiting()

    def realign(self, session: Session, connection: Connection, round_number: int) -> None:
        """A client has not asked for its document since it was greeted."""
        queue = self._queues.get(session.id)
        if queue is not None and not connection.asked:
            queue.submit(lambda: session.realign(connection, round_number))

    def show_notice(self, session: Session, connection: Connection, html: str) -> None:
        """Show something to a client whose connection is about to end."""
        queue = self._queues.get(session.id)
        if queue is not None:
            queue.submit(lambda: session.show_notice(connection, html))

    def disconnect(self, session: Session, connection: Connection) -> None:
        """A client has gone."""
        self.delivery.disconnect(connection)
        queue = self._queues.get(session.id)
        if queue is not None:
            queue.hear(lambda: session.leave(connection, self.loop.time()), over=queue.call_waiting)

    def pause(self, session: Session) -> None:
        """Read no more from this session's clients."""
        for connection in session.connections:
            if connection in self.delivery.sinks:
                self.delivery.sinks[connection].pause()

    def resume(self, session: Session) -> None:
        """Read again from this session's clients."""
        for connection in session.connections:
            if connection in self.delivery.sinks:
                self.delivery.sinks[connection].resume()

    def now(self) -> dict[str, int]:
        """What is true of the application's sessions at this moment, for whoever counts."""
        connections = [session.connection_count for session in self.registry]
        return {
            "sessions": len(connections),
            "connections": sum(connections),
            "unused": connections.count(0),
            "queued_bytes": self.delivery.queued_bytes,
        }

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._lifetimes.check_s)
            for session in self.registry.unused(self.loop.time(), self._lifetimes.unused_s):
                if not session.connections:
                    self.begin_end(session)
                    # One session in each round of the loop, so that the living ones do not notice.
                    await asyncio.sleep(0)

    async def _hook(self, name: str, context: object) -> None:
        if self.isolated:
            return
        await self._guarded(lambda: getattr(self.application.hooks, name)(context), name)

    async def _guarded(self, call: Callable[[], Any], name: str) -> None:
        """Call a hook and await what it returns; what it raises is logged, for it must not end anything else."""
        try:
            result = call()
            if inspect.isawaitable(result):
                await result
        except FAULTS as error:
            if not is_fault(error):
                raise
            log.exception("%s: the hook %s raised an exception", self.name, name)


def _as_result(error: BaseException) -> BaseException:
    """This exception as a future may have it."""
    if not isinstance(error, StopIteration):
        return error
    wrapped = RuntimeError("the function raised StopIteration")
    wrapped.__cause__ = error
    return wrapped


def _nothing(session: Session) -> None:
    """What is done when a session begins or ends, where nobody waits for it."""


def _settle(future: asyncio.Future[Session], session: Session | None, error: BaseException | None) -> None:
    if future.done():
        return
    if session is not None:
        future.set_result(session)
    else:
        future.set_exception(ApplicationError(str(error)) if not isinstance(error, Exception) else error)
