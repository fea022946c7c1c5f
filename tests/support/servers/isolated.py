"""A server whose sessions have processes of their own, all of them in the test's process.

The server that takes connections has a loop in a thread. In the test's own loop a task answers in place of the
process that forks the sessions' processes: instead of a fork, a task begins there that does what such a process does.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from app_server.apps import application_from_function
from app_server.http.listeners import Listening
from app_server.processes import ipc
from app_server.processes.forking.fork_server import BEGUN, SessionSpec
from app_server.processes.forking.keeper import PUT_BACK
from app_server.processes.runtime_dir import RuntimeDir
from app_server.server.isolation.session_process import SessionProcess
from app_server.server.membership import Membership
from app_server.server.server import Server
from app_server.settings import Settings
from tests.support.servers.inside import Inside, inside
from tests.support.waiting import PATIENCE_S, patience

SLOT = 1


class Isolated:
    """`front` takes the connections of the application at /app, `sessions` are those that were begun."""

    def __init__(self, runtime_dir: RuntimeDir, fill: Callable[[Any], Any], settings: dict[str, Any]) -> None:
        self.runtime_dir = runtime_dir
        self.front: Inside
        self.sessions: dict[str, SessionProcess] = {}
        self.servers: dict[str, Server] = {}
        self.statuses: list[int] = []
        self.answer = BEGUN
        """What the answer to a request for a process is: the fork server's words, or nothing, if it ends just then."""
        self._fill = fill
        self._settings = settings
        self._tasks: set[asyncio.Task[Any]] = set()
        self._pipe, self._alive = os.pipe()
        self._pipes: list[int] = []
        socket_path = runtime_dir.fork_server_socket(SLOT, os.getpid())
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(socket_path))
        self._listener.listen()
        self._listener.setblocking(False)
        runtime_dir.give(SLOT, socket_path)

    async def get(self, path: str, **asked: Any) -> Any:
        """The answer of the server to a request for this path."""
        return await asyncio.to_thread(lambda: self.front.get(path, **asked))

    async def listen(self) -> None:
        """Begin the sessions that the server asks for."""
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(self._listener)
            task = loop.create_task(self._begin(sock))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _begin(self, sock: socket.socket) -> None:
        with sock:
            message = await ipc.receive(sock)
            assert message.descriptor is not None
            listener = socket.socket(fileno=message.descriptor)
            if self.answer != BEGUN:
                listener.close()
                sock.send(self.answer) if self.answer else None
                return
            ident, loop = message.fields["session"], asyncio.get_running_loop()
            application = application_from_function(self._fill, "/app")
            listening = Listening(self.front.server.port or 0)
            prototype = Server({"/app": application}, Settings(**self._settings), loop, listening)
            spec = SessionSpec("/app", ident, 0, Path(message.fields["socket"]), listener, None, self._own_pipe())
            solo = self.sessions[ident] = SessionProcess(prototype.for_sessions("/app", None), spec, loop)
            self.servers[ident] = solo.server
            sock.send(BEGUN)
            self.statuses.append(await solo.live())

    def _own_pipe(self) -> int:
        """A descriptor that one session has to itself, as in a process: a loop watches each for one reader only."""
        self._pipes.append(os.dup(self._pipe))
        return self._pipes[-1]

    async def ended(self) -> None:
        """Return when all sessions have ended."""
        async with asyncio.timeout(patience(PATIENCE_S)):
            while self._tasks:
                await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """End the sessions as if the main process had ended."""
        if self._alive >= 0:
            os.close(self._alive)
            self._alive = -1
        await self.ended()

    def let_go(self) -> None:
        """Close what is left."""
        self._listener.close()
        for pipe in (self._pipe, *self._pipes):
            os.close(pipe)


@asynccontextmanager
async def isolated(folder: Path, fill: Callable[[Any], Any], **settings: Any) -> AsyncIterator[Isolated]:
    """Serve this function's application at /app; the processes meet in this folder."""
    runtime_dir = RuntimeDir.make({"APP_SERVER_RUNTIME_DIR": str(folder / "run")})
    settings = {"allow_websocket_origin": ("localhost",), "keep_alive_ms": 0, **settings}
    made = Isolated(runtime_dir, fill, settings)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, PUT_BACK)}
    listening = asyncio.create_task(made.listen())

    try:
        with inside(
            {"/app": fill}, membership=Membership(runtime_dir, 0, 1, fork_servers={"/app": SLOT}), **settings
        ) as made.front:
            yield made
            await made.close()
    finally:
        listening.cancel()
        made.let_go()
        for number, handler in handlers.items():
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, handler)
