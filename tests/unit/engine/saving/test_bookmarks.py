"""Links to a session as it was: what a copy gets of what the application keeps for itself."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app_server.engine.saving import bookmarks
from app_server.errors import ApplicationError, PeerError
from app_server.security.visible_request import VisibleRequest
from app_server.session.session import Session
from app_server.store.journal import Saved, read_journal
from app_server.store.keys import Keys
from tests.support.waiting import until_soon
from tests.unit.engine.making import fill
from tests.unit.engine.saving.making import Process
from tests.unit.engine.saving.stores import Serving, Store, turns


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


def test_session_may_have_so_many_links_and_more_when_others_have_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bookmarks, "MOST_OF_A_SESSION", 3)

    async def live() -> None:
        serving = Serving(Store(tmp_path), fill)
        session, other = await serving.session(), await serving.session("other")
        brief, *others = [session.context.bookmark(ttl=ttl) for ttl in (0.05, 60, 60)]
        with pytest.raises(ApplicationError) as caught:
            session.context.bookmark()
        assert str(caught.value) == (
            "/app session one…: the session has 3 bookmarks already, the most that one session may have. "
            "Let them last shorter (ttl), or call session_context.revoke_bookmark with an older one."
        )
        other.context.bookmark()
        session.context.revoke_bookmark(others[0])
        session.context.bookmark()
        await until_soon(lambda: made(session))  # the brief one expires
        await serving.kill()

    asyncio.run(live())


def made(session: Session) -> bool:
    """Whether a link can be made."""
    try:
        return bool(session.context.bookmark())
    except ApplicationError:
        return False


def test_store_keeps_so_many_links_and_takes_more_when_others_were_revoked(tmp_path: Path) -> None:
    async def live() -> None:
        serving = Serving(Store(tmp_path), fill, max_bookmarks=3)
        session, other = await serving.session(), await serving.session("other")
        first, *_ = [each.context.bookmark() for each in (session, other, session)]
        with pytest.raises(ApplicationError) as caught:
            other.context.bookmark()
        assert str(caught.value) == (
            "/app session other…: the store has as many bookmarks as --store-max-bookmarks allows: 3. Let bookmarks "
            "last shorter (ttl), revoke those that are not needed any more, or raise the limit."
        )
        await copied(serving, first)
        session.context.revoke_bookmark(first)
        await until_soon(lambda: made(other))
        await serving.kill()

    asyncio.run(live())


def test_links_of_all_processes_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def live() -> None:
        one, two = (Serving(Store(tmp_path), fill, max_bookmarks=2) for _ in range(2))
        session, other = await one.session(), await two.session("other")
        await until_soon(lambda: two.saver.bookmarks._number == 0)
        for _ in range(2):
            await copied(one, session.context.bookmark())
        other.context.bookmark()  # the other process does not know yet
        await until_soon(lambda: two.saver.bookmarks._number != 1)
        with pytest.raises(ApplicationError, match="as many bookmarks as --store-max-bookmarks allows: 2"):
            other.context.bookmark()
        assert len([entry for entry in two.store.entries() if entry.bookmark]) == 2
        late = Serving(Store(tmp_path), fill, max_bookmarks=2)
        third = await late.session("third")
        await until_soon(lambda: late.saver.bookmarks._number == 2)
        assert not made(third)
        for serving in (one, two, late):
            await serving.kill()

    asyncio.run(live())
    assert caplog.messages == [
        "/app session other…: a bookmark could not be saved, and its link leads nowhere: "
        "the store has 2 bookmarks, as many as --store-max-bookmarks allows"
    ]


def test_link_that_is_still_on_its_way_to_the_store_opens_in_another_process(tmp_path: Path) -> None:
    async def live() -> None:
        store = Gated(tmp_path)
        maker, reader = Serving(store, fill), Serving(Store(tmp_path), fill)
        session = await maker.session()
        store.open.clear()
        opening = asyncio.ensure_future(copied(reader, session.context.bookmark()))
        await until_soon(lambda: reader.store.asked > 1)  # type: ignore[attr-defined]
        assert not opening.done()
        store.open.set()
        assert (await opening).document.get_model_by_name("slider") is not None
        for serving in (maker, reader):
            await serving.kill()

    asyncio.run(live())


@pytest.mark.parametrize("age_s", [-60, 3.0, 1e6])
def test_link_of_no_one_who_still_writes_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age_s: float
) -> None:
    async def live() -> None:
        serving = Serving(Store(tmp_path), fill)
        session = await serving.session()
        address = session.context.bookmark()
        await copied(serving, address)
        session.context.revoke_bookmark(address)
        asked = serving.store.asked  # type: ignore[attr-defined]
        now_s = time.time()
        monkeypatch.setattr(bookmarks.time, "time", lambda: now_s + age_s)
        with pytest.raises(PeerError, match="this link has expired, or was revoked"):
            await copied(serving, address)
        assert serving.store.asked == asked + 1  # type: ignore[attr-defined]
        await serving.kill()

    asyncio.run(live())


def test_link_with_a_name_of_an_older_release_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bookmarks, "_new_name", lambda: "vq-4x8GkKX7u3Hc29aYpZLmQe")

    async def live() -> None:
        serving = Serving(Store(tmp_path), fill)
        session = await serving.session()
        address = session.context.bookmark()
        await copied(serving, address)
        session.context.revoke_bookmark(address)
        with pytest.raises(PeerError, match="this link has expired, or was revoked"):
            await copied(serving, address)
        await serving.kill()

    asyncio.run(live())


def test_loop_goes_on_while_a_link_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readers: set[str] = set()

    def noting(data: bytes, keys: Keys) -> Saved:
        readers.add(threading.current_thread().name)
        return read_journal(data, keys)

    monkeypatch.setattr(bookmarks, "read_journal", noting)

    async def live() -> None:
        store = Gated(tmp_path)
        serving = Serving(store, fill)
        session = await serving.session()
        address = session.context.bookmark()
        await until_soon(lambda: list(tmp_path.glob("*.view")))
        store.open.clear()
        copying = asyncio.ensure_future(copied(serving, address))
        client = serving.view(session)
        client.set(session.document.get_model_by_name("slider"), "value", 7)
        await turns()
        assert session.document.get_model_by_name("slider").value == 7 and not copying.done()  # type: ignore[union-attr]
        store.open.set()
        await copying
        await serving.kill()

    asyncio.run(live())
    (reader,) = readers
    assert reader.startswith("store")


class Gated(Store):
    """Keeps and gives bookmarks only while it is open."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.open = threading.Event()
        self.open.set()

    def put(self, name: str, data: bytes, ttl_s: float) -> None:
        assert self.open.wait(30)
        super().put(name, data, ttl_s)

    def get(self, name: str, max_bytes: int) -> bytes | None:
        assert self.open.wait(30)
        return super().get(name, max_bytes)
