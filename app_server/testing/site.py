"""A server in this process, without an address: its loop, its clock, and what has failed in it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from itertools import count
from typing import Any, Final, Protocol, TypeVar

from app_server.apps import Application
from app_server.document.engine import install
from app_server.engine.containment import is_fault
from app_server.engine.runtime import ApplicationRuntime
from app_server.errors import ApplicationError
from app_server.http.listeners import Listening
from app_server.server.server import Server
from app_server.session.session import Session
from app_server.settings import Settings
from app_server.testing.clock import ClockedIOLoop, ClockedLoop, Deadline, elapsed_s
from app_server.testing.errors import AppFailure, AppTimeout, CannotDo, NotFound, hidden
from app_server.testing.executors import ExecutorCalls
from app_server.testing.failures import Failures, failure_of
from app_server.testing.visit import Visit, opened, reopened

__tracebackhide__ = hidden

log = logging.getLogger(__name__)

T = TypeVar("T")

_GUEST_WITHIN_S: Final = 0.1
"""How soon a library such as Panel follows what a person has done."""

_LOOK_S: Final = 0.02
"""How often a condition is checked while nothing happens that is noticed."""

_MANY_ROUNDS: Final = 1000
"""After so many rounds in which there was always something to call, the clock goes on all the same."""

_LAST_ROUNDS: Final = 100


class Taking(Protocol):
    """A page that is open."""

    def take(self) -> None:
        """Take in what the server has sent."""


class Site:
    """Serves one application; everything happens in the calls of the test, in its thread.

    `timeout_s` is how long, in real time, an action may take. With `executors` it lasts until these have returned.
    """

    def __init__(
        self,
        load: Callable[[], Application],
        settings: Settings,
        timeout_s: float,
        *,
        allow_errors: bool = False,
        executors: bool = True,
    ) -> None:
        install()
        self._load = load
        self._settings = settings
        self.timeout_s = timeout_s
        self._allow_errors = allow_errors
        self.errors: list[BaseException] = []
        self.pages: list[Taking] = []
        self.loop = ClockedLoop()
        self.loop.call_soon(ClockedIOLoop)
        self._calls = ExecutorCalls(self.loop)
        self._failures = Failures(self.loop)
        self._while_open = ExitStack()
        if executors:
            self._while_open.enter_context(self._calls.noted())
        self._while_open.enter_context(self._failures.watched())
        try:
            self._server = self._start()
            self.check()
        except BaseException:
            self._end()
            raise

    @property
    def runtime(self) -> ApplicationRuntime:
        """The application at work."""
        (runtime,) = self._server.state.runtimes
        return runtime

    def _start(self) -> Server:
        """A server that has loaded the application. AppFailure if that cannot be loaded."""
        try:
            return self.run(self._started())
        except ApplicationError as error:
            raise self.failure([error]) from error.__cause__

    async def _started(self) -> Server:
        application = self._load()
        server = Server({application.route: application}, self._settings, self.loop, Listening(self._settings.port))
        for runtime in server.state.runtimes:
            runtime.observe(self._failures)
        await server.start_isolated()
        return server

    def must_be_open(self) -> None:
        """Raise CannotDo if the application was stopped."""
        if self.loop.is_closed():
            raise CannotDo("the application has stopped: its first page was closed")

    def open(self, visit: Visit) -> tuple[Session, str]:
        """A new session, and the HTML of its page. ApplicationError if the application fails."""
        return self.run(opened(self._server.state, self.runtime, visit))

    def again(self, visit: Visit, session_id: str) -> Session:
        """The session of a page that comes back: as it is, as it was saved, or built again."""
        return self.run(reopened(self._server.state, self.runtime, visit, session_id))

    # Time.

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What the coroutine returns; the clock is moved on if that is what it waits for."""
        if self.loop.is_closed():
            work.close()
        self.must_be_open()
        task = self.loop.create_task(work)
        try:
            self.until(task.done)
        except BaseException:
            task.cancel()
            raise
        return task.result()

    def until(self, done: Callable[[], bool]) -> None:
        """Go on until this is done; the clock is moved on if that is what it waits for."""
        deadline = Deadline(self.timeout_s)
        for rounds in count(1):
            self._round()
            self._take()
            if done():
                return
            if self.loop.is_idle or rounds % _MANY_ROUNDS == 0:
                self._go_on()
            if deadline.has_passed(busy=not self.loop.is_idle):
                raise self._too_long("the server was not done")

    def _go_on(self) -> None:
        """Wait for an executor or a connection while time passes as outside; else let the next timer be due at once."""
        due_s = self.loop.next_due_s()
        if due_s is None or self._calls.names or self.loop.has_connections:
            began_s = elapsed_s()
            self._round(_LOOK_S)
            self.loop.move_clock(self.loop.time() + elapsed_s() - began_s)
        else:
            self.loop.move_clock(due_s)

    def perform(self, function: Callable[[], T]) -> T:
        """What the function returns, called in the loop; then settle."""
        self.must_be_open()
        made: list[T] = []
        raised: list[BaseException] = []

        def call() -> None:
            try:
                made.append(function())
            except Exception as error:
                raised.append(error)

        self.loop.call_soon(call)
        self.settle()
        if raised:
            raise raised[0]
        return made[0]

    def settle(self) -> None:
        """Go on until there is nothing left to do now: what waits for time, or for a connection, goes on waiting."""
        deadline = Deadline(self.timeout_s)
        while True:
            self._round(_LOOK_S if self.loop.is_idle and self._calls.names else 0.0)
            if self.loop.is_idle and not self._calls.names and not self._follow_guest():
                break
            if deadline.has_passed(busy=not self.loop.is_idle):
                raise self._too_long("the application does not come to rest")
        self._take()

    def _take(self) -> None:
        for page in list(self.pages):
            page.take()

    def _follow_guest(self) -> bool:
        """Let the library that the application is made with follow what was done; whether it had to."""
        due_s = self.loop.next_due_s()
        if due_s is None or due_s > self.loop.time() + _GUEST_WITHIN_S:
            return False
        guest = self.runtime.guest
        if not any(guest.follows_later(session.document) for session in self.runtime.registry):
            return False
        self.loop.move_clock(due_s)
        return True

    def advance(self, seconds: float) -> None:
        """Let time pass: each timer that is due meanwhile runs at its time, and what follows from it."""
        end_s = self.loop.time() + seconds
        self.settle()
        while (due_s := self.loop.next_due_s()) is not None and due_s <= end_s + 1e-9:
            self.loop.move_clock(due_s)
            self.settle()
            self.check()
        self.loop.move_clock(end_s)

    def wait_for(self, condition: Callable[[], T], timeout_s: float | None) -> T:
        """What the condition returns as soon as that is true; time passes as it does outside."""
        limit_s = self.timeout_s if timeout_s is None else timeout_s
        began_s, clock_s = elapsed_s(), self.loop.time()
        while True:
            self.settle()
            self.check()
            missing = ""
            try:
                if met := condition():
                    return met
            except NotFound as error:
                missing = f": {error}"
            passed_s = elapsed_s() - began_s
            if passed_s > limit_s:
                raise AppTimeout(f"the condition is not met after {limit_s:g} s{missing}")
            self.loop.move_clock(clock_s + passed_s)
            self._round(_LOOK_S)

    def _round(self, wait_s: float = 0.0) -> None:
        self.must_be_open()
        try:
            self.loop.go_round(wait_s)
        except (SystemExit, KeyboardInterrupt) as error:
            if not is_fault(error):
                raise
            self._failures.note(error)

    def _too_long(self, what: str) -> AppTimeout:
        busy, names = "", self._calls.names
        self._calls.forget()
        if names:
            busy = f": {', '.join(sorted(set(names)))} did not return"
        elif not self.loop.is_idle:
            busy = ": there is always a callback to call, such as a next-tick callback that adds itself again"
        return AppTimeout(f"{what} within {self.timeout_s:g} s{busy}")

    # Failures.

    def check(self) -> bool:
        """Raise AppFailure if the application has raised something since the last time; True if that is allowed."""
        errors = self._failures.take()
        if errors and not self._allow_errors:
            raise self.failure(errors)
        self.errors += errors
        return bool(errors)

    def failure(self, errors: list[BaseException]) -> AppFailure:
        """The failure that these exceptions are."""
        return failure_of(errors, lambda error: self.runtime.application.error_from(error))

    # The end.

    def restart(self) -> None:
        """Stop the server, which saves its sessions if it has a store, and start it again."""
        self.run(self._server.stop())
        self._server = self._start()

    def close(self) -> None:
        """End all sessions with their hooks, and the server; once, however often this is called."""
        if self.loop.is_closed():
            return
        try:
            self.run(self._server.stop())
        finally:
            self._end()

    def abandon(self) -> None:
        """Stop after a failure of the application, whatever its hooks raise."""
        try:
            self.close()
        except Exception as error:
            log.debug("the application did not stop as it should: %s", error)

    def _end(self) -> None:
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        for _ in range(_LAST_ROUNDS):
            if all(task.done() for task in tasks):
                break
            self._round()
        self.pages.clear()
        self._while_open.close()
        self.loop.close()
