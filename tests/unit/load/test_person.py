"""A person who opens a page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from app_server.load.client import Closed
from app_server.load.person import Visit
from app_server.load.site import Site

PAGE = b"""HTTP/1.1 200 OK\r\n\r\n<script src="/static/app.js"></script><script>[{"token":"abc"}]</script>"""


@pytest.fixture
async def refusing() -> AsyncIterator[Site]:
    """A server that refuses sockets as soon as it was asked for a script, which it does not answer."""
    asked, over = asyncio.Event(), asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"GET /static"):
            asked.set()
            await over.wait()
        elif head.startswith(b"GET /app/ws"):
            await asked.wait()
            writer.write(b"HTTP/1.1 404 Not Found\r\n\r\n")
        else:
            writer.write(PAGE)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield Site("127.0.0.1", server.sockets[0].getsockname()[1])
    over.set()
    server.close()


async def test_page_that_is_given_up_leaves_nothing_that_loads(refusing: Site) -> None:
    with pytest.raises(Closed, match="it answered 404"):
        await Visit(refusing, "/app", scripts=True).open()
    left = [task.get_coro() for task in asyncio.all_tasks()]
    assert not [each for each in left if getattr(each, "__qualname__", "") == "Visit._load"]
