"""Compression: what is agreed on, and messages packed and unpacked."""

from __future__ import annotations

import zlib
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_server.errors import PeerError, TooLargeError
from app_server.protocol.deflate import Deflate, negotiate_deflate


def test_each_message_is_compressed_for_itself() -> None:
    deflate = Deflate()
    packed = [deflate.compress(b"same text") for _ in range(2)]
    assert packed[0] == packed[1]
    assert deflate.decompress(packed[1], 100) == b"same text"


@pytest.mark.parametrize(
    "offer",
    [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; client_max_window_bits=15; server_no_context_takeover; client_no_context_takeover",
        "Permessage-Deflate ; client_max_window_bits",
        "x-webkit-deflate-frame, permessage-deflate",
        "permessage-deflate; server_max_window_bits=10, permessage-deflate",
    ],
)
def test_offers_of_compression_that_we_can_meet_are_accepted(offer: str) -> None:
    agreed = negotiate_deflate(offer)
    assert agreed is not None
    assert agreed.answer == "permessage-deflate; server_no_context_takeover; client_no_context_takeover"


@pytest.mark.parametrize(
    "offer",
    [
        "",
        "x-webkit-deflate-frame",
        "permessage-deflate; server_max_window_bits=10",
        "permessage-deflate; unknown",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        "permessage-deflate; client_max_window_bits=10; client_max_window_bits=15",
        ";;,,",
    ],
)
def test_offers_of_compression_that_we_cannot_meet_are_declined(offer: str) -> None:
    assert negotiate_deflate(offer) is None


def test_compression_has_the_level_and_the_memory_that_it_is_given() -> None:
    random = Random(1)
    text = " ".join(str(random.randrange(3000)) for _ in range(6000)).encode()
    by_level = [Deflate(level, 8).compress(text) for level in range(10)]
    assert len(by_level[0]) > len(text) > len(by_level[1]) > len(by_level[9])
    assert Deflate(6, 1).compress(text) != by_level[6] != Deflate(6, 9).compress(text)
    assert Deflate().compress(memoryview(text)) == Deflate().compress(text) == by_level[6] not in by_level[7:]


@pytest.mark.parametrize("size", [99, 100, 101, 102])
def test_message_may_unpack_to_the_limit(size: int) -> None:
    packed = Deflate().compress(b"x" * size)
    if size <= 100:
        assert Deflate().decompress(packed, 100) == b"x" * size
    else:
        with pytest.raises(TooLargeError) as refused:
            Deflate().decompress(packed, 100)
        assert (refused.value.limit, refused.value.size) == (100, "at least 101 bytes")


def test_damaged_frame_is_named() -> None:
    for take in (Deflate().decompress, Deflate().first_bytes):
        with pytest.raises(PeerError) as refused:
            take(b"\xff\xff\xff\xff", 10)
        assert (str(refused.value), refused.value.close_code) == ("a compressed frame cannot be decompressed", 1007)


def test_first_bytes_are_read_of_a_frame_that_is_cut_off() -> None:
    packed = Deflate(0).compress(b"root" + bytes(1000))
    assert Deflate().first_bytes(packed[:500], 4) == b"root"
    assert Deflate().first_bytes(packed[:9], 100) == b"root"


@pytest.mark.parametrize(
    "offer",
    [
        "permessage-deflate; client_max_window_bits=7", "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits=015", "permessage-deflate; client_max_window_bits=",
        "permessage-deflate; client_max_window_bits=x", "permessage-deflate; client_max_window_bits=10=10",
        "permessage-deflate; server_no_context_takeover=1", "permessage-deflate; client_no_context_takeover=true",
        "permessage-deflate;",
    ],
)  # fmt: skip
def test_offer_with_a_value_that_the_rfc_does_not_know_is_declined(offer: str) -> None:
    assert negotiate_deflate(offer) is None
    assert negotiate_deflate(f"{offer}, permessage-deflate") is not None


@pytest.mark.parametrize(
    "offer", ["client_max_window_bits=8", 'client_max_window_bits="15"', "client_max_window_bits = 9"]
)
def test_offer_of_a_window_is_accepted(offer: str) -> None:
    agreed = negotiate_deflate(f"permessage-deflate; {offer}")
    assert agreed is not None and not agreed.client_context_takeover


@given(st.binary(max_size=100))
def test_compressed_payload_lacks_the_four_bytes_that_the_rfc_has_left_out(payload: bytes) -> None:
    deflater = zlib.compressobj(6, zlib.DEFLATED, -15, 8)
    whole = deflater.compress(payload) + deflater.flush(zlib.Z_SYNC_FLUSH)
    assert Deflate().compress(payload) + b"\x00\x00\xff\xff" == whole
