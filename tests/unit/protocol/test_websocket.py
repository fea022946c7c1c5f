"""Frames as we write them, read by another implementation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from app_server.protocol.deflate import Deflate
from app_server.protocol.websocket import (
    BINARY,
    CLOSE,
    PING,
    TEXT,
    accept_key,
    close_payload,
    frame_header,
    masked_frame,
    serialize,
    unmask,
)
from tests.unit.protocol.framing import MASK, frames, to_websockets


def test_accept_key_is_that_of_the_rfc() -> None:
    assert accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@given(st.binary(min_size=4, max_size=4), st.binary(max_size=300))
def test_unmasking_is_exclusive_or_with_the_repeated_mask(mask: bytes, payload: bytes) -> None:
    expected = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    assert unmask(mask, payload) == expected
    assert unmask(bytearray(mask), bytearray(expected)) == payload


@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4))
def test_masking_twice_gives_the_payload_back(payload: bytes, mask: bytes) -> None:
    assert unmask(mask, unmask(mask, payload)) == payload


@pytest.mark.parametrize("payload", [b"", b"text", bytearray(b"text")])
def test_payload_without_a_mask_is_left_as_it_is(payload: bytes | bytearray) -> None:
    found = unmask(b"", payload)
    assert found == payload and type(found) is bytes


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 100_000])
def test_websockets_reads_our_clients_frames_of_every_length(size: int) -> None:
    payload = b"a" * size
    data = masked_frame(BINARY, payload, MASK) + masked_frame(PING, b"", MASK)
    assert to_websockets(data, masked=True) == [Frame(Opcode.BINARY, payload), Frame(Opcode.PING, b"")]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 100_000])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_websockets_reads_our_frames_of_every_length(opcode: int, size: int) -> None:
    payload = b"a" * size
    data = b"".join(bytes(chunk) for chunk in serialize([(opcode, payload)]))
    assert to_websockets(data) == [Frame(Opcode(opcode), payload)]


@given(frames, st.booleans())
def test_round_trip_from_us_to_websockets(sent: list[tuple[int, bytes]], compressed: bool) -> None:
    deflate = Deflate(6, 8) if compressed else None
    extensions = [PerMessageDeflate(True, True, 15, 15)] if compressed else None
    data = b"".join(bytes(chunk) for chunk in serialize(sent, deflate))
    assert [(frame.opcode, bytes(frame.data)) for frame in to_websockets(data, extensions)] == sent


def test_small_frames_leave_in_one_chunk_and_large_payloads_untouched() -> None:
    large = memoryview(bytes(100_000))
    chunks = serialize([(TEXT, b"{}"), (TEXT, b"[]"), (BINARY, large), (TEXT, b"x")])
    assert chunks == [b"\x81\x02{}\x81\x02[]" + frame_header(BINARY, 100_000), large, b"\x81\x01x"]
    assert chunks[1] is large


def test_size_of_a_view_is_counted_in_bytes() -> None:
    view = memoryview(b"\x00" * 80).cast("d")
    assert bytes(serialize([(BINARY, view)])[0]) == b"\x82\x50" + bytes(80)


def test_nothing_to_send_is_no_chunk() -> None:
    assert serialize([]) == []


def test_control_frames_are_never_compressed() -> None:
    [data] = serialize([(PING, b"abc"), (CLOSE, close_payload(1001))], Deflate())
    assert bytes(data) == b"\x89\x03abc\x88\x02\x03\xe9"


@given(st.text(max_size=300))
def test_close_payload_fits_a_control_frame_and_is_utf_8(reason: str) -> None:
    payload = close_payload(1008, reason.encode("utf-8", "ignore").decode())
    assert len(payload) <= 125
    assert payload[:2] == b"\x03\xf0"
    payload[2:].decode("utf-8")


@pytest.mark.parametrize(("size", "head"), [
    (0, b"\x82\x00"), (125, b"\x82\x7d"), (126, b"\x82\x7e\x00\x7e"), (65_535, b"\x82\x7e\xff\xff"),
    (65_536, b"\x82\x7f\0\0\0\0\0\x01\0\0"), (2**63, b"\x82\x7f\x80\0\0\0\0\0\0\0"),
])  # fmt: skip
def test_header_of_each_length_is_the_shortest(size: int, head: bytes) -> None:
    assert frame_header(BINARY, size) == head
    assert frame_header(BINARY, size, compressed=True) == b"\xc2" + head[1:]


@pytest.mark.parametrize(("code", "reason", "payload"), [
    (1000, "", b"\x03\xe8"), (4999, "bye", b"\x13\x87bye"), (65_535, "", b"\xff\xff"),
    (1008, "ä" * 70, b"\x03\xf0" + "ä".encode() * 61), (1008, "x" * 124, b"\x03\xf0" + b"x" * 123),
])  # fmt: skip
def test_reason_is_cut_between_letters(code: int, reason: str, payload: bytes) -> None:
    assert close_payload(code, reason) == payload


def test_small_payloads_are_joined_below_16_kilobytes() -> None:
    below, above = b"x" * (16 * 1024 - 1), b"x" * 16 * 1024
    assert serialize([(BINARY, below)]) == [frame_header(BINARY, len(below)) + below]
    chunks = serialize([(BINARY, above)])
    assert chunks == [frame_header(BINARY, len(above)), above] and chunks[1] is above


def test_size_of_a_large_view_is_counted_in_bytes() -> None:
    view = memoryview(bytes(80_000)).cast("d")
    head, payload = serialize([(BINARY, view)])
    assert (head, payload) == (frame_header(BINARY, 80_000), view)
