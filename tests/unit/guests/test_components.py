"""Applications made with Panel, tested by their components and by the models that show them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from datetime import datetime
from io import StringIO
from typing import Any

import pytest
from bokeh.models import Button, Div

from app_server.testing import AppFailure, CannotDo, NotFound, open_app
from tests.support.server import EXAMPLES
from tests.unit.testing.inner import run_inner
from tests.unit.testing.test_page_of_the_manual import write_files

pytest_plugins = ["pytester"]

pn: Any

PANEL = EXAMPLES / "panel"


@pytest.fixture(autouse=True, scope="module")
def _imported() -> None:
    """Panel, now and not before: once it is there, it adds to every page of the process."""
    global pn
    pn = importlib.import_module("panel")


def dashboard(document: Any) -> None:
    """Widgets of several kinds, and what they come to."""
    amplitude = pn.widgets.FloatSlider(label="Amplitude", start=0, end=5, step=0.5, value=1)
    unit = pn.widgets.Select(label="Unit", options={"metres": 1, "feet": 3}, value=1)
    parts = pn.widgets.CheckBoxGroup(label="Parts", options=["a", "b"], value=[])
    run = pn.widgets.Button(label="Run")
    clicks = pn.bind(lambda clicks: f"clicked {clicks}", run.param.clicks)
    shown = pn.pane.HTML(pn.bind(lambda *values: repr(values), amplitude, unit, parts), name="shown")
    pn.Column(amplitude, unit, pn.Row(parts, run), shown, pn.pane.Str(clicks, name="clicks")).server_doc(document)


@pytest.fixture
def app() -> Iterator[Any]:
    with open_app(dashboard) as opened:
        yield opened


def test_components_are_found_by_class_and_name(app: Any) -> None:
    amplitude = app.find(pn.widgets.FloatSlider, label="Amplitude")
    assert amplitude.value == 1
    assert [each.label for each in app.find_all(pn.widgets.Widget)] == ["Amplitude", "Unit", "Parts", "Run"]
    with pytest.raises(NotFound, match="no IntSlider with label='Amplitude'; the page has"):
        app.find(pn.widgets.IntSlider, label="Amplitude")


def test_values_of_components_are_set_as_their_models_show_them(app: Any) -> None:
    app.set(app.find(pn.widgets.FloatSlider), value=2.5)
    app.set(app.find(pn.widgets.Select), value=3)
    app.set(app.find(pn.widgets.CheckBoxGroup), value=["b"])
    assert app.find(pn.pane.HTML).object == "(2.5, 3, ['b'])"
    assert app.find("HTML", text="(2.5, 3, ['b'])")
    assert app.find("Slider", title="Amplitude").value == 2.5
    with pytest.raises(CannotDo, match=r"2\.6 is not at one of its steps"):
        app.set(app.find(pn.widgets.FloatSlider), value=2.6)
    with pytest.raises(CannotDo, match="Select .* cannot show value=7"):
        app.set(app.find(pn.widgets.Select), value=7)


def test_buttons_of_panel_are_clicked(app: Any) -> None:
    app.click(app.find(pn.widgets.Button))
    app.click(app.find(Button, label="Run"))
    assert app.find(pn.widgets.Button).clicks == 2
    assert app.find(text="clicked 2")


def test_models_can_be_set_as_well(app: Any) -> None:
    app.set(app.find("Slider", title="Amplitude"), value=4)
    assert app.find(pn.widgets.FloatSlider).value == 4


def test_onload_periodic_callbacks_and_user_are_those_of_the_visit() -> None:
    def application(document: Any) -> None:
        words = pn.pane.Str(f"{pn.state.user} {pn.state.location.search}", name="words")
        pn.Column(words).server_doc(document)
        pn.state.onload(lambda: setattr(words, "object", words.object + " loaded"))
        pn.state.add_periodic_callback(lambda: setattr(words, "object", words.object + " beat"), 1000)

    with open_app(application, user="ada", arguments={"n": "3"}) as app:
        words = app.find(pn.pane.Str)
        assert words.object == "ada ?n=3 loaded"
        app.advance(2)
        assert words.object == "ada ?n=3 loaded beat beat"


def test_failure_of_a_bound_function_is_found() -> None:
    def application(document: Any) -> None:
        slider = pn.widgets.IntSlider(label="n", start=0, end=5, value=1)
        pn.Column(slider, pn.bind(lambda n: 1 / (n - 2), slider)).server_doc(document)

    with open_app(application) as app, pytest.raises(AppFailure, match="ZeroDivisionError"):
        app.set(app.find(pn.widgets.IntSlider), value=2)


def test_enter_and_cards_are_those_of_panel() -> None:
    sent: list[str] = []
    field = pn.widgets.TextInput(label="Word")
    field.param.watch(lambda event: sent.append(field.value), "enter_pressed")
    chat = pn.chat.ChatAreaInput()
    chat.param.watch(lambda event: sent.append(event.new), "value")
    card = pn.Card(pn.widgets.Checkbox(label="Box"), title="More", collapsed=True)
    with open_app(pn.Column(field, chat, card)) as app:
        app.type(field, "Ada")
        app.type(chat, "Hello")
        assert sent[:2] == ["Ada", "Hello"]
        box = app.find(pn.widgets.Checkbox)
        with pytest.raises(CannotDo, match="it lies in Card .*, which is collapsed"):
            app.click(box)
        app.click(card)
        app.click(box)
        assert box.value is True


def test_typing_reaches_what_watches_letter_by_letter() -> None:
    heard: list[str] = []
    field = pn.widgets.TextInput(label="Word")
    field.param.watch(lambda event: heard.append(event.new), "value_input")
    with open_app(pn.Column(field)) as app:
        app.type(field, "Ada")
    assert heard == ["A", "Ad", "Ada"]


def test_downloads_and_notifications_are_seen() -> None:
    def application(document: Any) -> None:
        tell = pn.widgets.Button(label="Tell")
        tell.on_click(lambda event: pn.state.notifications.info("Saved", duration=0))
        table = pn.widgets.FileDownload(callback=lambda: StringIO("a,b"), filename="table.csv")
        pn.Column(tell, table).server_doc(document)

    pn.config.notifications = True
    try:
        with open_app(application) as app:
            app.click(app.find(pn.widgets.Button, label="Tell"))
            area = app.find(pn.io.notifications.NotificationArea)
            assert [each.message for each in area.notifications] == ["Saved"]
            assert app.download(app.find("FileDownload")) == b"a,b"
            assert app.download(app.find(pn.widgets.FileDownload)) == b"a,b"
            with pytest.raises(CannotDo, match="downloads nothing"):
                app.download(app.find(pn.widgets.Button, label="Tell"))
    finally:
        pn.config.notifications = False


def test_files_are_dropped() -> None:
    dropper = pn.widgets.FileDropper(multiple=True, accepted_filetypes=[".txt", ".bin"], chunk_size=2)
    with open_app(pn.Column(dropper, pn.bind(lambda files: f"{len(files)} files", dropper))) as app:
        app.upload(dropper, b"abc", filename="a.txt")
        app.upload(app.find("FileDropper"), b"\0\1", filename="b.bin")
        assert (dropper.value, dropper.mime_type["a.txt"]) == ({"a.txt": "abc", "b.bin": b"\0\1"}, "text/plain")
        assert app.find(text="2 files")


def test_slider_of_panel_stops_at_seconds() -> None:
    first, last = datetime(2026, 1, 1), datetime(2026, 1, 31)
    slider = pn.widgets.DatetimeSlider(start=first, end=last, value=first, step=90)
    with open_app(pn.Column(slider)) as app:
        app.set(slider, value=datetime(2026, 1, 2, 0, 1, 30))
        assert slider.value == datetime(2026, 1, 2, 0, 1, 30)
        with pytest.raises(CannotDo, match="is not at one of its steps"):
            app.set(slider, value=datetime(2026, 1, 2, 0, 1))


def test_object_of_panel_is_an_application() -> None:
    slider = pn.widgets.IntSlider(label="n", start=0, end=5, value=1)
    with open_app(pn.Row(slider, pn.bind(lambda n: f"n is {n}", slider))) as app:
        app.set(slider, value=4)
        assert app.find(text="n is 4")


def test_script_with_a_template_is_tested() -> None:
    with open_app(PANEL / "dashboard.py") as app:
        years = app.find(pn.widgets.IntRangeSlider)
        app.set(years, value=(2010, 2012))
        assert app.find(pn.widgets.Tabulator).value["Year"].tolist() == [2012, 2011, 2010]
        assert "Harvests" in app.html
        assert app.find_all(Div) is not None


def test_clocks_of_panel_follow_the_tests_clock() -> None:
    with open_app(PANEL / "pulse.py") as app:
        readings = app.find("ColumnDataSource", name="readings")
        app.advance(3)
        assert len(readings.data["second"]) == 30
        app.click(app.find("Toggle", label="Measure"))
        app.advance(3)
        assert 30 <= len(readings.data["second"]) <= 31


def test_file_of_the_manual_passes(pytester: pytest.Pytester) -> None:
    write_files(pytester)
    done = run_inner(pytester, "test_panel.py")
    done.assert_outcomes(passed=1)
