"""The console's own process: it goes on when the loops of the others are blocked, and costs them nothing.

It is one of the main process's children. It listens at the console's address, or, if the console is at a path of the
site, on a Unix socket to which the workers hand the connections.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

from app_server.http.listeners import Listening
from app_server.processes.forking.worker import Task
from app_server.processes.ipc import Message
from app_server.processes.message_server import MessageServer
from app_server.processes.polling import until
from app_server.processes.runtime_dir import RuntimeDir, discard
from app_server.security.console_peers import keys_of
from app_server.server.console.audit import Audit
from app_server.server.console.feed import Feed
from app_server.server.console.own_instance import OwnInstance
from app_server.server.console.peer_api import Peer
from app_server.server.console.places import maintenance_of, socket_path
from app_server.server.console.settings import console_settings
from app_server.server.console.site import ConsoleServer
from app_server.server.ending import stop_within
from app_server.server.process_life import StopRequest
from app_server.settings import Settings
from app_server.settings.console import ConsolePlace

log = logging.getLogger(__name__)

_BEAT_S = 0.5
_LOOK_S = 0.1
_STOP_WITHIN_S = 5.0


def instance_name(settings: Settings, port: int) -> str:
    """What the instance is called among others: its route if it has one."""
    if settings.route:
        return settings.route
    return settings.unix_socket or f"{socket.gethostname()}:{port}"


class ConsoleProcess:
    """The console of the server with these settings; `sockets` are those it listens on, `port` is the site's."""

    def __init__(
        self, settings: Settings, runtime_dir: RuntimeDir, task: Task, sockets: Sequence[socket.socket], port: int
    ) -> None:
        self._settings = settings
        self._runtime_dir = runtime_dir
        self._task = task
        self._port = port
        audit, maintenance = Audit(settings.console_audit), maintenance_of(settings, runtime_dir)
        assert maintenance is not None
        own = OwnInstance(instance_name(settings, port), runtime_dir, int(runtime_dir.folder.name), maintenance, audit)
        keys = keys_of(settings.secret_key)
        self._feed = Feed(own, [Peer(word, keys[0]) for word in settings.console_peers], audit)
        own_settings = console_settings(settings)
        listening = Listening.shared(own_settings, sockets) if sockets else Listening(port)
        self._server = ConsoleServer(own_settings, asyncio.get_running_loop(), listening, own, self._feed, keys)
        self._messages = MessageServer(self._handle)
        self._inode: int | None = None

    async def live(self) -> int:
        """Show the console until a signal; the exit status."""
        loop, task = asyncio.get_running_loop(), self._task
        asked = StopRequest(loop, led=True)
        loop.add_reader(task.parent_pipe, _on_orphaned, loop, task.parent_pipe, asked)
        await self._server.start()
        self._listen()
        work = [loop.create_task(self._beat()), loop.create_task(self._feed.run())]
        log.info("The console is at %s", self._where())
        task.report_ready()
        if await asked.first == signal.SIGTERM:
            await self._watch_draining(asked)
        for each in work:
            each.cancel()
        self._messages.stop()
        await stop_within(_STOP_WITHIN_S, self._server.stop(1012))
        return asked.status

    def _where(self) -> str:
        place = ConsolePlace.read(self._settings.console or "")
        if place.unix_socket:
            return f"unix:{place.unix_socket}"
        return f"{self._settings.prefix}{place.path}/ of the site" if place.path else self._server.url

    def _listen(self) -> None:
        """Take connections that workers hand over; the name leads to the newest console."""
        path = socket_path(self._runtime_dir)
        fresh = path.with_name(f".console-{os.getpid()}")
        discard(fresh)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(fresh))
        listener.listen(128)
        fresh.replace(path)
        self._inode = _inode(path)
        self._messages.listen(listener)

    async def _handle(self, message: Message, sock: socket.socket) -> None:
        self._server.arrive(message, sock)

    async def _beat(self) -> None:
        while True:
            self._task.heartbeat.beat()
            await asyncio.sleep(_BEAT_S)

    async def _watch_draining(self, asked: StopRequest) -> None:
        """Let operators watch how the sessions end: leave when the others have, or another console is there."""
        drains = asyncio.ensure_future(until(self._is_alone, self._settings.drain_s, _LOOK_S))
        hurried = asyncio.ensure_future(asked.hurry.wait())
        await asyncio.wait({drains, hurried}, return_when=asyncio.FIRST_COMPLETED)
        drains.cancel()
        hurried.cancel()

    def _is_alone(self) -> bool:
        replaced = _inode(socket_path(self._runtime_dir)) != self._inode
        return replaced or not (self._runtime_dir.socket_paths() or self._runtime_dir.session_sockets())


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _on_orphaned(loop: asyncio.AbstractEventLoop, pipe: int, asked: StopRequest) -> None:
    loop.remove_reader(pipe)
    asked.ask(signal.SIGTERM)
