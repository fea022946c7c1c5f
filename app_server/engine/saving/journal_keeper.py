"""One session's journal while this process owns it: what is appended next, and when it begins again."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from app_server.document.saving.recording import Recording
from app_server.document.saving.turns import parts_of
from app_server.document.saving.whole import called_models, encode_for_store, encode_inputs
from app_server.document.saving.whole_laying import DOCUMENT
from app_server.engine.saving.plain import NotPlain, plain_json
from app_server.engine.saving.policy import SavingPolicy
from app_server.engine.turns.queue import TurnQueue
from app_server.session.session import Session
from app_server.store.base import Claim, Store, Write
from app_server.store.errors import StoreError
from app_server.store.journal import HEADER_BYTES, JournalWriter, check_version
from app_server.store.keys import Keys
from app_server.store.records import Kind, Record

log = logging.getLogger(__name__)

_TOO_LARGE = "larger than --store-max-bytes; only its inputs are saved"

_LEAST_BYTES: Final = 64 * 1024
"""A journal may grow by this much before it begins with the whole document again, however small that is."""

_INPUTS_ONLY: Final = 30
"""How often the inputs of a session that is too large are saved before the whole document is tried again."""

_CHANGED_BYTES: Final = 64
"""About what it takes to say that a property has changed."""


@dataclass(frozen=True, slots=True)
class Unwritten:
    """Records for the store's thread to write: after all others, or in place of them if it `replaces` them."""

    records: tuple[Record, ...]
    replaces: bool

    @property
    def size_bytes(self) -> int:
        """About how much it is."""
        return sum(map(_size, self.records))


@dataclass(eq=False, slots=True)
class Journal:
    """What the store's thread needs of one session: its claim, and the writer that seals its records."""

    key: str
    keys: Keys = field(repr=False)
    claim: Claim | None = None
    writer: JournalWriter | None = None

    def write(self, unwritten: Unwritten, store: Store) -> Write:
        """The bytes of these records, for the store, in which the session is claimed if need be.

        Raises Taken if it cannot be claimed, NewerJournal if that would overwrite what a newer version has saved.
        """
        if self.claim is None:
            self.claim = _claimed(self.key, store)
        begin = b""
        if unwritten.replaces or self.writer is None:
            self.writer = JournalWriter(self.keys)
            begin = self.writer.begin()
        data = b"".join((begin, *map(self.writer.write, unwritten.records)))
        return Write(self.claim, data, unwritten.replaces)

    def take_claim(self) -> Claim | None:
        """The claim, to be released or deleted: it is not renewed any more."""
        claim, self.claim = self.claim, None
        return claim


class JournalKeeper:
    """Collects what has to be saved of one session."""

    def __init__(
        self,
        queue: TurnQueue,
        recording: Recording,
        opened: Mapping[str, Any],
        journal: Journal,
        policy: SavingPolicy,
    ) -> None:
        self.journal = journal
        self._queue = queue
        self._recording = recording
        self._opened = opened
        self._max_bytes, self._own_bytes = policy.max_bytes, policy.own_bytes
        self._whole_bytes = 0
        self._appended_bytes = 0
        self._state = "{}"
        self._jobs: dict[str, Any] = {}
        self._inputs_only = 0
        self._begun = False
        self._excluded = len(self.session.context.excluded)

    @property
    def session(self) -> Session:
        """The session whose journal this is."""
        return self._queue.session

    @property
    def state_changed(self) -> bool:
        """Whether the application's own state, its jobs, or what it excludes differ from what was saved of them."""
        state = self.session.context.state
        if len(self.session.context.excluded) != self._excluded:
            self.save_whole()  # without the values that the journal has until then
            return True
        if self._jobs_now() != self._jobs:
            return True
        return bool(state or self._state != "{}") and self._state_json() != self._state

    def save_whole(self) -> None:
        """Begin the journal again next time, with the whole document."""
        self._recording.save_whole()

    def shed(self) -> None:
        """Free the memory of what waits to be saved if it is much: the store is too slow for it."""
        with self.session.document.changing:
            self._recording.shed(_LEAST_BYTES)

    def collect(self, hook: Any = None, *, whole: bool = False) -> Unwritten | None:
        """What has to be written now, None for nothing; `hook` is what the application's on_session_saved has returned.

        With `whole` the journal begins again, as it does by itself when it has grown.
        """
        session = self.session
        grown = self._appended_bytes > max(self._whole_bytes, _LEAST_BYTES)
        with session.document.changing:
            effects = session.flush()  # what is on its way to the clients is part of the document already
            recorded = self._recording.take(whole=whole or grown or not self._begun or self._inputs_only > 0)
            record = None
            if recorded.turns is None:
                record = self._whole_record([(change.model, change.attr) for change in recorded.changed])
        self._queue.perform(effects)
        fields = self._fields(hook, always=record is not None)
        fields["changed"] = [[change.model, change.attr, int(change.by_client)] for change in recorded.changed]
        if record is not None:
            return self._begin(Record(Kind.WHOLE, {**fields, **record.fields}, record.content, record.buffers))
        if not recorded.turns and not recorded.changed and fields.keys() == {"saved_at_s", "changed"}:
            return None
        changes = [Record(Kind.CHANGES, {}, *part) for part in parts_of(recorded.turns or ())]
        return self._more(changes, fields) or self.collect(hook, whole=True)

    def _begin(self, whole: Record) -> Unwritten:
        self._whole_bytes, self._appended_bytes, self._begun = _size(whole), 0, True
        return Unwritten((Record(Kind.OPEN, self._opened), whole), replaces=True)

    def _more(self, changes: list[Record], fields: Mapping[str, Any]) -> Unwritten | None:
        """These changes; None if the journal would be too large with them, and has to begin again."""
        last = changes.pop() if changes else Record(Kind.CHANGES)
        changes.append(Record(Kind.CHANGES, fields, last.content, last.buffers))
        more_bytes = sum(map(_size, changes)) + (len(self._state) if "state" in fields else 0)
        if self._whole_bytes + self._appended_bytes + more_bytes > 2 * self._max_bytes:
            return None
        self._appended_bytes += more_bytes
        return Unwritten(tuple(changes), replaces=False)

    def _whole_record(self, changed: list[tuple[str, str]]) -> Record:
        document, excluded = self.session.document, frozenset(self.session.context.excluded)
        self._excluded = len(excluded)
        self._recording.keep(model.id for model in document.models)
        if self._inputs_only <= 1:
            called = {"called": called_models(document)}
            record = Record(Kind.WHOLE, called, *encode_for_store(document, excluded))
            if _size(record) <= self._max_bytes:
                self._inputs_only = 0
                return record
            if not self._inputs_only:
                log.warning("%s: %s", self.session.name, _TOO_LARGE)
            self._inputs_only = _INPUTS_ONLY
        self._inputs_only -= 1
        inputs = [key for key in changed if key[0] != DOCUMENT]
        part = encode_inputs(document, inputs, excluded, max_bytes=self._max_bytes)
        return Record(Kind.WHOLE, {"partial": True}, *part)

    def _fields(self, hook: Any, *, always: bool) -> dict[str, Any]:
        """What a record says beside the document: the application's state only if that has changed, or `always`."""
        before, self._state = self._state, self._state_json()
        fields: dict[str, Any] = {"saved_at_s": round(time.time(), 3)}
        if always or self._state != before:
            fields["state"] = json.loads(self._state)
        if hook is not None:
            fields["hook"] = hook
        jobs = self._jobs_now()
        if jobs != self._jobs or (always and jobs):
            fields["jobs"] = self._jobs = jobs
        return fields

    def _jobs_now(self) -> dict[str, Any]:
        """The named jobs that the session waits for, and how far they are."""
        jobs = self.session.context.jobs
        found: dict[str, Any] = {} if jobs is None else jobs.as_saved()
        return found

    def _state_json(self) -> str:
        """The application's own state; what was saved of it last if it is not made of plain values."""
        context = self.session.context
        try:
            return plain_json(context.state, self._own_bytes)
        except NotPlain as error:
            context.note_unsaved(f"session_context.state: {error}")
            return self._state


def _claimed(key: str, store: Store) -> Claim:
    claim = store.claim(key, create=True)
    assert claim is not None
    try:
        check_version(store.head(key, HEADER_BYTES))
    except StoreError:
        store.release(claim)
        raise
    return claim


def _size(record: Record) -> int:
    changed = len(record.fields.get("changed", ())) * _CHANGED_BYTES
    return len(record.content) + sum(len(payload) for _, payload in record.buffers) + changed
