"""One process of a server among its fellows: which sessions are its own, and how it reaches the others.

Every session belongs to a slot, and the link of a slot (see `place`) alone says which process holds it: whoever
moves the link moves the slot, in one step that all see. When a new process takes a slot over (a rolling restart), the
old one goes on with the sessions that it has and passes everything else on; the new one asks such elders before it
builds a session that somebody names. So a session is built once, whichever process its page and its socket reach.
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
from app_server.processes.partition import mint_for, slot_of
from app_server.processes.runtime_dir import VARIABLE, RuntimeDir, discard, placing

log = logging.getLogger(__name__)

Answerer = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
Receiver = Callable[[Message, socket.socket], None]

_PATIENCE_S = 10.0
"""How long a process that is not there is waited for: one that crashed is back within fractions of a second."""

_RETRY_S = 0.02
_ANSWER_S = 1.0

_KEEP_S = 1.0
"""How often a process looks whether its names in the run folder are still there."""

_HOPELESS_S = 5.0
"""For so long it tries to put them back, where something is in the way that does not pass by itself."""

# What a full machine answers; it passes when others have ended or files were deleted.
_PASSING = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO)


class WorkerGroup:
    """This process's place among the server's processes.

    `knows(session_id)` says whether a session lives here or is being built; `arrived(letter, socket)` is called with
    each connection that a fellow hands over. Requests that others may ask are registered with `answer`.
    """

    def __init__(
        self, runtime_dir: RuntimeDir, slot: int, slots: int, knows: Callable[[str], bool], arrived: Receiver
    ) -> None:
        self.runtime_dir = runtime_dir
        self.slot = slot
        self.slots = slots
        self.held: set[int] = set()
        """The slots whose ids this process makes: at most those whose links lead here."""
        self.superseded = False
        self.asked = False
        """Whether anybody has ever asked for a session here."""
        self._knows = knows
        self._arrived = arrived
        self._answers: dict[str, Answerer] = {"knows": self._answer_knows, "supersede": self._answer_supersede}
        self._predecessors: set[Path] = set()
        self._socket_path = runtime_dir.socket_path(slot, os.getpid())
        self._listener: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.on_superseded: Callable[[], None] = lambda: None

    def answer(self, question: str, answerer: Answerer) -> None:
        """Let others ask this question."""
        self._answers[question] = answerer

    async def open(self) -> None:
        """Take the slot: listen, tell its last holder, and be found by the others from now on.

        OperatorError where the run folder cannot hold the names for that.
        """
        with placing(self.runtime_dir.folder):
            self.runtime_dir.restore()
            await self._open()

    async def _open(self) -> None:
        self._open_socket()
        for predecessor in self.runtime_dir.socket_paths():
            if predecessor.name.startswith(f"box-{self.slot}-") and predecessor != self._socket_path:
                await self._supersede(predecessor)
        self._take({self.slot})

    def _open_socket(self) -> None:
        """Be reachable for the others."""
        # Under its name only once it answers: what does not answer is taken for the remains of a crash.
        unborn = self._socket_path.with_name(f".{self._socket_path.name}")
        unborn.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(unborn))
        self._listener.listen(1024)
        self._listener.setblocking(False)
        unborn.replace(self._socket_path)
        self._listening = asyncio.get_running_loop().create_task(self._listen(self._listener))

    async def keep(self) -> None:
        """Put this process's names in the run folder back whenever they are deleted.

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
                    log.error("%s was deleted, and cannot be made again: %s", self.runtime_dir.folder, error.strerror)
                elif error.errno not in _PASSING and now_s - failing_since_s > _HOPELESS_S:
                    raise OperatorError(
                        f"{self.runtime_dir.folder}, where the server's processes meet, was deleted, and cannot be made"
                        f" again: {error.strerror}", where=VARIABLE, hint="Start the server again.",
                    ) from error  # fmt: skip

    def _put_back(self) -> None:
        if self._listener is None:
            return  # it is closed, or about to be opened
        if not self._socket_path.exists():
            self.runtime_dir.restore()
            self._listening.cancel()
            self._listener.close()
            self._open_socket()
        for slot in self.held:
            if self.runtime_dir.holder(slot) is None:
                self.runtime_dir.give(slot, self._socket_path)

    @property
    def whole(self) -> bool:
        """Whether the run folder was not deleted, as far as one can see."""
        return self._socket_path.exists()

    def _take(self, slots: Iterable[int]) -> None:
        """Hold these slots, whoever held them before."""
        for slot in slots:
            self.runtime_dir.give(slot, self._socket_path)
            self.held.add(slot)

    async def _supersede(self, predecessor: Path) -> None:
        # From before the link moves until the elder is gone, it is asked before a session of the slot is built here.
        self._predecessors.add(predecessor)
        try:
            await self.ask(predecessor, {"question": "supersede", "socket": self._socket_path.name}, _PATIENCE_S)
        except Unreachable:
            self.forget(predecessor)
            predecessor.unlink(missing_ok=True)  # it crashed
        except TimeoutError:
            return  # it is busy, and finds that the slot has moved when it looks

    @property
    def socket_path(self) -> Path:
        """Where this process is reached by the others."""
        return self._socket_path

    def is_predecessor(self, socket_path: Path) -> bool:
        """Whether this is a process that had a slot of this one before."""
        return socket_path in self._predecessors

    def forget(self, predecessor: Path) -> None:
        """Ask this process no more: it has ended."""
        self._predecessors.discard(predecessor)

    async def close(self) -> None:
        """Be reachable no more; letters that have been read are handled, and the others are sent to somebody else."""
        discard(self._socket_path)
        if self._listener is None:
            return
        self._listening.cancel()
        self._listener.close()
        self._listener = None
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_ANSWER_S)
        for task in self._tasks:
            task.cancel()

    def mint(self, mint: Callable[[], str]) -> str:
        """A session id, made by `mint`, that belongs to this process."""
        return mint_for(self.held or {self.slot % self.slots}, self.slots, mint)

    async def owner(self, session_id: str | None) -> Path | None:
        """The process that is to answer for this session, or for a new one without an id; None where it is this one.

        Unreachable where that cannot be found out, because a process that may have the session does not answer.
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
        """A process that takes new sessions in place of this one; None where there is none."""
        slot = self.slot % self.slots
        return None if self.runtime_dir.holder(slot) in (None, self._socket_path) else self.runtime_dir.slot(slot)

    async def _predecessor_with(self, session_id: str) -> Path | None:
        """The process that had a slot before this one, and has this session of it still; None where none has."""
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
                raise  # it may be there, and have lost its name for a moment
            self.forget(predecessor)
            return False
        except TimeoutError:
            raise Unreachable(f"{predecessor.name} does not say whether it has a session") from None

    def successors(self, session_ids: Iterable[str]) -> dict[Path, list[str]]:
        """The processes to which these sessions' pages come back when this one has ended; none where it still holds
        their slots."""
        found: dict[Path, list[str]] = {}
        for session_id in session_ids:
            holder = self.runtime_dir.holder(slot_of(session_id, self.slots))
            if holder is not None and holder != self._socket_path:
                found.setdefault(holder, []).append(session_id)
        return found

    async def ask(
        self, socket_path: Path, fields: Mapping[str, Any], patience_s: float = _ANSWER_S
    ) -> Mapping[str, Any]:
        """What the process answers; Unreachable where it is gone, TimeoutError where it is busy for too long."""
        return await ipc.ask(socket_path, fields, patience_s)

    async def ask_all(self, fields: Mapping[str, Any]) -> dict[str, Mapping[str, Any] | None]:
        """What every process of the server answers, by the names of their boxes; None where one did not in time."""
        socket_paths = self.runtime_dir.socket_paths()
        answers = await ipc.ask_all(socket_paths, fields, _ANSWER_S)
        return dict(zip([socket_path.name for socket_path in socket_paths], answers, strict=True))

    async def with_room(self) -> Path | None:
        """A process that says that it takes new sessions; None where none does."""
        for name, answer in (await self.ask_all({"question": "room"})).items():
            if answer is not None and answer.get("room"):
                return self.runtime_dir.folder / name
        return None

    async def reach(self, socket_path: Path, patience_s: float | None = None) -> socket.socket:
        """A connection to a fellow, waiting for one that is being started again; Unreachable where it stays away."""
        wait_s = _PATIENCE_S if patience_s is None else patience_s
        deadline_s = asyncio.get_running_loop().time() + wait_s
        while True:
            try:
                return await ipc.reach(socket_path)
            except Unreachable:
                if asyncio.get_running_loop().time() > deadline_s:
                    raise
                await asyncio.sleep(_RETRY_S)

    def _begin(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _listen(self, listener: socket.socket) -> None:
        while True:
            self._begin(self._read(await ipc.accept(listener)))

    async def _read(self, sock: socket.socket) -> None:
        try:
            message = await ipc.receive(sock)
            question = message.fields.get("question")
            if question is None:
                self._arrived(message, sock)
                return
            answerer = self._answers.get(question)
            answer = {"error": f"{question} is not a question"} if answerer is None else await answerer(message.fields)
            await ipc.send(sock, Message(answer))
        except Unreachable as error:
            log.debug("A letter did not come whole: %s", error)
        except Exception:
            log.exception("A letter of another process could not be handled; this is a fault of the server")
        sock.close()

    async def _answer_knows(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"knows": self._knows(str(fields.get("session")))}

    async def _answer_supersede(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        self._hand_on(set(self.held), self.runtime_dir.folder / str(fields["socket"]))
        self._retire()
        return {"superseded": True}

    def _hand_on(self, slots: set[int], socket_path: Path) -> None:
        """Let another process hold these slots from now on; it has to know this one as an elder before."""
        self.held -= slots
        for slot in slots:
            self.runtime_dir.give(slot, socket_path)

    def _retire(self) -> None:
        """Take no more new sessions."""
        if not self.superseded:
            self.superseded = True
            self.on_superseded()
