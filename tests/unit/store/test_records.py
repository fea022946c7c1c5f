"""The body of a record, and what is done with bytes that are none."""

from __future__ import annotations

import json
import math
import struct
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app_server.store.errors import TooLarge, Unreadable
from app_server.store.records import Kind, Part, Record, pack, unpack

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.dictionaries(st.text(max_size=10), PLAIN, max_size=4)
BUFFERS = st.lists(st.tuples(st.text(st.characters(codec="utf-8"), max_size=8), st.binary(max_size=40)), max_size=4)


@settings(deadline=None)
@given(FIELDS, st.binary(max_size=100), BUFFERS)
def test_unpack_gives_what_was_packed(fields: dict[str, Any], content: bytes, buffers: list[tuple[str, bytes]]) -> None:
    assert unpack(pack(fields, content, buffers)) == (fields, Part(content, tuple(buffers)))


def test_floats_that_are_no_numbers_stay_what_they_are() -> None:
    fields, _ = unpack(pack({"state": [math.nan, math.inf, -math.inf, 2**80]}))
    assert math.isnan(fields["state"][0])
    assert fields["state"][1:] == [math.inf, -math.inf, 2**80]


@settings(deadline=None)
@given(FIELDS, st.binary(max_size=50), BUFFERS, st.data())
def test_a_body_that_is_cut_or_goes_on_is_unreadable(
    fields: dict[str, Any], content: bytes, buffers: list[tuple[str, bytes]], data: st.DataObject
) -> None:
    body = pack(fields, content, buffers)
    with pytest.raises(Unreadable, match="a record is cut off: "):
        unpack(body[: data.draw(st.integers(0, len(body) - 1))])
    with pytest.raises(Unreadable, match=r"^a record has 1 bytes after its end$"):
        unpack(body + b"\0")


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_body_or_unreadable(data: bytes) -> None:
    try:
        fields, part = unpack(data)
    except Unreadable:
        return
    assert isinstance(fields, dict) and len(part.content) < len(data)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (b"[" * 100_000, "a record's fields are not JSON"),
        (b'{"a": ' * 100_000, "a record's fields are not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "a record's fields are not JSON"),
        (b"[]", "a record's fields are not an object"),
        (b'{"a": "\xff"}', "a text in a record is not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "a text in a record is not UTF-8"),
        (b"", "a record's fields are not JSON"),
    ],
)
def test_fields_that_are_no_json_object_are_unreadable(text: bytes, what: str) -> None:
    with pytest.raises(Unreadable) as caught:
        unpack(struct.pack(">I", len(text)) + text + struct.pack(">IH", 0, 0))
    assert str(caught.value) == what


@pytest.mark.parametrize(
    "body",
    [
        struct.pack(">I", 2**32 - 1),
        struct.pack(">I2sI", 2, b"{}", 2**32 - 1),
        struct.pack(">I2sIH", 2, b"{}", 0, 2**16 - 1),
        struct.pack(">I2sIHHI", 2, b"{}", 0, 1, 0, 2**32 - 1),
    ],
)
def test_lengths_allocate_nothing_before_they_are_compared(body: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(Unreadable, match="a record is cut off: "):
            unpack(body)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_what_is_not_plain_is_the_callers_mistake() -> None:
    with pytest.raises(TypeError, match="set is not JSON serializable"):
        pack({"state": {1, 2}})
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(ValueError, match="Circular reference"):
        pack({"state": circle})


def test_a_length_that_does_not_fit_is_refused() -> None:
    with pytest.raises(TooLarge) as caught:
        pack({}, b"", [("a" * 65536, b"")])
    assert str(caught.value) == "a part of a record has 65536 bytes, more than the 65535 allowed"


def test_the_layout_is_the_documented_one() -> None:
    text = json.dumps({"a": 1}, separators=(",", ":")).encode()
    expected = struct.pack(">I7sI2sHH1sI3s", 7, text, 2, b"{}", 1, 1, b"x", 3, b"abc")
    assert pack({"a": 1}, b"{}", [("x", b"abc")]) == expected


def test_a_record_has_only_its_kind_unless_it_says_more() -> None:
    assert Record(Kind.OPEN) == Record(Kind.OPEN, {}, b"", ())
    assert [int(kind) for kind in Kind] == [1, 2, 3]
