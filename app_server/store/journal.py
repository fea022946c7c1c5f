"""A session's journal: a header, then records, each sealed with its place in the sequence.

The header is the line `app-server journal 1`, a random salt of 16 bytes, and a tag of 16 bytes. A record is a u32
length of what follows, a u8 kind, the body, and a tag of 16 bytes. A journal that was cut or altered reads as the
records before the damage: a state that the session really had.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from app_server.errors import InternalError, OperatorError
from app_server.store.errors import NewerJournal, TooLarge, Unreadable
from app_server.store.keys import SALT_BYTES, TAG_BYTES, Keys, Seal, header_tag, new_seal
from app_server.store.records import Kind, Part, Record, pack, unpack

VERSION: Final = 1
_LINE: Final = b"app-server journal %d\n" % VERSION
_ANY_LINE: Final = re.compile(rb"app-server journal ([1-9][0-9]{0,8})\n")
HEADER_BYTES: Final = len(_LINE) + SALT_BYTES + TAG_BYTES
_LENGTH_BYTES: Final = 4
_LONGEST: Final = 2**32 - 1


class JournalWriter:
    """Makes the bytes of one journal. Every new journal needs a new writer, with a salt of its own.

    If bytes were not written, begin a new journal: a reader stops at a gap. `salt` is for tests.
    """

    def __init__(self, keys: Keys, salt: bytes | None = None) -> None:
        self._salt = secrets.token_bytes(SALT_BYTES) if salt is None else salt
        self._secret, self._encrypt = keys.accepted[0], keys.encrypt
        self._seal = new_seal(self._secret, self._salt, encrypt=self._encrypt)
        self._sequence = 0

    def begin(self) -> bytes:
        """The header, which comes before the first record."""
        if self._sequence:
            raise InternalError("a journal has begun already")
        header = _LINE + self._salt
        return header + header_tag(self._secret, self._salt, header, encrypt=self._encrypt)

    def write(self, record: Record) -> bytes:
        """The bytes of the next record. Raises what `pack` raises; the sequence is as before then."""
        body = pack(record.fields, record.content, record.buffers)
        length = 1 + len(body) + TAG_BYTES
        if length > _LONGEST:
            raise TooLarge("a record", limit_bytes=_LONGEST, size_bytes=length)
        pieces = self._seal.close(self._sequence, record.kind, body)
        self._sequence += 1
        return b"".join((length.to_bytes(_LENGTH_BYTES, "big"), bytes([record.kind]), *pieces))


@dataclass(frozen=True)
class Saved:
    """What a journal says of its session.

    `opened` are the fields of its first record. `whole` is the last whole document and `changes` what came after it, in
    order. `fields` are those of all other records, where a later value replaces an earlier one; "changed" has each
    property once, at its latest place. `damaged` says, for the log, why reading stopped before the end.
    """

    opened: Mapping[str, Any]
    whole: Part | None = None
    changes: tuple[Part, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    damaged: str | None = None


def read_journal(data: bytes, keys: Keys) -> Saved | None:
    """What the journal says, as far as it is intact; None if it is empty.

    Raises Unreadable if not even its first record can be read, NewerJournal if a newer version wrote it.
    """
    if not data:
        return None
    seal = _read_header(data, keys)
    story = _Story()
    damaged = None
    try:
        for record in _records(memoryview(data), seal):
            story.add(record)
    except Unreadable as error:
        damaged = error.what
    return story.saved(damaged)


def opened_bytes(head: bytes) -> int:
    """How many of a journal's first bytes hold its first record. Raises Unreadable if that cannot be said."""
    _check_line(head)
    length = head[HEADER_BYTES : HEADER_BYTES + _LENGTH_BYTES]
    if len(length) < _LENGTH_BYTES:
        raise Unreadable("the journal ends before its first record")
    return HEADER_BYTES + _LENGTH_BYTES + int.from_bytes(length, "big")


def read_opened(head: bytes, keys: Keys) -> Mapping[str, Any]:
    """The fields of the first record: whose session it is. `head` has at least the first `opened_bytes`.

    Raises Unreadable as `read_journal` does.
    """
    seal = _read_header(head, keys)
    record = next(_records(memoryview(head)[: opened_bytes(head)], seal), None)
    if record is None or record.kind is not Kind.OPEN:
        raise Unreadable("the journal does not begin as it should")
    return record.fields


def _read_header(data: bytes, keys: Keys) -> Seal:
    _check_line(data)
    signed = len(_LINE) + SALT_BYTES
    header, tag = data[:signed], data[signed:HEADER_BYTES]
    if len(tag) < TAG_BYTES:
        raise Unreadable("the journal is cut off in its header")
    salt = header[-SALT_BYTES:]
    for secret in keys.accepted:
        for encrypt in (keys.encrypt, not keys.encrypt):
            if hmac.compare_digest(header_tag(secret, salt, header, encrypt=encrypt), tag):
                return _known_seal(secret, salt, encrypt)
    raise Unreadable("the journal is damaged, or signed with another secret")


def _known_seal(secret: bytes, salt: bytes, encrypt: bool) -> Seal:
    try:
        return new_seal(secret, salt, encrypt=encrypt)
    except OperatorError as error:
        raise Unreadable(f"the journal is encrypted: {error.what}", hint=error.hint) from None


def check_version(data: bytes) -> None:
    """Raise NewerJournal if a newer version of the server wrote the journal that begins like this."""
    if not data.startswith(_LINE) and (found := _ANY_LINE.match(data)):
        raise NewerJournal(f"a newer app-server wrote the journal, in version {int(found[1])} of its format")


def _check_line(data: bytes) -> None:
    check_version(data)
    if data.startswith(_LINE):
        return
    raise Unreadable("the journal is cut off in its header" if _LINE.startswith(data) else "this is not a journal")


def _records(view: memoryview, seal: Seal) -> Iterator[Record]:
    at, sequence = HEADER_BYTES, 0
    while at < len(view):
        length = int.from_bytes(view[at : at + _LENGTH_BYTES], "big")
        at += _LENGTH_BYTES
        # Compared before anything is copied: a length that was altered allocates nothing.
        if not TAG_BYTES < length <= len(view) - at:
            raise Unreadable(f"the journal is cut off or damaged at byte {at - _LENGTH_BYTES} of {len(view)}")
        kind = view[at]
        fields, part = unpack(seal.open(sequence, kind, view[at + 1 : at + length]))
        yield Record(_known_kind(kind), fields, part.content, part.buffers)
        at, sequence = at + length, sequence + 1


def _known_kind(kind: int) -> Kind:
    try:
        return Kind(kind)
    except ValueError:
        raise Unreadable(f"the journal has a record of an unknown kind, {kind}") from None


class _Story:
    """What the records so far say together."""

    def __init__(self) -> None:
        self._opened: Mapping[str, Any] | None = None
        self._whole: Part | None = None
        self._changes: list[Part] = []
        self._fields: dict[str, Any] = {}
        self._changed: dict[tuple[str, str], list[Any]] = {}

    def add(self, record: Record) -> None:
        """Take one record in, completely or not at all: Unreadable if it makes no sense here."""
        if (record.kind is Kind.OPEN) is not (self._opened is None):
            raise Unreadable(f"a record of kind {record.kind.name} is in the wrong place")
        if record.kind is Kind.OPEN:
            self._opened = record.fields
            return
        changed = _read_changed(record.fields.get("changed", ()))
        part = Part(record.content, tuple(record.buffers))
        if record.kind is Kind.WHOLE:
            self._whole, self._changes, self._changed = part, [], {}
        elif part.content or part.buffers:
            # Else only the application's own state has changed, or what its hook returns.
            self._changes.append(part)
        for entry in changed:
            self._changed.pop((entry[0], entry[1]), None)
            self._changed[entry[0], entry[1]] = entry
        self._fields.update(record.fields)

    def saved(self, damaged: str | None) -> Saved:
        """What was taken in; raises Unreadable if that is nothing."""
        if self._opened is None:
            raise Unreadable(damaged or "the journal ends before its first record")
        fields = {**self._fields, "changed": list(self._changed.values())}
        return Saved(self._opened, self._whole, tuple(self._changes), fields, damaged)


def _read_changed(entries: object) -> list[list[Any]]:
    """Lists of a model's id, a property's name, and 1 if a client set it; raises Unreadable for anything else."""
    if not isinstance(entries, list | tuple) or not all(_is_changed(entry) for entry in entries):
        raise Unreadable("a record does not say properly what has changed")
    return list(entries)


def _is_changed(entry: object) -> bool:
    if not isinstance(entry, list) or len(entry) != 3:
        return False
    model, name, by_client = entry
    return isinstance(model, str) and isinstance(name, str) and by_client in (0, 1)
