"""The applications on the manual's page about long work do what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app_server.testing import open_app
from tests.support.server import REPOSITORY

PAGE = REPOSITORY / "docs" / "jobs.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
SIMULATION, POOL, NAMED = BLOCKS


@pytest.fixture
def application(tmp_path: Path) -> Path:
    """Where a block is written to."""
    return tmp_path / "application.py"


def test_work_in_a_process_shows_its_progress_and_is_cancelled(application: Path) -> None:
    application.write_text(SIMULATION, encoding="utf-8")
    with open_app(application) as app:
        app.click(app.find(label="Start"))
        app.wait_for(lambda: re.fullmatch(r"\d+ %: step \d+", app.find("Div").text))
        assert app.find(label="Start").disabled
        app.click(app.find(label="Cancel"))
        app.wait_for(lambda: app.find("Div").text == "cancelled")
        assert not app.find(label="Start").disabled


def test_work_in_a_process_comes_to_its_end(application: Path) -> None:
    application.write_text(SIMULATION.replace("200,", "3,").replace("0.05", "0.001"), encoding="utf-8")
    with open_app(application) as app:
        app.click(app.find(label="Start"))
        app.wait_for(lambda: app.find("Div").text == "3 steps done")


def test_pool_of_processes_adds_up(application: Path) -> None:
    application.write_text(POOL.replace("10_000_000", "1_000"), encoding="utf-8")
    with open_app(application) as app:
        app.click(app.find("Button"))
        app.wait_for(lambda: app.find("Div").text == "499500")


def test_named_job_begins_by_itself(application: Path) -> None:
    application.write_text(NAMED.replace("0.1", "0.0001"), encoding="utf-8")
    with open_app(application) as app:
        app.wait_for(lambda: app.find("Div").text == "the report")
