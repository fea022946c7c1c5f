"""Sends what turns decide: one write for each client, one encoding for all that keep up.

A client that reads more slowly than its session changes has a backlog of its own, in which newer values take the place
of those that wait (`session.backlog`), and is sent the next piece of it when it has read the last one. Only callbacks
wait for it, when no client of their session keeps up, or too much waits that nothing can replace.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from app_server.engine.sinks import FrameSink
from app_server.engine.slow_clients import SlowClients
from app_server.observe.gauges import ApplicationGauges
from app_server.protocol import websocket
from app_server.protocol.codec import Frame
from app_server.protocol.messages import Message
from app_server.protocol.websocket import Payload
from app_server.session.backlog import Backlog, Change, changes_of, keys_of
from app_server.session.connection import Connection
from app_server.session.effects import Close, Role, Send
from app_server.session.naming import LogName

log = logging.getLogger(__name__)

_PIECE_BYTES = 256 * 1024
"""How much of a backlog is sent at once; what stays may still be replaced."""

_FIXED_BYTES_OF_ALL = 256 * 1024
"""When no client keeps up and this much waits that nothing can replace, timeouts and next ticks wait like beats."""

_FIXED_BYTES_OF_ONE = 8 * 1024 * 1024
"""When this much waits for one client that nothing can replace, its session's callbacks wait for that client."""

_MOST_BYTES = 64 * 1024 * 1024
"""What may wait for one client: more can only come of what does not wait for it, such as other clients' messages."""


class Delivery:
    """The outgoing side of one application's clients."""

    def __init__(
        self,
        gauges: ApplicationGauges,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gauges = gauges
        self.sinks: dict[Connection, FrameSink] = {}
        self.backlogs: dict[Connection, Backlog] = {}
        """What waits for the clients that are late."""
        self._slow = SlowClients(self.sinks, self.backlogs, clock)

    @property
    def queued_bytes(self) -> int:
        """How much waits for all clients together."""
        waiting = sum(backlog.size for backlog in self.backlogs.values())
        return waiting + sum(sink.queued_bytes for sink in self.sinks.values())

    def connect(self, connection: Connection, name: LogName, sink: FrameSink) -> None:
        """A client has come, to the session of this name."""
        self.sinks[connection] = sink
        self._slow.connect(connection, name)

    def disconnect(self, connection: Connection) -> FrameSink | None:
        """A client has gone, or is to go with its sink."""
        self.backlogs.pop(connection, None)
        self._slow.disconnect(connection)
        return self.sinks.pop(connection, None)

    def close_all(self, code: int, reason: str) -> None:
        """Close the connections of all clients."""
        for connection, sink in list(self.sinks.items()):
            sink.close(code, reason)
            self.disconnect(connection)

    def pause(self, connections: Sequence[Connection]) -> None:
        """Read no more from these clients."""
        for connection in connections:
            if connection in self.sinks:
                self.sinks[connection].pause()

    def resume(self, connections: Sequence[Connection]) -> None:
        """Read again from these clients."""
        for connection in connections:
            if connection in self.sinks:
                self.sinks[connection].resume()

    def deliver(self, effects: Sequence[Send | Close]) -> None:
        """Send what a turn sends, and close what it closes."""
        if not effects:
            return
        for connection, chunks in self._writes(effects).items():
            sink = self.sinks.get(connection)
            if sink is not None:
                sink.write(chunks)
        for effect in effects:
            if isinstance(effect, Close):
                sink = self.disconnect(effect.connection)
                if sink is not None:
                    sink.close(effect.code, effect.reason)

    def _writes(self, effects: Sequence[Send | Close]) -> dict[Connection, list[Payload]]:
        """What is written to each client, one encoding for all; what a late client is to wait for is held back."""
        sinks, backlogs = self.sinks, self.backlogs
        encoded: dict[int, list[Payload]] = {}
        held: dict[int, list[Change]] = {}
        writes: dict[Connection, list[Payload]] = {}  # lists that several may share: they are replaced, not changed
        plain: dict[Connection, list[Frame]] = {}
        for effect in effects:
            if isinstance(effect, Close):
                continue
            self._gauges.messages_out += len(effect.connections)
            for connection in effect.connections:
                sink = sinks.get(connection)
                if sink is None:
                    continue
                if (
                    not (connection in writes or connection in plain)
                    and (sink.is_late or connection in backlogs)
                    and self._hold(connection, sink, effect, held)
                ):
                    continue
                if sink.pack is not None:
                    packed = sink.pack(effect.frames)
                    writes[connection] = [*writes[connection], *packed] if connection in writes else packed
                elif len(effect.connections) == 1 and connection not in writes:
                    plain.setdefault(connection, []).extend(effect.frames)
                else:
                    if connection in plain:
                        writes[connection] = websocket.serialize(plain.pop(connection))
                    chunks = encoded.get(id(effect.frames))
                    if chunks is None:
                        chunks = encoded[id(effect.frames)] = websocket.serialize(effect.frames)
                    writes[connection] = [*writes[connection], *chunks] if connection in writes else chunks
        for connection, frames in plain.items():
            writes[connection] = websocket.serialize(frames)
        return writes

    def caught_up(self, connection: Connection) -> None:
        """A client that was late has read what it was sent: it gets the next piece of what waits for it."""
        sink = self.sinks.get(connection)
        while sink is not None and connection in self.backlogs and sink.has_room:
            backlog = self.backlogs[connection]
            chunks: list[Payload] = []
            for frames in backlog.take(_PIECE_BYTES):
                chunks += (sink.pack or websocket.serialize)(frames)
            if not backlog:
                del self.backlogs[connection]
            sink.write(chunks)
            sink = self.sinks.get(connection)

    def set_by(self, connection: Connection, message: Message) -> None:
        """A client sets properties itself: older values of them that wait for it are out of date."""
        backlog = self.backlogs.get(connection)
        if backlog is not None:
            backlog.forget(keys_of(message.content))
            if not backlog:
                del self.backlogs[connection]

    def must_wait(self, connections: Sequence[Connection], *, beat: bool) -> bool:
        """Whether a callback of a session with these clients, one that may leave out beats or not, is to wait.

        A beat waits when no client keeps up. Anything waits when too much waits that nothing can replace.
        """
        late = [connection for connection in connections
                if (sink := self.sinks.get(connection)) is not None and sink.is_late]  # fmt: skip
        if not late:
            return False
        fixed = [self._fixed_bytes(connection) for connection in late]
        if max(fixed) > _FIXED_BYTES_OF_ONE:
            return True
        return len(late) == len(connections) and (beat or min(fixed) > _FIXED_BYTES_OF_ALL)

    def waited_for(self, connections: Sequence[Connection]) -> None:
        """A callback of a session with these clients has begun to wait."""
        for connection in connections:
            if self._is_late(connection):
                self._slow.callback_waits(connection)

    def _is_late(self, connection: Connection) -> bool:
        sink = self.sinks.get(connection)
        return sink is not None and sink.is_late

    def _fixed_bytes(self, connection: Connection) -> int:
        backlog = self.backlogs.get(connection)
        return 0 if backlog is None else backlog.fixed_bytes

    def _hold(self, connection: Connection, sink: FrameSink, effect: Send, held: dict[int, list[Change]]) -> bool:
        """Have a message wait for its client; False if it is to be sent at once."""
        self.caught_up(connection)
        backlog = self.backlogs.get(connection)
        if backlog is None:
            if effect.role is not Role.CHANGES or not sink.is_late:
                return False
            backlog = self.backlogs[connection] = Backlog()
        if effect.role is Role.CHANGES:
            changes = held.get(id(effect.frames))
            if changes is None:
                changes = held[id(effect.frames)] = changes_of(effect.frames)
            backlog.add_changes(changes)
        else:
            backlog.add_answer(effect.frames, is_state=effect.role is Role.STATE)
        self._slow.note_late(connection)
        if backlog.size > _MOST_BYTES:
            sink.give_up(backlog.size, "reads too slowly for what may not be left out")
        return True
