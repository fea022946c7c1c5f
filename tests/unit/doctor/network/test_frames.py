"""Frames of a server, and what a client sends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_server.doctor.network.frames import BadFrame, LenientFrameReader, Messages
from app_server.protocol.codec import encode, realignment
from app_server.protocol.frame_reader import FrameReader
from app_server.protocol.websocket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    TEXT,
    close_payload,
    masked_frame,
    serialize,
)


def sent(*frames: tuple[int, bytes]) -> bytes:
    return b"".join(bytes(chunk) for chunk in serialize(frames))


@given(st.lists(st.tuples(st.sampled_from([TEXT, BINARY, PING]), st.binary(max_size=120))), st.integers(1, 40))
def test_frames_of_our_server_are_read_however_they_are_cut(frames: list[tuple[int, bytes]], step: int) -> None:
    data, reader, found = sent(*frames), LenientFrameReader(), list[tuple[int, bytes]]()
    for start in range(0, len(data), step):
        found += reader.feed(data[start : start + step])
    assert found == frames


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536, 200_000])
def test_server_understands_what_is_sent(size: int) -> None:
    data = masked_frame(BINARY, b"x" * size, b"\x01\x02\x03\x04")
    assert list(FrameReader(1_000_000).feed(data)) == [(BINARY, b"x" * size)]
    assert list(LenientFrameReader().feed(sent((BINARY, b"x" * size)))) == [(BINARY, b"x" * size)]


def test_fragments_are_joined() -> None:
    assert list(LenientFrameReader().feed(b"\x01\x02ab\x89\x00\x80\x01c")) == [(PING, b""), (TEXT, b"abc")]


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 400 Bad Request",
        masked_frame(TEXT, b"masked", b"abcd"),
        b"\xc1\x00",
        b"\x83\x00",
        b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x82\x7e\x04\x01",
        b"\x02\x7d" + b"x" * 125 + (b"\x00\x7d" + b"x" * 125) * 10,
    ],
)
def test_what_no_server_sends_is_a_bad_frame(data: bytes) -> None:
    with pytest.raises(BadFrame):
        list(LenientFrameReader(max_bytes=1024).feed(data))


@given(st.binary(max_size=200))
def test_any_bytes_are_frames_or_a_bad_frame(data: bytes) -> None:
    try:
        list(LenientFrameReader(max_bytes=1024).feed(data))
    except BadFrame:
        pass


def test_what_a_bad_frame_is_is_said() -> None:
    reasons = {
        b"\x8f\x00": "a frame begins with 8f00",
        b"\x82\x7f" + (5000).to_bytes(8, "big"): "a frame has 5000 bytes",
        b"\x89\x7f" + (5000).to_bytes(8, "big"): "a frame has 5000 bytes",
        (b"\x02\x7d" + b"x" * 125) + (b"\x00\x7d" + b"x" * 125) * 8: "a message has more than 1024 bytes",
    }
    for data, reason in reasons.items():
        with pytest.raises(BadFrame) as caught:
            list(LenientFrameReader(max_bytes=1024).feed(data))
        assert str(caught.value) == reason


@pytest.mark.parametrize("code", [0, 999, 1005, 1006, 5000])
def test_close_frame_has_code_and_reason_whatever_they_are(code: int) -> None:
    assert list(LenientFrameReader().feed(sent((CLOSE, close_payload(1008, "no token"))))) == [
        (CLOSE, b"\x03\xf0no token")
    ]
    payload = code.to_bytes(2, "big") + b"\xff"
    assert list(LenientFrameReader().feed(sent((CLOSE, payload)))) == [(CLOSE, payload)]


@pytest.mark.parametrize(
    ("data", "frames"),
    [
        (b"\x80\x01a", [(CONTINUATION, b"a")]),
        (b"\x01\x01a\x82\x01b", [(BINARY, b"b")]),
        (b"\x01\x01a\x02\x01b\x80\x01c", [(BINARY, b"bc")]),
        (b"\x09\x01a", [(PING, b"a")]),
        (b"\x89\x7e\x00\x80" + b"a" * 128, [(PING, b"a" * 128)]),
        (b"\x88\x01a", [(CLOSE, b"a")]),
    ],
    ids=["no beginning", "no end", "no end, in parts", "fragmented ping", "long ping", "half a code"],
)
def test_other_faults_are_overlooked(data: bytes, frames: list[tuple[int, bytes]]) -> None:
    assert list(LenientFrameReader().feed(data)) == frames


def test_message_is_complete_with_its_buffers() -> None:
    frames = encode("PATCH-DOC", buffers=[("a", b"1"), ("b", b"2")]) + encode("OK")
    messages = Messages()
    found = [messages.feed(opcode, bytes(payload)) for opcode, payload in frames]
    assert found == [None] * 6 + ["PATCH-DOC", None, None, "OK"]


@pytest.mark.parametrize("buffers", [0, 1, 32])
def test_frames_for_a_stuck_page_are_read_as_it_reads_them(buffers: int) -> None:
    frames = [*realignment(0, buffers), *realignment(1, buffers), *encode("PULL-DOC-REPLY", buffers=[("a", b"1")])]
    messages = Messages()
    found = [messages.feed(opcode, bytes(payload)) for opcode, payload in frames]
    assert [msgtype for msgtype in found if msgtype] == ["ACK"] * 2 * (buffers + 1) + ["PULL-DOC-REPLY"]


BROKEN = [b"hello", b"[]", b"{}", b'{"msgtype": 3}', b'{"msgtype": "OK", "num_buffers": -1}']


@pytest.mark.parametrize("payload", BROKEN)
def test_other_protocol_is_a_bad_frame(payload: bytes) -> None:
    with pytest.raises(BadFrame, match="not Bokeh's protocol"):
        Messages().feed(TEXT, payload)
