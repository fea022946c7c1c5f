"""Applications made with Panel run unchanged: the same assertions hold under `panel serve`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from bokeh.embed import server_document
from playwright.sync_api import Locator, Page, expect

from tests.support.browsers.line import cuttable_line
from tests.support.browsers.pages import (
    Complaints,
    count_colours,
    drag_slider,
    keep_from_other_hosts,
    model_value,
    open_app,
    patience_ms,
    pixels,
    wait_idle,
    wait_until_drawn_anew,
)
from tests.support.ports import free_port
from tests.support.server import EXAMPLES, RunningServer, running_process, running_server, server_under_test

pytestmark = [pytest.mark.browser]

APPS = Path(__file__).with_name("panel_apps")
SHOWN = ("dashboard", "library", "postcard", "pulse", "waves")
SERVER = "panel" if server_under_test() == "stock" else None


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """The examples and the applications of these tests."""
    shown = [EXAMPLES / "panel" / f"{name}.py" for name in SHOWN]
    origins = ("--allow-websocket-origin", "*")
    # Long enough for a page to load all of Panel's scripts, and for one to come back; the end of a session, which some
    # tests wait for, comes within their 30 s.
    lifetime_ms = min(int(patience_ms(8)), 20_000)
    lifetime = ("--unused-session-lifetime", str(lifetime_ms), "--check-unused-sessions", "100")
    with running_server(*shown, *sorted(APPS.glob("*.py")), *lifetime, *origins, server=SERVER) as started:
        yield started


@pytest.fixture(autouse=True)
def _no_other_hosts(page: Page) -> None:
    """Some of Panel's templates ask for fonts of another host; tests ask no one."""
    keep_from_other_hosts(page)


def pane_text(page: Page, name: str) -> Locator:
    """The text of the pane of that class."""
    return page.locator(f".{name} pre")


def press(page: Page, name: str) -> None:
    """Click the button of that name."""
    page.get_by_role("button", name=name, exact=True).click()


def open_example(page: Page, server: RunningServer, address: str, title: str) -> None:
    """Open an example and look whether something is drawn; the fixture `page` looks whether it complains."""
    open_app(page, f"{server.url}/{address}")
    expect(page).to_have_title(title)
    assert count_colours(page.screenshot()) > 20


def test_dashboard_recomputes_what_the_sidebar_asks_for(server: RunningServer, page: Page) -> None:
    open_example(page, server, "dashboard", "Harvests")
    expect(page.get_by_text("4,017 t")).to_be_visible()
    before = pixels(page)
    page.get_by_text("Barley").click()
    expect(page.get_by_text("4,017 t")).to_have_count(0)
    expect(page.locator(".tabulator-col-title", has_text="Barley")).to_be_visible()
    wait_until_drawn_anew(page, before)
    with page.expect_download() as saved:
        page.get_by_text("Save the table").click()
    assert saved.value.suggested_filename == "harvests.csv"
    assert saved.value.path().read_text().startswith("Year,Barley,Beans,Wheat\n")


def _last_second(page: Page) -> float:
    return float(model_value(page, "readings", "model.get('second').at(-1)") or 0)


def test_stream_goes_on_halts_and_changes_its_pace(server: RunningServer, page: Page) -> None:
    open_example(page, server, "pulse", "Pulse")
    grown = """([since]) => Bokeh.documents[0].get_model_by_name("readings").get("second").at(-1) > since + 0.5"""
    first = _last_second(page)
    page.wait_for_function(grown, arg=[first])
    press(page, "Measure")
    # Readings that are under way still come.
    page.wait_for_function("""() => {
      const last = Bokeh.documents[0].get_model_by_name("readings").get("second").at(-1)
      const now = performance.now()
      if (window.reading !== last) [window.reading, window.since] = [last, now]
      return now - window.since > 400
    }""")
    halted = _last_second(page)
    press(page, "Measure")
    drag_slider(page, 1, 150)
    page.wait_for_function(
        """([since]) => { const t = Bokeh.documents[0].get_model_by_name("readings").get("second");
                          return t.at(-1) > since && t.at(-1) - t.at(-2) > 0.3 }""",
        arg=[halted],
    )


def test_page_is_there_before_onload_and_the_cache_outlives_it(server: RunningServer, page: Page) -> None:
    open_example(page, server, "library", "Library")
    expect(page.get_by_text("4 words of 4 letters")).to_be_visible()
    page.reload()
    wait_idle(page)
    expect(page.get_by_text("remembered")).to_be_visible()
    expect(page.locator(".log")).to_be_visible()
    press(page, "5")
    expect(page.get_by_text("words of 5 letters")).to_be_visible()
    server.wait_for_log("library: a visitor has gone", 30)


def _arguments(page: Page) -> dict[str, Any]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def test_location_goes_from_the_address_to_python_and_back(server: RunningServer, page: Page) -> None:
    open_example(page, server, "postcard?place=Oslo&size=40", "Postcard")
    expect(page.get_by_text("from Oslo")).to_be_visible()
    page.locator("select").select_option("Porto")
    expect(page.get_by_text("from Porto")).to_be_visible()
    page.wait_for_url("**place=Porto**")
    assert _arguments(page) == {"place": "Porto", "size": "40"}
    page.locator("input[type=text]").fill("Hello & welcome")
    page.keyboard.press("Enter")
    page.wait_for_url("**text=Hello**")
    assert _arguments(page)["text"] == "Hello & welcome"
    expect(page.locator(".visitor")).to_be_visible()
    expect(page.get_by_text("your name is unknown")).to_be_visible()
    press(page, "Send")
    expect(page.get_by_text("Sent from Porto")).to_be_visible()


def test_dynamic_map_is_redrawn_by_slider_and_by_tap(server: RunningServer, page: Page) -> None:
    open_example(page, server, "waves", "Waves")
    before = [pixels(page, 0), pixels(page, 1)]
    drag_slider(page, 0, 120)
    titled = """text => [...Bokeh.documents[0]._all_models.values()]
        .some(m => m.type === "Title" && m.text.includes(text))"""
    page.wait_for_function(titled, arg="6 waves, y = 0.0")
    wait_until_drawn_anew(page, before[0], 0)
    wait_until_drawn_anew(page, before[1], 1)
    page.locator(".bk-Canvas").first.click(position={"x": 200, "y": 120})
    page.wait_for_function(titled, arg="6 waves, y = 1")


def test_what_a_long_callback_sets_is_seen_while_it_runs(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/ways")
    bar = page.locator("progress").first
    bar.evaluate("""(bar) => {
      window.shown = []
      const observer = new MutationObserver(() => window.shown.push([bar.getAttribute("value"), performance.now()]))
      observer.observe(bar, {attributes: true, attributeFilter: ["value"]})
    }""")
    press(page, "work")
    expect(pane_text(page, "worked")).to_have_text("begun")
    expect(pane_text(page, "worked")).to_have_text("done")
    expect(bar).to_have_attribute("value", "3")
    shown = page.evaluate("window.shown")
    assert [value for value, _ in shown] == ["1", "2", "3"]
    assert shown[-1][1] - shown[0][1] > 800, "they are shown while it runs"


def test_asynchronous_callbacks_generators_and_threads(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/ways")
    expect(page.get_by_text("bound Ada")).to_be_visible()
    expect(page.get_by_text("count Ada 2")).to_be_visible()
    expect(pane_text(page, "execute")).to_have_text("executed")
    press(page, "greet")
    expect(pane_text(page, "async")).to_have_text("thinking")
    press(page, "answer")
    expect(pane_text(page, "async")).to_have_text("hello Ada in its document")
    press(page, "start thread")
    expect(pane_text(page, "thread")).to_have_text("from a thread")
    page.locator("input[type=text]").first.fill("Grace")
    page.keyboard.press("Enter")
    expect(page.get_by_text("bound Grace")).to_be_visible()
    expect(page.get_by_text("count Grace 2")).to_be_visible()


def test_what_comes_before_the_page_is_drawn_is_shown(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/ways")
    expect(page.get_by_text("count Ada 2")).to_be_visible()
    expect(page.get_by_text("bound Ada")).to_be_visible()


def test_parts_are_added_under_one_hold_and_a_table_is_edited(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/ways")
    for children in (2, 4):
        press(page, "grow")
        expect(pane_text(page, "held")).to_have_text(str(children))
        expect(page.get_by_text(f"{children} parts")).to_be_visible()
    press(page, "stream")
    cells = page.locator(".tabulator-cell[tabulator-field=number]")
    expect(cells).to_have_text(["10.0", "1.0", "2.0", "3.0"])
    cells.nth(1).click()
    editor = cells.nth(1).locator("input")
    expect(editor).to_be_focused()
    editor.fill("42")
    editor.press("Enter")
    expect(pane_text(page, "edited")).to_have_text("number 1 1.0 42.0")


def test_state_describes_the_request(server: RunningServer, page: Page) -> None:
    page.context.add_cookies([{"name": "colour", "value": "teal", "url": server.url}])
    open_app(page, f"{server.url}/ways?a=1&a=2")
    expect(pane_text(page, "facts")).to_have_text(
        "args={'a': [b'1', b'2']} cookie=teal agent=True user=None path=/ways search=?a=1&a=2 base=/ served=True "
        "title=Ways"
    )


def test_error_in_a_callback_is_logged_and_the_page_goes_on(
    server: RunningServer, page: Page, complaints: Complaints
) -> None:
    open_app(page, f"{server.url}/ways")
    press(page, "fail")
    server.wait_for_log("ZeroDivisionError")
    press(page, "grow")
    expect(pane_text(page, "held")).to_have_text("2")
    assert [line for line in complaints.messages if "Unhandled ERROR reply" not in line] == []
    complaints.clear()


def test_components_of_ones_own_reach_python(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/component")
    page.locator(".clicker").click()
    expect(pane_text(page, "shown")).to_have_text("Python counts 1")
    press(page, "ten more")
    expect(page.locator(".clicker")).to_have_text("clicked 11")
    assert page.evaluate("window.lampWasLoaded"), "the file that the component names"
    page.locator(".lamp").click()
    expect(pane_text(page, "shown")).to_have_text("Python sees True")
    expect(page.locator(".lamp")).to_have_text("lit")


def test_threads_of_panel_run_callbacks_side_by_side(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/threads")
    expect(pane_text(page, "loaded")).to_have_text("loaded")
    press(page, "slow 0")
    press(page, "slow 1")
    expect(pane_text(page, "slow-0")).to_have_text("begun")
    expect(pane_text(page, "slow-1")).to_have_text("begun")
    press(page, "go on")
    for number in range(2):
        expect(pane_text(page, f"slow-{number}")).to_have_text("done elsewhere=True document=True")


def test_application_in_another_sites_page_finds_its_files(
    server: RunningServer, page: Page, processes: ExitStack, tmp_path: Path
) -> None:
    script = server_document(f"{server.url}/postcard", arguments={"place": "Turin"})
    (tmp_path / "index.html").write_text(f'<html><link rel="icon" href="data:,"><body>{script}</body></html>')
    port = free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(tmp_path)]
    host = processes.enter_context(running_process(command, f"http://localhost:{port}"))
    sheets: list[str] = []
    page.on("request", lambda request: sheets.append(request.url) if ".css" in request.url else None)
    open_app(page, host.url)
    expect(page.get_by_text("from Turin")).to_be_visible()
    page.locator("select").select_option("Oslo")
    expect(page.get_by_text("from Oslo")).to_be_visible()
    assert sheets
    if SERVER != "panel":  # which has them loaded from a host on the internet
        assert all(url.startswith(f"{server.url}/static/extensions/panel/") for url in sheets)


def test_end_of_a_session_leaves_no_exception(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/ways?bokeh-session-id=zyxw-alone")
    page.goto("about:blank")
    server.wait_for_log("ways: destroyed zyxw", 30)
    assert "KeyError" not in server.log_text()
    assert "never awaited" not in server.log_text()


@pytest.mark.skipif(SERVER == "panel", reason="the stock server's pages do not always come back")
def test_page_that_wants_to_comes_back(
    server: RunningServer, processes: ExitStack, page: Page, complaints: Complaints
) -> None:
    line = processes.enter_context(cuttable_line(server.port))
    open_app(page, f"http://127.0.0.1:{line.port}/again")
    page.evaluate("() => { window.back = 0; Bokeh.documents[0].on_event('client_reconnected', () => window.back++) }")
    drag_slider(page, 0, 60)
    expect(pane_text(page, "shown")).to_have_text("value 5")
    line.cut()
    page.wait_for_function("() => window.back > 0")
    # BokehJS tells that it is back before it has redrawn, and never that it has.
    page.wait_for_timeout(patience_ms(1.5))
    expect(pane_text(page, "shown")).to_have_text("value 5")
    drag_slider(page, 0, 60)
    expect(pane_text(page, "shown")).to_have_text("value 7")
    complaints.clear()


def test_prefix_and_slash_at_the_end_find_all_files(processes: ExitStack, page: Page) -> None:
    started = processes.enter_context(
        running_server(EXAMPLES / "panel" / "dashboard.py", "--prefix", "/deep/down", server=SERVER)
    )
    for address in ("/deep/down/dashboard", "/deep/down/dashboard/"):
        if SERVER == "panel" and address.endswith("/"):
            continue  # its files are not found from there
        open_app(page, started.url + address)
        expect(page.get_by_text("4,017 t")).to_be_visible()
        expect(page.locator(".tabulator-row").first).to_be_visible()


def test_vega_pane_is_drawn(page: Page, server: RunningServer) -> None:
    page.goto(f"{server.url}/vega")
    # Vega draws on a canvas, or with SVG marks.
    expect(page.locator(".bars canvas, .bars svg.marks").first).to_be_visible()
