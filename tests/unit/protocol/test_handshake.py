"""Which requests open a WebSocket (RFC 6455, section 4.2.1)."""

from __future__ import annotations

import pytest
from tornado.httputil import HTTPHeaders

from app_server.protocol.handshake import Fault, fault_of, new_key, request_headers

GOOD = {
    "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}  # fmt: skip


def test_what_a_client_asks_is_a_handshake() -> None:
    headers = request_headers(new_key(bytes(16)), "to.ken")
    assert fault_of("GET", "HTTP/1.1", HTTPHeaders(dict(headers))) is None
    assert dict(headers)["Sec-WebSocket-Protocol"] == "bokeh, to.ken"


@pytest.mark.parametrize("size", [0, 15, 17])
def test_key_of_another_length_is_none(size: int) -> None:
    headers = dict(request_headers(new_key(bytes(size)), "to.ken"))
    assert fault_of("GET", "HTTP/1.1", HTTPHeaders(headers)) is Fault.BAD_KEY


@pytest.mark.parametrize(
    "changed",
    [
        {}, {"Upgrade": "WebSocket"}, {"Upgrade": "h2c, websocket"}, {"Connection": "keep-alive, UPGRADE"},
        {"Connection": "keep-alive,upgrade , x"}, {"Content-Length": "0"},
    ],
)  # fmt: skip
def test_a_handshake_is_accepted_in_every_valid_spelling(changed: dict[str, str]) -> None:
    assert fault_of("GET", "HTTP/1.1", HTTPHeaders({**GOOD, **changed})) is None


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"Upgrade": None}, Fault.NOT_A_HANDSHAKE),
        ({"Upgrade": "websockets"}, Fault.NOT_A_HANDSHAKE),
        ({"Upgrade": "XwebsocketX"}, Fault.NOT_A_HANDSHAKE),
        ({"Upgrade": "web socket"}, Fault.NOT_A_HANDSHAKE),
        ({"Connection": None}, Fault.NOT_A_HANDSHAKE),
        ({"Connection": "close"}, Fault.NOT_A_HANDSHAKE),
        ({"Connection": "not-an-upgrade"}, Fault.NOT_A_HANDSHAKE),
        ({"Connection": "upgrade-insecure"}, Fault.NOT_A_HANDSHAKE),
        ({"Sec-WebSocket-Key": None}, Fault.NOT_A_HANDSHAKE),
        ({"Sec-WebSocket-Key": ""}, Fault.BAD_KEY),
        ({"Sec-WebSocket-Key": "dGhlIHNhbXBsZQ=="}, Fault.BAD_KEY),
        ({"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ"}, Fault.BAD_KEY),
        ({"Sec-WebSocket-Key": "dGhlIHNhbXBs ZSBub25jZQ=="}, Fault.BAD_KEY),
        ({"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==,dGhlIHNhbXBsZSBub25jZQ=="}, Fault.BAD_KEY),
        ({"Sec-WebSocket-Key": "\xe4" * 24}, Fault.BAD_KEY),
        ({"Content-Length": "5"}, Fault.HAS_A_BODY),
        ({"Content-Length": "x"}, Fault.HAS_A_BODY),
        ({"Content-Length": "0X0"}, Fault.HAS_A_BODY),
        ({"Content-Length": "X"}, Fault.HAS_A_BODY),
        ({"Transfer-Encoding": "chunked"}, Fault.HAS_A_BODY),
        ({"Sec-WebSocket-Version": None}, Fault.OTHER_VERSION),
        ({"Sec-WebSocket-Version": "8"}, Fault.OTHER_VERSION),
        ({"Sec-WebSocket-Version": "13, 8"}, Fault.OTHER_VERSION),
    ],
)
def test_what_is_no_handshake_is_refused_with_the_reason(changed: dict[str, str | None], fault: Fault) -> None:
    headers = HTTPHeaders()
    for name, value in {**GOOD, **changed}.items():
        if value is not None:
            headers.add(name, value)
    assert fault_of("GET", "HTTP/1.1", headers) is fault


@pytest.mark.parametrize(("method", "version"), [("POST", "HTTP/1.1"), ("HEAD", "HTTP/1.1"), ("GET", "HTTP/1.0")])
def test_only_get_with_http_1_1_opens_a_websocket(method: str, version: str) -> None:
    assert fault_of(method, version, HTTPHeaders(GOOD)) is Fault.NOT_A_HANDSHAKE


@pytest.mark.parametrize("length", ["", "0", "000"])
def test_body_of_no_length_is_none(length: str) -> None:
    assert fault_of("GET", "HTTP/1.1", HTTPHeaders({**GOOD, "Content-Length": length})) is None


@pytest.mark.parametrize(("version", "key", "fault"), [
    ("8", "", Fault.OTHER_VERSION), ("13", "", Fault.BAD_KEY), ("013", GOOD["Sec-WebSocket-Key"], Fault.OTHER_VERSION),
])  # fmt: skip
def test_version_is_looked_at_before_the_key(version: str, key: str, fault: Fault) -> None:
    headers = HTTPHeaders({**GOOD, "Sec-WebSocket-Version": version, "Sec-WebSocket-Key": key, "Content-Length": "5"})
    assert fault_of("GET", "HTTP/1.1", headers) is fault


@pytest.mark.parametrize("fields", ["\twebsocket\t", "a,websocket,b", " , websocket"])
def test_tokens_may_have_white_space_around_them(fields: str) -> None:
    assert fault_of("GET", "HTTP/1.1", HTTPHeaders({**GOOD, "Upgrade": fields})) is None


@pytest.mark.parametrize("space", ["\x0b", "\x0c", "\xa0", "\u2003"])
def test_other_spaces_belong_to_the_token(space: str) -> None:
    assert fault_of("GET", "HTTP/1.1", {**GOOD, "Upgrade": f"{space}websocket"}) is Fault.NOT_A_HANDSHAKE
