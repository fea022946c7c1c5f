"""What is said if the ASGI server knows no WebSockets."""

from __future__ import annotations

import pytest

from app_server.asgi import BokehASGI
from app_server.asgi.exchange import Refused
from app_server.asgi.handshakes import HEADLINE, Handshakes
from app_server.requests.page_handler import PageHandler
from app_server.requests.server_handlers import HealthHandler
from tests.unit.asgi.making import asked, scope_of
from tests.unit.asgi.test_scope import UPGRADE
from tests.unit.following import fill


async def test_page_says_so_once_a_browser_has_tried(caplog: pytest.LogCaptureFixture) -> None:
    app = BokehASGI({"/app": fill})
    async with app.lifespan():
        assert (await asked(app, "/app")).status == 200
        for _ in range(2):
            tried = await asked(app, "/app/ws", headers=UPGRADE)
            assert (tried.status, HEADLINE in tried.text) == (501, True)
        page = await asked(app, "/app")
        assert page.status == 501 and "pip install websockets for uvicorn" in page.text
        assert (await asked(app, "/healthz")).status == 200
    (line,) = caplog.messages
    assert line.startswith("A browser wanted to open a WebSocket, and the ASGI server has passed it on as an ordinary")


def test_pages_are_served_again_after_a_while_or_a_success() -> None:
    now_s = 0.0
    handshakes = Handshakes(lambda: now_s)
    page, untaken = scope_of("/app"), scope_of("/app/ws", headers=UPGRADE)

    def is_refused() -> bool:
        try:
            handshakes.check(page, PageHandler)
        except Refused:
            return True
        return False

    assert not is_refused()
    with pytest.raises(Refused):
        handshakes.check(untaken, None)
    assert is_refused()
    handshakes.check(page, HealthHandler)
    now_s = 61.0
    assert not is_refused()
    with pytest.raises(Refused):
        handshakes.check(untaken, None)
    handshakes.check(scope_of("/app/ws", "websocket"), None)
    assert not is_refused()
    with pytest.raises(Refused):
        handshakes.check(untaken, None)
    assert not is_refused(), "the server knows WebSockets, so this one was odd"
