"""A page at the end of a narrow line: it shows what is new, does not complain, and ends with the last value.

What is new is as old as on a fast line in the same run, and a little older: the machine's load is in both.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from bench.narrow import narrow_line
from tests.support.browsers.pages import model_value, open_app, wait_for_model
from tests.support.server import running_server
from tests.support.waiting import patience

pytestmark = pytest.mark.browser

APP = Path(__file__).with_name("apps") / "slow_page.py"


def look(page: Page) -> tuple[float, Any]:
    """How old is what the page shows, and which beat made it."""
    number, made_s = model_value(page, "made", "model.text").split()
    return time.time() - float(made_s), int(number)


def looks(page: Page) -> Iterator[int]:
    """Twenty times, a tenth of a second after each other."""
    for number in range(20):
        yield number
        page.wait_for_timeout(100)


def test_page_on_a_narrow_line_is_shown_what_is_new_and_ends_with_the_last_value(
    page: Page, processes: ExitStack
) -> None:
    server = processes.enter_context(running_server(APP, "--allow-websocket-origin", "*"))
    line = processes.enter_context(narrow_line(server.port, 1e9))
    open_app(page, f"http://localhost:{line.port}/slow_page")
    fast = [look(page) for _ in looks(page)]
    line.bytes_per_s = 1e6
    late = patience(1)
    page.wait_for_timeout(2000 * late)
    seen = [look(page) for _ in looks(page)]
    # A queue on the line would make it older by half a second in each second.
    for of_all, more_s in ((statistics.median, 0.7 * late), (max, 1.4 * late)):
        assert of_all(age_s for age_s, _ in seen) < of_all(age_s for age_s, _ in fast) + more_s, (fast, seen)
    assert seen[-1][1] - seen[0][1] > 8, "it is not cut off, and does not stand still"
    page.get_by_role("button", name="Stop").click()
    wait_for_model(page, "state", "model.text.startsWith('stopped')")
    last = model_value(page, "state", "model.text").split()[1]
    wait_for_model(page, "made", f"model.text.split(' ')[0] === '{last}'")
    wait_for_model(page, "source", f"model.get('x')[0] === {last}")
    wait_for_model(page, "rows", f"model.get('number').length === {last}")
    assert "connection ends" not in server.log_text()
