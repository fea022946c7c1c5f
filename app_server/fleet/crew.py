"""One process of a server among its fellows: which sessions are its own, and how it reaches the others.

A process holds a slot. When a new process takes the slot over (a rolling restart), the old one goes on with the
sessions that it has and passes everything else on; the new one asks such elders before it builds a session that
somebody names. So a session is built once, whichever process its page and its socket reach.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from app_server.fleet import letters
from app_server.fleet.letters import Letter, Unreachable
from app_server.fleet.place import Place
from app_server.fleet.shares import mint_for, slot_of

log = logging.getLogger(__name__)

Answerer = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
Receiver = Callable[[Letter, socket.socket], None]

_PATIENCE_S = 10.0
"""How long a process that is not there is waited for: one that crashed is back within fractions of a second."""

_RETRY_S = 0.02
_ANSWER_S = 1.0


class Crew:
    """This process's place among the server's processes.

    `knows(session_id)` says whether a session lives here or is being built; `arrived(letter, socket)` is called with
    each connection that a fellow hands over. Requests that others may ask are registered with `answer`.
    """

    def __init__(self, place: Place, slot: int, slots: int, knows: Callable[[str], bool], arrived: Receiver) -> None:
        self.place = place
        self.slot = slot
        self.slots = slots
        self.superseded = False
        self._knows = knows
        self._arrived = arrived
        self._answers: dict[str, Answerer] = {"knows": self._answer_knows, "supersede": self._answer_supersede}
        self._elders: list[Path] = []
        self._box = place.box(slot, os.getpid())
        self._listener: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.on_superseded: Callable[[], None] = lambda: None

    def answer(self, question: str, answerer: Answerer) -> None:
        """Let others ask this question."""
        self._answers[question] = answerer

    async def open(self) -> None:
        """Take the slot: listen, tell whoever held it before, and be found by the others from now on."""
        self._box.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self._box))
        self._listener.listen(1024)
        self._listener.setblocking(False)
        self._begin(self._listen(self._listener))
        elders = [path for path in self.place.boxes() if path.name.startswith(f"box-{self.slot}-")]
        for elder in elders:
            if elder != self._box:
                await self._supersede(elder)
        self.place.give(self.slot, self._box)

    async def _supersede(self, elder: Path) -> None:
        try:
            await self.ask(elder, {"question": "supersede"}, _PATIENCE_S)
            self._elders.append(elder)
        except Unreachable:
            elder.unlink(missing_ok=True)  # it crashed
        except TimeoutError:
            self._elders.append(elder)  # it is busy, and learns of it when it has read its letters

    def close(self) -> None:
        """Be reachable no more."""
        for task in self._tasks:
            task.cancel()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self._box.unlink(missing_ok=True)

    def mint(self, mint: Callable[[], str]) -> str:
        """A session id, made by `mint`, that belongs to this process."""
        return mint_for(self.slot, self.slots, mint)

    async def owner(self, session_id: str | None) -> Path | None:
        """The process that is to answer for this session, or for a new one without an id; None where it is this one."""
        if session_id is not None and self._knows(session_id):
            return None
        slot = self.slot if session_id is None else slot_of(session_id, self.slots)
        if slot != self.slot:
            return self.place.slot(slot)
        if self.superseded:
            return await self._successor()
        if session_id is None:
            return None
        for elder in list(self._elders):
            try:
                if (await self.ask(elder, {"question": "knows", "session": session_id}))["knows"]:
                    return elder
            except (Unreachable, TimeoutError):
                self._elders.remove(elder)
        return None

    async def _successor(self) -> Path:
        """The process that has taken the slot over: it has said so, and holds the slot within moments."""
        while (holder := self.place.holder(self.slot)) == self._box:
            await asyncio.sleep(_RETRY_S)
        return holder or self.place.slot(self.slot)

    async def ask(self, box: Path, words: Mapping[str, Any], patience_s: float = _ANSWER_S) -> Mapping[str, Any]:
        """What the process answers; Unreachable where it is gone, TimeoutError where it is busy for too long."""
        return await letters.ask(box, words, patience_s)

    async def ask_all(self, words: Mapping[str, Any]) -> dict[str, Mapping[str, Any] | None]:
        """What every process of the server answers, by the names of their boxes; None where one did not in time."""
        # Beyond the slots there are processes that others are forked from, which answer nobody.
        boxes = [box for box in self.place.boxes() if Place.process_of(box.name)[0] < self.slots]
        answers = await letters.ask_all(boxes, words, _ANSWER_S)
        return dict(zip([box.name for box in boxes], answers, strict=True))

    async def with_room(self) -> Path | None:
        """A process that says that it takes new sessions; None where none does."""
        for name, answer in (await self.ask_all({"question": "room"})).items():
            if answer is not None and answer.get("room"):
                return self.place.folder / name
        return None

    async def reach(self, box: Path, patience_s: float | None = None) -> socket.socket:
        """A connection to a fellow, waiting for one that is being started again; Unreachable where it stays away."""
        wait_s = _PATIENCE_S if patience_s is None else patience_s
        deadline_s = asyncio.get_running_loop().time() + wait_s
        while True:
            try:
                return await letters.reach(box)
            except Unreachable:
                if asyncio.get_running_loop().time() > deadline_s:
                    raise
                await asyncio.sleep(_RETRY_S)

    def _begin(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _listen(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(listener)
            self._begin(self._read(sock))

    async def _read(self, sock: socket.socket) -> None:
        try:
            letter = await letters.receive(sock)
            question = letter.words.get("question")
            if question is None:
                self._arrived(letter, sock)
                return
            answerer = self._answers.get(question)
            answer = {"error": f"{question} is not a question"} if answerer is None else await answerer(letter.words)
            await letters.send(sock, Letter(answer))
        except Unreachable as error:
            log.debug("A letter did not come whole: %s", error)
        except Exception:
            log.exception("A letter of another process could not be handled; this is a fault of the server")
        sock.close()

    async def _answer_knows(self, words: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"knows": self._knows(str(words.get("session")))}

    async def _answer_supersede(self, words: Mapping[str, Any]) -> Mapping[str, Any]:
        self.superseded = True
        self.on_superseded()
        return {"superseded": True}
