"""What saved sessions get back: as the server's settings say, unless the application's author says it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from bokeh.models import Slider

from app_server.engine.lifecycle import Lifetimes
from app_server.engine.local import LocalRuntime
from app_server.engine.loop import EngineLoop
from app_server.engine.saving.policy import SavingPolicy
from app_server.engine.saving.saver import Saver
from app_server.observe.gauges import SavingGauges
from app_server.session.limits import MessageLimits
from app_server.settings import RESTORES, Restore
from app_server.store.folder import FolderStore
from app_server.store.keys import Keys
from tests.support.servers.stage import Hooked

POLICY = SavingPolicy(Keys((b"a secret of the tests",)), 1_000_000, 3600, restore="off")


def test_policy_is_the_servers_unless_an_application_has_one() -> None:
    assert POLICY.restoring(None) is POLICY
    assert [POLICY.restoring(word).restore for word in RESTORES] == ["inputs", "values", "off"]
    assert POLICY.restoring("values").max_bytes == 1_000_000


@pytest.mark.parametrize(
    ("says", "value", "called"),
    [("inputs", 7, [7]), ("values", 7, []), ("off", 0, []), (None, 0, [])],
)
def test_application_says_what_its_saved_sessions_get_back(
    tmp_path: Path, says: Restore | None, value: int, called: list[int]
) -> None:
    calls: list[int] = []

    class Says(Hooked):
        restore = says

    def build(document: Any) -> None:
        slider = Slider(name="slider", start=0, end=10, value=0)
        slider.on_change("value", lambda attr, old, new: calls.append(new))
        document.add_root(slider)

    async def served(change_to: int | None) -> Any:
        """The slider's value in a process that serves the session and then ends."""
        store = FolderStore(str(tmp_path / "sessions"), ttl_s=3600, max_bytes=10_000_000)
        saver = Saver(store, POLICY, SavingGauges(), lambda session: None)
        engine_loop, lifetimes = EngineLoop(asyncio.get_running_loop()), Lifetimes(1e6, 1e6)
        runtime = LocalRuntime(Says(build), "/app", MessageLimits(1_000_000), lifetimes, engine_loop, saver=saver)
        session = await runtime.session("one", None, {})
        slider = session.document.get_model_by_name("slider")
        assert isinstance(slider, Slider)
        if change_to is not None:
            slider.value = change_to
        await saver.save()
        found = slider.value
        await runtime.stop()
        await saver.stop()
        return found

    assert asyncio.run(served(7)) == 7
    calls.clear()
    assert (asyncio.run(served(None)), calls) == (value, called)
