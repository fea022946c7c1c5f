"""Answers and messages as events."""

from __future__ import annotations

import numpy as np
from tornado.httputil import HTTPHeaders

from app_server.asgi import events
from app_server.protocol.websocket import BINARY, TEXT


def test_answer_has_the_headers_that_the_asgi_server_does_not_write() -> None:
    headers = HTTPHeaders({"Server": "app-server", "Date": "now", "Content-Type": "text/html", "Connection": "close"})
    headers.add("Set-Cookie", "a=1")
    headers.add("Set-Cookie", "b=2")
    assert events.start_event(events.HTTP, 200, headers) == {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", b"text/html"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")],
    }
    assert events.body_event(events.REFUSAL, bytearray(b"x"), more=True) == {
        "type": "websocket.http.response.body", "body": b"x", "more_body": True
    }  # fmt: skip


def test_101_is_an_acceptance_with_its_subprotocol() -> None:
    headers = HTTPHeaders(
        {"Upgrade": "websocket", "Sec-WebSocket-Accept": "x", "Sec-WebSocket-Protocol": "bokeh", "X-Request-ID": "1"}
    )
    assert events.accept_event(headers) == {
        "type": "websocket.accept", "subprotocol": "bokeh", "headers": [(b"x-request-id", b"1")]
    }  # fmt: skip


def test_refusal_without_a_page_has_a_code() -> None:
    assert events.refusal_event(403) == {"type": "websocket.close", "code": 1008, "reason": "refused: 403"}
    assert events.refusal_event(503)["code"] == 1013


def test_reason_of_a_close_fits_into_its_frame() -> None:
    assert events.close_event(1011, "é" * 100)["reason"] == "é" * 61


def test_messages_are_text_or_bytes() -> None:
    assert events.send_event(TEXT, "ü".encode()) == {"type": "websocket.send", "text": "ü"}
    array = np.array([1.0])
    assert events.send_event(BINARY, memoryview(array)) == {"type": "websocket.send", "bytes": array.tobytes()}
