"""Links to a session as it was: what a copy gets of what the application keeps for itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app_server.errors import ApplicationError
from app_server.security.visible_request import VisibleRequest
from app_server.session.session import Session
from tests.unit.engine.making import fill
from tests.unit.engine.saving.making import Process


async def copied(process: Process, address: str) -> Session:
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
