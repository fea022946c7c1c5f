"""A client's frames, however their bytes are cut."""

from __future__ import annotations

import os
import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from app_server.errors import PeerError, TooLargeError
from app_server.protocol import frame_reader
from app_server.protocol.deflate import Deflate
from app_server.protocol.frame_reader import DISCARDED, FrameReader, ServerFrameReader
from app_server.protocol.websocket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    close_payload,
)
from tests.support.examples import examples
from tests.unit.protocol.framing import MASK, client_frame, frames, from_websockets, read


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 100_000])
@pytest.mark.parametrize("step", [1 << 20, 1000, 7])
def test_we_read_the_frames_of_websockets_however_they_are_cut(size: int, step: int) -> None:
    payload = os.urandom(size)
    data = from_websockets([Frame(Opcode.BINARY, payload), Frame(Opcode.TEXT, b"next")])
    assert read(data, step=step) == [(BINARY, payload), (TEXT, b"next")]


@given(frames, st.booleans(), st.integers(1, 50))
def test_round_trip_from_websockets_to_us(sent: list[tuple[int, bytes]], compressed: bool, step: int) -> None:
    extensions = [PerMessageDeflate(True, True, 15, 15)] if compressed else None
    reader = FrameReader(10_000, deflate=Deflate() if compressed else None)
    data = from_websockets((Frame(Opcode(opcode), payload) for opcode, payload in sent), extensions)
    assert read(data, reader, step) == sent
    assert reader.buffered_bytes == 0


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 100_000])
@pytest.mark.parametrize("step", [1 << 20, 1000, 7])
def test_we_read_a_servers_frames_however_they_are_cut(size: int, step: int) -> None:
    payload = os.urandom(size)
    data = from_websockets([Frame(Opcode.BINARY, payload), Frame(Opcode.PING, b"?")], masked=False)
    assert read(data, ServerFrameReader(1_000_000), step) == [(BINARY, payload), (PING, b"?")]


def test_servers_fragments_become_one_message_with_control_frames_in_between() -> None:
    data = b"\x01\x02ab\x89\x00\x80\x01c"
    assert read(data, ServerFrameReader(3), 1) == [(PING, b""), (TEXT, b"abc")]
    with pytest.raises(TooLargeError):
        read(data, ServerFrameReader(2))


def test_masked_frame_of_a_server_is_refused() -> None:
    with pytest.raises(PeerError) as refused:
        read(client_frame(TEXT, b"a"), ServerFrameReader(1000))
    assert (str(refused.value), refused.value.close_code) == ("a server's frame is masked", 1002)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=6), st.sampled_from([TEXT, BINARY]), st.integers(1, 30))
def test_fragments_become_one_message_with_control_frames_in_between(
    parts: list[bytes], opcode: int, step: int
) -> None:
    data = b""
    for index, part in enumerate(parts):
        data += client_frame(opcode if index == 0 else CONTINUATION, part, fin=index == len(parts) - 1)
        if index < len(parts) - 1:
            data += client_frame(PING, b"p")
    assert read(data, step=step) == [(PING, b"p")] * (len(parts) - 1) + [(opcode, b"".join(parts))]


def test_compressed_message_may_come_in_fragments() -> None:
    packed = Deflate().compress(b"text " * 100)
    data = client_frame(TEXT, packed[:3], fin=False, rsv=0x40) + client_frame(CONTINUATION, packed[3:])
    assert read(data, FrameReader(1000, deflate=Deflate())) == [(TEXT, b"text " * 100)]


def test_uncompressed_message_is_taken_where_compression_was_agreed() -> None:
    assert read(client_frame(TEXT, b"plain"), FrameReader(1000, deflate=Deflate())) == [(TEXT, b"plain")]


def test_control_frames_are_yielded_with_their_payloads() -> None:
    data = client_frame(PING, b"a") + client_frame(PONG, b"b" * 125) + client_frame(CLOSE, close_payload(1000, "bye"))
    assert read(data) == [(PING, b"a"), (PONG, b"b" * 125), (CLOSE, b"\x03\xe8bye")]


BROKEN = {
    "a client's frame is not masked": client_frame(TEXT, b"a", masked=False),
    "unknown opcode 3": client_frame(3, b"a"),
    "unknown opcode 7": client_frame(7),
    "unknown opcode 11": client_frame(11),
    "unknown opcode 15": client_frame(15),
    "a continuation frame without a beginning": client_frame(CONTINUATION, b"a"),
    "a new message inside an unfinished one": client_frame(TEXT, b"a", fin=False) + client_frame(BINARY, b"b"),
}


@pytest.mark.parametrize(("reason", "data"), BROKEN.items(), ids=list(BROKEN))
def test_frames_that_break_the_rfc_are_refused_with_the_reason(reason: str, data: bytes) -> None:
    with pytest.raises(PeerError) as refused:
        read(data)
    assert (str(refused.value), refused.value.close_code) == (reason, 1002)


@pytest.mark.parametrize("rsv", [0x10, 0x20, 0x40, 0x70])
@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, CLOSE])
def test_reserved_bits_without_an_extension_are_refused(rsv: int, opcode: int) -> None:
    with pytest.raises(PeerError, match="^reserved bits are set without an extension$"):
        read(client_frame(opcode, b"", rsv=rsv))


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
def test_compressed_control_frame_is_refused(opcode: int) -> None:
    with pytest.raises(PeerError, match="^reserved bits are set without an extension$"):
        read(client_frame(opcode, b"", rsv=0x40), FrameReader(1000, deflate=Deflate()))


def test_compression_bit_on_a_continuation_is_refused() -> None:
    data = client_frame(TEXT, b"", fin=False) + client_frame(CONTINUATION, b"", rsv=0x40)
    with pytest.raises(PeerError, match="^reserved bits are set without an extension$"):
        read(data, FrameReader(1000, deflate=Deflate()))


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
@pytest.mark.parametrize("fault", [{"fin": False}, {"payload": b"x" * 126}, {"length": 70_000}])
def test_control_frames_are_whole_and_short(opcode: int, fault: dict[str, object]) -> None:
    with pytest.raises(PeerError, match="^a control frame is fragmented or longer than 125 bytes$"):
        read(client_frame(opcode, **fault))  # type: ignore[arg-type]


@pytest.mark.parametrize("payload", [b"\x03", *(struct.pack("!H", code) for code in (0, 999, 1004, 1005, 1006, 1015))])
def test_malformed_close_frame_is_refused(payload: bytes) -> None:
    with pytest.raises(PeerError) as refused:
        read(client_frame(CLOSE, payload))
    assert refused.value.close_code == 1002


def test_close_frame_whose_reason_is_not_utf_8_is_refused() -> None:
    with pytest.raises(PeerError) as refused:
        read(client_frame(CLOSE, b"\x03\xe8\xff\xfe"))
    assert refused.value.close_code in (1002, 1007)


@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"\x03\xe9going", b"\x0b\xb8", b"\x13\x87"])
def test_legal_close_frames_are_yielded(payload: bytes) -> None:
    assert read(client_frame(CLOSE, payload)) == [(CLOSE, payload)]


@pytest.mark.parametrize("length", [1001, 65_536, 2**62])
def test_frame_larger_than_the_limit_is_refused_before_it_has_come(length: int) -> None:
    data = client_frame(BINARY, b"x" * 4096, length=length)
    with pytest.raises(PeerError) as refused:
        read(data, FrameReader(1000))
    assert (str(refused.value), refused.value.close_code) == ("a message is larger than 1000 bytes", 1009)


def test_message_of_exactly_the_limit_is_taken() -> None:
    assert read(client_frame(BINARY, b"x" * 1000), FrameReader(1000)) == [(BINARY, b"x" * 1000)]


def test_fragments_count_together_against_the_limit() -> None:
    data = client_frame(TEXT, b"x" * 600, fin=False) + client_frame(CONTINUATION, b"x" * 600)
    with pytest.raises(PeerError) as refused:
        read(data, FrameReader(1000))
    assert refused.value.close_code == 1009


def test_small_message_that_unpacks_beyond_the_limit_is_refused() -> None:
    reader = FrameReader(10_000, deflate=Deflate())
    bomb = Deflate(9).compress(bytes(9_000_000))
    assert len(bomb) < 10_000
    tracemalloc.start()
    try:
        with pytest.raises(PeerError) as refused:
            read(client_frame(BINARY, bomb, rsv=0x40), reader)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert refused.value.close_code == 1009


def test_compressed_message_that_is_damaged_is_refused_as_inconsistent_data() -> None:
    with pytest.raises(PeerError) as refused:
        read(client_frame(TEXT, b"\xff\xff\xff\xff", rsv=0x40), FrameReader(1000, deflate=Deflate()))
    assert refused.value.close_code == 1007


@pytest.mark.parametrize("step", [1 << 20, 999, 1])
def test_oversized_frame_that_may_be_discarded_is_skipped(step: int) -> None:
    asked: list[tuple[int, bytes]] = []

    def may_discard(opcode: int, prefix: bytes) -> bool:
        asked.append((opcode, prefix))
        return True

    big = b"root" + bytes(9_000)
    data = client_frame(TEXT, big) + client_frame(TEXT, b"after")
    assert read(data, FrameReader(1000, may_discard=may_discard), step) == [(DISCARDED, b""), (TEXT, b"after")]
    assert asked == [(TEXT, big[:4096])]


def test_memory_for_a_skipped_frame_is_bounded() -> None:
    reader = FrameReader(1000, may_discard=lambda opcode, prefix: True)
    list(reader.feed(client_frame(TEXT, b"x" * 4096, length=10**9)))
    for _ in range(1000):
        assert list(reader.feed(bytes(65_536))) == []
        assert reader.buffered_bytes < 70_000


@pytest.mark.parametrize("step", [1 << 20, 999])
def test_oversized_message_in_fragments_that_may_be_discarded_is_skipped(step: int) -> None:
    # Chromium cuts a large message into fragments.
    part = b"root" + bytes(600)
    data = client_frame(TEXT, part, fin=False) + client_frame(CONTINUATION, part, fin=False)
    data += client_frame(PING, b"p") + client_frame(CONTINUATION, part) + client_frame(TEXT, b"after")
    reader = FrameReader(1000, may_discard=lambda opcode, prefix: opcode == TEXT and prefix.startswith(b"root"))
    assert read(data, reader, step) == [(PING, b"p"), (DISCARDED, b""), (TEXT, b"after")]


def test_oversized_compressed_message_that_may_be_discarded_is_skipped() -> None:
    big = b"root" + bytes(9_000)
    reader = FrameReader(
        1000, deflate=Deflate(), may_discard=lambda opcode, prefix: opcode == TEXT and prefix.startswith(b"root")
    )
    data = client_frame(TEXT, Deflate().compress(big), rsv=0x40) + client_frame(TEXT, b"after")
    assert read(data, reader) == [(DISCARDED, b""), (TEXT, b"after")]


def test_fragments_of_a_byte_take_no_more_memory_than_a_whole_message() -> None:
    reader = FrameReader(100_000)
    tracemalloc.start()
    try:
        list(reader.feed(client_frame(TEXT, b"a", fin=False)))
        fragments = client_frame(CONTINUATION, b"a", fin=False) * 500
        for _ in range(100):
            assert list(reader.feed(fragments)) == []
        # What other threads of the test run allocate meanwhile does not count.
        own = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, frame_reader.__file__)])
        assert 50_000 <= sum(trace.size for trace in own.traces) < 200_000
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=200), st.integers(1, 50), st.booleans())
def test_arbitrary_bytes_yield_frames_or_a_peer_error_and_nothing_else(data: bytes, step: int, packed: bool) -> None:
    reader = FrameReader(100, deflate=Deflate() if packed else None)
    try:
        for opcode, payload in read(data, reader, step):
            assert opcode in (TEXT, BINARY, CLOSE, PING, PONG)
            assert len(payload) <= 125
    except PeerError as error:
        assert error.close_code in (1002, 1007, 1009)


@settings(max_examples=examples(200))
@given(
    st.lists(
        st.builds(
            client_frame,
            st.sampled_from([TEXT, BINARY, CONTINUATION, CONTINUATION, PING, CLOSE]),
            st.binary(max_size=130),
            fin=st.booleans(),
            rsv=st.sampled_from([0, 0, 0, 0x40]),
        ),
        max_size=8,
    ),
    st.booleans(),
)
def test_masked_frames_in_any_order_yield_frames_or_a_peer_error(sent: list[bytes], packed: bool) -> None:
    reader = FrameReader(300, deflate=Deflate() if packed else None)
    try:
        for opcode, payload in read(b"".join(sent), reader):
            assert opcode in (TEXT, BINARY, CLOSE, PING)
            assert len(payload) <= 300
            assert reader.buffered_bytes < 2_000
    except PeerError as error:
        assert error.close_code in (1002, 1007, 1009)


@pytest.mark.parametrize(("payload", "message", "code"), [
    (b"\x03", "a Close frame has no valid code", 1002), (b"\x13\x88", "a Close frame has no valid code", 1002),
    (b"\x03\xe7", "a Close frame has no valid code", 1002), (b"\xff\xff", "a Close frame has no valid code", 1002),
    (b"\x03\xe8\xff", "the reason of a Close frame is not UTF-8", 1007),
])  # fmt: skip
def test_fault_of_a_close_frame_is_named(payload: bytes, message: str, code: int) -> None:
    with pytest.raises(PeerError) as refused:
        read(client_frame(CLOSE, payload))
    assert (str(refused.value), refused.value.close_code) == (message, code)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_frame_is_read_with_its_last_byte_and_not_before(size: int) -> None:
    data = client_frame(BINARY, b"x" * size)
    for cut in {1, 2, 3, 4, 5, 9, 10, len(data) - 1} & set(range(len(data))):
        reader = FrameReader(100_000)
        assert list(reader.feed(data[:cut])) == []
        assert reader.buffered_bytes == cut
        assert list(reader.feed(data[cut:])) == [(BINARY, b"x" * size)]
        assert reader.buffered_bytes == 0


def test_frame_that_breaks_the_rfc_is_refused_as_soon_as_its_head_is_there() -> None:
    for data in (b"\x81\x00", b"\x83\x80", b"\xb1\x80", b"\x89\xfe\x00\x7e", b"\x80\x80"):
        with pytest.raises(PeerError):
            list(FrameReader(1000).feed(data))


def test_length_of_126_bytes_is_read_with_the_head() -> None:
    reader = FrameReader(125, may_discard=lambda opcode, prefix: False)
    assert list(reader.feed(b"\x81\xfe\x00")) == []
    assert list(reader.feed(b"\x7e" + MASK + b"x" * 125)) == []
    with pytest.raises(TooLargeError):
        list(reader.feed(b"x"))


@pytest.mark.parametrize(("data", "size"), [
    (client_frame(BINARY, b"x" * 1001), "1,001 bytes"),
    (client_frame(BINARY, b"x" * 1001, fin=False), "at least 1,001 bytes"),
    (client_frame(TEXT, b"x" * 1001, fin=False), "at least 1,001 bytes"),
    (client_frame(BINARY, b"x" * 600, fin=False) + client_frame(CONTINUATION, b"x" * 600), "1,200 bytes"),
    (client_frame(BINARY, bytes(1001), rsv=0x40), "at least 1,001 bytes"),
])  # fmt: skip
def test_size_of_a_message_that_is_too_large_is_told_as_far_as_it_is_known(data: bytes, size: str) -> None:
    reader = FrameReader(1000, deflate=Roomy())
    with pytest.raises(TooLargeError) as refused:
        read(data, reader)
    assert (refused.value.limit, refused.value.size, refused.value.close_code) == (1000, size, 1009)


class Roomy(Deflate):
    """Takes any bytes for compressed ones."""

    def first_bytes(self, payload: bytes, count: int) -> bytes:
        return payload[:count]


def incompressible(size: int) -> bytes:
    return b"root" + os.urandom(size)


@pytest.mark.parametrize("step", [1 << 20, 999, 1])
def test_frame_that_is_too_large_even_when_it_is_compressed_may_be_discarded(step: int) -> None:
    asked: list[tuple[int, bytes]] = []

    def may_discard(opcode: int, prefix: bytes) -> bool:
        asked.append((opcode, prefix[:4]))
        return True

    data = client_frame(BINARY, Deflate().compress(incompressible(9000)), rsv=0x40)
    data += client_frame(TEXT, Deflate().compress(b"after"), rsv=0x40) + client_frame(TEXT, b"plain")
    reader = FrameReader(1000, deflate=Deflate(), may_discard=may_discard)
    assert read(data, reader, step) == [(DISCARDED, b""), (TEXT, b"after"), (TEXT, b"plain")]
    assert asked == [(BINARY, b"root")]


def test_compressed_fragments_that_are_too_large_together_may_be_discarded() -> None:
    packed = Deflate().compress(incompressible(3000))
    data = client_frame(TEXT, packed[:900], fin=False, rsv=0x40) + client_frame(CONTINUATION, packed[900:])
    reader = FrameReader(
        1000, deflate=Deflate(), may_discard=lambda opcode, prefix: (opcode, prefix[:4]) == (TEXT, b"root")
    )
    assert read(data + client_frame(TEXT, b"after"), reader) == [(DISCARDED, b""), (TEXT, b"after")]


def test_plain_frame_is_not_unpacked_before_it_is_discarded() -> None:
    reader = FrameReader(1000, deflate=Deflate(), may_discard=lambda opcode, prefix: prefix == b"x" * 1001)
    assert read(client_frame(TEXT, b"x" * 1001), reader) == [(DISCARDED, b"")]


def test_damaged_frame_that_is_too_large_is_refused_as_damaged() -> None:
    reader = FrameReader(1000, deflate=Deflate(), may_discard=lambda opcode, prefix: True)
    with pytest.raises(PeerError) as refused:
        read(client_frame(TEXT, b"\xff" * 2000, rsv=0x40), reader)
    assert refused.value.close_code == 1007


def test_message_that_unpacks_beyond_the_limit_is_asked_about_by_its_beginning() -> None:
    asked: list[bytes] = []

    def may_discard(opcode: int, prefix: bytes) -> bool:
        asked.append(prefix)
        return False

    packed = client_frame(TEXT, Deflate().compress(b"root" + bytes(9000)), rsv=0x40)
    with pytest.raises(TooLargeError):
        read(packed, FrameReader(1000, deflate=Deflate(), may_discard=may_discard))
    assert asked == [b"root" + bytes(4092)]


def test_damaged_frame_is_not_asked_about() -> None:
    reader = FrameReader(1000, deflate=Deflate(), may_discard=lambda opcode, prefix: True)
    with pytest.raises(PeerError) as refused:
        read(client_frame(TEXT, b"\xff" * 9, rsv=0x40), reader)
    assert refused.value.close_code == 1007


@pytest.mark.parametrize("fragments", [[4096, 1], [1, 4096], [10, 4000, 1000], [999, 1, 5000]])
def test_beginning_of_a_message_in_fragments_is_4_kilobytes_of_it(fragments: list[int]) -> None:
    whole = os.urandom(sum(fragments))
    data, at = b"", 0
    for index, size in enumerate(fragments):
        opcode = TEXT if index == 0 else CONTINUATION
        data += client_frame(opcode, whole[at : at + size], fin=index == len(fragments) - 1)
        at += size
    asked: list[bytes] = []

    def may_discard(opcode: int, prefix: bytes) -> bool:
        asked.append(prefix)
        return True

    limit = sum(fragments) - 1
    assert read(data, FrameReader(limit, may_discard=may_discard)) == [(DISCARDED, b"")]
    assert asked == [whole[:4096]]


def test_empty_frame_ends_a_message_that_is_skipped() -> None:
    data = client_frame(TEXT, b"x" * 1001, fin=False) + client_frame(CONTINUATION, b"", fin=False)
    data += client_frame(CONTINUATION, b"") + client_frame(BINARY, b"after")
    reader = FrameReader(1000, may_discard=lambda opcode, prefix: True)
    assert read(data, reader) == [(DISCARDED, b""), (BINARY, b"after")]


def test_limit_of_fragments_begins_with_each_message() -> None:
    message = client_frame(TEXT, b"x" * 500, fin=False) + client_frame(CONTINUATION, b"x" * 500)
    assert read(message * 3, FrameReader(1000)) == [(TEXT, b"x" * 1000)] * 3


def test_plain_message_after_a_compressed_one_in_fragments_is_taken_as_it_is() -> None:
    packed = Deflate().compress(b"text")
    data = client_frame(TEXT, packed[:2], fin=False, rsv=0x40) + client_frame(CONTINUATION, packed[2:])
    data += client_frame(TEXT, b"pl", fin=False) + client_frame(CONTINUATION, b"ain")
    assert read(data, FrameReader(1000, deflate=Deflate())) == [(TEXT, b"text"), (TEXT, b"plain")]


def test_control_frame_of_the_longest_payload_passes_a_small_limit() -> None:
    assert read(client_frame(PING, b"x" * 125), FrameReader(10)) == [(PING, b"x" * 125)]
    close = close_payload(1000, "x" * 100)
    assert read(client_frame(CLOSE, close), FrameReader(10)) == [(CLOSE, close)]
