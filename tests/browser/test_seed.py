"""Every code sample of the founding document, written out in examples/seed, does in Chromium what the document says."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsers.pages import (
    Complaints,
    drag_slider,
    model_value,
    open_app,
    patience_ms,
    pixels,
    wait_for_model,
    wait_idle,
)
from tests.support.ports import free_port
from tests.support.server import EXAMPLES, RunningServer, running_process, running_server, server_under_test

pytestmark = pytest.mark.browser

SEED = EXAMPLES / "seed"
MODULES = sorted(SEED.glob("*.py"))
DIRECTORIES = sorted(main.parent for main in SEED.glob("*/main.py"))


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """All samples, behind one index."""
    with running_server(*MODULES, *DIRECTORIES) as started:
        yield started


def test_index_leads_to_every_sample(server: RunningServer, page: Page, complaints: Complaints) -> None:
    page.goto(server.url)
    for application in [*MODULES, *DIRECTORIES]:
        expect(page.locator(f'a[href$="/{application.stem}"]').first).to_be_visible()
    if server_under_test() == "stock":
        complaints.clear()  # its index wants fonts from elsewhere


def test_button_adds_a_text_and_the_plot_shows_it(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/myapp")
    before = pixels(page)
    for _ in range(3):
        page.get_by_role("button", name="Press me").click()
    wait_for_model(page, "numbers", "model.get('text').length === 3")
    assert model_value(page, "numbers", "Array.from(model.get('text'))") == ["0", "1", "2"]
    wait_idle(page)
    assert pixels(page) != before


def test_single_application_is_what_the_root_leads_to(processes: ExitStack, page: Page) -> None:
    alone = processes.enter_context(running_server(SEED / "myapp.py"))
    open_app(page, alone.url)
    assert page.url == f"{alone.url}/myapp"


def test_visitors_have_documents_of_their_own(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/myapp")
    page.get_by_role("button", name="Press me").click()
    wait_for_model(page, "numbers", "model.get('text').length === 1")
    page.reload()
    wait_idle(page)
    assert model_value(page, "numbers", "model.get('text').length") == 0


def test_directory_with_one_file_is_an_application(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/minimal_dir")
    assert model_value(page, "plot", "model.title.text") == "A directory with one file"


def test_sliders_recompute_the_wave_in_python(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/sliders")
    before = pixels(page)
    drag_slider(page, 1, 60)
    wait_for_model(page, "amplitude", "model.value > 1.5")
    wait_for_model(page, "wave", "Math.max(...model.get('y')) > 1.5")
    wait_idle(page)
    assert pixels(page) != before


def test_title_typed_by_the_visitor_stands_above_the_plot(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/sliders")
    page.locator("input[type=text]").first.fill("typed")
    page.locator("input[type=text]").first.press("Enter")
    wait_for_model(page, "plot", "model.title.text === 'typed'")


@pytest.mark.parametrize(("query", "count"), [("?N=10", 10), ("", 200), ("?N=many", 200)])
def test_request_argument_sets_the_number_of_points(server: RunningServer, page: Page, query: str, count: int) -> None:
    open_app(page, f"{server.url}/request_arguments{query}")
    assert model_value(page, "points", "model.get('x').length") == count
    assert model_value(page, "plot", "model.title.text") == f"N = {count}"


def test_thread_streams_points(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/threads")
    wait_for_model(page, "points", "model.get('x').length > 8")


def test_red_points_go_on_while_the_blocking_work_runs(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/unlocked")
    wait_for_model(page, "points", "model.get('color').filter(c => c === 'blue').length >= 3")
    colours = model_value(page, "points", "Array.from(model.get('color'))")
    # The work takes five ticks. Had it held the lock, no red point would stand between two blue ones.
    between = "".join("R" if colour == "red" else "B" for colour in colours[1:]).split("B")[1:-1]
    assert between
    assert all(len(reds) >= 2 for reds in between), colours


def test_template_shows_its_variables(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/template_variables")
    expect(page.locator("#user-id")).to_have_text("42")
    expect(page.locator("#first-name")).to_have_text("Ada")
    expect(page.locator("#last-name")).to_have_text("Lovelace")
    page.get_by_role("button", name="Greet").click()
    wait_for_model(page, "greeting", "model.text === 'Good day, Ada.'")


def test_directory_application_finds_all_its_files(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/myapp_dir")
    things = model_value(page, "things", "Array.from(model.get('thing'))")
    assert things[0] == "feather" and len(things) == 8, "data/things.csv through helpers.py"
    assert model_value(page, "plot", "model.background_fill_color") == "#fffaf0", "theme.yaml"
    expect(page.get_by_role("heading", name="Does it float?")).to_be_visible()
    expect(page.locator("#special")).to_have_text("special.js was here")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 250, 240)", "special.css"
    for image in ("foo", "bar"):
        assert page.evaluate(f"document.getElementById('{image}').naturalWidth") == 96
    assert "myapp_dir: ready" in server.log_text()
    assert "myapp_dir: a visitor came" in server.log_text()


def test_custom_model_follows_python_and_python_follows_it(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/myapp_dir")
    badge = page.locator(".density-badge")
    expect(badge).to_have_text("apple floats (0.82 kg/l, clicked 0×)")
    page.locator("select").select_option("anvil")
    expect(badge).to_have_text("anvil sinks (7.76 kg/l, clicked 0×)")
    badge.click()
    expect(badge).to_have_text("apple floats (0.82 kg/l, clicked 1×)")


def test_lifecycle_hooks_leave_their_traces_in_order(processes: ExitStack, page: Page) -> None:
    lifetimes = ("--check-unused-sessions", "50", "--unused-session-lifetime", str(int(patience_ms(4))))
    server = processes.enter_context(running_server(SEED / "lifecycle", SEED / "session_cleanup.py", *lifetimes))
    open_app(page, f"{server.url}/lifecycle")
    assert "server loaded" in model_value(page, "journal", "model.text")
    open_app(page, f"{server.url}/session_cleanup")
    page.goto("about:blank")
    server.wait_for_log("lifecycle: session destroyed", 10)
    server.wait_for_log("session_cleanup: closed a database with 1 visit(s)", 10)
    server.stop()
    traces = [line for line in server.log_text().splitlines() if line.startswith("lifecycle: ")]
    expected = ["server loaded", "session created", "session destroyed", "server unloaded"]
    assert [trace.removeprefix("lifecycle: ") for trace in traces] == expected


def test_flask_page_shows_a_session_that_it_has_changed(processes: ExitStack, page: Page) -> None:
    page_url = _flask_with_sliders(processes, "sliders_page.py")
    open_app(page, page_url)
    assert model_value(page, "plot", "model.title.text") == "Special sliders for a specific user!"
    drag_slider(page, 0, 20)
    wait_for_model(page, "wave", "Math.max(...model.get('y')) > 1.05")


def test_only_signed_sessions_open_if_sessions_are_signed(processes: ExitStack, page: Page) -> None:
    secret = {"BOKEH_SECRET_KEY": "a secret for this test alone", "BOKEH_SIGN_SESSIONS": "yes"}
    page_url = _flask_with_sliders(processes, "signed_page.py", secret)
    open_app(page, page_url)
    drag_slider(page, 0, 20)
    wait_for_model(page, "wave", "Math.max(...model.get('y')) > 1.05")


def _flask_with_sliders(processes: ExitStack, script: str, env: dict[str, str] | None = None) -> str:
    """Start sliders.py and a Flask page around it; return the page's URL."""
    port = free_port()
    origin = ("--allow-websocket-origin", f"localhost:{port}")
    server = processes.enter_context(running_server(SEED / "sliders.py", *origin, env=env))
    command = [sys.executable, str(SEED / "flask" / script)]
    settings = {"SLIDERS_URL": f"{server.url}/sliders", "PORT": str(port), **(env or {})}
    return processes.enter_context(running_process(command, f"http://localhost:{port}", env=settings)).url
