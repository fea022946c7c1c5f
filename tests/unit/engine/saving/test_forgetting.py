"""What is saved of a user is deleted, and nothing else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app_server.engine.saving import forgetting
from app_server.security.auth.users import User, identity
from app_server.store.base import Ending, Entry, session_key
from app_server.store.errors import Unavailable
from app_server.store.folder import FolderStore
from tests.support.waiting import until_soon
from tests.unit.engine.making import fill
from tests.unit.engine.saving.stores import Serving, Store, turns


async def saved_by(folder: Path, **users: Any) -> None:
    """A saved session of each of these users, by the name of the session."""
    serving = Serving(Store(folder), fill)
    for name, user in users.items():
        serving.view(await serving.session(name, user=user))
    await serving.save()
    await serving.kill()


class Waiting(Store):
    """A store that says when it is asked what it has, and answers when it may. Made in the loop that is told."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._loop = asyncio.get_running_loop()
        self.looks, self.may_look = asyncio.Event(), threading.Event()

    def entries(self) -> Iterator[Entry]:
        self._loop.call_soon_threadsafe(self.looks.set)
        assert self.may_look.wait(30)
        yield from super().entries()


def names(store: FolderStore, *those: str) -> set[str]:
    keys = {entry.key for entry in store.entries()}
    return {name for name in those if session_key("/app", name) in keys}


def test_sessions_of_a_user_are_deleted_whoever_they_are_kept_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "_AT_ONCE", 2)

    async def run() -> None:
        await saved_by(tmp_path, a=User("ann"), b=User("bob"), c=User("ann"), d=User("ann", "header"), e=None, f="ann")
        (tmp_path / f"{session_key('/app', 'broken')}.session").write_bytes(b"nonsense")
        store = Store(tmp_path)
        serving = Serving(store, fill)
        store.put("bookmark-of-ann", b"whatever", 60)
        serving.saver.log_out(identity(User("ann")))
        await serving.saver._forgetting.finish()
        assert names(store, *"abcdef") == {"b", "d", "e", "f"}
        assert len(list(store.entries())) == 6
        await serving.stop()

    asyncio.run(run())


def test_sessions_in_other_processes_end_within_a_second_or_so_those_of_later_do_not(tmp_path: Path) -> None:
    async def run() -> None:
        here, there = Serving(Store(tmp_path), fill), Serving(Store(tmp_path), fill)
        for name, user in (("ann's", User("ann")), ("bob's", User("bob"))):
            there.view(await there.session(name, user=user))
        await there.save()
        there.view(await there.session("ann's, not saved yet", user=User("ann")))
        there.work()
        here.saver.log_out(identity(User("ann")))
        await there.session("ann's, later", user=User("ann"))
        await until_soon(lambda: {each.id for each in there.runtime.registry} == {"bob's", "ann's, later"})
        await until_soon(lambda: names(Store(tmp_path), "ann's", "bob's", "ann's, not saved yet") == {"bob's"})
        assert there.lost == []
        await here.stop()
        await there.stop()

    asyncio.run(run())


def test_process_that_finds_a_session_deleted_first_ends_it_too_for_its_user_has_logged_out(tmp_path: Path) -> None:
    """It may save the session in the moment between two looks for what is to end."""

    async def run() -> None:
        here, there = Serving(Store(tmp_path), fill), Serving(Store(tmp_path), fill)
        session = await there.session(user=User("ann"))
        client = there.view(session)
        await there.save()
        here.saver.log_out(identity(User("ann")))
        await here.saver._forgetting.finish()
        client.set(session.document.get_model_by_name("slider"), "value", 7)
        await there.save()
        assert there.lost == [] and there.gauges.lost == 0
        await until_soon(lambda: not list(there.runtime.registry))
        assert list(Store(tmp_path).entries()) == []
        await here.stop()
        await there.stop()

    asyncio.run(run())


@pytest.mark.parametrize("where", ["the same process", "another process"])
def test_session_that_is_being_built_meanwhile_ends_when_it_is_there(tmp_path: Path, where: str) -> None:
    may_go_on = asyncio.Event()

    async def created(context: Any) -> None:
        await may_go_on.wait()

    async def run() -> None:
        builds = Serving(Store(tmp_path), fill, on_session_created=created)
        logs_out = builds if where == "the same process" else Serving(Store(tmp_path), fill)
        builds.work()
        building = asyncio.ensure_future(builds.session("slow", user=User("ann")))
        await turns()
        logs_out.saver.log_out(identity(User("ann")))
        await logs_out.saver._forgetting.finish()
        may_go_on.set()
        await building
        await until_soon(lambda: not list(builds.runtime.registry))
        await until_soon(lambda: list(Store(tmp_path).entries()) == [])
        await builds.stop()

    asyncio.run(run())


def test_sessions_are_deleted_when_the_store_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(forgetting, "AGAIN_S", 0.01)
    asked = 0

    class Away(Store):
        def head(self, key: str, size_bytes: int) -> bytes:
            nonlocal asked
            asked += 1
            if asked < 5:
                raise Unavailable("gone fishing")
            return super().head(key, size_bytes)

    async def run() -> None:
        await saved_by(tmp_path, a=User("ann"), b=User("bob"))
        serving = Serving(Away(tmp_path), fill)
        serving.saver.log_out(identity(User("ann")))
        await serving.saver._forgetting.finish()
        assert names(serving.store, "a", "b") == {"b"}
        await serving.stop()

    asyncio.run(run())
    assert caplog.messages == ["The saved sessions of a user who has logged out are not deleted yet: gone fishing"]


def test_process_that_leaves_does_not_wait_for_a_store_that_stays_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "_FINISH_WITHIN_S", 0.1)

    class Away(Store):
        def end(self, ending: Ending) -> None:
            raise Unavailable("gone fishing")

    async def run() -> None:
        serving = Serving(Away(tmp_path), fill)
        serving.saver.log_out(identity(User("ann")))
        await serving.stop()
        assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    asyncio.run(run())


def test_session_that_sleeps_when_its_user_logs_out_ends_although_its_page_wakes_it_before_it_is_deleted(
    tmp_path: Path,
) -> None:
    """A second device may still be logged in for a moment."""
    async def run() -> None:
        await saved_by(tmp_path, anns=User("ann"), bobs=User("bob"))
        here, there = Serving(waiting := Waiting(tmp_path), fill), Serving(Store(tmp_path), fill)
        here.saver.log_out(identity(User("ann")))
        await waiting.looks.wait()
        for name, user in (("anns", User("ann")), ("bobs", User("bob"))):
            there.view(await there.session(name, user=user))
        await there.save()
        waiting.may_look.set()
        await here.saver._forgetting.finish()
        there.work()
        await until_soon(lambda: {each.id for each in there.runtime.registry} == {"bobs"})
        await until_soon(lambda: names(there.store, "anns", "bobs") == {"bobs"})
        assert there.lost == []
        await here.stop()
        await there.stop()

    asyncio.run(run())


def test_session_of_a_user_who_has_logged_in_again_is_not_deleted(tmp_path: Path) -> None:
    async def run() -> None:
        await saved_by(tmp_path, before=User("ann"))
        here, there = Serving(waiting := Waiting(tmp_path), fill), Serving(Store(tmp_path), fill)
        here.saver.log_out(identity(User("ann")))
        await waiting.looks.wait()
        session = await there.session("after", user=User("ann"))
        client = there.view(session)
        await there.save()
        waiting.may_look.set()
        await here.saver._forgetting.finish()
        assert names(there.store, "before", "after") == {"after"}
        client.set(session.document.get_model_by_name("slider"), "value", 7)
        await there.save()
        assert there.lost == []
        await here.stop()
        await there.stop()

    asyncio.run(run())
