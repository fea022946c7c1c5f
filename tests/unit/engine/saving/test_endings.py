"""Which sessions are to end: those of a user who has logged out, or one that an operator has named."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from app_server.engine.saving import saver
from app_server.engine.saving.endings import Endings, names_of
from app_server.security.auth.users import User, identity
from app_server.store.base import Claim, Ending, session_key
from app_server.store.keys import Keys
from tests.support.waiting import until_soon
from tests.unit.engine.making import fill
from tests.unit.engine.saving.stores import Serving, Store, owner_of, turns

OLD, NEW = b"the secret of before", b"the secret of now"


def ends(folder: Path, endings: list[Ending], keys: Keys, user: Any = None) -> bool:
    """Whether these end the session `one` of this user, which begins now."""

    async def run() -> bool:
        serving = Serving(Store(folder), fill)
        session = await serving.session(user=user)
        asked = Endings(keys, owner_of)
        asked.add(endings)
        found = asked.concern(session)
        assert session.expiration_requested is found
        await serving.stop()
        return found

    return asyncio.run(run())


@pytest.mark.parametrize("secrets", [(NEW,), (NEW, OLD), (OLD, NEW)], ids=["only new", "new first", "old first"])
@pytest.mark.parametrize("user", ["ann", User("ann"), {"id": 7}], ids=repr)
def test_session_of_a_user_who_has_logged_out_ends_under_each_of_the_secrets(
    tmp_path: Path, secrets: tuple[bytes, ...], user: Any
) -> None:
    (name,) = names_of(identity(user), Keys((NEW,)))
    asked = Ending(name, time.time() + 5)
    assert ends(tmp_path, [asked], Keys(secrets), user)
    assert not ends(tmp_path, [asked], Keys(secrets), "bob")
    assert not ends(tmp_path, [asked], Keys(secrets), None)
    assert not ends(tmp_path, [asked], Keys((OLD,)), user)


def test_session_that_began_later_goes_on_whatever_comes_in_which_order(tmp_path: Path) -> None:
    key = session_key("/app", "one")
    now_s = time.time()
    assert not ends(tmp_path, [Ending(key, now_s - 1)], Keys())
    assert ends(tmp_path, [Ending(key, now_s + 5), Ending(key, now_s - 1)], Keys())


def test_what_is_long_ago_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Endings(Keys(), owner_of)
    asked.add([Ending(session_key("/app", str(number)), time.time() - 7200) for number in range(100)])
    assert asked._latest_s == {}


def test_user_of_whom_nothing_is_known_any_more_ends_no_session(tmp_path: Path) -> None:
    async def run() -> None:
        serving = Serving(Store(tmp_path), fill)
        session = await serving.session(user=object())
        asked = Endings(Keys(), owner_of)
        asked.add([Ending("0" * 64, time.time() + 5)])
        assert not asked.concern(session)
        await serving.stop()

    asyncio.run(run())


def test_page_of_a_session_that_an_operator_ends_is_shown_why_and_hooks_run_once(tmp_path: Path) -> None:
    destroyed: list[str] = []

    async def run() -> None:
        serving = Serving(Store(tmp_path), fill, on_session_destroyed=lambda context: destroyed.append(context.id))
        session = await serving.session()
        client = serving.view(session)
        roots = [root.id for root in session.document.roots]
        await serving.save()
        asked = Endings(Keys(), owner_of)
        asked.add([Ending(session_key("/app", "one"), time.time() + 5)])
        serving.runtime.end_asked(asked)
        serving.runtime.end_asked(asked)
        while serving.runtime.registry.get("one") in (None, session) or not client.sink.closed:
            await turns()
        assert client.sink.closed == [(1001, "the session has ended")]
        again = await serving.session()
        assert [root.id for root in again.document.roots] == roots
        assert "An operator of this site has ended it." in again.document.roots[0].text
        assert list(serving.store.entries()) == []
        await serving.stop()

    asyncio.run(run())
    assert destroyed == ["one"]


def test_page_that_comes_back_while_hooks_of_its_ended_session_run_gets_a_new_one_and_the_old_one_ends(
    tmp_path: Path,
) -> None:
    """The next session of this id is being built when the first one has run its hooks."""
    hooks_may_end, may_be_built = asyncio.Event(), asyncio.Event()

    async def created(context: Any) -> None:
        await may_be_built.wait()

    async def destroyed(context: Any) -> None:
        await hooks_may_end.wait()

    async def run() -> None:
        serving = Serving(Store(tmp_path), fill, on_session_created=created, on_session_destroyed=destroyed)
        may_be_built.set()
        session = await serving.session()
        may_be_built.clear()
        client = serving.view(session)
        session.note_ended_by_operator()
        ending = asyncio.ensure_future(serving.runtime.end(session))
        await turns()
        coming_back = asyncio.ensure_future(serving.session())
        await until_soon(lambda: serving.runtime.registry.building("one") is not None)
        hooks_may_end.set()
        await ending
        assert client.sink.closed == [(1001, "the session has ended")]
        may_be_built.set()
        again = await coming_back
        assert again is serving.runtime.registry.get("one") and again.document.get_model_by_name("slider")
        await serving.stop()

    asyncio.run(run())


def test_session_of_whom_it_cannot_be_said_whether_it_ends_keeps_no_other_one_from_ending(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(user: Any) -> str | None:
        if user == "eve":
            raise ValueError("oops")
        return owner_of(user)

    async def run() -> None:
        serving = Serving(Store(tmp_path), fill)
        for name, user in (("eves", "eve"), ("anns", "ann"), ("bobs", "bob")):
            await serving.session(name, user=user)
        asked = Endings(Keys(), broken)
        asked.add([Ending(name, time.time() + 5) for name in names_of(identity("ann"), Keys())])
        serving.runtime.end_asked(asked)
        await until_soon(lambda: {each.id for each in serving.runtime.registry} == {"eves", "bobs"})
        await serving.stop()

    asyncio.run(run())
    (record,) = [record for record in caplog.records if record.exc_info]
    assert record.getMessage() == "/app session eves…: the server cannot say whether it is to end"


def test_sessions_are_ended_at_the_next_look_if_that_fails_and_stay_owned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(saver, "_RENEW_EVERY_S", 0.01)
    renewed: list[int] = []

    class Renewing(Store):
        def renew(self, claims: Sequence[Claim]) -> Sequence[Claim]:
            renewed.append(len(claims))
            return super().renew(claims)

    class Failing(Serving):
        failures = 0

        def _end_asked(self, endings: Endings) -> None:
            self.failures += 1
            if self.failures < 3:
                raise ValueError("oops")
            super()._end_asked(endings)

    async def run() -> None:
        serving = Failing(Renewing(tmp_path), fill)
        one, two = [await serving.session(name) for name in ("one", "two")]
        for session in (one, two):
            serving.view(session)
        await serving.save()
        Store(tmp_path).end(Ending(session_key("/app", "one"), time.time() + 5))
        serving.work()
        await until_soon(lambda: one.destroyed)
        assert not two.destroyed and serving.failures == 3 and renewed[:2] == [2, 2]
        await serving.stop()

    asyncio.run(run())
    failed = [record.getMessage() for record in caplog.records if record.exc_info]
    assert failed == ["Sessions could not be ended; this is a fault of the server"] * 2
