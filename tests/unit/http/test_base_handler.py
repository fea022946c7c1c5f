"""What the log says of a request whose handler has raised something."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.iostream import StreamClosedError
from tornado.web import Application, HTTPError

from app_server.http.base_handler import Enduring, Leavable


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


def handler_of(path: str = "/a") -> Leavable:
    """A handler of a request."""
    connection: Any = Connection()
    asked = HTTPServerRequest(
        start_line=RequestStartLine("GET", path, "HTTP/1.1"), headers=HTTPHeaders({"Host": "x"}), connection=connection
    )
    return Leavable(Application(), asked)


async def test_answer_that_nobody_could_read_is_none() -> None:
    handler = handler_of()
    finished: list[int] = []
    handler.on_finish = lambda: finished.append(1)  # type: ignore[method-assign]
    handler.send_error(500, exc_info=(StreamClosedError, StreamClosedError(), None))
    assert handler._finished and finished == [1]


async def test_end_of_the_task_is_not_answered() -> None:
    class Waiting(Enduring):
        async def get(self) -> None:
            await asyncio.sleep(60)

    connection: Any = Connection()
    asked = HTTPServerRequest(
        start_line=RequestStartLine("GET", "/a", "HTTP/1.1"), headers=HTTPHeaders({"Host": "x"}), connection=connection
    )
    running = asyncio.ensure_future(Waiting(Application(), asked)._execute([]))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
