"""The process of one session: what it does from the fork to the session's end.

It serves as any other process does, with the same handlers and the same session, but listens on no address: its
connections come with letters. It ends with its session; what arrives meanwhile goes back to whoever sent it.
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
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from app_server.document.served import ServedDocument, root_ids
from app_server.errors import AppServerError
from app_server.fleet import letters, remains, wards
from app_server.fleet.keeper import OUT_OF_MEMORY, PUT_BACK
from app_server.fleet.letters import Letter, Unreachable
from app_server.fleet.marks import MarkedSelector
from app_server.fleet.place import Place, discard
from app_server.fleet.zygote import Birth
from app_server.session.session import Session
from app_server.transport import enduring
from app_server.transport.runtime import ApplicationRuntime
from app_server.transport.server import Server
from app_server.transport.tallies import Teller

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


def live(server: Server, birth: Birth) -> int:
    """Serve this session until it ends; the process's exit status."""
    selector = None if birth.mark is None else MarkedSelector(birth.mark)
    loop = asyncio.SelectorEventLoop(selector)
    asyncio.set_event_loop(loop)
    # The loop is not closed: that would wait for threads of the application, and the process is about to end.
    return enduring.run_in(loop, Solo(server, birth).live())


class Solo:
    """One session in a process of its own."""

    def __init__(self, server: Server, birth: Birth) -> None:
        self._server = server
        self._birth = birth
        self._listener = birth.listener
        self._inode = _inode(birth.box)
        self._place = Place(birth.box.parent)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._over: asyncio.Future[int]
        self._leaving = False
        self._status = 0
        self._runtime: ApplicationRuntime = next(
            runtime for runtime in server.site.runtimes if runtime.url == birth.route
        )

    async def live(self) -> int:
        """Serve until the session ends, or somebody ends it; the exit status."""
        loop = asyncio.get_running_loop()
        self._over = loop.create_future()
        for handled in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(handled, self._on_signal, handled)
        loop.add_signal_handler(PUT_BACK, self._put_back)
        loop.add_reader(self._birth.parent_pipe, self._on_orphaned)
        self._server.site.only_session = self._birth.session_id
        self._server.site.runtimes = [self._runtime]
        self._runtime.on_begin = self._begun
        self._runtime.on_end = self._ended
        await self._server.start_alone(loop)
        self._listener.setblocking(False)
        self._listening = loop.create_task(self._listen())
        self._linger()
        teller = Teller(self._server.site, self._place, self._birth.slot, self._birth.box.name)
        telling = loop.create_task(teller.run())
        number = await self._over
        await self._leave(number)
        telling.cancel()
        await teller.finish()
        return self._status

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _put_back(self, attempts: int = _ATTEMPTS) -> None:
        """Put back the name of the session's socket, and the note of its page, if they were deleted.

        The process that missed them may have made a socket of that name, which it is about to take away.
        """
        there = _inode(self._birth.box)
        if self._leaving or there == self._inode is not None:
            return
        if there is not None:
            if attempts:
                asyncio.get_running_loop().call_later(_AGAIN_S, self._put_back, attempts - 1)
            return
        try:
            self._place.restore()
            listener = wards.listen(self._birth.box)
        except (OSError, AppServerError) as error:
            log.warning("%s: a session cannot be found: %s", self._runtime.name, error)
            return
        if listener is not None:
            self._listen_on(listener)
            session = self._runtime.registry.get(self._birth.session_id)
            if session is not None:
                self._note_page(session.document)

    def _listen_on(self, listener: socket.socket) -> None:
        """Take connections from this socket, and no more from the one whose name is gone."""
        self._listening.cancel()
        self._listener.close()
        self._listener = listener
        self._inode = _inode(self._birth.box)
        listener.setblocking(False)
        self._listening = asyncio.get_running_loop().create_task(self._listen())

    async def _listen(self) -> None:
        while True:
            self._begin(self._read(await letters.accept(self._listener)))

    async def _read(self, sock: Any) -> None:
        try:
            letter = await letters.receive(sock)
        except Unreachable as error:
            log.debug("A letter did not come whole: %s", error)
            sock.close()
            return
        if self._leaving:
            await self._send_back(letter, sock)
        else:
            self._server.arrive(letter, sock)

    async def _send_back(self, letter: Letter, sock: Any) -> None:
        """Let the connection go where a process for a new session is started."""
        descriptor = sock.fileno() if letter.descriptor is None else letter.descriptor
        try:
            other = await letters.reach(self._place.slot(self._birth.slot))
            await letters.send(other, Letter(letter.words, letter.blob, descriptor))
            other.close()
        except Unreachable as error:
            log.warning("%s: a connection is lost: %s", self._runtime.name, error)
        if letter.descriptor is not None:
            os.close(letter.descriptor)
        sock.close()

    def _linger(self) -> None:
        """End, after a while, where no session came of it."""
        self._lingering = asyncio.get_running_loop().call_later(_LINGER_S, self._give_up)

    def _give_up(self) -> None:
        if self._runtime.registry.building(self._birth.session_id) is not None:
            self._linger()
        elif self._runtime.registry.get(self._birth.session_id) is None:
            self._finish(0)

    def _begun(self, session: Session) -> None:
        self._lingering.cancel()
        session.failed = self._look_at_failure
        document = session.document
        document.leave_to_the_system()
        self._note_page(document)
        document.listen_to_roots(partial(self._note_page, document))

    def _note_page(self, document: ServedDocument) -> None:
        """Write down what to show where the session is ended: no fault of the session's where that cannot be."""
        try:
            remains.note_page(self._birth.box, root_ids(document))
        except OSError as error:
            what = "the page of this session will not say why, should it be ended"
            log.warning("%s: %s: %s; %s", self._runtime.name, self._birth.box.parent, error.strerror, what)

    def _look_at_failure(self) -> None:
        """What the application raised is its own affair, unless it is that it may have no more memory."""
        if isinstance(sys.exc_info()[1], MemoryError) and self._server.settings.session_memory_mb:
            self._status = OUT_OF_MEMORY
            self._finish(0)

    def _finish(self, number: int) -> None:
        if not self._over.done():
            self._over.set_result(number)

    def _ended(self, session: Session) -> None:
        if session.id == self._birth.session_id:
            self._finish(0)

    def _on_signal(self, number: int) -> None:
        """End, or wait a while first. A repeated signal changes nothing: its sender kills at the deadline."""
        if number == signal.SIGTERM and self._server.settings.drain_s > 0:
            self._server.site.draining = True
            asyncio.get_running_loop().call_later(self._server.settings.drain_s, self._finish, number)
        else:
            self._finish(number)

    def _on_orphaned(self) -> None:
        asyncio.get_running_loop().remove_reader(self._birth.parent_pipe)
        self._finish(signal.SIGTERM)

    async def _leave(self, number: int) -> None:
        """Say goodbye: nobody finds this process any more, and whoever has done so already is sent elsewhere."""
        settings = self._server.settings
        self._leaving = True
        if self._birth.mark is not None:
            self._birth.mark.resign()
        with contextlib.suppress(OSError):
            if self._status == OUT_OF_MEMORY:  # a page that comes back is to find this
                remains.leave(self._birth.box, remains.End.MEMORY)
            else:
                remains.forget(self._birth.box)
        discard(self._birth.box)
        comes_back = number == signal.SIGTERM and settings.drain_s > 0
        if comes_back:
            await self._hand_on()
        try:
            async with asyncio.timeout(settings.drain_deadline_s):
                await self._server.stop(1012 if comes_back else 1001)
        except TimeoutError:
            log.error("Not everything ended within %g s; stopping all the same", settings.drain_deadline_s)
        self._listening.cancel()
        await self._empty_box()

    async def _hand_on(self) -> None:
        """Let the session's page come back to the processes that go on, also when its token has expired long ago."""
        words = {"question": "inherit", "sessions": [self._birth.session_id]}
        with contextlib.suppress(Unreachable, TimeoutError):  # nobody goes on
            await letters.ask(self._place.slot(self._birth.slot), words, _HAND_ON_S)

    async def _empty_box(self) -> None:
        """Whoever had found the socket before its name was gone is still to be answered."""
        while True:
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                break
            await self._read(sock)
        if self._tasks:
            await asyncio.wait(self._tasks)


def _inode(path: Path) -> int | None:
    """Which file this is now; None where there is none."""
    try:
        return os.stat(path).st_ino
    except OSError:
        return None
