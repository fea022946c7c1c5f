"""An ASGI application beside another one that cannot mount it, such as Django's, which knows only HTTP."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias

from app_server.asgi.scope import Event, Receive, Scope, Send, root_in_path
from app_server.errors import OperatorError

log = logging.getLogger(__name__)

App: TypeAlias = Callable[[Any, Any, Any], Awaitable[Any]]


class Prefixed(Protocol):
    """An ASGI application below a prefix."""

    @property
    def prefix(self) -> str: ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


class Beside:
    """Answers below the prefix of `own`, and leaves everything else to `other`; both get the lifespan."""

    def __init__(self, own: Prefixed, other: App) -> None:
        if not own.prefix:
            hint = 'Give a prefix, such as BokehASGI(…, prefix="/bokeh").'
            raise OperatorError("without a prefix nothing is left to the other application", where="beside", hint=hint)
        self._own = own
        self._other = other

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Called by the ASGI server."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif self._is_own(scope):
            await self._own(scope, receive, send)
        elif scope["type"] == "websocket" and _knows_only_http(self._other):
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "no application answers there"})
        else:
            await self._other(scope, receive, send)

    def _is_own(self, scope: Scope) -> bool:
        path: str = scope.get("path", "/").removeprefix(root_in_path(scope))
        return path == self._own.prefix or path.startswith(f"{self._own.prefix}/")

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Start the other application, then ours; stop ours, then the other one."""
        other = _OtherLife(self._other, scope)
        failure = await other.start()
        if failure is not None:
            await receive()
            await send(failure)
            return
        stopped = False

        async def received() -> Event:
            nonlocal stopped
            event = await receive()
            stopped = event["type"] == "lifespan.shutdown"
            return event

        async def sent(event: Event) -> None:
            if event["type"] == "lifespan.shutdown.complete" or event["type"] == "lifespan.startup.failed":
                await other.stop()
            await send(event)

        await self._own(scope, received, sent)


class _OtherLife:
    """The lifespan of the other application, if it knows what that is."""

    def __init__(self, app: App, scope: Scope) -> None:
        self._app = app
        self._scope = scope
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._answers: asyncio.Queue[Event] = asyncio.Queue()
        self._task: asyncio.Task[Any] | None = None

    async def start(self) -> Event | None:
        """Start it; its answer if it could not start."""
        self._task = asyncio.ensure_future(self._app(self._scope, self._events.get, self._answers.put))
        answer = await self._ask("lifespan.startup")
        return answer if answer is not None and answer["type"] == "lifespan.startup.failed" else None

    async def stop(self) -> None:
        """Stop it."""
        await self._ask("lifespan.shutdown")

    async def _ask(self, kind: str) -> Event | None:
        """What it answers to this event; None if it does not know it, as "an exception … must be ignored" then."""
        task = self._task
        if task is None or task.done():
            return None
        await self._events.put({"type": kind})
        answering = asyncio.ensure_future(self._answers.get())
        await asyncio.wait({task, answering}, return_when=asyncio.FIRST_COMPLETED)
        if answering.done():
            return answering.result()
        answering.cancel()
        if task.exception() is not None:
            log.debug("The other application knows no lifespan: %s", task.exception())
        return None


def _knows_only_http(app: App) -> bool:
    """Whether this is Django's own handler, which raises an error for anything else."""
    return any(kind.__module__ == "django.core.handlers.asgi" for kind in type(app).__mro__)
