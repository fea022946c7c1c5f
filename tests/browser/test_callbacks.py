"""Callbacks by the clock, from threads and without the lock, and the hooks of a life, as a page shows them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsers.pages import drag_slider, model_value, open_app, patience_ms, wait_for_model
from tests.support.server import RunningServer, running_server

pytestmark = pytest.mark.browser

APPS = Path(__file__).with_name("apps")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """The application of counters."""
    with running_server(APPS / "clocks.py") as started:
        yield started


@pytest.fixture
def clocks(server: RunningServer, page: Page) -> Page:
    """The page of a session of its own."""
    open_app(page, f"{server.url}/clocks")
    return page


def press(page: Page, label: str) -> None:
    """Press the button that bears this label."""
    page.get_by_role("button", name=label, exact=True).click()


def count(page: Page, name: str) -> int:
    """What this counter shows."""
    return int(model_value(page, name, "model.text"))


def test_periodic_callbacks_beat_until_they_are_removed(clocks: Page) -> None:
    press(clocks, "Start")
    for name in ("periodic", "async-periodic"):
        wait_for_model(clocks, name, "Number(model.text) >= 10")
    press(clocks, "Stop")
    # By the time that this click's work is shown, no beat is under way any more.
    press(clocks, "Once")
    wait_for_model(clocks, "timeout", "model.text === '2'")
    stopped = [count(clocks, name) for name in ("periodic", "async-periodic")]
    clocks.wait_for_timeout(150)
    assert [count(clocks, name) for name in ("periodic", "async-periodic")] == stopped


def test_timeouts_and_next_ticks_come_once(clocks: Page) -> None:
    press(clocks, "Once")
    for name in ("timeout", "tick"):
        wait_for_model(clocks, name, "model.text === '2'")
    clocks.wait_for_timeout(150)
    assert [count(clocks, name) for name in ("timeout", "tick")] == [2, 2]


def test_no_update_of_four_threads_is_lost(clocks: Page) -> None:
    press(clocks, "Threads")
    wait_for_model(clocks, "threads", "model.text === '400'")
    wait_for_model(clocks, "points", "model.get('y').length === 400")
    assert model_value(clocks, "points", "model.get('y').every((y, i) => y === i)")
    threads = model_value(clocks, "points", "Array.from(model.get('x'))")
    assert [threads.count(thread) for thread in range(4)] == [100] * 4


def test_page_stays_responsive_while_unlocked_work_goes_on(clocks: Page) -> None:
    press(clocks, "Unlocked")
    drag_slider(clocks, 0, 100)
    wait_for_model(clocks, "echo", "Number(model.text) > 0")
    wait_for_model(clocks, "log", "model.text === 'worked'")


def test_each_step_of_an_asynchronous_callback_is_shown_when_it_is_taken(clocks: Page) -> None:
    clocks.evaluate("""() => {
      const log = Bokeh.documents[0].get_model_by_name("log")
      window.steps = []
      log.properties.text.change.connect(() => steps.push(log.text))
    }""")
    press(clocks, "Steps")
    wait_for_model(clocks, "log", "model.text === 'all steps'")
    assert clocks.evaluate("steps") == ["step 0", "step 1", "step 2", "all steps"]


def test_callback_that_raises_leaves_the_session_usable(server: RunningServer, clocks: Page) -> None:
    press(clocks, "Fail")
    wait_for_model(clocks, "log", "model.text === 'about to fail'")
    press(clocks, "Once")
    wait_for_model(clocks, "tick", "model.text === '2'")
    server.wait_for_log("ValueError: this callback fails on purpose")
    assert "/clocks session" in server.log_text()


def test_hooks_are_awaited_and_come_in_order(processes: ExitStack, page: Page) -> None:
    lifetimes = ("--check-unused-sessions", "100", "--unused-session-lifetime", str(int(patience_ms(4))))
    server = processes.enter_context(running_server(APPS / "diary", *lifetimes))
    open_app(page, f"{server.url}/diary")
    expect(page).to_have_title("made by the hook")
    assert model_value(page, "agent", "model.text") == "Chromium"
    page.goto("about:blank")
    server.wait_for_log("diary: and still here", 10)
    assert server.stop() == 0
    assert [line for line in server.log_text().splitlines() if line.startswith("diary: ")] == [
        "diary: server loaded",
        "diary: session created",
        "diary: document built",
        "diary: session destroyed",
        "diary: document destroyed, still here, True",
        "diary: and still here",
        "diary: server unloaded",
    ]
