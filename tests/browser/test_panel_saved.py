"""Panel's applications whose process is killed go on as they were: on the page, and in Python."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsers.pages import (
    Complaints,
    drag_slider,
    keep_from_other_hosts,
    model_value,
    open_app,
    patience_ms,
    pixels,
    wait_for_model,
    wait_until_drawn_anew,
)
from tests.support.ports import free_port
from tests.support.server import EXAMPLES, RunningServer, running_server
from tests.support.waiting import until

pytestmark = [pytest.mark.browser]

APPS = Path(__file__).with_name("panel_apps")
_TITLED = """text => [...Bokeh.documents[0]._all_models.values()]
    .some(m => m.type === "Title" && m.text.includes(text))"""
_WIDGET = """(([label, attr]) =>
  [...Bokeh.documents[0]._all_models.values()].find(m => [m.label, m.title].includes(label))[attr])"""


@dataclass
class Kept:
    """One application, whose sessions are saved in `folder`, and the page of one of them."""

    path: Path
    page: Page
    folder: Path
    processes: ExitStack
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.server = self._start()

    def _start(self) -> RunningServer:
        words = (self.path, "--port", str(self.port), "--store", self.folder)
        return self.processes.enter_context(running_server(*words, server="ours"))

    @property
    def url(self) -> str:
        """Where the application is."""
        return f"{self.server.url}/{self.path.stem}"

    def wait_until_saved(self, *patterns: str) -> None:
        """Return when the session that is saved has text that fits each of these patterns."""
        until(lambda: all(map(self.has_saved, patterns)), f"{patterns} are saved")

    def has_saved(self, pattern: str) -> bool:
        """Whether a session that is saved has text that fits this pattern."""
        return any(re.search(pattern.encode(), path.read_bytes()) for path in self.folder.glob("*.session"))

    def come_back(self) -> None:
        """Kill the server, start another one, and return when the page has its document again."""
        self.page.evaluate(
            "() => { window.back = 0; Bokeh.documents[0].on_event('client_reconnected', () => window.back++) }"
        )
        self.server.process.kill()
        self.server.process.wait()
        self.server = self._start()
        self.page.wait_for_function("() => window.back > 0", timeout=patience_ms(30))
        assert "Traceback" not in self.server.log_text(), self.server.log_text()


@pytest.fixture
def kept(
    request: pytest.FixtureRequest, page: Page, complaints: Complaints, processes: ExitStack, tmp_path: Path
) -> Iterator[Kept]:
    """The application whose path is the test's parameter, opened."""
    others = keep_from_other_hosts(page)
    started = Kept(request.param, page, tmp_path / "saved", processes)
    open_app(page, started.url)
    yield started
    assert [url for url in others if "panel" in url] == [], "files that this server has"
    lost = ("WebSocket connection to", "Failed to connect to Bokeh server")
    complaints.messages[:] = [line for line in complaints.messages if not any(text in line for text in lost)]


def example(name: str) -> pytest.MarkDecorator:
    """The test is of this example."""
    return pytest.mark.parametrize("kept", [EXAMPLES / "panel" / f"{name}.py"], indirect=True, ids=[name])


def press(page: Page, name: str) -> None:
    """Click the button of that name."""
    page.get_by_role("button", name=name, exact=True).click()


def _download(page: Page) -> str:
    with page.expect_download() as saved:
        page.get_by_text("Save the table").click()
    return saved.value.path().read_text()


@example("dashboard")
def test_dashboard_keeps_its_sidebar_and_what_is_worked_out_from_it(kept: Kept) -> None:
    page = kept.page
    page.get_by_text("Barley").click()
    for _ in range(3):
        page.locator(".noUi-handle").nth(2).press("ArrowRight")
    expect(page.get_by_text("4,017 t")).to_have_count(0)
    expect(page.locator(".tabulator-col-title", has_text="Barley")).to_be_visible()
    figure = page.get_by_text(re.compile(r"^[\d,]+ t$"))
    total, written = figure.inner_text(), _download(page)
    assert _download(page) == written
    kept.wait_until_saved('"Barley"', '"(new|value)":4[,}]', '"_transfers":2|"_transfers","new":2')
    kept.come_back()
    expect(figure).to_have_text(total)
    expect(page.get_by_label("Barley")).to_be_checked()
    expect(page.locator(".tabulator-col-title", has_text="Barley")).to_be_visible()
    assert _download(page) == written
    before = pixels(page)
    page.get_by_text("Oats").click()
    expect(figure).not_to_have_text(total)
    expect(page.locator(".tabulator-col-title", has_text="Oats")).to_be_visible()
    wait_until_drawn_anew(page, before)
    assert _download(page).startswith("Year,Barley,Beans,Oats,Wheat\n")


@example("library")
def test_library_looks_up_what_was_chosen(kept: Kept) -> None:
    page = kept.page
    expect(page.get_by_text("words of 4 letters")).to_be_visible()
    press(page, "5")
    expect(page.get_by_text("words of 5 letters")).to_be_visible()
    kept.wait_until_saved("of 5 letters")
    kept.come_back()
    expect(page.get_by_text("words of 5 letters")).to_be_visible()
    expect(page.get_by_text("Visit number 1 since")).to_be_visible()
    press(page, "6")
    expect(page.get_by_text("words of 6 letters")).to_be_visible()


@example("postcard")
def test_postcard_and_its_address_stay(kept: Kept) -> None:
    page = kept.page
    page.locator("select").select_option("Porto")
    page.locator("input[type=text]").fill("Hello & welcome")
    page.keyboard.press("Enter")
    page.wait_for_url("**text=Hello**")
    expect(page.get_by_text("from Porto")).to_be_visible()
    kept.wait_until_saved("Porto", "Hello &")
    kept.come_back()
    expect(page.get_by_text("from Porto")).to_be_visible()
    expect(page.locator("input[type=text]")).to_have_value("Hello & welcome")
    page.locator("select").select_option("Turin")
    expect(page.get_by_text("from Turin")).to_be_visible()
    expect(page.get_by_text("Hello & welcome")).to_be_visible()
    wait_for_model(page, "location", "model.search.includes('place=Turin') && model.search.includes('text=Hello')")
    press(page, "Send")
    expect(page.get_by_text("Sent from Turin")).to_be_visible()


def _readings(page: Page) -> int:
    return int(model_value(page, "readings", "model.get('second').length"))


@example("pulse")
def test_stream_that_was_stopped_stays_so_until_it_is_started_again(kept: Kept) -> None:
    page = kept.page
    wait_for_model(page, "readings", "model.get('second').length > 5")
    drag_slider(page, 1, 150)
    press(page, "Measure")
    page.wait_for_function(_WIDGET + "(['Measure', 'active']) === false")
    kept.wait_until_saved('"active","new":false|"active":false')
    period = page.evaluate(_WIDGET + "(['Milliseconds between readings', 'value'])")
    readings = _readings(page)
    assert period > 100
    kept.come_back()
    assert page.evaluate(_WIDGET + "(['Milliseconds between readings', 'value'])") == period
    page.wait_for_timeout(3 * period)
    assert _readings(page) == readings
    press(page, "Measure")
    wait_for_model(page, "readings", f"model.get('second').length > {readings + 1}")
    pace_s = model_value(page, "readings", "model.get('second').at(-1) - model.get('second').at(-2)")
    assert pace_s == pytest.approx(period / 1000)


@example("waves")
def test_holoviews_is_drawn_for_the_slider_as_it_was(kept: Kept) -> None:
    page = kept.page
    page.wait_for_function(_TITLED, arg="3 waves")
    drag_slider(page, 0, 120)
    page.wait_for_function(_TITLED, arg="6 waves")
    kept.wait_until_saved("6 waves")
    kept.come_back()
    page.wait_for_function(_TITLED, arg="6 waves")
    before = [pixels(page, 0), pixels(page, 1)]
    drag_slider(page, 0, -200)
    page.wait_for_function(_TITLED, arg="1 waves")
    for number, drawn in enumerate(before):
        wait_until_drawn_anew(page, drawn, number)


@pytest.mark.parametrize("kept", [APPS / "saved_ways.py"], indirect=True)
def test_python_knows_what_the_page_shows(kept: Kept) -> None:
    page = kept.page
    page.locator("select").select_option("three")
    expect(page.locator(".part input[type=text]")).to_have_count(3)
    page.locator(".part input[type=text]").nth(2).fill("the last part")
    page.locator(".part input[type=text]").nth(2).press("Enter")
    expect(page.locator(".told pre")).to_have_text(re.compile("the last part"))
    page.locator("input[type=password]").fill("a secret word")
    page.locator("input[type=password]").press("Enter")
    expect(page.locator(".guarded pre")).to_have_text("13 letters")
    page.locator("input[type=file]").set_input_files(
        files=[{"name": "a.txt", "mimeType": "text/plain", "buffer": b"what the file holds"}]
    )
    expect(page.locator(".read pre")).to_have_text("a.txt: what the file holds")
    cell = page.locator(".tabulator-cell[tabulator-field=number]").nth(1)
    cell.click()
    cell.locator("input").fill("42")
    cell.locator("input").press("Enter")
    expect(page.locator(".summed pre")).to_have_text("sum 46")
    kept.wait_until_saved("the last part", "a.txt", "sum 46")
    assert not kept.has_saved("a secret word")
    kept.come_back()
    expect(page.locator(".part input[type=text]")).to_have_count(3)
    expect(page.locator(".part input[type=text]").nth(2)).to_have_value("the last part")
    expect(page.locator(".tabulator-cell[tabulator-field=number]").nth(1)).to_have_text("42")
    press(page, "tell")
    expect(page.locator(".told pre")).to_have_text("told: three [1: , 2: , 3: the last part] a.txt 19 [1, 42, 3] 0")
    page.locator(".part input[type=text]").nth(0).fill("the first")
    page.locator(".part input[type=text]").nth(0).press("Enter")
    expect(page.locator(".told pre")).to_have_text(re.compile("1: the first, 2: , 3: the last part"))


@pytest.mark.parametrize("kept", [APPS / "saved_ways.py"], indirect=True)
def test_page_that_was_left_and_chosen_again_goes_on_in_python(kept: Kept) -> None:
    page = kept.page
    part = page.locator(".part input[type=text]")
    for choice, count in (("three", 3), ("one", 1)):
        page.locator("select").select_option(choice)
        expect(part).to_have_count(count)
    part.fill("a word")
    part.press("Enter")
    expect(page.locator(".told pre")).to_have_text(re.compile(r"one \[1: a word\]"))
    kept.wait_until_saved("1: a word")
    for word, next_word in (("a word", "a second word"), ("a second word", "a third word")):
        kept.come_back()
        expect(part).to_have_value(word)
        part.fill(next_word)
        part.press("Enter")
        expect(page.locator(".told pre")).to_have_text(re.compile(rf"one \[1: {next_word}\]"))
        kept.wait_until_saved(f"1: {next_word}")
