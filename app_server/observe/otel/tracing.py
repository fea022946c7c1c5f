"""What the server calls where a span may begin; without `--otel traces` nothing happens there.

A *span* is a piece of work with a beginning, an end and a parent; a *trace* is a tree of spans. The span that is
current in a context is the parent of those that begin there. This module does not import OpenTelemetry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol, TypeAlias, TypeVar

from app_server.observe.otel.traceparent import Parent

T = TypeVar("T")

Attributes: TypeAlias = Mapping[str, str | int | float | bool]


class SessionTrace(Protocol):
    """What begins the spans of one session that is traced."""

    def turn(self, kind: str, waited_s: float | None) -> AbstractContextManager[None]:
        """A block that is a turn; `waited_s` is how long its message has waited for it."""

    def callback(self, what: str, function: Callable[..., Any] | None) -> AbstractContextManager[None]:
        """A block in which the application is called; `function` is what is called first."""

    def name_turn(self, what: str) -> None:
        """Say what the turn is that has begun."""

    def failed(self, error: BaseException | None) -> None:
        """The application has raised this in the span that is current."""


class Tracing(Protocol):
    """What begins the spans of a process."""

    on: bool
    """Whether there are any spans."""

    def start(self, instance: str) -> None:
        """Begin to send spans from this process, which is called this. After a fork: threads do not survive one."""

    def stop(self, within_s: float) -> None:
        """Send what is left, and return after this time at the latest."""

    def request(self, name: str, parent: Parent | None, attributes: Attributes) -> AbstractContextManager[None]:
        """A block that answers a request, whose sender's span is `parent`."""

    def span(self, name: str, attributes: Attributes) -> AbstractContextManager[None]:
        """A block that is a span of this name."""

    def add(self, attributes: Attributes) -> None:
        """Add attributes to the current span."""

    def failed(self, error: BaseException | str | None) -> None:
        """The current span has failed, with this exception or for this reason."""

    def header(self) -> str | None:
        """What names the current span in a request to another process: a `traceparent`; None without one."""

    def session(self, application: str, session_id: str) -> SessionTrace | None:
        """What traces a session that is being built in the current span; None if that is not sampled."""

    def carried(self, name: str, work: Callable[[], T]) -> Callable[[], T]:
        """This work as a span below the current one, whichever thread does it; unchanged if there is none."""


class _Untraced:
    """No spans."""

    on = False
    _nothing = nullcontext()

    def start(self, instance: str) -> None: ...

    def stop(self, within_s: float) -> None: ...

    def request(self, name: str, parent: Parent | None, attributes: Attributes) -> AbstractContextManager[None]:
        return self._nothing

    def span(self, name: str, attributes: Attributes) -> AbstractContextManager[None]:
        return self._nothing

    def add(self, attributes: Attributes) -> None: ...

    def failed(self, error: BaseException | str | None) -> None: ...

    def header(self) -> str | None:
        return None

    def session(self, application: str, session_id: str) -> SessionTrace | None:
        return None

    def carried(self, name: str, work: Callable[[], T]) -> Callable[[], T]:
        return work


UNTRACED: Tracing = _Untraced()
