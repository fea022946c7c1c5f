"""One session's journal while this process owns it: what is appended next, and when it begins again."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app_server.document.saving.laying import DOCUMENT
from app_server.document.saving.recording import Recording
from app_server.document.saving.turns import parts_of
from app_server.document.saving.whole import encode_for_store, encode_inputs
from app_server.engine.turns.queue import TurnQueue
from app_server.session.session import Session
from app_server.store.base import Claim, Store, Write
from app_server.store.journal import JournalWriter
from app_server.store.keys import Keys
from app_server.store.records import Kind, Record

log = logging.getLogger(__name__)

_TOO_LARGE = "larger than --store-max-bytes; only its inputs are saved"

_LEAST_BYTES = 64 * 1024
"""A journal may grow by this much before it begins with the whole document again, however small that is."""


@dataclass(frozen=True, slots=True)
class Unwritten:
    """Records for the store's thread to write: after all others, or in place of them if it `replaces` them."""

    records: tuple[Record, ...]
    replaces: bool


@dataclass(eq=False, slots=True)
class Journal:
    """What the store's thread needs of one session: its claim, and the writer that seals its records."""

    key: str
    keys: Keys = field(repr=False)
    claim: Claim | None = None
    writer: JournalWriter | None = None

    def write(self, unwritten: Unwritten, store: Store) -> Write:
        """The bytes of these records, for the store, in which the session is claimed if need be. Taken if it cannot."""
        if self.claim is None:
            self.claim = store.claim(self.key, create=True)
            assert self.claim is not None
        begin = b""
        if unwritten.replaces or self.writer is None:
            self.writer = JournalWriter(self.keys)
            begin = self.writer.begin()
        data = b"".join((begin, *map(self.writer.write, unwritten.records)))
        return Write(self.claim, data, unwritten.replaces)


class JournalKeeper:
    """Collects what has to be saved of one session."""

    def __init__(
        self,
        queue: TurnQueue,
        recording: Recording,
        opened: Mapping[str, Any],
        journal: Journal,
        max_bytes: int,
    ) -> None:
        self.journal = journal
        self._queue = queue
        self._recording = recording
        self._opened = opened
        self._max_bytes = max_bytes
        self._whole_bytes = 0
        self._appended_bytes = 0
        self._state = "{}"
        self._too_large = False
        self._begun = False

    @property
    def session(self) -> Session:
        """The session whose journal this is."""
        return self._queue.session

    @property
    def state_changed(self) -> bool:
        """Whether the application's own state differs from what was saved of it."""
        state = self.session.context.state
        return bool(state or self._state != "{}") and self._state_json() != self._state

    def save_whole(self) -> None:
        """Begin the journal again next time, with the whole document."""
        self._recording.save_whole()

    def collect(self, hook: Any = None) -> Unwritten:
        """What has to be written now; `hook` is what the application's on_session_saved has returned."""
        session = self.session
        if not self._begun or self._appended_bytes > max(self._whole_bytes, _LEAST_BYTES):
            self._recording.save_whole()
        with session.document.changing:
            effects = session.flush()  # what is on its way to the clients is part of the document already
            recorded = self._recording.take()
            record = None
            if recorded.turns is None:
                record = self._whole_record([(change.model, change.attr) for change in recorded.changed])
        self._queue.perform(effects)
        fields = self._fields(hook)
        fields["changed"] = [[change.model, change.attr, int(change.by_client)] for change in recorded.changed]
        if record is not None:
            return self._begin(Record(Kind.WHOLE, {**fields, **record.fields}, record.content, record.buffers))
        return self._more([Record(Kind.CHANGES, {}, *part) for part in parts_of(recorded.turns or ())], fields)

    def _begin(self, whole: Record) -> Unwritten:
        self._whole_bytes, self._appended_bytes, self._begun = _size(whole), 0, True
        return Unwritten((Record(Kind.OPEN, self._opened), whole), replaces=True)

    def _more(self, changes: list[Record], fields: Mapping[str, Any]) -> Unwritten:
        last = changes.pop() if changes else Record(Kind.CHANGES)
        changes.append(Record(Kind.CHANGES, fields, last.content, last.buffers))
        self._appended_bytes += sum(map(_size, changes))
        return Unwritten(tuple(changes), replaces=False)

    def _whole_record(self, changed: list[tuple[str, str]]) -> Record:
        document, excluded = self.session.document, self.session.context.excluded
        self._recording.keep(model.id for model in document.models)
        record = Record(Kind.WHOLE, {}, *encode_for_store(document, excluded))
        too_large = _size(record) > self._max_bytes
        if too_large:
            inputs = [key for key in changed if key[0] != DOCUMENT]
            record = Record(Kind.WHOLE, {"partial": True}, *encode_inputs(document, inputs, excluded))
            if not self._too_large:
                log.warning("%s: %s", self.session.name, _TOO_LARGE)
        self._too_large = too_large
        return record

    def _fields(self, hook: Any) -> dict[str, Any]:
        self._state = self._state_json()
        fields = {"saved_at_s": round(time.time(), 3), "state": json.loads(self._state)}
        if hook is not None:
            fields["hook"] = hook
        return fields

    def _state_json(self) -> str:
        return plain_json(self.session.context.state, lambda why: self.session.context.note_unsaved(why)) or self._state


def plain_json(value: Any, refused: Callable[[str], None]) -> str | None:
    """The value as JSON; None, after a call of `refused` with the reason, if it is not made of plain values."""
    try:
        return json.dumps(value, allow_nan=True)
    except (TypeError, ValueError, RecursionError) as error:
        refused(str(error))
        return None


def _size(record: Record) -> int:
    return len(record.content) + sum(len(payload) for _, payload in record.buffers)
