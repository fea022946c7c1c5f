"""The process of one session: what it does from the fork to the session's end.

It serves as any other process does, with the same handlers and the same session, but listens on no address: its
connections come from other processes. It ends with its session; what arrives meanwhile goes back to its sender.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from app_server.document.served import ServedDocument, root_ids
from app_server.engine import containment
from app_server.errors import AppServerError
from app_server.guests.shared_files import SHARED
from app_server.processes import ipc, session_processes
from app_server.processes.forking import exit_records
from app_server.processes.forking.busy_table import TimedSelector
from app_server.processes.forking.fork_server import SessionSpec
from app_server.processes.forking.keeper import OUT_OF_MEMORY, PUT_BACK
from app_server.processes.ipc import Message, Unreachable
from app_server.processes.message_server import MessageServer
from app_server.processes.runtime_dir import RuntimeDir, discard
from app_server.requests import logging_out
from app_server.server.ending import stop_within
from app_server.server.observing.metrics_reporter import MetricsReporter
from app_server.server.server import Server
from app_server.session.session import Session

log = logging.getLogger(__name__)

_ATTEMPTS, _AGAIN_S = 40, 0.05
"""For two seconds a session waits until another process has taken away a socket with its name."""

_HAND_ON_S = 1.0
_LINGER_S = 5.0
"""How long a process waits for a session when the first request for it has failed to build one."""


def prepare_to_live() -> None:
    """What all sessions' processes have in common, done once in the process that they are forked from."""
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    faulthandler.register(signal.SIGXCPU, all_threads=True, chain=True)


def live(server_of: Callable[[str], Server], spec: SessionSpec) -> int:
    """Serve this session until it ends; the process's exit status. `server_of` has its server, by the route."""
    selector = None if spec.mark is None else TimedSelector(spec.mark)
    loop = asyncio.SelectorEventLoop(selector)
    asyncio.set_event_loop(loop)
    # The loop is not closed: that would wait for threads of the application, and the process is about to end.
    return containment.run_in(loop, SessionProcess(server_of(spec.route), spec, loop).live())


class SessionProcess:
    """One session in a process of its own, with a server that is there for it."""

    def __init__(self, server: Server, spec: SessionSpec, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        server.begin_session(spec.session_id, self)
        self._spec = spec
        self._messages = MessageServer(self._handle)
        self._inode = _inode(spec.socket_path)
        self._runtime_dir = RuntimeDir(spec.socket_path.parent)
        self._over: asyncio.Future[int] = loop.create_future()
        self._leaving = False
        self._ended_by_operator = False
        self._status = 0
        (self._runtime,) = self.server.state.runtimes

    async def live(self) -> int:
        """Serve until the session ends, or is ended; the exit status."""
        loop = asyncio.get_running_loop()
        for handled in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(handled, self._on_signal, handled)
        loop.add_signal_handler(PUT_BACK, self._put_back)
        loop.add_reader(self._spec.parent_pipe, self._on_orphaned)
        SHARED.begin(self._runtime_dir.folder)
        await self.server.start_isolated()
        self._messages.listen(self._spec.listener)
        self._linger()
        reporter = MetricsReporter(self.server.state, self._runtime_dir, self._spec.slot, self._spec.socket_path.name)
        telling = loop.create_task(reporter.run())
        number = await self._over
        await self._leave(number)
        telling.cancel()
        await reporter.finish()
        return self._status

    def _put_back(self, attempts: int = _ATTEMPTS) -> None:
        """Put back the name of the session's socket, and the note of its page, if they were deleted.

        The process that missed them may have made a socket of that name, which it is about to take away.
        """
        there = _inode(self._spec.socket_path)
        if self._leaving or there == self._inode is not None:
            return
        if there is not None:
            if attempts:
                asyncio.get_running_loop().call_later(_AGAIN_S, self._put_back, attempts - 1)
            return
        try:
            self._runtime_dir.restore()
            listener = session_processes.listen(self._spec.socket_path)
        except (OSError, AppServerError) as error:
            log.warning("%s: a session cannot be found: %s", self._runtime.name, error)
            return
        if listener is not None:
            self._listen_on(listener)
            session = self._runtime.registry.get(self._spec.session_id)
            if session is not None:
                self._note_page(session.document)

    def _listen_on(self, listener: socket.socket) -> None:
        """Take connections from this socket, and no more from the one whose name is gone."""
        self._messages.listen(listener)
        self._inode = _inode(self._spec.socket_path)

    async def _handle(self, message: Message, sock: Any) -> None:
        if "question" in message.fields:
            await ipc.send(sock, Message(await self._answer(message.fields)))
            sock.close()
        elif self._leaving:
            await self._send_back(message, sock)
        else:
            self.server.arrive(message, sock)

    async def _answer(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """What other processes of the server ask this one."""
        if fields["question"] == logging_out.QUESTION:
            return await logging_out.answer(self.server.state, fields)
        return await self.server.console.handle(fields)

    async def _send_back(self, message: Message, sock: Any) -> None:
        """Let the connection go where a process for a new session is started."""
        descriptor = sock.fileno() if message.descriptor is None else message.descriptor
        try:
            with await ipc.reach(self._runtime_dir.slot(self._spec.slot)) as other:
                await ipc.send(other, Message(message.fields, message.body, descriptor))
            if message.descriptor is not None and message.fields.get("awaits"):
                ipc.report_answer(sock)
        except Unreachable as error:
            log.warning("%s: a connection is lost: %s", self._runtime.name, error)
        finally:
            if message.descriptor is not None:
                os.close(message.descriptor)
            sock.close()

    def _linger(self) -> None:
        """End after a while if no session was built."""
        self._lingering = asyncio.get_running_loop().call_later(_LINGER_S, self._give_up)

    def _give_up(self) -> None:
        if self._runtime.registry.building(self._spec.session_id) is not None:
            self._linger()
        elif self._runtime.registry.get(self._spec.session_id) is None:
            self._finish(0)

    def begun(self, session: Session) -> None:
        """The session was built."""
        self._lingering.cancel()
        document = session.document
        document.leave_to_the_system()
        self._note_page(document)
        document.listen_to_roots(partial(self._note_page, document))

    def _note_page(self, document: ServedDocument) -> None:
        """Write down what to show where the session is ended: no fault of the session's where that cannot be."""
        try:
            exit_records.note_page(self._spec.socket_path, root_ids(document))
        except OSError as error:
            what = "the page of this session will not say why, should it be ended"
            log.warning("%s: %s: %s; %s", self._runtime.name, self._spec.socket_path.parent, error.strerror, what)

    def failed(self) -> None:
        """End the process if the application has raised that it may have no more memory; all else is its own affair."""
        if isinstance(sys.exc_info()[1], MemoryError) and self.server.settings.session_memory_mb:
            self._status = OUT_OF_MEMORY
            self._finish(0)

    def _finish(self, number: int) -> None:
        if not self._over.done():
            self._over.set_result(number)

    def ended(self, session: Session) -> None:
        """A session has ended: if it is ours, so does the process."""
        if session.id == self._spec.session_id:
            self._ended_by_operator = session.ended_by_operator
            self._finish(0)

    def _on_signal(self, number: int) -> None:
        """End, or wait a while first. A repeated signal changes nothing: its sender kills at the deadline."""
        if number == signal.SIGTERM and self.server.settings.drain_s > 0:
            self.server.state.process.begin_draining()
            asyncio.get_running_loop().call_later(self.server.settings.drain_s, self._finish, number)
        else:
            self._finish(number)

    def _on_orphaned(self) -> None:
        asyncio.get_running_loop().remove_reader(self._spec.parent_pipe)
        self._finish(signal.SIGTERM)

    async def _leave(self, number: int) -> None:
        """Close the connections; the process is not found any more, and what arrives now is sent elsewhere."""
        settings = self.server.settings
        self._leaving = True
        if self._spec.mark is not None:
            self._spec.mark.resign()
        with contextlib.suppress(OSError):
            if self._status == OUT_OF_MEMORY:  # a page that comes back is to find this
                exit_records.leave(self._spec.socket_path, exit_records.ExitReason.MEMORY)
            elif self._ended_by_operator:
                exit_records.leave(self._spec.socket_path, exit_records.ExitReason.OPERATOR)
            else:
                exit_records.forget(self._spec.socket_path)
        discard(self._spec.socket_path)
        comes_back = number == signal.SIGTERM and settings.drain_s > 0
        if comes_back:
            await self._hand_on()
        await stop_within(settings.drain_deadline_s, self.server.stop(1012 if comes_back else 1001))
        await self._messages.drain()  # connections that were made before the socket lost its name

    async def _hand_on(self) -> None:
        """Let the session's page come back to the processes that go on, also when its token has expired long ago."""
        fields = {"question": "inherit", "sessions": [self._spec.session_id]}
        with contextlib.suppress(Unreachable, TimeoutError):  # no process goes on
            await ipc.ask(self._runtime_dir.slot(self._spec.slot), fields, _HAND_ON_S)


def _inode(path: Path) -> int | None:
    """Which file this is now; None if there is none."""
    try:
        return os.stat(path).st_ino
    except OSError:
        return None
