"""Every example opens without a complaint in Chromium, and what a visitor does reaches Python and comes back."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsers.pages import (
    IDLE_TIMEOUT_S,
    Complaints,
    count_colours,
    drag_over_plot,
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
from tests.support.waiting import until

pytestmark = pytest.mark.browser

APPLICATIONS = {path.stem: path for path in sorted(EXAMPLES.glob("*.py"))} | {
    main.parent.name: main.parent for main in sorted(EXAMPLES.glob("*/main.py"))
}


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """All examples, behind one index."""
    with running_server(*APPLICATIONS.values()) as started:
        yield started


def test_there_are_eight_examples_and_the_index_leads_to_each(
    server: RunningServer, page: Page, complaints: Complaints
) -> None:
    assert len(APPLICATIONS) == 8
    page.goto(server.url)
    for name in APPLICATIONS:
        expect(page.locator(f'a[href$="/{name}"]').first).to_be_visible()
    if server_under_test() == "stock":
        complaints.clear()  # its index wants fonts from elsewhere


@pytest.mark.parametrize("name", APPLICATIONS)
@pytest.mark.parametrize("width", [1280, 480])
def test_example_is_drawn_and_fits_the_window(server: RunningServer, page: Page, name: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    open_app(page, f"{server.url}/{name}")
    page.wait_for_function("document.title !== ''")
    assert count_colours(page.screenshot()) > 50
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_streaming_advances_pauses_and_follows_the_slider(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/streaming")
    first = model_value(page, "curves", "model.get('time').at(-1)")
    before = pixels(page)
    wait_for_model(page, "curves", f"model.get('time').at(-1) > {first} + 900")
    assert model_value(page, "curves", "model.get('time').length") == 600
    assert pixels(page) != before
    drag_slider(page, 0, 110)
    wait_for_model(page, "mean", "model.value === 16")
    wait_for_model(page, "curves", "model.get('power').at(-1) > 55")
    page.get_by_role("button", name="Pause").click()
    wait_for_model(page, "pause", "model.label === 'Go on'")
    halted = model_value(page, "curves", "model.get('time').at(-1)")
    page.get_by_role("button", name="Go on").click()
    wait_for_model(page, "pause", "model.label === 'Pause'")
    wait_for_model(page, "curves", f"model.get('time').at(-1) > {halted}")


def test_brush_in_one_plot_selects_in_both_and_python_describes_it(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/explorer")
    assert model_value(page, "stars", "model.get('color').length") == 250_000
    diagram = pixels(page, 0)
    drag_over_plot(page, 1, (0.2, 0.35), (0.35, 0.6))
    wait_for_model(page, "summary", "model.text.includes('Selected')")
    chosen = model_value(page, "stars", "model.selected.indices.length")
    assert chosen > 5_000
    assert f"{chosen:,}" in model_value(page, "summary", "model.text")
    shares = model_value(page, "distance", "Array.from(model.get('selected'))")
    assert sum(shares) == pytest.approx(100)
    wait_idle(page)
    assert pixels(page, 0) != diagram


def test_selection_made_in_python_reaches_the_plots(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/explorer")
    page.locator("select").select_option("The Ember (old)")
    wait_for_model(page, "stars", "model.selected.indices.length === 16000")
    wait_for_model(page, "summary", "model.text.includes('16,000')")
    page.locator("select").select_option("Nothing selected")
    wait_for_model(page, "stars", "model.selected.indices.length === 0")
    wait_for_model(page, "summary", "model.text.includes('250,000')")


def test_daylight_has_its_template_theme_and_style_sheet(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/daylight")
    expect(page.locator("h1")).to_have_text("Daylight")
    expect(page.locator(".lead")).to_contain_text("30 cities")
    assert model_value(page, "year", "model.background_fill_color") == "#fffdf8"
    assert page.evaluate("getComputedStyle(document.querySelector('main')).display") == "grid"


def test_daylight_takes_the_city_from_the_address(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/daylight?city=Tokyo")
    assert model_value(page, "city", "model.value") == "Tokyo"
    assert "daylight: a visitor came for Tokyo" in server.log_text()


def test_daylight_follows_the_city_and_the_day(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/daylight")
    assert "17:37 hours of sun" in model_value(page, "facts", "model.text")
    before = pixels(page, 0)
    page.locator("select").select_option("Tromsø")
    wait_for_model(page, "facts", "model.text.includes('The sun does not set.')")
    wait_idle(page)
    assert pixels(page, 0) != before
    drag_slider(page, 0, 200)
    wait_for_model(page, "facts", "model.text.includes('The sun stays below the horizon.')")


def test_thread_shortens_the_tour_and_starts_again(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/annealing")
    wait_for_model(page, "curve", "model.get('length').length > 10")
    first, last = model_value(page, "curve", "[model.get('length').at(0), model.get('length').at(-1)]")
    assert last < first / 2
    # For half a second only; a page that is late is not shown each step.
    model_value(page, "curve", "model.connect(model.properties.data.change,"
                " () => window.restarted ||= model.get('length').length < 8)")  # fmt: skip
    page.get_by_role("button", name="Start again").click()
    page.wait_for_function("() => window.restarted")
    wait_for_model(page, "curve", "model.get('length').length > 8")
    plot = page.locator(".bk-Canvas").last.bounding_box()
    assert plot is not None
    page.mouse.dblclick(plot["x"] + 0.9 * plot["width"], plot["y"] + 0.9 * plot["height"])
    wait_for_model(page, "towns", "model.get('x').length === 201")
    wait_for_model(page, "status", "model.text.includes('201 towns')")


FINISHED = "model.text.includes('points') && !model.text.includes('…')"


def test_zooming_has_python_compute_another_image(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/fractal")
    wait_for_model(page, "status", FINISHED)
    wait_idle(page)
    before = pixels(page)
    assert count_colours(before) > 50
    width = model_value(page, "image", "model.get('dw')[0]")
    page.mouse.move(800, 400)
    page.mouse.wheel(0, -400)
    wait_for_model(page, "image", f"model.get('dw')[0] < {0.9 * width}")
    wait_for_model(page, "status", FINISHED)
    image = model_value(page, "image", "[model.get('image')[0].dtype, model.get('image')[0].shape]")
    assert image == ["uint8", [750, 1200]]
    wait_idle(page)
    assert pixels(page) != before


def test_click_on_the_mandelbrot_set_leads_to_a_julia_set(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/fractal")
    wait_for_model(page, "status", FINISHED)
    page.mouse.click(700, 300)
    wait_for_model(page, "kind", "model.active === 1")
    wait_for_model(page, "status", f"model.text.includes('Julia') && {FINISHED}")


def test_drawing_and_album_outlive_the_server_and_a_link_opens_a_copy_until_it_is_revoked(
    processes: ExitStack, page: Page, complaints: Complaints, tmp_path: Path
) -> None:
    port = str(free_port())
    words = (APPLICATIONS["harmonograph"], "--port", port, "--store", tmp_path / "sessions")
    with running_server(*words) as server:
        open_app(page, f"{server.url}/harmonograph")
        page.locator("select").select_option("Octave, 1 : 2")
        page.get_by_role("button", name="Keep this drawing").click()
        wait_for_model(page, "album", "model.get('number').length === 1")
        before = model_value(page, "curve", "Array.from(model.get('x')).slice(0, 50)")
        page.get_by_role("button", name="Link to this view").click()
        wait_for_model(page, "note", "model.text.includes('href')")
        page.locator("select").select_option("Third, 4 : 5")
        page.get_by_role("button", name="Keep this drawing").click()
        wait_for_model(page, "album", "model.get('number').length === 2")
        until(lambda: re.search(rb'"interval": ?"Third', saved(tmp_path / "sessions")), "the album is saved")
        server.process.kill()
        server.process.wait()
    page.evaluate("Bokeh.documents[0].on_event('client_reconnected', () => window.back = true)")
    server = processes.enter_context(running_server(*words))
    page.wait_for_function("window.back", timeout=patience_ms(IDLE_TIMEOUT_S))
    page.get_by_role("button", name="Keep this drawing").click()
    wait_for_model(page, "album", "model.get('number').length === 3")
    complaints.clear()  # of the connection that was lost
    assert model_value(page, "interval", "model.value") == "Third, 4 : 5"
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="this link").click()
    copy = opened.value
    wait_idle(copy)
    assert model_value(copy, "interval", "model.value") == "Octave, 1 : 2"
    assert model_value(copy, "album", "model.get('number').length") == 1
    assert model_value(copy, "curve", "Array.from(model.get('x')).slice(0, 50)") == before
    page.get_by_role("button", name="Revoke the link").click()
    wait_for_model(page, "note", "model.text.includes('revoked')")
    answer = copy.goto(copy.url)
    assert answer is not None and answer.status == 404
    copy.close()


def test_album_gives_the_controls_what_a_drawing_was_made_with(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/harmonograph")
    page.get_by_role("button", name="Keep this drawing").click()
    wait_for_model(page, "album", "model.get('number').length === 1")
    page.locator("select").select_option("Octave, 1 : 2")
    drag_slider(page, 1, 100)
    wait_for_model(page, "phase", "model.value > 0.3")
    wait_idle(page)
    place = page.locator(".bk-Canvas").first.bounding_box()
    assert place is not None
    page.mouse.click(place["x"] + place["width"] / 12, place["y"] + place["height"] / 2)
    wait_for_model(page, "interval", "model.value === 'Fifth, 2 : 3'")
    wait_for_model(page, "phase", "model.value === 0.25")


def test_link_needs_a_server_that_saves_sessions(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/harmonograph")
    page.get_by_role("button", name="Link to this view").click()
    wait_for_model(page, "note", "model.text.includes('the server has no store')")


def saved(folder: Path) -> bytes:
    """All that is in the files of saved sessions."""
    return b"".join(path.read_bytes() for path in folder.glob("*.session"))


def test_host_page_shows_the_application_twice_with_arguments_of_its_own(processes: ExitStack, page: Page) -> None:
    port = free_port()
    folder = APPLICATIONS["embedding"]
    server = processes.enter_context(running_server(folder, "--allow-websocket-origin", f"localhost:{port}"))
    command = [sys.executable, str(folder / "host_page.py")]
    command += ["--port", str(port), "--application", f"{server.url}/embedding"]
    host = processes.enter_context(running_process(command, f"http://localhost:{port}"))
    page.goto(host.url)
    page.wait_for_function("typeof Bokeh !== 'undefined' && Bokeh.documents.length === 2")
    wait_idle(page)
    waves = page.evaluate("Bokeh.documents.map(d => d.get_model_by_name('wave').value)")
    assert sorted(waves) == ["sawtooth", "square"]
    roughness = "Bokeh.documents.map(d => Math.max(...d.get_model_by_name('sum').get('sum')))"
    before = page.evaluate(roughness)
    drag_slider(page, 0, 200)
    page.wait_for_function(f"before => {roughness}.some((value, i) => Math.abs(value - before[i]) > 1e-3)", arg=before)
    terms = page.evaluate("Bokeh.documents.map(d => d.get_model_by_name('terms').value)")
    assert min(terms) == 5 < max(terms), "only one of the two sessions has changed"
