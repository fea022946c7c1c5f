"""An application without sockets, on a clock that skips: its sessions, its callbacks, and lines of any width."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bokeh.document import without_document_lock

from app_server.apps.function import FunctionApplication, application_from_function
from app_server.apps.hooks import Hooks
from app_server.document import engine
from app_server.document.served import ServedDocument
from app_server.engine.lifecycle import Lifetimes
from app_server.engine.local import LocalRuntime
from app_server.engine.loop import EngineLoop
from app_server.engine.turns.queue import TurnQueue
from app_server.load.wire import CLOSE, PING, FrameReader, Message, MessageReader
from app_server.protocol import messages, websocket
from app_server.protocol.lag import Lag
from app_server.protocol.websocket import Payload
from app_server.session.connection import Connection
from app_server.session.limits import MessageLimits
from app_server.session.session import Session
from tests.support.clock import SkippingLoop, skipping_loop
from tests.unit.session.making import message

engine.install()


class Hooked(FunctionApplication):
    """An application with hooks, which builds its documents with `build`."""

    def __init__(self, build: Callable[[Any], object], **hooks: Any) -> None:
        super().__init__("/app", lambda document: build(document))
        self._hooks = Hooks(**hooks)

    @property
    def hooks(self) -> Hooks:
        return self._hooks


class Stage:
    """A session, its document, and when each of its callbacks ran."""

    def __init__(
        self, loop: SkippingLoop, fill: Callable[[Any], object], turns: type[TurnQueue] = TurnQueue
    ) -> None:
        self.loop = loop
        self.runs: Counter[str] = Counter()
        self.times: dict[str, list[float]] = {}
        application = application_from_function(lambda document: fill(document), "app")
        self.runtime = LocalRuntime(
            application, "/app", MessageLimits(1_000_000), Lifetimes(1e6, 1e6), EngineLoop(loop), turns=turns
        )  # fmt: skip
        loop.run_until_complete(self.runtime.start())
        self.session: Session = loop.run_until_complete(self.runtime.session("one", None, {}))
        self.document: ServedDocument = self.session.document

    @property
    def queue(self) -> TurnQueue:
        """Where the session's turns are taken."""
        queue = self.runtime._queues.get(self.session.id)
        assert queue is not None
        return queue

    def close(self) -> None:
        """End the session and all that it has under way."""
        self.loop.run_until_complete(self.runtime.stop())

    def model(self, name: str) -> Any:
        """The document's model of this name."""
        return self.document.get_model_by_name(name)

    def callback(self, name: str, *, holds_s: float = 0.0, computes_s: float = 0.0, locked: bool = True) -> Any:
        """A callback that notes that it ran: an async one where it holds the document, else a plain one."""

        def note() -> None:
            self.times.setdefault(name, []).append(round(self.loop.time(), 6))
            self.loop.pass_time(computes_s)
            self.runs[name] += 1

        async def hold() -> None:
            await asyncio.sleep(holds_s)
            note()

        function = hold if holds_s else note
        return function if locked else without_document_lock(function)

    def receive(self, line: Line, message: messages.Message) -> None:
        """A message of this client arrives."""

        async def arrive() -> None:
            self.runtime.receive(self.session, line.connection, message)

        self.loop.run_until_complete(arrive())

    def view(self, bytes_per_s: float = 1e9, **options: Any) -> Line:
        """A client that has the document, at the end of such a line."""
        line = Line(self, bytes_per_s, **options)
        self.runtime.connect(self.session, line.connection, line)
        self.runtime.receive(self.session, line.connection, message("PULL-DOC-REQ"))
        return line


@contextmanager
def staged(fill: Callable[[Any], object], turns: type[TurnQueue] = TurnQueue) -> Iterator[Stage]:
    """A stage on a clock of its own, closed at the end."""
    with skipping_loop() as loop:
        played = Stage(loop, fill, turns)
        yield played
        played.close()


class Line:
    """A client at the end of a line that takes whatever it is given, and carries so many bytes a second.

    The line is all proxies and no kernel: only the client's answers say what has arrived.
    """

    pack = None
    queued_bytes = 0
    _number = 0

    def __init__(self, stage: Stage, bytes_per_s: float, distance_s: float = 0.0, answers: bool = True) -> None:
        Line._number += 1
        self.connection = Connection(Line._number, "192.0.2.1")
        self.bytes_per_s = bytes_per_s
        self.ages_s: list[float] = []
        self.messages: list[Message] = []
        self.given_up = False
        self._stage, self._loop = stage, stage.loop
        self._distance_s, self._answers = distance_s, answers
        self._lag, self._awaited = Lag(), False
        self._free_s = 0.0
        self._frames, self._reader = FrameReader(), MessageReader()

    @property
    def is_late(self) -> bool:
        late = self._lag.is_late(0, self._loop.time())
        self._awaited = self._awaited or late
        return late

    @property
    def has_room(self) -> bool:
        room = not self.is_late and self._lag.has_room(0)
        self._awaited = self._awaited or not room
        return room

    @property
    def late_by_s(self) -> float:
        return self._loop.time() - (self._lag.oldest_s or self._loop.time())

    def write(self, chunks: Sequence[Payload]) -> None:
        data = b"".join(bytes(chunk) for chunk in chunks)
        before, after = self._lag.probes(len(data), self._loop.time())
        self._carry(b"".join([_ping(before), data, _ping(after)]))
        self._lag.taken(0)

    def give_up(self, waiting_bytes: int, why: str) -> None:
        self.given_up = True
        self._stage.runtime.disconnect(self._stage.session, self.connection)

    def watch_closely(self) -> None:
        self._lag.was_late(self._loop.time())

    def close(self, code: int, reason: str = "") -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def events(self) -> list[dict[str, Any]]:
        """The events of all that has arrived."""
        return [
            event
            for whole in self.messages
            if whole.kind == "PATCH-DOC"
            for event in json.loads(whole.content)["events"]
        ]

    def _carry(self, data: bytes) -> None:
        for start in range(0, len(data), 8192):
            piece = data[start : start + 8192]
            self._free_s = max(self._free_s, self._loop.time()) + len(piece) / self.bytes_per_s
            self._loop.call_at(self._free_s + self._distance_s / 2, self._arrive, piece)

    def _arrive(self, data: bytes) -> None:
        for opcode, payload in self._frames.feed(data):
            if opcode == PING and self._answers:
                self._loop.call_later(self._distance_s / 2, self._answered, payload)
            elif opcode < CLOSE and (whole := self._reader.feed(payload, self._loop.time())) is not None:
                self.messages.append(whole)

    def _answered(self, payload: bytes) -> None:
        self._lag.answered(payload, self._loop.time())
        if self._awaited and not self._lag.is_late(0, self._loop.time()):
            self._awaited = False
            self._stage.runtime.caught_up(self._stage.session, self.connection)


def _ping(payload: bytes | None) -> bytes:
    return b"" if payload is None else b"".join(map(bytes, websocket.serialize([(websocket.PING, payload)])))
