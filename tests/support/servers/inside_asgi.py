"""An ASGI application inside the test's process: uvicorn serves it, on a loop in a thread, at a free port."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from app_server.asgi import BokehASGI
from app_server.server.server import Server
from tests.support.servers.inside import Inside
from tests.support.waiting import PATIENCE_S, patience, until


class InsideASGI(Inside):
    """An ASGI application, from outside by its address, and from inside by its objects."""

    def __init__(self, bokeh: BokehASGI, loop: asyncio.AbstractEventLoop, port: int) -> None:
        self.bokeh = bokeh
        self.loop = loop
        self.port = port
        self.url, self.headers = f"http://127.0.0.1:{port}", {}

    @property
    def server(self) -> Server:  # type: ignore[override]
        """The server behind it, once that has started."""
        found = self.bokeh._lifespan._server
        assert found is not None
        return found


@contextmanager
def inside_uvicorn(bokeh: BokehASGI, app: Any = None, **options: Any) -> Iterator[InsideASGI]:
    """Serve this, by itself or in `app`, with these options of uvicorn's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        options = {"log_level": "error", "ws": "websockets-sansio", "ws_max_size": 32 * 2**20, **options}
        running = uvicorn.Server(uvicorn.Config(app or bokeh, **options))
        loop = asyncio.new_event_loop()

        def run() -> None:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:  # as uvicorn.run does
                runner.run(running.serve([listener]))

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        until(lambda: running.started or not thread.is_alive(), "uvicorn has started")
        try:
            assert running.started
            yield InsideASGI(bokeh, loop, port)
        finally:
            running.should_exit = True
            thread.join(patience(2 * PATIENCE_S))
