"""The life of the server of an ASGI application: by the lifespan protocol, or from the first request on.

https://asgi.readthedocs.io/en/latest/specs/lifespan.html
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
from collections.abc import Mapping, Sequence

from app_server.apps import Application
from app_server.asgi.mounts import Mounts
from app_server.asgi.scope import Receive, Send
from app_server.embedded.keywords import in_keywords
from app_server.engine.runtime import ApplicationRuntime
from app_server.errors import AppServerError
from app_server.http.auth_backend import AuthBackend
from app_server.observe.otel.setup import check_otel
from app_server.requests.state.transport import Transport
from app_server.server.ending import stop_within
from app_server.server.saving import check_store
from app_server.server.server import Server
from app_server.settings import Settings

log = logging.getLogger(__name__)

_TRANSPORT = Transport(new_socket=lambda opened, deflate: opened, same_host=True)
"""What a request's connection leaves is the opened socket already; and the ASGI server says where it listens."""


class Lifespan:
    """Starts the server when it is first needed, and stops it when the last that has entered leaves.

    `users` says who sends a request; without it, the settings do.
    """

    def __init__(self, applications: Mapping[str, Application], settings: Settings, users: AuthBackend | None) -> None:
        self.applications = applications
        self._settings = settings
        self._users = users
        self._lock = asyncio.Lock()
        self._mounts: Mounts | None = None
        self._server: Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._entered = 0
        self._last_resort: asyncio.Task[None] | None = None

    @property
    def runtimes(self) -> Sequence[ApplicationRuntime]:
        """The applications at work; none before the start."""
        return () if self._server is None else self._server.state.runtimes

    async def follow(self, receive: Receive, send: Send) -> None:
        """Start and stop as the ASGI server says."""
        entered = False
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                try:
                    await self.enter()
                except Exception as error:
                    if not isinstance(error, AppServerError):
                        log.exception("The server could not start")
                    await send({"type": "lifespan.startup.failed", "message": f"app-server: {error}"})
                    return
                entered = True
                await send({"type": "lifespan.startup.complete"})
            elif event["type"] == "lifespan.shutdown":
                if entered:
                    await self.leave()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def enter(self) -> None:
        """Start, unless that was done."""
        async with self._lock:
            self._entered += 1
            try:
                await self._start()
            except BaseException:
                self._entered -= 1
                raise

    async def leave(self) -> None:
        """Stop, unless someone else has entered."""
        async with self._lock:
            self._entered -= 1
            if self._entered == 0:
                await self._stop()

    async def running(self) -> Mounts:
        """What answers at each mount; starts the server if no lifespan has."""
        mounts = self._mounts
        if mounts is not None and self._loop is asyncio.get_running_loop():
            return mounts
        async with self._lock:
            if self._mounts is None:
                log.warning(
                    "The server starts with its first request, because the framework has passed on no lifespan: "
                    "load hooks and warm-up come late, and hooks may be cut off when the process ends. "
                    "Give the framework lifespan=….lifespan of this BokehASGI"
                )
            return await self._start()

    async def _start(self) -> Mounts:
        loop = asyncio.get_running_loop()
        if self._mounts is not None:
            if self._loop is not loop:
                raise RuntimeError("this BokehASGI serves in another event loop; make one for each loop")
            return self._mounts
        with in_keywords():
            check_otel(self._settings, os.environ)
            await asyncio.to_thread(check_store, self._settings)
            server = Server(self.applications, self._settings, loop, auth=self._users, transport=_TRANSPORT)
        await server.start()
        self._server, self._loop = server, loop
        self._mounts = Mounts(server, own_login=self._users is None)
        if not self._entered:
            self._last_resort = loop.create_task(self._until_cancelled())
            atexit.register(self._at_exit)
        return self._mounts

    async def _stop(self) -> None:
        server, mounts, last_resort = self._server, self._mounts, self._last_resort
        self._server = self._mounts = self._loop = self._last_resort = None
        if server is None or mounts is None:
            return
        if last_resort is not None:
            atexit.unregister(self._at_exit)
            if last_resort is not asyncio.current_task():
                last_resort.cancel()
        settings = self._settings
        connected = bool(server.state.process.wires)
        log.info("Stopping: %d sessions", server.state.process.session_count)
        # Most ASGI servers have closed all connections before they announce the end: then waiting helps no one.
        drains = connected and settings.drain_s > 0
        if drains:
            await server.drain(settings.drain_s)
        await stop_within(settings.drain_deadline_s, server.stop(1012 if drains else 1001))
        mounts.close()
        server.close()

    async def _until_cancelled(self) -> None:
        """Stop when the loop's last tasks are cancelled, as asyncio.run does at the end."""
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            await self._stop()
            raise

    def _at_exit(self) -> None:
        """Stop in a loop that ended without it, if it can still run."""
        loop = self._loop
        if loop is not None and not loop.is_closed() and not loop.is_running():
            loop.run_until_complete(self._stop())
