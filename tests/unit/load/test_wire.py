"""The load generator's frames and messages."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from app_server.load.wire import (
    BINARY,
    FIN,
    PING,
    TEXT,
    FrameReader,
    MessageReader,
    find_models,
    frame,
    masked,
    message,
    set_value,
)

MASK = b"\x01\x02\x03\x04"


@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4))
def test_masking_twice_gives_the_payload_back(payload: bytes, mask: bytes) -> None:
    assert masked(masked(payload, mask), mask) == payload


@given(st.lists(st.binary(max_size=70_000), max_size=4), st.integers(1, 9000))
def test_frames_survive_any_cut_of_the_bytes(payloads: list[bytes], cut: int) -> None:
    reader, data = FrameReader(), b"".join(frame(BINARY, payload) for payload in payloads)
    got = [each for start in range(0, len(data), cut) for each in reader.feed(data[start : start + cut])]
    assert got == [(BINARY, payload) for payload in payloads]


def test_frame_is_that_of_the_rfc() -> None:
    # RFC 6455, section 5.7: a single-frame masked text message.
    assert frame(TEXT, b"Hello", b"\x37\xfa\x21\x3d").hex() == "818537fa213d7f9f4d5158"


def test_parts_of_a_fragmented_frame_are_joined_around_a_ping() -> None:
    first, last = bytes((TEXT, 3)) + b"Hel", bytes((FIN, 2)) + b"lo"
    assert FrameReader().feed(first + frame(PING, b"?") + last) == [(PING, b"?"), (TEXT, b"Hello")]


def test_message_is_whole_after_its_last_buffer() -> None:
    reader = MessageReader()
    frames = [b'{"msgtype": "PATCH-DOC", "num_buffers": 2}', b"{}", b"content", b'{"id": "1"}', b"one", b'{"id": "2"}']
    assert [reader.feed(each, 1.0) for each in frames] == [None] * 6
    whole = reader.feed(b"two", 2.0)
    assert whole is not None
    assert (whole.kind, whole.content, whole.buffers) == ("PATCH-DOC", b"content", (b"one", b"two"))
    assert (whole.frames, whole.arrived_s) == (7, 2.0)


def test_reader_begins_anew_after_a_message() -> None:
    reader = MessageReader()
    kinds = []
    for header in (b'{"msgtype":"ACK"}', b'{"msgtype":"OK","reqid":"c1"}'):
        for each in (header, b"{}", b"{}"):
            if whole := reader.feed(each, 0.0):
                kinds.append(whole.kind)
    assert kinds == ["ACK", "OK"]


def test_message_is_three_masked_frames_in_one_piece() -> None:
    data = message("PATCH-DOC", set_value("p1", 0.5), "c7")
    parts = []
    while data:
        size = data[1] & 0x7F
        start = 6 if size < 126 else 8
        size = size if size < 126 else int.from_bytes(data[2:4], "big")
        parts.append(json.loads(masked(data[start : start + size], data[start - 4 : start])))
        data = data[start + size :]
    change = {"kind": "ModelChanged", "model": {"id": "p1"}, "attr": "value", "new": 0.5}
    assert parts == [{"msgid": "c7", "msgtype": "PATCH-DOC"}, {}, {"events": [change]}]


def test_models_are_found_at_any_depth_in_document_order() -> None:
    leaf = {"type": "object", "name": "Slider", "id": "p3"}
    document = {"roots": [{"name": "Row", "id": "p1", "attributes": {"children": [leaf, {"id": "p3"}]}}]}
    assert find_models(document, "Slider") == ["p3"]
    assert find_models(document, "Row") == ["p1"]
