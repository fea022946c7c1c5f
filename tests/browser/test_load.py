"""What someone does in Chromium is recorded, and played again by people who need no browser."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.support.browsers.pages import Complaints, drag_slider, open_app, wait_idle, window
from tests.support.server import REPOSITORY, RunningServer, running_server
from tests.support.waiting import until

pytestmark = pytest.mark.browser

APPS = Path(__file__).with_name("apps")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recordings")


@pytest.fixture(scope="module")
def recording_server(recordings: Path) -> Iterator[RunningServer]:
    flags = ("--record", f"{recordings}/", "--allow-load-tests")
    with running_server(APPS / "widgets.py", *flags) as started:
        yield started
        assert "Traceback" not in started.log_text()


def events(recording: Path) -> list[Any]:
    """All events of a recording, without when they were."""
    return [said["events"] for said in json.loads(recording.read_text())["messages"]]


def load(*words: object) -> dict[str, Any]:
    """What the command finds; Playwright's loop runs in this process."""
    command = [sys.executable, "-m", "app_server", "load", *map(str, words), "--json"]
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def test_what_was_done_in_chromium_is_played_in_other_sessions(
    browser: Browser, recording_server: RunningServer, recordings: Path, complaints: Complaints
) -> None:
    url = f"{recording_server.url}/widgets"
    with window(browser) as context:
        page = context.new_page()
        complaints.listen(page)
        open_app(page, url)
        drag_slider(page, 0, 60)
        page.get_by_role("textbox").first.fill("typed in Chromium")
        page.keyboard.press("Enter")
        wait_idle(page)
    until(lambda: list(recordings.glob("*.json")), "a recording")
    (recording,) = recordings.glob("*.json")
    done = events(recording)
    kinds = {event["model"]["$model"][0] for said in done for event in said if event["kind"] == "ModelChanged"}
    assert {"RangeSlider", "TextInput"} <= kinds
    assert any(event.get("new") == "typed in Chromium" for said in done for event in said)

    stage_s = max(6, math.ceil(2 * json.loads(recording.read_text(encoding="utf-8"))["seconds"]))
    report = load(url, "--play", recording, "--stage", stage_s, "--first", 1, "--most", 1, "--p99", "60s")
    (stage,) = report["stages"]
    assert stage["faults"] == {} and stage["not_played"] == 0
    played = [each for each in recordings.glob("*.json") if each != recording]
    # The page does the same again, until it is closed.
    assert any(events(each) == done[: len(events(each))] and len(events(each)) > 2 for each in played)
