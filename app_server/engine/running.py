"""What a loop runs at the moment, for the report of a loop that is blocked.

Turns, builds and hooks put their name here while their code runs, and take it away when it returns or awaits. Another
thread may read the name at any time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from app_server.session.naming import LogName

T = TypeVar("T")

NOTHING = LogName("no session's turn", application="")


class Named(Protocol):
    """Work that has a name for the log: a session, whose turn is taken, or a `Job`."""

    @property
    def name(self) -> LogName: ...


@dataclass(frozen=True, slots=True)
class Job:
    """Work that is not just a session's turn: a build, a hook, a callback that is awaited."""

    name: LogName


class Running:
    """The work of one loop that has begun and not returned, the innermost last."""

    __slots__ = ("stack",)

    def __init__(self) -> None:
        self.stack: list[Named] = []

    @property
    def name(self) -> LogName:
        """Whose code runs now, in words; safe to ask from any thread."""
        found = self.stack[-1:]
        return found[0].name if found else NOTHING


class Noted(Generic[T]):
    """Awaits `awaitable`, whose name is in `running` during each of its steps, but not while it waits."""

    def __init__(self, running: Running, work: Named, awaitable: Awaitable[T]) -> None:
        self._stack = running.stack
        self._work = work
        self._awaitable = awaitable

    def __await__(self) -> Generator[Any, Any, T]:
        steps = _result_of(self._awaitable)
        sent: Any = None
        thrown: BaseException | None = None
        while True:
            self._stack.append(self._work)
            try:
                waits_for = steps.send(sent) if thrown is None else steps.throw(thrown)
            except StopIteration as stop:
                result: T = stop.value
                return result
            finally:
                self._stack.pop()
            try:
                sent, thrown = (yield waits_for), None
            except BaseException as error:
                sent, thrown = None, error


async def _result_of(awaitable: Awaitable[T]) -> T:
    """A coroutine for whatever may be awaited: it can be sent to, and thrown into, step by step."""
    return await awaitable
