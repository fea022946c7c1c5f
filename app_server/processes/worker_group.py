"""One process of a server among its peers: which sessions are its own, and how it reaches the others.

Every session belongs to a slot, and the slot's link (see `runtime_dir`) says which process holds it: moving the link
moves the slot, in one step that all see. When a new process takes over a slot (a rolling restart), its predecessor
keeps its sessions and passes on everything else; the new process asks its predecessors before it builds a session with
a given id. A session is therefore built once, whichever process its page and its socket reach.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from app_server.errors import OperatorError
from app_server.processes import ipc
from app_server.processes.ipc import Message, Unreachable
from app_server.processes.message_server import MessageServer
from app_server.processes.partition import mint_for, slot_of
from app_server.processes.runtime_dir import VARIABLE, RuntimeDir, discard, placing

log = logging.getLogger(__name__)

Answerer = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
Receiver = Callable[[Message, socket.socket], None]

_PATIENCE_S = 10.0
"""How long to wait for a process that is not there: one that crashed is back within fractions of a second."""

_RETRY_S = 0.02
_ANSWER_S = 1.0

_KEEP_S = 1.0
"""How often a process checks that its names in the runtime directory are still there."""

_HOPELESS_S = 5.0
"""How long it tries to put them back if the obstacle does not go away by itself."""

# The errors of a full machine; they end when other processes have ended or files were deleted.
_PASSING = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO)


class WorkerGroup:
    """This process among the server's processes.

    `knows(session_id)` says whether a session lives here or is being built; `arrived(message, socket)` is called with
    each connection that a peer hands over; `on_superseded()` when this process gets no new sessions any more. Questions
    that peers may ask are registered with `answer`.
    """

    def __init__(
        self,
        runtime_dir: RuntimeDir,
        slot: int,
        slots: int,
        knows: Callable[[str], bool],
        arrived: Receiver,
        on_superseded: Callable[[], None] = lambda: None,
    ) -> None:
        self.runtime_dir = runtime_dir
        self.slot = slot
        self.slots = slots
        self.held: set[int] = set()
        """The slots whose ids this process makes: at most those whose links lead here."""
        self.superseded = False
        self.asked = False
        """Whether a session was ever asked for here."""
        self._knows = knows
        self._arrived = arrived
        self._answers: dict[str, Answerer] = {"knows": self._answer_knows, "supersede": self._answer_supersede}
        self._predecessors: set[Path] = set()
        self._socket_path = runtime_dir.socket_path(slot, os.getpid())
        self._server = MessageServer(self._handle)
        self._on_superseded = on_superseded

    def answer(self, question: str, answerer: Answerer) -> None:
        """Let others ask this question."""
        self._answers[question] = answerer

    async def open(self) -> None:
        """Take the slot: listen, tell its last holder, and be found by the others from now on.

        OperatorError if the runtime directory cannot hold the names.
        """
        with placing(self.runtime_dir.folder):
            self.runtime_dir.restore()
            await self._open()

    async def _open(self) -> None:
        self._open_socket()
        for predecessor in self.runtime_dir.socket_paths():
            if predecessor.name.startswith(f"worker-{self.slot}-") and predecessor != self._socket_path:
                await self._supersede(predecessor)
        self._take({self.slot})

    def _open_socket(self) -> None:
        """Be reachable for the others."""
        # It gets its name when it answers: a socket that does not answer is taken for that of a crashed process.
        unnamed = self._socket_path.with_name(f".{self._socket_path.name}")
        unnamed.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(unnamed))
        listener.listen(1024)
        unnamed.replace(self._socket_path)
        self._server.listen(listener)

    async def keep(self) -> None:
        """Put this process's names in the runtime directory back whenever they are deleted.

        OperatorError if that is impossible, and no other process can find this one again.
        """
        failing_since_s: float | None = None
        while True:
            await asyncio.sleep(_KEEP_S)
            try:
                self._put_back()
                failing_since_s = None
            except OSError as error:
                now_s = asyncio.get_running_loop().time()
                if failing_since_s is None:
                    failing_since_s = now_s
                    log.error("%s was deleted and cannot be created again: %s", self.runtime_dir.folder, error.strerror)
                elif error.errno not in _PASSING and now_s - failing_since_s > _HOPELESS_S:
                    raise OperatorError(
                        f"the runtime directory {self.runtime_dir.folder} was deleted and cannot be created again:"
                        f" {error.strerror}", where=VARIABLE, hint="Start the server again.",
                    ) from error  # fmt: skip

    def _put_back(self) -> None:
        if not self._server.is_listening:
            return  # it is closed, or about to be opened
        if not self._socket_path.exists():
            self.runtime_dir.restore()
            self._open_socket()
        for slot in self.held:
            if self.runtime_dir.holder(slot) is None:
                self.runtime_dir.give(slot, self._socket_path)

    @property
    def whole(self) -> bool:
        """Whether the runtime directory was not deleted, as far as this process can see."""
        return self._socket_path.exists()

    def _take(self, slots: Iterable[int]) -> None:
        """Hold these slots, even if another process held them before."""
        for slot in slots:
            self.runtime_dir.give(slot, self._socket_path)
            self.held.add(slot)

    async def _supersede(self, predecessor: Path) -> None:
        # From before the link moves until it is gone, it is asked before a session of the slot is built here.
        self._predecessors.add(predecessor)
        try:
            await self.ask(predecessor, {"question": "supersede", "socket": self._socket_path.name}, _PATIENCE_S)
        except Unreachable:
            self.forget(predecessor)
            predecessor.unlink(missing_ok=True)  # it crashed
        except TimeoutError:
            return  # it is busy, and will see that the slot has moved

    @property
    def socket_path(self) -> Path:
        """Where the others reach this process."""
        return self._socket_path

    def is_predecessor(self, socket_path: Path) -> bool:
        """Whether this is a process that held a slot of this one before."""
        return socket_path in self._predecessors

    def forget(self, predecessor: Path) -> None:
        """Stop asking this process: it has ended."""
        self._predecessors.discard(predecessor)

    async def close(self) -> None:
        """Stop listening. Messages that have arrived are handled; connections that were not accepted go elsewhere."""
        discard(self._socket_path)
        if self._server.is_listening:
            self._server.stop()
            await self._server.finish(_ANSWER_S)

    def mint(self, mint: Callable[[], str]) -> str:
        """A session id, made by `mint`, that belongs to this process."""
        return mint_for(self.held or {self.slot % self.slots}, self.slots, mint)

    async def owner(self, session_id: str | None) -> Path | None:
        """The process that serves this session, or a new one if there is no id; None if it is this process.

        Unreachable if a process that may have the session does not answer.
        """
        self.asked = True
        if session_id is None:
            return self._successor() if self.superseded else None
        if self._knows(session_id):
            return None
        slot = slot_of(session_id, self.slots)
        if self.runtime_dir.holder(slot) != self._socket_path:
            return self.runtime_dir.slot(slot)
        return await self._predecessor_with(session_id)

    def _successor(self) -> Path | None:
        """A process that takes new sessions instead of this one; None if there is none."""
        slot = self.slot % self.slots
        return None if self.runtime_dir.holder(slot) in (None, self._socket_path) else self.runtime_dir.slot(slot)

    async def _predecessor_with(self, session_id: str) -> Path | None:
        """The predecessor that still has this session; None if none has."""
        predecessors = list(self._predecessors)
        answers = await asyncio.gather(*(self._has(each, session_id) for each in predecessors))
        for predecessor, has in zip(predecessors, answers, strict=True):
            if has:
                return predecessor
        return None

    async def _has(self, predecessor: Path, session_id: str) -> bool:
        try:
            return bool(
                (await self.ask(predecessor, {"question": "knows", "session": session_id}, _PATIENCE_S))["knows"]
            )
        except Unreachable:
            if not self.whole:
                raise  # it may have lost only its name, for a moment
            self.forget(predecessor)
            return False
        except TimeoutError:
            raise Unreachable(f"{predecessor.name} does not say whether it has a session") from None

    def successors(self, session_ids: Iterable[str]) -> dict[Path, list[str]]:
        """The processes to which these sessions' pages come back when this one has ended, with the sessions' ids.

        Sessions whose slots this process still holds are left out.
        """
        found: dict[Path, list[str]] = {}
        for session_id in session_ids:
            holder = self.runtime_dir.holder(slot_of(session_id, self.slots))
            if holder is not None and holder != self._socket_path:
                found.setdefault(holder, []).append(session_id)
        return found

    async def ask(
        self, socket_path: Path, fields: Mapping[str, Any], patience_s: float = _ANSWER_S
    ) -> Mapping[str, Any]:
        """What the process answers; Unreachable if it is gone, TimeoutError if it is busy for too long."""
        return await ipc.ask(socket_path, fields, patience_s)

    async def ask_all(self, fields: Mapping[str, Any]) -> dict[str, Mapping[str, Any] | None]:
        """What every process of the server answers, by the name of its socket; None for one that did not in time."""
        socket_paths = self.runtime_dir.socket_paths()
        answers = await ipc.ask_all(socket_paths, fields, _ANSWER_S)
        return dict(zip([socket_path.name for socket_path in socket_paths], answers, strict=True))

    async def ask_others(self, fields: Mapping[str, Any]) -> None:
        """Ask every other process of the server, those of single sessions too; answers are not waited for long."""
        others = [path for path in self.runtime_dir.socket_paths() if path != self._socket_path]
        others += self.runtime_dir.session_sockets()
        await ipc.ask_all(others, fields, _ANSWER_S)

    async def ask_peers(self, fields: Mapping[str, Any]) -> list[Mapping[str, Any] | None]:
        """What each other worker answers; None for one that did not in time."""
        others = [socket_path for socket_path in self.runtime_dir.socket_paths() if socket_path != self._socket_path]
        return await ipc.ask_all(others, fields, _ANSWER_S)

    async def with_room(self) -> Path | None:
        """A process that takes new sessions; None if there is none."""
        for name, answer in (await self.ask_all({"question": "room"})).items():
            if answer is not None and answer.get("room"):
                return self.runtime_dir.folder / name
        return None

    async def reach(self, socket_path: Path, patience_s: float | None = None) -> socket.socket:
        """A connection to a peer, which may be restarting; Unreachable if it stays away."""
        wait_s = _PATIENCE_S if patience_s is None else patience_s
        deadline_s = asyncio.get_running_loop().time() + wait_s
        while True:
            try:
                return await ipc.reach(socket_path)
            except Unreachable:
                if asyncio.get_running_loop().time() > deadline_s:
                    raise
                await asyncio.sleep(_RETRY_S)

    async def _handle(self, message: Message, sock: socket.socket) -> None:
        question = message.fields.get("question")
        if question is None:
            self._arrived(message, sock)
            return
        answerer = self._answers.get(question)
        answer = {"error": f"unknown question {question}"} if answerer is None else await answerer(message.fields)
        await ipc.send(sock, Message(answer))
        sock.close()

    async def _answer_knows(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"knows": self._knows(str(fields.get("session")))}

    async def _answer_supersede(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        self._hand_on(set(self.held), self.runtime_dir.folder / str(fields["socket"]))
        self._retire()
        return {"superseded": True}

    def _hand_on(self, slots: set[int], socket_path: Path) -> None:
        """Let another process hold these slots from now on; it must know this one as a predecessor before."""
        self.held -= slots
        for slot in slots:
            self.runtime_dir.give(slot, socket_path)

    def _retire(self) -> None:
        """Stop taking new sessions."""
        if not self.superseded:
            self.superseded = True
            self._on_superseded()
