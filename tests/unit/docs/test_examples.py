"""What the examples do that no one waits for in a browser."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from app_server.apps import load_application
from tests.support.server import EXAMPLES
from tests.unit.engine.saving.making import Process, model


@pytest.mark.parametrize(
    ("away_s", "said"),
    [(2, ""), (61, "1 minute"), (7_300, "2 hours"), (90_000, "1 day"), (260_000, "3 days")],
)
def test_harmonograph_welcomes_a_visitor_who_was_away_for_long(tmp_path: Path, away_s: int, said: str) -> None:
    async def restored() -> str:
        application = load_application(str(EXAMPLES / "harmonograph"), [])
        session = await Process(tmp_path, application).session()
        saved = {"saved_at_s": time.time() - away_s}
        application.hooks.on_session_restored(session.context, saved)
        return str(model(session, "note").text)

    text = asyncio.run(restored())
    assert text == (said and f"<p>Welcome back after {said}. All is as you left it.</p>")
