"""Saved sessions are found, claimed once, and left again."""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from app_server.engine.saving import waker
from app_server.engine.saving.policy import SavingPolicy
from app_server.engine.saving.store_thread import StoreThread
from app_server.engine.saving.waker import Waker
from app_server.engine.saving.woken import Woken, read_opening
from app_server.errors import ApplicationError
from app_server.observe.gauges import SavingGauges
from app_server.security.admission import Full
from app_server.security.visible_request import VisibleRequest
from app_server.session.session import Session
from app_server.store.base import Claim, session_key
from app_server.store.errors import Busy, Lost, TooSlow, Unavailable
from app_server.store.files.session import SessionFile
from app_server.store.journal import JournalWriter, read_journal
from app_server.store.location import open_store
from app_server.store.records import Kind, Record
from app_server.store.redis import LEASE_S
from tests.support.claiming import claiming
from tests.support.servers.redis import redis_folder, running_redis
from tests.support.waiting import patience, until_soon
from tests.unit.engine.making import fill
from tests.unit.engine.saving.stores import KEYS, Serving, Store, turns, values_of

KEY = session_key("/app", "one")


async def left_with(folder: Path, value: int) -> None:
    """A session whose slider has this value, saved by a process that has ended."""
    serving = Serving(Store(folder), fill)
    session = await serving.session()
    serving.view(session).set(session.document.get_model_by_name("slider"), "value", value)
    await serving.save()
    await serving.kill()


def file_of(folder: Path) -> Path:
    return folder / f"{KEY}.session"


def test_looking_for_a_session_claims_nothing_and_prolongs_nothing(tmp_path: Path) -> None:
    async def live() -> None:
        serving = Serving(Store(tmp_path), fill)
        assert not await serving.runtime.is_saved("one")
        await left_with(tmp_path, 7)
        os.utime(file_of(tmp_path), (1e9, 1e9))
        assert not await serving.runtime.is_saved("one")
        then = os.stat(file_of(tmp_path)).st_mtime - 1e9
        os.utime(file_of(tmp_path))
        before = os.stat(file_of(tmp_path)).st_mtime_ns
        assert await serving.runtime.is_saved("one") and not await serving.runtime.is_saved("two")
        assert os.stat(file_of(tmp_path)).st_mtime_ns == before and then == 0
        with claiming(str(tmp_path), KEY) as owner:
            assert owner.answer == "claimed"
            assert await serving.runtime.is_saved("one")
        assert serving.store.claims == []  # type: ignore[attr-defined]
        await serving.stop()

    asyncio.run(live())


def test_session_of_a_lost_host_is_waited_for_longer_than_its_lease(tmp_path: Path) -> None:
    store = Store(tmp_path)
    gauges = SavingGauges()
    found = Waker(StoreThread(store, gauges), SavingPolicy(KEYS, 1, 1), gauges)
    assert found.patience_s == 3
    store.lease_s = LEASE_S
    assert LEASE_S < found.patience_s < 6


def test_session_that_another_process_keeps_is_refused_and_one_that_it_leaves_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def live() -> None:
        await left_with(tmp_path, 7)
        serving = Serving(Store(tmp_path), fill)
        with claiming(str(tmp_path), KEY) as owner:
            monkeypatch.setattr(waker, "_TAKEN_FOR_S", 0.1)
            with pytest.raises(Full, match="another process has this session"):
                await serving.session()
            monkeypatch.setattr(waker, "_TAKEN_FOR_S", 30)
            waiting = asyncio.create_task(serving.session())
            await turns()
            assert not waiting.done()
            owner.kill()
            assert (await waiting).document.get_model_by_name("slider").value == 7  # type: ignore[union-attr]
        await serving.stop()

    asyncio.run(live())


def test_saved_session_is_claimed_and_built_once_however_many_ask(tmp_path: Path) -> None:
    async def live() -> None:
        await left_with(tmp_path, 7)
        built: list[Any] = []

        async def created(context: Any) -> None:
            await asyncio.sleep(0.05)

        def build(document: Any) -> None:
            built.append(document)
            fill(document)

        store = Store(tmp_path)
        serving = Serving(store, build, on_session_created=created)
        sessions = await asyncio.gather(*(serving.session() for _ in range(10)))
        assert len({id(session) for session in sessions}) == len(built) == len(store.claims) == 1
        assert serving.gauges.restored == 1
        await serving.stop()

    asyncio.run(live())


def test_failed_build_leaves_the_session_to_the_next_one_who_asks(tmp_path: Path) -> None:
    async def live() -> None:
        await left_with(tmp_path, 7)
        before = file_of(tmp_path).read_bytes()
        fails = [True]

        def build(document: Any) -> None:
            if fails:
                raise ValueError("not today")
            fill(document)

        serving = Serving(Store(tmp_path), build)
        with pytest.raises(ApplicationError, match="not today"):
            await serving.session()
        assert file_of(tmp_path).read_bytes() == before
        assert await values_of(tmp_path, fill, "slider") == [7]
        fails.clear()
        assert (await serving.session()).document.get_model_by_name("slider").value == 7  # type: ignore[union-attr]
        await serving.stop()

    asyncio.run(live())


def test_request_that_is_given_up_leaves_the_session(tmp_path: Path) -> None:
    async def live() -> None:
        await left_with(tmp_path, 7)
        begun = asyncio.Event()

        async def restored(context: Any, state: Any) -> None:
            begun.set()
            await asyncio.Event().wait()

        serving = Serving(Store(tmp_path), fill, on_session_restored=restored)
        asking = asyncio.create_task(serving.session())
        await begun.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await serving.save()
        assert serving.lost == [] and serving.runtime.registry.get("one") is None
        assert await values_of(tmp_path, fill, "slider") == [7]
        await serving.stop()

    asyncio.run(live())


def test_page_does_not_wait_for_a_store_that_does_not_answer_and_leaves_what_it_claims_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(waker, "_SILENT_FOR_S", patience(0.25))
    monkeypatch.setattr(waker, "_AWAY_FOR_S", 0.05)

    async def live() -> None:
        await left_with(tmp_path, 7)
        store = Store(tmp_path)
        serving = Serving(store, fill)
        store.gate.clear()
        assert not await serving.runtime.is_saved("one")
        assert (await serving.session()).document.get_model_by_name("slider").value == 0  # type: ignore[union-attr]
        assert [re.sub(r"\b[0-9]\.[0-9]\b", "0.N", text) for text in caplog.messages] == [
            "Sessions are not saved at the moment: the store has not answered for 0.N s",
            "/app: begins again, because the store is away (0.N s): the store has not answered for 0.N s",
            "/app session one…, which is being built: begins again, because the store is away (0.N s): "
            "the store has not answered for 0.N s",
        ]
        store.gate.set()
        await until_soon(lambda: store.claims)
        await serving.kill()
        assert await values_of(tmp_path, fill, "slider") == [7]

    asyncio.run(live())


def test_session_begins_again_if_the_store_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(waker, "_FAILS_FOR_S", 0.05)

    async def live() -> None:
        store = Store(tmp_path)
        serving = Serving(store, fill)
        store.fault = Unavailable("gone fishing", where="redis://there")
        assert (await serving.session()).id == "one"
        assert [re.sub(r"\b[0-9]\.[0-9]\b", "0.N", text) for text in caplog.messages] == [
            "Sessions are not saved at the moment: redis://there: gone fishing",
            "/app session one…, which is being built: begins again, because the store is away (0.N s): "
            "redis://there: gone fishing",
        ]
        monkeypatch.setattr(waker, "_FAILS_FOR_S", 1e6)
        assert (await serving.session("two")).id == "two"  # it is known by now
        store.fault = None
        await serving.stop()

    asyncio.run(live())


def test_session_is_waited_for_while_its_store_starts_again(tmp_path: Path) -> None:
    async def live() -> None:
        await left_with(tmp_path, 7)
        store = Store(tmp_path)
        serving = Serving(store, fill)
        store.fault = Unavailable("Connection refused", where="redis://there")
        asking = asyncio.create_task(serving.session())
        await until_soon(lambda: serving.saver._thread.answered_s)
        store.fault = None
        assert slider(await asking).value == 7
        await serving.stop()

    asyncio.run(live())


def test_page_tries_again_if_a_store_that_works_does_not_give_its_session_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(waker, "_SILENT_FOR_S", patience(0.1))
    answers = threading.Event()

    class Slow(Store):
        """Answers all but what is asked of one session."""

        def claim(self, key: str, *, create: bool) -> SessionFile | None:
            if key == KEY and not answers.is_set():
                raise TooSlow("Timeout reading from socket", where="redis://there")
            return super().claim(key, create=create)

    async def live() -> None:
        await left_with(tmp_path, 7)
        serving = Serving(Slow(tmp_path), fill)
        asking = asyncio.create_task(serving.session())
        while not asking.done():
            assert not await serving.runtime.is_saved("two")
        with pytest.raises(Full, match="saved sessions cannot be read at the moment") as refused:
            await asking
        assert refused.value.headline == "This session cannot be opened at the moment"
        [line] = caplog.messages
        assert re.fullmatch(
            r"/app session one…, which is being built: tries again, because the store is slow or busy \([0-9.]+ s\): "
            r"redis://there: Timeout reading from socket",
            line,
        )
        answers.set()
        assert slider(await serving.session()).value == 7
        await serving.stop()

    asyncio.run(live())


def test_page_tries_again_if_there_are_too_many_open_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waker, "_SILENT_FOR_S", 0.05)

    async def live() -> None:
        await left_with(tmp_path, 7)
        store = Store(tmp_path)
        serving = Serving(store, fill)
        store.fault = Busy("Too many open files")
        with pytest.raises(Full, match="saved sessions cannot be read at the moment"):
            await serving.session()
        with pytest.raises(Full, match="saved sessions cannot be read at the moment"):
            await serving.runtime.is_saved("one")
        store.fault = None
        assert slider(await serving.session()).value == 7
        await serving.stop()

    asyncio.run(live())


def test_loop_that_was_busy_finds_what_the_store_has_answered_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many sessions that move at once are built one after another: that is not the store's fault."""
    monkeypatch.setattr(waker, "_SILENT_FOR_S", patience(0.2))

    async def live() -> None:
        await left_with(tmp_path, 7)
        store = Store(tmp_path)
        serving = Serving(store, fill)
        store.gate.clear()
        asking = asyncio.create_task(serving.session())
        await turns()
        store.gate.set()
        ends_s = time.monotonic() + 1.5 * waker._SILENT_FOR_S
        while time.monotonic() < ends_s or not store.claims:
            time.sleep(0.01)  # the loop does nothing else, as if other sessions were built
        assert slider(await asking).value == 7
        await serving.stop()

    asyncio.run(live())


def test_time_in_which_the_process_stood_still_is_not_that_of_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waker, "_SILENT_FOR_S", 2.0)

    async def live() -> None:
        await left_with(tmp_path, 7)
        store = Store(tmp_path)
        serving = Serving(store, fill)
        store.gate.clear()
        asking = asyncio.create_task(serving.session())
        await turns()
        time.sleep(2.5)  # as a machine does that is suspended
        asyncio.get_running_loop().call_later(0.1, store.gate.set)
        assert slider(await asking).value == 7
        await serving.stop()

    asyncio.run(live())


def test_session_that_was_lost_before_it_was_read_is_claimed_again(tmp_path: Path) -> None:
    """A claim in Redis is a lease: it ends if the process was busy for too long."""

    class Losing(Store):
        """Loses its first claim to another process, which leaves it at once."""

        def read(self, claim: Claim, max_bytes: int) -> bytes:
            if len(self.claims) == 1:
                raise Lost("another process has taken the session over")
            return super().read(claim, max_bytes)

    async def live() -> None:
        await left_with(tmp_path, 7)
        serving = Serving(Losing(tmp_path), fill)
        assert slider(await serving.session()).value == 7
        await serving.stop()

    asyncio.run(live())


@pytest.mark.parametrize("at", ["claimed", "built", "restored"])
def test_session_that_is_being_built_when_its_process_stops_is_left_to_the_next_one(tmp_path: Path, at: str) -> None:
    async def live() -> None:
        await left_with(tmp_path, 7)
        begun, goes_on = asyncio.Event(), asyncio.Event()

        async def wait(*_: Any) -> None:
            begun.set()
            await goes_on.wait()

        store = Store(tmp_path)
        hooks = {"built": {"on_session_created": wait}, "restored": {"on_session_restored": wait}}.get(at, {})
        serving = Serving(store, fill, **hooks)
        if at == "claimed":
            store.gate.clear()
        asking = asyncio.create_task(serving.session())
        if hooks:
            await begun.wait()
        else:
            await turns()
        serving.runtime.begin_stop()
        goes_on.set()
        store.gate.set()
        with pytest.raises(Full, match="the server is going away"):
            await asking
        assert serving.runtime.registry.get("one") is None and not serving.runtime.registry.builds
        assert await values_of(tmp_path, fill, "slider") == [7]
        await serving.stop()

    asyncio.run(live())


def test_journal_of_a_newer_version_is_never_overwritten(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    newer = b"app-server journal 2\nwhat it means is not known yet"

    async def live() -> None:
        store = Store(tmp_path)
        store.check()
        file_of(tmp_path).write_bytes(newer)
        serving = Serving(store, fill)
        session = await serving.session()
        serving.view(session).set(session.document.get_model_by_name("slider"), "value", 7)
        await serving.save()
        with claiming(str(tmp_path), KEY) as owner:
            assert owner.answer == "claimed"  # the newer server may have it
        await serving.stop()

    asyncio.run(live())
    assert file_of(tmp_path).read_bytes() == newer
    assert caplog.messages == [
        "/app session one…, which is being built: is not saved, and begins again: "
        "a newer app-server wrote the journal, in version 2 of its format"
    ]


def test_journal_of_a_newer_version_is_not_overwritten_after_the_store_was_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    newer = b"app-server journal 2\nwhat it means is not known yet"

    async def live() -> None:
        store = Store(tmp_path)
        store.check()
        file_of(tmp_path).write_bytes(newer)
        serving = Serving(store, fill)
        store.fault = Unavailable("gone fishing")
        session, other = await serving.session(), await serving.session("two")
        store.fault = None
        for each in (session, other):
            serving.view(each).set(each.document.get_model_by_name("slider"), "value", 7)
        for _ in range(3):
            await serving.save()
        assert await serving.runtime.is_saved("two")
        await serving.stop()

    asyncio.run(live())
    assert file_of(tmp_path).read_bytes() == newer
    assert [text for text in caplog.messages if "newer" in text] == [
        "/app session one…: is not saved: a newer app-server wrote the journal, in version 2 of its format"
    ]


@pytest.mark.parametrize("data", [b"", b"nonsense", b"app-server journal 1\n"])
def test_what_cannot_be_read_is_overwritten(tmp_path: Path, data: bytes) -> None:
    async def live() -> None:
        Store(tmp_path).check()
        file_of(tmp_path).write_bytes(data)
        await left_with(tmp_path, 7)
        assert await values_of(tmp_path, fill, "slider") == [7]

    asyncio.run(live())


def test_link_never_replaces_what_is_saved_under_the_id_that_comes_with_it(tmp_path: Path) -> None:
    async def live() -> None:
        await left_with(tmp_path, 9)
        serving = Serving(Store(tmp_path), fill)
        other = await serving.session("other", user="bob")
        saved = read_journal(await whole_of(serving, "other"), KEYS)
        assert saved is not None
        opening = read_opening(saved.opened, "/app", "other")
        copy = Woken(None, saved, opening).for_visitor(VisibleRequest(), {}, "bob")
        again = await serving.runtime.session("one", VisibleRequest(), {}, "bob", copy_of=copy)
        assert slider(again).value == 9 and again.context.user is None
        fresh = await serving.runtime.session("new", VisibleRequest(), {}, "bob", copy_of=copy)
        assert slider(fresh).value == slider(other).value == 4 and fresh.context.user == "bob"
        await serving.kill()
        assert await values_of(tmp_path, fill, "slider") == [9]

    asyncio.run(live())


async def whole_of(serving: Serving, session_id: str) -> bytes:
    """The journal of a session whose slider is at 4."""
    session = serving.runtime.registry.get(session_id)
    assert session is not None
    serving.view(session).set(slider(session), "value", 4)
    await serving.save()
    return serving.store.head(session_key("/app", session_id), 10_000_000)


def slider(session: Session) -> Any:
    return session.document.get_model_by_name("slider")


def test_session_of_a_host_that_was_lost_is_back_within_six_seconds() -> None:
    """Redis has the lease of a process that was killed: it ends by itself."""

    async def live(location: str) -> float:
        loop = asyncio.get_running_loop()
        first = Serving(opened(location), fill)
        session = await first.session()
        first.view(session).set(session.document.get_model_by_name("slider"), "value", 7)
        await first.save()
        await first.kill()
        second = Serving(opened(location), fill)
        with claiming(location, KEY) as owner:
            assert owner.answer == "claimed" and owner.do("renew") == "renewed"
            owner.kill()
            began_s = loop.time()
            again = await second.session()
            took_s = loop.time() - began_s
        assert again.document.get_model_by_name("slider").value == 7  # type: ignore[union-attr]
        await second.stop()
        return took_s

    with redis_folder() as folder, running_redis(folder) as running:
        assert LEASE_S - 1 < asyncio.run(live(running.location)) < 6


def opened(location: str) -> Any:
    return open_store(location, ttl_s=3600, max_bytes=10**8)


@pytest.mark.parametrize("tag", ["\ud800", None, ["x"], '","', ""], ids=repr)
def test_journal_whose_models_have_an_odd_tag_keeps_no_page_from_being_built(tmp_path: Path, tag: Any) -> None:
    async def live() -> None:
        await left_with(tmp_path, 9)
        saved = read_journal(file_of(tmp_path).read_bytes(), KEYS)
        assert saved is not None and saved.whole is not None
        writer = JournalWriter(KEYS)
        records = Record(Kind.OPEN, {**saved.opened, "tag": tag}), Record(Kind.WHOLE, saved.fields, *saved.whole)
        file_of(tmp_path).write_bytes(b"".join((writer.begin(), *map(writer.write, records))))
        assert await values_of(tmp_path, fill, "slider") in ([0], [9])

    asyncio.run(live())
