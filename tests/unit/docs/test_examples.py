"""What the examples do that no one waits for in a browser."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import pytest

from app_server.apps import load_application
from tests.support.server import EXAMPLES
from tests.unit.engine.saving.making import Process, model
from tools.demo import ROOT, examples


@pytest.mark.parametrize("page", ["README.md", "docs/getting-started.md", "examples/README.md"])
def test_pages_know_how_many_examples_there_are(page: str) -> None:
    text = " ".join((ROOT / page).read_text(encoding="utf-8").split())
    said = re.findall(r"\b(\w+) applications (?:of|to open|behind)\b", text)
    assert said == [{8: "eight"}[len(examples(EXAMPLES))]]


@pytest.mark.parametrize(
    ("away_s", "whose", "said"),
    [
        (2, "one", ""),
        (61, "one", "1 minute"),
        (7_300, "one", "2 hours"),
        (90_000, "one", "1 day"),
        (260_000, "one", "3 days"),
        (260_000, "other", ""),
    ],
)
def test_harmonograph_welcomes_a_visitor_who_was_away_for_long(
    tmp_path: Path, away_s: int, whose: str, said: str
) -> None:
    async def restored() -> str:
        application = load_application(str(EXAMPLES / "harmonograph"), [])
        session = await Process(tmp_path, application).session()
        saved = {"session": whose, "saved_at_s": time.time() - away_s}
        application.hooks.on_session_restored(session.context, saved)
        return str(model(session, "note").text)

    text = asyncio.run(restored())
    assert text == (said and f"<p>Welcome back after {said}. All is as you left it.</p>")
