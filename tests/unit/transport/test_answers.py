"""What the log says of a request whose handler has raised something."""

from __future__ import annotations

from typing import Any

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.iostream import StreamClosedError
from tornado.web import Application, HTTPError

from app_server.transport.answers import Leavable


class Connection:
    """As much of a connection as a handler asks for when it is made."""

    def set_close_callback(self, callback: object) -> None:
        """Nobody closes it."""


@pytest.mark.parametrize("error", [ValueError("oops"), HTTPError(400, "oops"), StreamClosedError()])
async def test_log_has_neither_query_nor_control_characters_of_a_request(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    start_line = RequestStartLine("GET", "/a\x9b31m?bokeh-token=a-secret", "HTTP/1.1")
    connection: Any = Connection()
    asked = HTTPServerRequest(start_line=start_line, headers=HTTPHeaders({"Host": "x"}), connection=connection)
    handler = Leavable(Application(), asked)
    with caplog.at_level("DEBUG"):
        try:
            raise error
        except Exception as raised:
            handler.log_exception(type(raised), raised, raised.__traceback__)
    assert r"GET /a\x9b31m" in caplog.text
    assert "a-secret" not in caplog.text and "\x9b" not in caplog.text
