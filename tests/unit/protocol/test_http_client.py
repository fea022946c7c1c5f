"""Answers of servers, good and bad, byte for byte."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_server.protocol.http_client import MAX_HEAD_BYTES, Malformed, ResponseReader, TooLarge, decoded, request

MB = 1024 * 1024
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def read(data: bytes, method: str = "GET", *, step: int = 0, ended: bool = True, limit: int = MB) -> ResponseReader:
    """A reader that was given these bytes, `step` at a time where that is not 0."""
    reader = ResponseReader(method, limit)
    for start in range(0, len(data), step or len(data)):
        reader.feed(data[start : start + (step or len(data))])
    if ended:
        reader.end()
    return reader


@pytest.mark.parametrize("step", [0, 1, 2, 7])
@pytest.mark.parametrize(
    ("data", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
        (b"HTTP/1.0 200\r\n\r\nuntil the end", b"until the end"),
        (CHUNKED + b"5\r\nhello\r\n6; x=y\r\n world\r\n0\r\nTrailer: x\r\n\r\n", b"hello world"),
        (CHUNKED + b"0\r\n\r\n", b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 900\r\n\r\n", b""),
    ],
)
def test_answer_is_read_however_it_is_cut(data: bytes, body: bytes, step: int) -> None:
    reader = read(data, step=step)
    assert reader.done and bytes(reader.body) == body


def test_what_follows_an_upgrade_is_left_over() -> None:
    reader = read(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x02hi")
    assert (reader.done, reader.left_over, reader.header("upgrade")) == (True, b"\x81\x02hi", "websocket")


def test_head_has_no_body_whatever_it_announces() -> None:
    assert read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD").body == b""


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 banana\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
        CHUNKED + b"xyz\r\n",
        CHUNKED + b"9" * 2000,
        CHUNKED + b"5\r\nhel",
        b"",
    ],
)
def test_nonsense_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        read(data) if data else ResponseReader("GET", MB).end()


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * MAX_HEAD_BYTES,
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * MAX_HEAD_BYTES + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"y" * (2 * MB),
        CHUNKED + b"ffffff\r\n" + b"y" * (2 * MB),
    ],
)
def test_endless_answer_is_given_up(data: bytes) -> None:
    with pytest.raises(TooLarge):
        read(data, ended=False)


@given(st.binary(max_size=400), st.integers(1, 50))
def test_any_bytes_are_an_answer_or_a_fault_of_ours(data: bytes, step: int) -> None:
    try:
        read(b"HTTP/1.1 200 OK\r\n" + data, step=step, limit=1000)
    except (Malformed, TooLarge):
        pass


def test_gzip_is_undone_within_its_limit() -> None:
    assert decoded(gzip.compress(b"page"), "gzip", MB) == b"page"
    assert len(decoded(gzip.compress(b"0" * MB), "gzip", 1000)) == 1000
    assert decoded(b"no gzip", "gzip", MB) == b"no gzip"
    assert decoded(b"other", "br", MB) == b"other"


def test_request_is_lines() -> None:
    assert request("GET", "/x", [("Host", "a")]) == b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
