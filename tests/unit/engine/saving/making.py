"""Processes of one server without sockets, that share a store in a folder: each can be killed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app_server.apps import Application
from app_server.document.encoding.document_encoder import encode_document
from app_server.engine.lifecycle import Lifetimes
from app_server.engine.local import LocalRuntime
from app_server.engine.loop import EngineLoop
from app_server.engine.saving.policy import SavingPolicy
from app_server.engine.saving.saver import Saver
from app_server.observe.gauges import SavingGauges
from app_server.protocol import messages
from app_server.security.visible_request import VisibleRequest
from app_server.session.connection import Connection
from app_server.session.limits import MessageLimits
from app_server.session.session import Session
from app_server.settings.values import Restore
from app_server.store.folder import FolderStore
from app_server.store.keys import Keys
from tests.support.servers.stage import Hooked
from tests.unit.session.making import message

SECRET = b"a secret of the tests"


class Sink:
    """Where the frames for a client go; it reads whatever it is sent, and notes how it was closed."""

    pack = None
    queued_bytes = 0
    is_late = False
    has_room = True
    late_by_s = 0.0

    def __init__(self) -> None:
        self.closed: list[tuple[int, str]] = []

    def write(self, chunks: object) -> None: ...

    def close(self, code: int, reason: str = "") -> None:
        self.closed.append((code, reason))

    def give_up(self, waiting_bytes: int, why: str) -> None: ...

    def watch_closely(self) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...


class Process:
    """One process that serves an application and saves its sessions in a folder."""

    def __init__(
        self,
        folder: Path,
        build: Callable[[Any], object] | Application,
        *,
        restore: Restore = "inputs",
        max_bytes: int = 10_000_000,
        keys: Keys | None = None,
        **hooks: Any,
    ) -> None:
        self.store = FolderStore(str(folder), ttl_s=3600, max_bytes=3 * max_bytes)
        self.gauges = SavingGauges()
        self.lost: list[Session] = []
        policy = SavingPolicy(keys or Keys((SECRET,)), max_bytes, 3600, restore=restore)
        self.saver = Saver(self.store, policy, self.gauges, self.lost.append)
        application = build if isinstance(build, Application) else Hooked(build, **hooks)
        self.runtime = LocalRuntime(
            application, "/app", MessageLimits(10_000_000), Lifetimes(1e6, 1e6),
            EngineLoop(asyncio.get_running_loop()), saver=self.saver,
        )  # fmt: skip

    async def session(self, session_id: str = "one", **request: Any) -> Session:
        """The session of this id, built or restored."""
        visible = VisibleRequest(**{"arguments": {"who": [b"ada"]}, **request})
        payload = self.runtime.application.process_request(visible)
        return await self.runtime.session(session_id, visible, payload)

    def view(self, session: Session) -> Client:
        """A browser that has the session's document."""
        return Client(self.runtime, session)

    async def save(self) -> None:
        """Take the turns of the messages that have come, and save what they have changed."""
        for _ in range(5):
            await asyncio.sleep(0)
        await self.saver.save()

    async def kill(self) -> None:
        """End as a process does that is killed: nothing more is saved, and the kernel frees what it owned."""
        await self.saver.stop()


class Client:
    """A browser: what it does to a session."""

    def __init__(self, runtime: LocalRuntime, session: Session) -> None:
        self._runtime = runtime
        self.session = session
        self.sink = Sink()
        self.connection = Connection(1, "", from_browser=True)
        runtime.connect(session, self.connection, self.sink)
        self.send("PULL-DOC-REQ", {})

    def send(self, msgtype: str, content: dict[str, Any]) -> None:
        """Send a message."""
        self._runtime.receive(self.session, self.connection, message(msgtype, content))

    def set(self, model: Any, attr: str, value: Any) -> None:
        """Change a property, as a person does with a widget."""
        event = {"kind": "ModelChanged", "model": {"id": model.id}, "attr": attr, "new": value}
        self.send(messages.PATCH_DOC, {"events": [event]})


def model(session: Session, name: str) -> Any:
    """The session's model of this name."""
    found = session.document.get_model_by_name(name)
    assert found is not None, name
    return found


def turn(process: Process, session: Session, function: Callable[[], Any]) -> None:
    """Run a callback of the application's."""
    queue = process.runtime._queues[session.id]
    queue.submit(lambda: session.turn(function, "a callback"))


def shown(session: Session) -> Any:
    """What a browser that loads the page gets, without what is another's in each session: the notifications' ids."""
    with session.document.changing, session.document.at_work():
        content = json.loads(encode_document(session.document, inline=True)[0])["doc"]
    content.pop("config")
    return _sorted_sets(content)


def _sorted_sets(value: Any) -> Any:
    """The value with its sets in an order: that of their items in JSON means nothing."""
    if isinstance(value, list):
        return [_sorted_sets(item) for item in value]
    if not isinstance(value, dict):
        return value
    value = {name: _sorted_sets(item) for name, item in value.items()}
    if value.get("type") == "set":
        value["entries"] = sorted(value["entries"], key=json.dumps)
    return value


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """Where two values of JSON differ, and how; a few places are enough."""
    if type(one) is not type(other):
        return [f"{where}: {str(one)[:80]} | {str(other)[:80]}"]
    if isinstance(one, dict):
        found = [difference for name in one.keys() | other.keys()
                 for difference in differences(one.get(name), other.get(name), f"{where}.{name}")]  # fmt: skip
        return found[:5]
    if isinstance(one, list) and len(one) == len(other):
        found = [difference for index, (left, right) in enumerate(zip(one, other, strict=True))
                 for difference in differences(left, right, f"{where}[{index}]")]  # fmt: skip
        return found[:5]
    return [] if one == other else [f"{where}: {str(one)[:80]} | {str(other)[:80]}"]
