"""Links to a session as it was: what a copy gets of what the application keeps for itself."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app_server.errors import ApplicationError
from app_server.security.visible_request import VisibleRequest
from app_server.session.session import Session
from tests.unit.engine.making import fill
from tests.unit.engine.saving.making import Process
from tests.unit.engine.saving.stores import Serving, Store


async def copied(process: Process | Serving, address: str) -> Session:
    """The session that someone gets who opens this link."""
    (link,) = parse_qs(urlsplit(address).query)["bokeh-view"]
    copy = await process.runtime.bookmarked(link)
    woken = copy.for_visitor(VisibleRequest(), {}, None)
    return await process.runtime.session("copy", VisibleRequest(), {}, None, fresh=True, copy_of=woken)


def test_copy_gets_what_the_hook_returns_when_the_link_is_made(tmp_path: Path) -> None:
    count, given = [0], list[Any]()

    def saved(context: Any) -> dict[str, int]:
        count[0] += 1
        return {"count": count[0]}

    async def live() -> None:
        hooks = {"on_session_saved": saved, "on_session_restored": lambda context, state: given.append(state)}
        process = Process(tmp_path, fill, **hooks)
        session = await process.session()
        count[0] = 41
        await copied(process, session.context.bookmark())
        await process.kill()

    asyncio.run(live())
    assert given == [{"count": 42}]


def test_copy_gets_nothing_of_a_hook_that_has_to_be_awaited(tmp_path: Path) -> None:
    given = list[Any]()

    async def saved(context: Any) -> dict[str, int]:
        return {"count": 1}

    async def live() -> None:
        hooks = {"on_session_saved": saved, "on_session_restored": lambda context, state: given.append(state)}
        process = Process(tmp_path, fill, **hooks)
        session = await process.session()
        await copied(process, session.context.bookmark())
        await process.kill()

    asyncio.run(live())
    assert given == [None]


def test_link_with_a_value_that_is_not_plain_is_refused(tmp_path: Path) -> None:
    async def live() -> None:
        process = Process(tmp_path, fill, on_session_saved=lambda context: {1, 2})
        session = await process.session()
        with pytest.raises(ApplicationError, match="what on_session_saved returns cannot be kept in a bookmark: "):
            session.context.bookmark()
        await process.kill()

    asyncio.run(live())


def test_link_of_a_state_that_is_not_plain_is_refused_with_the_reason(tmp_path: Path) -> None:
    async def live() -> None:
        process = Process(tmp_path, fill)
        session = await process.session()
        session.context.state["by number"] = {1: "a"}
        with pytest.raises(ApplicationError) as caught:
            session.context.bookmark()
        assert str(caught.value) == (
            "/app session one…: session_context.state cannot be kept in a bookmark: the key 1 of a dictionary is not a "
            "text. Keep texts, numbers, booleans, None, and lists and dictionaries of these in it."
        )
        await process.kill()

    asyncio.run(live())


def test_links_that_wait_for_a_slow_store_are_bounded(tmp_path: Path) -> None:
    async def live() -> None:
        store = Gated(tmp_path)
        serving = Serving(store, fill, max_bytes=4096)
        session = await serving.session()
        store.open.clear()
        links = []
        with pytest.raises(ApplicationError, match="the store is too slow for another bookmark"):
            for _ in range(50):
                links.append(session.context.bookmark())
        assert 2 < len(links) < 20
        store.open.set()
        await copied(serving, links[-1])  # all that were promised are there
        assert len([entry for entry in store.entries() if entry.bookmark]) == len(links)
        await copied(serving, session.context.bookmark())
        await serving.kill()

    asyncio.run(live())


class Gated(Store):
    """Keeps bookmarks only while it is open."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.open = threading.Event()
        self.open.set()

    def put(self, name: str, data: bytes, ttl_s: float) -> None:
        assert self.open.wait(30)
        super().put(name, data, ttl_s)
