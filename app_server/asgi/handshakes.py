"""What is said if the ASGI server knows no WebSockets: pages would be blank."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Final

from app_server.asgi.exchange import Refused
from app_server.asgi.scope import Scope, is_untaken_handshake, is_websocket
from app_server.requests.page_handler import PageHandler

log = logging.getLogger(__name__)

_SAID_FOR_S: Final = 60.0
"""For how long pages say so after a browser has tried. If one is served meanwhile, it is tried again then."""

HEADLINE: Final = "This server opens no WebSockets"
HINT: Final = (
    "Ask the site's operator to install a WebSocket library for the ASGI server: pip install websockets for uvicorn."
    " The server's log says more."
)


class Handshakes:
    """Whether WebSockets come as such; a page says why it would stay blank if they do not."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._opened = False
        self._untaken_s: float | None = None

    def check(self, scope: Scope, handler: Any) -> None:
        """Take note of a request for this handler's class; Refused if it asks for what the ASGI server cannot do."""
        if is_websocket(scope):
            self._opened, self._untaken_s = True, None
        elif is_untaken_handshake(scope):
            self._note_untaken()
            raise Refused(501, HEADLINE, HINT)
        elif self._are_missing and isinstance(handler, type) and issubclass(handler, PageHandler):
            raise Refused(501, HEADLINE, HINT)

    @property
    def _are_missing(self) -> bool:
        """Whether a browser has tried lately, and none has ever succeeded."""
        return self._untaken_s is not None and self._clock() - self._untaken_s < _SAID_FOR_S

    def _note_untaken(self) -> None:
        if self._opened:
            return  # this one was odd
        if self._untaken_s is None:
            log.error(
                "A browser wanted to open a WebSocket, and the ASGI server has passed it on as an ordinary request. "
                "Install a library for WebSockets: pip install websockets (or uvicorn[standard]) for uvicorn; "
                "start granian without --no-ws"
            )
        self._untaken_s = self._clock()
