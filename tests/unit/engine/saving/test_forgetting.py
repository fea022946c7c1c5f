"""What is saved of a user is deleted, and nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app_server.engine.saving import forgetting
from app_server.security.auth.users import User
from app_server.store.base import session_key
from app_server.store.errors import Unavailable
from tests.unit.engine.making import fill
from tests.unit.engine.saving.stores import Serving, Store


async def saved_by(folder: Path, **users: Any) -> None:
    """A saved session of each of these users, by the name of the session."""
    serving = Serving(Store(folder), fill)
    for name, user in users.items():
        serving.view(await serving.session(name, user=user))
    await serving.save()
    await serving.kill()


def names(store: Store, *those: str) -> set[str]:
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
        serving.saver.forgetting.begin(lambda user: user == User("ann"))
        await serving.saver.forgetting.finish()
        assert names(store, *"abcdef") == {"b", "d", "e", "f"}
        assert len(list(store.entries())) == 6
        await serving.stop()

    asyncio.run(run())


def test_store_that_is_away_is_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Away(Store):
        def head(self, key: str, size_bytes: int) -> bytes:
            raise Unavailable("gone fishing")

    async def run() -> None:
        await saved_by(tmp_path, a=User("ann"))
        serving = Serving(Away(tmp_path), fill)
        serving.saver.forgetting.begin(lambda user: True)
        await serving.saver.forgetting.finish()
        await serving.stop()

    asyncio.run(run())
    assert caplog.messages == ["The saved sessions of a user who has logged out could not be deleted: gone fishing"]
