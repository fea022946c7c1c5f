"""Whatever happened to a journal, it reads as a state that the session had."""

from __future__ import annotations

import sys
import tracemalloc
from base64 import b64decode
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app_server.errors import InternalError
from app_server.store.errors import NewerJournal, Unreadable
from app_server.store.journal import HEADER_BYTES, JournalWriter, Saved, opened_bytes, read_journal, read_opened
from app_server.store.keys import Keys, new_seal
from app_server.store.records import Kind, Part, Record, pack
from tests.support.examples import examples

SIGNED = Keys((b"secret",))
ENCRYPTED = Keys((b"secret",), encrypt=True)
KEYS = st.sampled_from([Keys(), SIGNED, ENCRYPTED])

CHANGED = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["value", "data"]), st.integers(0, 1)).map(list), max_size=4
)
LATER_FIELDS = st.fixed_dictionaries({}, optional={"changed": CHANGED, "state": st.integers(), "hook": st.text()})
LATER = st.builds(
    Record,
    st.sampled_from([Kind.WHOLE, Kind.CHANGES]),
    LATER_FIELDS,
    st.binary(max_size=30),
    st.lists(st.tuples(st.sampled_from("xyz"), st.binary(max_size=20)), max_size=2).map(tuple),
)
STORIES = st.lists(LATER, max_size=6).map(lambda later: [Record(Kind.OPEN, {"session": "s"}), *later])


def written(records: Sequence[Record], keys: Keys) -> tuple[bytes, list[int]]:
    """The journal, and where each record ends in it."""
    writer = JournalWriter(keys)
    data, ends = writer.begin(), []
    for record in records:
        data += writer.write(record)
        ends.append(len(data))
    return data, ends


def expected(records: Sequence[Record]) -> tuple[Any, ...]:
    """What a journal of these records says: the same rules, in another way."""
    last_whole = max((at for at, record in enumerate(records) if record.kind is Kind.WHOLE), default=None)
    after = records[1:] if last_whole is None else records[last_whole + 1 :]
    counted = after if last_whole is None else records[last_whole:]
    entries = [entry for record in counted for entry in record.fields.get("changed", [])]
    changed = [entry for at, entry in enumerate(entries) if entry[:2] not in [later[:2] for later in entries[at + 1 :]]]
    fields: dict[str, Any] = {}
    for record in records[1:]:
        fields.update(record.fields)
    whole = None if last_whole is None else Part(records[last_whole].content, tuple(records[last_whole].buffers))
    changes = tuple(Part(each.content, tuple(each.buffers)) for each in after if each.content or each.buffers)
    return records[0].fields, whole, changes, {**fields, "changed": changed}


def told(saved: Saved | None) -> tuple[Any, ...]:
    assert saved is not None
    return saved.opened, saved.whole, saved.changes, saved.fields


@settings(deadline=None)
@given(STORIES, KEYS)
def test_a_journal_says_what_was_written(records: list[Record], keys: Keys) -> None:
    saved = read_journal(written(records, keys)[0], keys)
    assert told(saved) == expected(records)
    assert saved is not None and saved.damaged is None


@settings(deadline=None)
@given(STORIES, KEYS, st.data())
def test_any_prefix_reads_as_the_records_in_it(records: list[Record], keys: Keys, data: st.DataObject) -> None:
    journal, ends = written(records, keys)
    cut = data.draw(st.integers(0, len(journal)))
    whole = sum(end <= cut for end in ends)
    if cut == 0:
        assert read_journal(b"", keys) is None
    elif whole == 0:
        with pytest.raises(Unreadable):
            read_journal(journal[:cut], keys)
    else:
        saved = read_journal(journal[:cut], keys)
        assert told(saved) == expected(records[:whole])
        assert saved is not None and (saved.damaged is None) is (cut in ends)


@settings(deadline=None)
@given(STORIES, KEYS, st.data())
def test_any_flipped_bit_ends_the_story_before_it(records: list[Record], keys: Keys, data: st.DataObject) -> None:
    journal, ends = written(records, keys)
    bit = data.draw(st.integers(0, 8 * len(journal) - 1))
    altered = bytearray(journal)
    altered[bit // 8] ^= 1 << bit % 8
    whole = sum(end <= bit // 8 for end in ends)
    if whole == 0:
        with pytest.raises(Unreadable):
            read_journal(bytes(altered), keys)
    else:
        saved = read_journal(bytes(altered), keys)
        assert told(saved) == expected(records[:whole])
        assert saved is not None and saved.damaged is not None


@settings(deadline=None)
@given(STORIES, KEYS, st.data())
def test_cutting_something_out_ends_the_story_there(records: list[Record], keys: Keys, data: st.DataObject) -> None:
    journal, ends = written(records, keys)
    begin = data.draw(st.integers(0, len(journal) - 1))
    end = data.draw(st.integers(begin + 1, len(journal)))
    try:
        saved = read_journal(journal[:begin] + journal[end:], keys)
    except Unreadable:
        assert begin < ends[0]
        return
    # What is cut out may equal what follows it.
    states = [expected(records[: at + 1]) for at in range(len(records))]
    assert (saved is None and end - begin == len(journal)) or told(saved) in states


@settings(deadline=None)
@given(STORIES, STORIES, KEYS)
def test_records_of_another_journal_or_another_place_mean_nothing(
    records: list[Record], others: list[Record], keys: Keys
) -> None:
    journal, ends = written(records, keys)
    other, other_ends = written(others, keys)
    for strange in (other[HEADER_BYTES : other_ends[0]], journal[HEADER_BYTES : ends[0]]):
        saved = read_journal(journal + strange, keys)
        assert told(saved) == expected(records)
        assert saved is not None and saved.damaged is not None


@settings(deadline=None)
@given(st.binary(max_size=200), KEYS)
def test_any_bytes_are_no_journal(data: bytes, keys: Keys) -> None:
    if data:
        with pytest.raises(Unreadable):
            read_journal(data, keys)


def forged(bodies: Sequence[tuple[int, bytes]]) -> bytes:
    """A journal with the right signatures around anything, as anyone can make it where no secret is set."""
    salt = bytes(16)
    journal, seal = JournalWriter(Keys(), salt).begin(), new_seal(b"", salt, encrypt=False)
    for sequence, (kind, body) in enumerate(bodies):
        stored = b"".join(seal.close(sequence, kind, body))
        journal += (len(stored) + 1).to_bytes(4, "big") + bytes([kind]) + stored
    return journal


ODD = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)
BODIES = st.binary(max_size=60) | st.fixed_dictionaries({"changed": ODD}).map(pack) | st.just(pack({}))


@settings(deadline=None, max_examples=examples(300))
@given(st.lists(st.tuples(st.integers(0, 5), BODIES), max_size=5))
def test_forged_records_are_a_story_or_unreadable_and_cost_little(bodies: list[tuple[int, bytes]]) -> None:
    journal = forged(bodies)
    tracemalloc.start()
    try:
        saved = read_journal(journal, Keys())
    except Unreadable:
        saved = None
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 1_000_000
    for entry in saved.fields["changed"] if saved else ():
        model, name, by_client = entry
        assert isinstance(model, str) and isinstance(name, str) and by_client in (0, 1)


@pytest.mark.parametrize(
    ("records", "damaged"),
    [
        ([(1, pack({})), (1, pack({}))], "a record of kind OPEN is in the wrong place"),
        ([(1, pack({})), (9, pack({}))], "the journal has a record of an unknown kind, 9"),
        ([(1, pack({})), (3, pack({"changed": 1}))], "a record does not say properly what has changed"),
        ([(1, pack({})), (3, pack({"changed": [["a", "b", 2]]}))], "a record does not say properly what has changed"),
        ([(1, pack({})), (3, pack({"changed": [[1, "b", 1]]}))], "a record does not say properly what has changed"),
        ([(1, pack({})), (3, b"\0")], "a record is cut off: 4 bytes are announced, 1 are there"),
    ],
)
def test_a_record_without_sense_is_not_taken(records: list[tuple[int, bytes]], damaged: str) -> None:
    saved = read_journal(forged(records), Keys())
    assert saved == Saved({}, fields={"changed": []}, damaged=damaged)


def test_a_story_begins_with_its_opening() -> None:
    with pytest.raises(Unreadable) as caught:
        read_journal(forged([(2, pack({}))]), Keys())
    assert str(caught.value) == "a record of kind WHOLE is in the wrong place"
    with pytest.raises(Unreadable) as caught:
        read_journal(forged([]), Keys())
    assert str(caught.value) == "the journal ends before its first record"


OPEN = [Record(Kind.OPEN, {"user": "ada-lovelace"}), Record(Kind.WHOLE, {"state": {"n": 1}}, b"grace-hopper")]


def test_a_record_of_fields_is_no_change_of_the_document() -> None:
    change, fields = Record(Kind.CHANGES, {}, b"{}"), Record(Kind.CHANGES, {"state": {"page": 2}})
    data, _ = written([Record(Kind.OPEN, {}), change, fields], SIGNED)
    saved = read_journal(data, SIGNED)
    assert saved is not None
    assert (saved.changes, saved.fields["state"]) == ((Part(b"{}", ()),), {"page": 2})


def test_a_journal_of_the_previous_secret_is_read_and_the_new_one_writes() -> None:
    new, old = Keys((b"new", b"old")), Keys((b"old",))
    assert told(read_journal(written(OPEN, old)[0], new)) == expected(OPEN)
    with pytest.raises(Unreadable) as caught:
        read_journal(written(OPEN, new)[0], old)
    assert str(caught.value) == "the journal is damaged, or signed with another secret"


def test_a_journal_that_was_not_signed_is_not_believed_once_there_is_a_secret() -> None:
    with pytest.raises(Unreadable, match="signed with another secret"):
        read_journal(written(OPEN, Keys())[0], SIGNED)


def test_encryption_can_be_switched_on_and_off() -> None:
    for writing in (SIGNED, ENCRYPTED):
        for reading in (SIGNED, ENCRYPTED, Keys((b"new", b"secret"), encrypt=True)):
            assert told(read_journal(written(OPEN, writing)[0], reading)) == expected(OPEN)


def test_an_encrypted_journal_does_not_show_what_is_in_it() -> None:
    for text in (b"ada-lovelace", b"grace-hopper", b"state"):
        assert text in written(OPEN, SIGNED)[0]
        assert text not in written(OPEN, ENCRYPTED)[0]


@pytest.mark.parametrize("keys", [SIGNED, ENCRYPTED])
def test_each_journal_has_a_salt_of_its_own_so_no_nonce_repeats(keys: Keys) -> None:
    journals = [written(OPEN, keys)[0] for _ in range(100)]
    assert len({journal[:HEADER_BYTES] for journal in journals}) == 100
    # The same record at the same place: encrypted to something else each time, or signed so.
    assert len({journal[-16:] for journal in journals}) == 100


def test_within_a_journal_each_record_has_the_next_number() -> None:
    writer = JournalWriter(ENCRYPTED)
    writer.begin()
    records = [writer.write(Record(Kind.CHANGES, {}, b"same")) for _ in range(100)]
    assert len(set(records)) == 100


def test_a_record_that_cannot_be_written_uses_no_number() -> None:
    writer = JournalWriter(SIGNED)
    journal = writer.begin() + writer.write(OPEN[0])
    with pytest.raises(TypeError):
        writer.write(Record(Kind.CHANGES, {"state": object()}))
    assert told(read_journal(journal + writer.write(OPEN[1]), SIGNED)) == expected(OPEN)


def test_a_writer_begins_once() -> None:
    writer = JournalWriter(SIGNED)
    assert writer.begin() == writer.begin()
    writer.write(OPEN[0])
    with pytest.raises(InternalError, match="a journal has begun already"):
        writer.begin()


def test_an_encrypted_journal_without_the_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    journal, _ = written(OPEN, ENCRYPTED)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(Unreadable) as caught:
        read_journal(journal, SIGNED)
    assert "the journal is encrypted: encrypting saved sessions needs the package cryptography" in str(caught.value)
    assert "[encrypt]" in str(caught.value)


def test_a_newer_journal_is_told_apart_from_a_damaged_one() -> None:
    journal, _ = written(OPEN, SIGNED)
    with pytest.raises(NewerJournal) as caught:
        read_journal(journal.replace(b"journal 1\n", b"journal 27\n", 1), SIGNED)
    assert str(caught.value) == "a newer app-server wrote the journal, in version 27 of its format"


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"app-server jour", "the journal is cut off in its header"),
        (b"app-server journal 1\n" + bytes(31), "the journal is cut off in its header"),
        (b"app-server journal 1\n" + bytes(32), "the journal is damaged, or signed with another secret"),
        (b"PK\x03\x04", "this is not a journal"),
        (b"app-server journal 0\n", "this is not a journal"),
        (b"app-server journal " + b"9" * 1000 + b"\n", "this is not a journal"),
    ],
)
def test_what_is_no_journal_is_named(data: bytes, what: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_journal(data, SIGNED)
    assert (type(caught.value), str(caught.value)) == (Unreadable, what)


def test_the_header_has_the_documented_layout() -> None:
    header = JournalWriter(SIGNED, bytes(range(16))).begin()
    assert header.startswith(b"app-server journal 1\n" + bytes(range(16)))
    assert len(header) == HEADER_BYTES == 21 + 16 + 16


def test_first_record_is_read_from_the_first_bytes_alone() -> None:
    writer = JournalWriter(Keys((b"secret",)))
    data = writer.begin() + writer.write(Record(Kind.OPEN, {"user": "ann"}))
    size = len(data)
    data += writer.write(Record(Kind.WHOLE, {"saved_at_s": 1}, b"{}"))
    assert opened_bytes(data) == opened_bytes(data[: HEADER_BYTES + 4]) == size
    assert (
        read_opened(data[:size], Keys((b"secret",))) == read_opened(data, Keys((b"old", b"secret"))) == {"user": "ann"}
    )
    for wrong in (data[: size - 1], data[: HEADER_BYTES + 2], data[:HEADER_BYTES], b"nonsense", b""):
        with pytest.raises(Unreadable):
            read_opened(wrong, Keys((b"secret",)))
    with pytest.raises(Unreadable):
        read_opened(data, Keys((b"another",)))


def test_journal_that_begins_with_another_record_says_nothing_of_whom() -> None:
    writer = JournalWriter(Keys())
    data = writer.begin() + writer.write(Record(Kind.WHOLE, {}, b"{}"))
    with pytest.raises(Unreadable, match="does not begin as it should"):
        read_opened(data, Keys())


# What app-server 0.1 wrote of the same session without a key, with one, and encrypted. A later version must still read
# them; if the format changes, add another constant, and let this one stay for as long as docs/versions.md says.
WRITTEN_BY_0_1 = [
    (
        Keys(),
        "YXBwLXNlcnZlciBqb3VybmFsIDEKAAECAwQFBgcICQoLDA0OD+Zd+3Uw/lLUOd7vg73LANYAAAAqAQAAAA97InNlc3Npb24iOiJzIn0AAAAAAA"
        "BJxcax15ZCXLC3XxPf+cA1AAAAKwIAAAACe30AAAAFd2hvbGUAAQABYQAAAAIAAffqtngsJC5p3wBkqr793kYAAABNAwAAAC17InN0YXRlIjp7"
        "Im4iOjF9LCJjaGFuZ2VkIjpbWyJtIiwidmFsdWUiLDBdXX0AAAAFbGF0ZXIAANa6RjasdNxNwhhA9CtfypA=",
    ),
    (
        SIGNED,
        "YXBwLXNlcnZlciBqb3VybmFsIDEKAAECAwQFBgcICQoLDA0OD9qT/qtKiz5WIVM6bzWJz54AAAAqAQAAAA97InNlc3Npb24iOiJzIn0AAAAAAA"
        "DYJ+a8iJ+ZY7CqFDB9aSMMAAAAKwIAAAACe30AAAAFd2hvbGUAAQABYQAAAAIAAcuXCyS0FoofdKgaAoeXDbMAAABNAwAAAC17InN0YXRlIjp7"
        "Im4iOjF9LCJjaGFuZ2VkIjpbWyJtIiwidmFsdWUiLDBdXX0AAAAFbGF0ZXIAAP58/R0N7nIDirPRAiS0I+M=",
    ),
    (
        ENCRYPTED,
        "YXBwLXNlcnZlciBqb3VybmFsIDEKAAECAwQFBgcICQoLDA0OD9wa96SLhTgoLv+kPOMeSqgAAAAqATaFkKrn+0wrVk1zFuOYd8ZyIcyGDjbMw6"
        "9vO4hxKE4pXRCKQcYzUVjlAAAAKwKfDbsZyT5QcWopUnHJWDfebqTtYuYmru+jWPA7r/ERxrrLFYjIob78GiIAAABNA56X6O1WKLjzgZAkH7Ix"
        "FAJXXa1xrFu0qp0idhgdRaxx9Bl0hV7Qa1NVtwzN++939qtSwjJ8lsZRojX5U454pcMNkN3k29lS8iCIhmk=",
    ),
]


@pytest.mark.parametrize(("keys", "text"), WRITTEN_BY_0_1, ids=["open", "signed", "encrypted"])
def test_what_version_0_1_wrote_is_still_read(keys: Keys, text: str) -> None:
    saved = read_journal(b64decode(text), keys)
    assert told(saved) == (
        {"session": "s"},
        Part(b"whole", (("a", b"\x00\x01"),)),
        (Part(b"later", ()),),
        {"state": {"n": 1}, "changed": [["m", "value", 0]]},
    )
    assert saved is not None and saved.damaged is None
