"""What Python changes the page shows, and what the page changes Python has, in whatever way either does it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, WebSocket, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from tests.support.browsers.pages import (
    Complaints,
    drag_over_plot,
    drag_slider,
    model_value,
    open_app,
    pixels,
    wait_for_model,
    wait_idle,
    window,
)
from tests.support.server import RunningServer, running_server

pytestmark = pytest.mark.browser

APPS = Path(__file__).with_name("apps")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """The four applications of these tests."""
    with running_server(*(APPS / f"{name}.py" for name in ("widgets", "tables", "happenings", "changing"))) as started:
        yield started
        assert "Traceback" not in started.log_text()


@pytest.fixture
def press(page: Page) -> Callable[[str], None]:
    """Press the button that bears this label."""
    return lambda label: page.get_by_role("button", name=label, exact=True).click()


def wait_for_report(page: Page, key: str, expected: object) -> None:
    """Return when the report that Python writes says `expected` of `key`."""
    said = f"JSON.stringify(JSON.parse(model.text)[{key!r}]) === JSON.stringify({json.dumps(expected)})"
    try:
        wait_for_model(page, "report", said, 5.0)
    except PlaywrightTimeoutError:
        reported = json.loads(model_value(page, "report", "model.text"))
        raise AssertionError(f"{key} should be {expected!r}, but Python says {reported}") from None


def column(page: Page, source: str, name: str) -> Any:
    """The column of a data source as the browser has it, numbers that JSON cannot write as None."""
    return model_value(page, source, f"Array.from(model.get({name!r}), (v) => v?.toArray?.() ?? v)")


def test_widgets_of_every_kind_tell_python_what_the_visitor_does(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/widgets")
    page.locator("input[type=text]").first.fill("typed ✓ ünï")
    page.locator("input[type=text]").first.press("Enter")
    wait_for_report(page, "text", "typed ✓ ünï")
    page.locator("select").first.select_option("south")
    wait_for_report(page, "select", "south")
    page.locator(".choices").click()
    page.get_by_role("option", name="ash").click()
    wait_for_report(page, "choices", ["oak", "ash"])
    page.keyboard.press("Escape")
    page.get_by_label("vinegar").check()
    wait_for_report(page, "boxes", [0, 2])
    drag_slider(page, 1, -2000)
    wait_for_report(page, "span", [2, 2])
    page.set_input_files("input[type=file]", {"name": "a.csv", "mimeType": "text/csv", "buffer": "x,y\n1,ü\n".encode()})
    wait_for_report(page, "file", ["a.csv", "text/csv", "x,y\n1,ü\n"])
    page.locator("input[type=color]").fill("#ff8800")
    wait_for_report(page, "colour", "#ff8800")
    page.get_by_role("button", name="toggle me").click()
    wait_for_report(page, "toggle", True)
    page.locator("input.flatpickr-input + input").click()
    page.locator(".flatpickr-calendar.open .flatpickr-day", has_text="22").click()
    wait_for_report(page, "day", "2026-01-22")


def test_widgets_of_every_kind_show_what_python_sets(
    server: RunningServer, page: Page, press: Callable[[str], None]
) -> None:
    open_app(page, f"{server.url}/widgets")
    press("Set all from Python")
    expect(page.locator("input[type=text]").first).to_have_value("from Python")
    expect(page.locator("select").first).to_have_value("west")
    expect(page.locator(".choices__list--multiple .choices__item")).to_contain_text(["elm", "ash"])
    expect(page.get_by_label("salt")).not_to_be_checked()
    expect(page.get_by_label("vinegar")).to_be_checked()
    handles = page.locator(".noUi-handle")
    assert [handles.nth(i).get_attribute("aria-valuenow") for i in (0, 1)] == ["3.0", "4.0"]
    expect(page.locator("input.flatpickr-input")).to_have_value("2024-02-29")
    expect(page.locator("input[type=color]")).to_have_value("#00ff7f")
    wait_for_report(page, "file", ["", "", ""])
    wait_for_report(page, "day", "2024-02-29")


def test_numpy_arrays_of_every_type_arrive_as_they_are(
    server: RunningServer, page: Page, press: Callable[[str], None]
) -> None:
    open_app(page, f"{server.url}/tables")
    before = pixels(page)
    press("Replace")
    wait_for_model(page, "replaced", "model.get('x').length === 4")
    dtypes = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64")
    for kind in dtypes:
        assert model_value(page, "replaced", f"model.get({kind!r}).dtype") == kind
        assert column(page, "replaced", kind) == [0, 1, 2, 3]
    assert column(page, "replaced", "bool") in ([0, 1, 1, 1], [False, True, True, True])
    assert column(page, "replaced", "int64") == [0, 1, 2, 3]
    assert column(page, "replaced", "datetime64[ms]") == [0, 1, 2, 3]
    shapes = model_value(page, "replaced", "model.get('square').map(a => [a.dtype, a.shape, Array.from(a)])")
    assert shapes == [["int16", [2, 3], [0, 1, 2, 3, 4, 5]]] * 4
    assert model_value(page, "replaced", "Array.from(model.get('none'), String)") == ["NaN", "Infinity", "null", "1"]
    wait_idle(page)
    assert pixels(page) != before


def test_streams_and_patches_change_the_browsers_columns(
    server: RunningServer, page: Page, press: Callable[[str], None]
) -> None:
    open_app(page, f"{server.url}/tables")
    press("Stream")
    wait_for_model(page, "streamed", "model.get('x').at(-1) === 7")
    assert column(page, "streamed", "x") == [2, 3, 4, 5, 6, 7]
    assert column(page, "streamed", "y") == list("cdefgh")
    press("Patch")
    wait_for_model(page, "patched", "model.get('word')[9] === 'w'")
    assert column(page, "patched", "x") == [1.5, 0, 2, 3, 4, 0, 6, 0, 8, 0]
    wait_for_model(page, "images", "model.get('image')[1][3] === 9")
    first, second = model_value(page, "images", "model.get('image').map(a => [a.dtype, a.shape, Array.from(a)])")
    assert first == ["float64", [4, 5], [0] * 5 + [1, 0, 2, 0, 3] + [0] * 10]
    assert second == ["uint8", [2, 2], [0, 7, 0, 9]]
    # Again, now that the columns were streamed to and patched.
    press("Stream")
    wait_for_model(page, "streamed", "model.get('x').filter(v => v === 7).length === 2")
    assert column(page, "streamed", "x") == [5, 6, 7, 5, 6, 7]


def test_pandas_frame_arrives_with_its_index_and_categories(
    server: RunningServer, page: Page, press: Callable[[str], None]
) -> None:
    open_app(page, f"{server.url}/tables")
    press("Frame")
    wait_for_model(page, "framed", "model.columns().includes('share') && model.get('share').length === 3")
    assert column(page, "framed", "level") == ["low", "high", "high"]
    assert column(page, "framed", "share") == [0.25, 0.75, 0.75]
    assert column(page, "framed", "count") == [1, 2, 2]
    days = column(page, "framed", "day")
    assert [round(day / 86_400_000) for day in days] == [20454, 20455, 20455]


def test_data_that_the_browser_replaces_streams_and_patches_reaches_python(
    server: RunningServer, page: Page, press: Callable[[str], None]
) -> None:
    open_app(page, f"{server.url}/tables")
    press("Browser edits")
    wait_for_model(page, "report", "'patched' in JSON.parse(model.text)")
    reported = json.loads(model_value(page, "report", "model.text"))
    assert reported["replaced"] == {"x": [1, 2], "y": [3, 4], "word": ["one", "two"]}
    assert reported["streamed"] == {"x": [1, 2, 3, 4, 10], "y": ["b", "c", "d", "e", "z"]}
    assert reported["patched"]["x"] == [0, -1, 0, -3, -4, 0, 0, 0, 0, 0]
    assert reported["patched"]["word"][0] == "first"
    # What Python does next stands on that.
    press("Stream")
    wait_for_model(page, "streamed", "model.get('x').at(-1) === 7")
    assert column(page, "streamed", "x") == [3, 4, 10, 5, 6, 7]


def test_cell_edited_in_a_table_reaches_python(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/tables")
    for row, column_number, text in ((1, 1, "melon"), (2, 2, "30")):
        cell = page.locator(f".slick-row >> nth={row} >> .slick-cell.r{column_number}")
        cell.dblclick()
        cell.locator("input").fill(text)
        cell.locator("input").press("Enter")
    wait_for_model(page, "report", "JSON.parse(model.text).edited?.count[2] === 30")
    reported = json.loads(model_value(page, "report", "model.text"))["edited"]
    assert reported == {"fruit": ["fig", "melon", "lime"], "count": [1, 2, 30]}


def test_events_of_plot_and_buttons_reach_python(
    server: RunningServer, page: Page, press: Callable[[str], None]
) -> None:
    open_app(page, f"{server.url}/happenings")
    wait_for_report(page, "ready", True)
    x, y = model_value(page, "points", PLACE_OF_2_2)
    canvas = page.locator(".bk-Canvas").first
    canvas.click(position={"x": x, "y": y})
    wait_for_report(page, "tap", [2.0, 2.0])
    wait_for_report(page, "model", True)
    wait_for_report(page, "selected", [1])
    drag_over_plot(page, 0, (0.2, 0.05), (0.95, 0.85))
    wait_for_report(page, "geometry", "rect")
    wait_for_report(page, "final", True)
    wait_for_report(page, "selected", [0, 1, 2, 3])
    press("Click me")
    press("Click me")
    wait_for_report(page, "clicks", 2)
    wait_for_report(page, "event", "button_click")
    page.get_by_role("button", name="Menu").click()
    page.get_by_text("Second").click()
    wait_for_report(page, "item", "two")


# Where a point of the plot is drawn, in pixels from the canvas's corner.
PLACE_OF_2_2 = """(() => {
  const view = Bokeh.index.find_one(model.document.get_model_by_name("plot"))
  const {x_scale, y_scale} = view.frame
  return [x_scale.compute(2), y_scale.compute(2)]
})()"""


def test_custom_js_stays_in_the_browser(server: RunningServer, page: Page) -> None:
    sent: list[str] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(str(frame))))
    open_app(page, f"{server.url}/happenings")
    wait_for_report(page, "ready", True)
    # Local alone: what is changed without syncing is never sent, whatever the callbacks make of it.
    sent.clear()
    local = "model.setv({value: 42}, {sync: false})"
    model_value(page, "local", local)
    assert model_value(page, "mirror", "model.text") == "browser: 42"
    page.wait_for_function("() => new Promise((done) => setTimeout(() => done(true), 100))")
    assert not any('"value"' in frame for frame in sent)


def test_messages_go_both_ways(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/happenings")
    page.evaluate("""() => {
      const {MessageSentEvent} = Bokeh.require("document/events")
      const [document] = Bokeh.documents
      document.on_message("answer", (data) => { window.answer = data })
      document._trigger_on_change(new MessageSentEvent(document, "question", {word: "why", list: [1, 2.5, null]}))
    }""")
    wait_for_report(page, "message", {"word": "why", "list": [1, 2.5, None]})
    page.wait_for_function("() => window.answer !== undefined")
    as_list = "[...(answer instanceof Map ? answer : Object.entries(answer))].map(([k, v]) => [k, v.dtype ?? v])"
    assert page.evaluate(as_list) == [["about", "why"], ["numbers", "int32"]]


def test_roots_and_title_follow_python(server: RunningServer, page: Page, press: Callable[[str], None]) -> None:
    open_app(page, f"{server.url}/changing")
    expect(page).to_have_title("Changing")
    press("Title")
    expect(page).to_have_title("Another title")
    press("Add root")
    press("Add root")
    expect(page.get_by_text("root 1", exact=True)).to_be_visible()
    assert page.evaluate("Bokeh.documents[0].roots().length") == 3
    press("Remove root")
    expect(page.get_by_text("root 1", exact=True)).to_have_count(0)
    expect(page.get_by_text("root 0", exact=True)).to_be_visible()
    page.evaluate("Bokeh.documents[0].set_title('The browser’s title')")
    wait_for_model(page, "log", "model.text.includes('title The browser’s title')")


def test_models_made_by_python_and_by_the_browser_work_in_both(
    server: RunningServer, page: Page, press: Callable[[str], None]
) -> None:
    open_app(page, f"{server.url}/changing")
    press("Add plot")
    wait_for_model(page, "new-plot", "model.title.text === 'at 0'")
    wait_for_model(page, "follower", "model.title === 'Python has seen it'")
    model_value(page, "follower", "model.value = 77")
    wait_for_model(page, "log", "model.text.includes('follower 77')")
    press("Browser makes")
    wait_for_model(page, "browser-made", "model.title === 'Python has seen it'")
    drag_slider(page, 2, 2000)
    wait_for_model(page, "log", "model.text.includes('browser-made 9')")


@pytest.fixture
def other_tab(browser: Browser, complaints: Complaints) -> Iterator[Page]:
    """Another page; in a window of its own, for Chromium draws hidden tabs but once a second."""
    with window(browser) as context:
        other = context.new_page()
        complaints.listen(other)
        yield other


def test_second_tab_of_a_session_sees_what_the_first_does(
    server: RunningServer, page: Page, other_tab: Page, press: Callable[[str], None]
) -> None:
    address = f"{server.url}/changing?bokeh-session-id={uuid.uuid4().hex}"
    for tab in (page, other_tab):
        open_app(tab, address)
    model_value(page, "slider", "model.value = 33")
    wait_for_model(other_tab, "slider", "model.value === 33")
    press("Add plot")
    # What a browser makes of children that it has not seen yet would replace Python's: the last one to set them counts.
    wait_for_model(page, "new-plot", "model.title.text === 'at 33'")
    press("Browser makes")
    for tab in (other_tab, page):
        wait_for_model(tab, "new-plot", "model.title.text === 'at 33'")
        wait_for_model(tab, "follower", "model.title === 'Python has seen it'")
        wait_for_model(tab, "browser-made", "model.title === 'Python has seen it'")
    model_value(other_tab, "browser-made", "model.value = 5")
    wait_for_model(page, "browser-made", "model.value === 5")
    model_value(other_tab, "follower", "model.value = 6")
    wait_for_model(page, "log", "model.text.includes('browser-made 5; follower 6')")
    # A tab that comes later gets everything at once, the model that a browser made included.
    other_tab.reload()
    wait_idle(other_tab)
    assert model_value(other_tab, "browser-made", "model.value") == 5
    model_value(page, "browser-made", "model.value = 7")
    wait_for_model(other_tab, "browser-made", "model.value === 7")


def test_value_that_python_corrects_is_the_same_in_every_tab(
    server: RunningServer, page: Page, other_tab: Page
) -> None:
    address = f"{server.url}/changing?bokeh-session-id={uuid.uuid4().hex}"
    for tab in (page, other_tab):
        open_app(tab, address)
    model_value(page, "slider", "model.value = 51")
    for tab in (other_tab, page):
        wait_for_model(tab, "slider", "model.value === 50")
    assert model_value(page, "log", "model.text").endswith("slider 51; slider 50; ")


def test_changes_held_back_come_at_once_and_combined(
    server: RunningServer, page: Page, press: Callable[[str], None]
) -> None:
    open_app(page, f"{server.url}/changing")
    page.evaluate("""() => {
      window.seen = []
      Bokeh.documents[0].get_model_by_name("slider").properties.value.change.connect((_, s) => seen.push(s.value))
    }""")
    press("Hold")
    page.wait_for_function("() => new Promise((done) => setTimeout(() => done(true), 150))")
    assert model_value(page, "slider", "model.value") == 0
    press("Unhold")
    wait_for_model(page, "plot", "model.title.text === 'held'")
    assert page.evaluate("seen") == [50]


def test_hundred_changes_of_a_callback_are_one_message_and_one_drawing(
    server: RunningServer, page: Page, press: Callable[[str], None]
) -> None:
    patches: list[str] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: patches.append(str(frame)) if "PATCH-DOC" in str(frame) else None)

    page.on("websocket", listen)
    open_app(page, f"{server.url}/changing")
    before = pixels(page)
    patches.clear()
    page.evaluate("""() => {
      window.paints = 0
      const view = Bokeh.index.find_one(Bokeh.documents[0].get_model_by_name("plot"))
      const paint = view._actual_paint.bind(view)
      view._actual_paint = () => { window.paints++; paint() }
    }""")
    press("Hundred")
    page.wait_for_function("() => window.paints > 0")
    page.wait_for_function("() => new Promise((done) => setTimeout(() => done(true), 150))")
    assert len(patches) == 1
    assert page.evaluate("paints") == 1
    assert pixels(page) != before
