"""Requests as nobody should send them, from a seed: heads and bodies of all kinds, in a row, cut anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tests.support.clients.raw import handshake_headers

METHODS = ("GET",) * 8 + ("HEAD", "POST", "OPTIONS", "get", "G\0T", "PRI", "")
VERSIONS = ("HTTP/1.1",) * 8 + ("HTTP/1.0", "HTTP/2.0", "HTTP/1.", "http/1.1", "")
LINES = (
    "Connection: upgrade", "Connection: keep-alive, Upgrade", "Connection: close", "Connection: keep-alive",
    "Connection: ",
    "Upgrade: websocket", "Upgrade: h2c", "Sec-WebSocket-Key: x", "Expect: 100-continue", "Expect: nonsense",
    "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: nonsense", "Origin: http://evil.example", "Cookie: a=b; =; ;;",
    "Cookie: \"", "Authorization: Basic !!", "X: a\0b", "X: \x7f\x01", "X: \xff\xfe", "X:\ty", "no colon", ": no name",
    "Name : spaced", "X: folded\r\n  on the next line", " begins with a space", "X: bare\rreturn", "X: bare\nline",
    "Bokeh-Session-Id: nonsense", "Bokeh-Session-Id: ", "Accept-Encoding: gzip", "TE: trailers", "Trailer: X",
    "Keep-Alive: timeout=1000", "Proxy-Connection: keep-alive", "Range: bytes=0-", "If-None-Match: *",
)  # fmt: skip
TARGETS = (
    "/whose", "/whose", "/whose/", "/whose/ws", "/whose/autoload.js?bokeh-autoload-element=x", "/whose/metadata", "/",
    "/healthz", "*", "http://elsewhere/whose", "//whose", "/%", "/%00", "/\xff", "/whose?bokeh-token=nonsense",
    "/whose?bokeh-session-id=x", "/whose?bokeh-token=a&bokeh-token=b", "/whose?" + "a" * 3000, "whose", "/whose#x",
)  # fmt: skip
HIDDEN = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
"""A request that stands where a body is, and is to be taken for one by no one."""


@dataclass(frozen=True)
class Case:
    """Pieces to send one after the other, and how the client ends."""

    pieces: Sequence[bytes]
    end: str
    names_a_session: bool

    def __repr__(self) -> str:
        return f"{self.end} after {b''.join(self.pieces)[:1500]!r}"


def case(seed: int, token: str) -> Case:
    """The case of this seed; some of its requests name the session of this token."""
    random = Random(seed)
    data = b"".join(_request(random, token) for _ in range(random.choice((1, 1, 1, 2, 3))))
    if random.random() < 0.1:
        data = data[: random.randrange(len(data))] + bytes(random.randrange(256) for _ in range(random.randrange(300)))
    elif random.random() < 0.25:
        data = data[: random.randrange(len(data))]
    cuts = sorted(random.randrange(len(data) + 1) for _ in range(random.choice((0, 0, 1, 2, 4))))
    pieces = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    return Case(pieces, random.choice(("waits", "waits", "closes", "resets")), token.encode() in data)


def _request(random: Random, token: str) -> bytes:
    target = random.choice((*TARGETS, *[f"/whose?bokeh-token={token}"] * 12))
    lines = [f"{random.choice(METHODS)} {target} {random.choice(VERSIONS)}", "Host: localhost"]
    lines += random.choices(LINES, k=random.choice((0, 0, 1, 1, 2, 4)))
    if random.random() < 0.2:
        lines += [f"{name}: {value}" for name, value in handshake_headers(token).items()]
    if random.random() < 0.02:
        lines += random.choice(([f"X: {'a' * random.randrange(60_000, 70_000)}"], ["X: y"] * 5000))
    framing, body = random.choice(_BODIES)(random) if random.random() < 0.5 else ([], b"")
    lines += framing
    headers = lines[1:]
    random.shuffle(headers)
    end = "\n" if random.random() < 0.03 else "\r\n"
    return end.join([lines[0], *headers, "", ""]).encode("latin-1") + body


def _sized(random: Random) -> tuple[list[str], bytes]:
    size = len(HIDDEN)
    return [
        random.choice((f"Content-Length: {size}", f"Content-Length: {size}, {size}", f"content-length:{size}"))
    ], HIDDEN


def _chunked(random: Random) -> tuple[list[str], bytes]:
    at = random.randrange(1, len(HIDDEN))
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (HIDDEN[:at], HIDDEN[at:]))
    return [random.choice(("Transfer-Encoding: chunked", "transfer-encoding:Chunked"))], chunks + b"0\r\n\r\n"


def _ambiguous(random: Random) -> tuple[list[str], bytes]:
    """Framing that two readers could read in two ways: it has to be refused, and ends the connection."""
    length, size = "Content-Length: ", len(HIDDEN) + 5
    framing = random.choice((
        [f"{length}{size}", "Transfer-Encoding: chunked"], [f"{length}5", f"{length}{size}"], [f"{length}5, {size}"],
        [f"{length}-5"], [f"{length}0x5"], [f"{length}+5"], [f"{length}5 5"], [f"{length}5,"], [f"{length}\xb2"],
        ["Transfer-Encoding: gzip, chunked"], ["Transfer-Encoding: chunked, identity"], ["Transfer-Encoding: xchunked"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], ["Transfer-Encoding:\x0bchunked"],
        ["Transfer-Encoding: chunked\0"],
    ))  # fmt: skip
    return list(framing), b"0\r\n\r\n" + HIDDEN


def _malformed_chunks(random: Random) -> tuple[list[str], bytes]:
    size = random.choice(
        (b"-1", b"0x1", b"+1", b" 1", b"1 ", b"g", b"", b"ffffffffffffffff", b"1;" + b"a" * 100, b"1_0")
    )
    return ["Transfer-Encoding: chunked"], size + b"\r\n0\r\n\r\n" + HIDDEN


def _short(random: Random) -> tuple[list[str], bytes]:
    return [f"Content-Length: {random.choice((1, 100, 10**6, 10**9, 10**30))}"], b"x" * random.randrange(50)


_BODIES = (_sized, _chunked, _ambiguous, _malformed_chunks, _short)
