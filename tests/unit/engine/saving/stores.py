"""Stores in a folder that are slow or away, and processes that save their sessions there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from app_server.engine.lifecycle import Lifetimes
from app_server.engine.local import LocalRuntime
from app_server.engine.loop import EngineLoop
from app_server.engine.saving.endings import Endings
from app_server.engine.saving.policy import SavingPolicy
from app_server.engine.saving.saver import Saver
from app_server.observe.gauges import SavingGauges
from app_server.security.auth.users import identity
from app_server.security.visible_request import VisibleRequest
from app_server.session.limits import MessageLimits
from app_server.session.session import Session
from app_server.store.base import Claim, Write
from app_server.store.errors import Unavailable
from app_server.store.files.session import SessionFile
from app_server.store.folder import FolderStore
from app_server.store.keys import Keys
from tests.support.servers.stage import Hooked
from tests.unit.engine.saving.making import SECRET, Client

KEYS = Keys((SECRET,))
TTL_S = 3600.0


class Store(FolderStore):
    """A store that notes what is asked of it. It answers only while `gate` is set, and fails with `fault`."""

    lease_s = 0.0

    def __init__(self, folder: Path, max_bytes: int = 30_000_000, **more: Any) -> None:
        super().__init__(str(folder), ttl_s=TTL_S, max_bytes=max_bytes, **more)
        self.gate = threading.Event()
        self.gate.set()
        self.fault: Unavailable | None = None
        self.claims: list[str] = []
        self.asked = 0
        """How often a bookmark was asked for."""
        self.writes: list[list[tuple[int, bool]]] = []

    def _answer(self) -> None:
        assert self.gate.wait(30)
        if self.fault is not None:
            raise self.fault

    def claim(self, key: str, *, create: bool) -> SessionFile | None:
        self._answer()
        self.claims.append(key)
        return super().claim(key, create=create)

    def is_saved(self, key: str) -> bool:
        self._answer()
        return super().is_saved(key)

    def write(self, writes: Sequence[Write]) -> Sequence[Claim]:
        self._answer()
        self.writes.append([(len(write.data), write.replaces) for write in writes])
        return super().write(writes)

    def get(self, name: str, max_bytes: int) -> bytes | None:
        self.asked += 1
        return super().get(name, max_bytes)

    def renew(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        self._answer()
        return super().renew(claims)


class Serving:
    """One process that serves an application and saves its sessions in this store."""

    def __init__(
        self,
        store: FolderStore,
        build: Callable[[Any], object],
        *,
        max_bytes: int = 10_000_000,
        every_s: float = 1.0,
        keys: Keys = KEYS,
        max_bookmarks: int = 10_000,
        **hooks: Any,
    ) -> None:
        self.store, self.gauges = store, SavingGauges()
        self.lost: list[Session] = []
        policy = SavingPolicy(keys, max_bytes, TTL_S, every_s=every_s, max_bookmarks=max_bookmarks)
        self.saver = Saver(store, policy, self.gauges, self.lost.append, self._end_asked, owner_of)
        self.runtime = LocalRuntime(
            Hooked(build, **hooks), "/app", MessageLimits(100_000_000), Lifetimes(1e6, 1e6),
            EngineLoop(asyncio.get_running_loop()), saver=self.saver,
        )  # fmt: skip
        self._background: list[asyncio.Task[None]] = []

    def _end_asked(self, endings: Endings) -> None:
        self.runtime.end_asked(endings)

    async def session(self, session_id: str = "one", user: Any = None, payload: Any = None) -> Session:
        """The session of this id, built or restored."""
        return await self.runtime.session(session_id, VisibleRequest(), payload or {}, user)

    def view(self, session: Session) -> Client:
        """A browser that has the session's document."""
        return Client(self.runtime, session)

    async def save(self) -> None:
        """Take the turns of the messages that have come, and save what they have changed."""
        await turns()
        await self.saver.save()

    def work(self) -> None:
        """Begin what a server does in the background."""
        self._background += [asyncio.create_task(each) for each in self.saver.work(purges=False)]

    async def stop(self) -> None:
        """End all that was begun, as a process that leaves."""
        for task in self._background:
            task.cancel()
        await self.runtime.stop()
        await self.saver.stop()

    async def kill(self) -> None:
        """End as a process does that is killed: nothing more is saved, and the kernel frees what it owned."""
        for task in self._background:
            task.cancel()
        await self.saver.stop()


def owner_of(user: Any) -> str | None:
    """Who a user is; None where no one logs in."""
    return None if user is None else identity(user)


async def turns() -> None:
    """Let the turns be taken of the messages that have come."""
    for _ in range(5):
        await asyncio.sleep(0)


async def values_of(folder: Path, build: Callable[[Any], object], *names: str, **of: Any) -> list[Any]:
    """The values of these models in a process that restores the session and then ends."""
    serving = Serving(Store(folder), build, **of)
    session = await serving.session()
    found = [session.document.get_model_by_name(name).value for name in names]  # type: ignore[union-attr]
    await serving.kill()
    return found
