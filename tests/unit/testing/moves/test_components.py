"""Components with JavaScript of their own are set, clicked and typed into by the model of their values."""

from __future__ import annotations

import importlib
import subprocess
import sys
from typing import Any

import pytest
from bokeh.models import Button, ColumnDataSource, GlyphRenderer, Scatter

from app_server.testing import CannotDo, open_app
from app_server.testing.moves.components import has_values, holder, is_button, is_field, is_switch
from tests.support.server import EXAMPLES

pn: Any


@pytest.fixture(autouse=True, scope="module")
def _imported() -> None:
    """Panel, now and not before: once it is there, it adds to every page of the process."""
    global pn
    pn = importlib.import_module("panel")


def test_other_models_hold_their_own_values() -> None:
    renderer = GlyphRenderer(data_source=ColumnDataSource(), glyph=Scatter())
    for model in (Button(), ColumnDataSource(), renderer):
        assert holder(model, {"name": "x", "nothing": 1}) is model
        assert not any(ask(model) for ask in (has_values, is_button, is_switch, is_field))


def test_values_are_set_by_the_component_and_by_its_model() -> None:
    param = importlib.import_module("param")

    class Knob(pn.custom.JSComponent):  # type: ignore[misc]
        value = param.Integer(0)
        _esm = "export function render({model}) {}"

    class Markup(pn.reactive.ReactiveHTML):  # type: ignore[misc]
        value = param.Integer(0)
        _template = '<input id="field" value="${value}"></input>'

    for component in (Knob(), Markup()):
        with open_app(pn.Column(component, pn.bind(lambda value: f"is {value}", component.param.value))) as app:
            app.set(component, value=5)
            assert app.find(text="is 5")
            app.set(app.find(type(component).__name__ + "1", value=5), value=6)
            assert app.find(text="is 6")
            with pytest.raises(CannotDo, match="has no property 'words'"):
                app.set(app.find(text="is 6"), words=1)


WIDGETS = """
import panel_material_ui as material
import panel as pn
from app_server.testing import open_app

notes = []
field = material.TextInput(label="Name")
menu = material.Select(label="Unit", options={"km": 1, "miles": 1.6})
box, slider = material.Checkbox(label="Box"), material.DiscreteSlider(label="Power", options=[1, 10])
button = material.Button(label="Go")
files = material.FileInput(label="File")
button.on_click(lambda event: notes.append("clicked"))
for name in ("value_input", "value"):
    field.param.watch(lambda event: notes.append((event.name, event.new)), name)
with open_app(pn.Column(field, menu, box, slider, button, files)) as app:
    app.set(menu, value=1.6)
    app.set(app.find(material.DiscreteSlider), value=10)
    app.click(box)
    app.click(app.find(text="Go"))
    app.type(field, "Ad")
    app.upload(files, b"\\0\\1", filename="a.bin")
print((files.value, files.filename, menu.value, slider.value, box.value, button.clicks, notes))
"""


def test_widgets_of_material_ui_are_used() -> None:
    """In a process of its own: once it is imported, Panel's notifications are its own."""
    done = subprocess.run([sys.executable, "-c", WIDGETS], capture_output=True, text=True, cwd=EXAMPLES.parent)
    notes = ["clicked", ("value_input", "A"), ("value_input", "Ad"), ("value", "Ad")]
    assert (done.stdout.strip(), done.returncode) == (repr((b"\0\1", "a.bin", 1.6, 10, True, 1, notes)), 0), done.stderr


def test_buttons_and_switches_are_clicked_unless_they_are_disabled() -> None:
    param = importlib.import_module("param")

    class Push(pn.custom.ReactComponent):  # type: ignore[misc]
        clicks = param.Integer(0)
        disabled = param.Boolean(False)
        label = param.String("Go")
        _esm = "export function render({model}) {}"

        def _handle_click(self, event: Any) -> None:
            self.clicks += 1

    class Box(pn.custom.ReactComponent):  # type: ignore[misc]
        value = param.Boolean(False)
        _esm = "export function render({model}) {}"

    class Words(pn.custom.ReactComponent):  # type: ignore[misc]
        value = param.String("")
        _esm = "export function render({model}) {}"

    push, off, box, words = Push(), Push(disabled=True, label="Off"), Box(), Words()
    with open_app(pn.Column(push, off, box, words)) as app:
        app.click(push)
        app.click(app.find(text="Go"))
        app.click(box)
        assert (push.clicks, box.value) == (2, True)
        with pytest.raises(CannotDo, match="is disabled"):
            app.click(off)
        with pytest.raises(CannotDo, match="cannot be clicked"):
            app.click(words)
        with pytest.raises(CannotDo, match="takes no text"):
            app.type(words, "a")
