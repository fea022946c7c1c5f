"""The changes of one turn, each encoded when it happens."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from bokeh.document.events import ModelChangedEvent
from bokeh.models import Column, ColumnDataSource, DataTable, Div, LinearAxis, PanTool, Slider
from bokeh.plotting import figure

from app_server.document import engine
from app_server.document.callbacks import UnsendableError
from app_server.document.encoding.document_encoder import encode_document
from app_server.document.encoding.patch_encoder import PatchEncoder
from app_server.document.served import ServedDocument, new_document

engine.install()


def noting(*roots: Any) -> PatchEncoder:
    """What encodes the changes of these models from now on: they are roots of a document that a client has."""
    document = new_document("s")
    for root in roots:
        document.add_root(root)
    encode_document(document)
    return begun(document)


def begun(document: ServedDocument) -> PatchEncoder:
    """What encodes the document's changes from now on."""
    patch = PatchEncoder(document)
    document.on_change(lambda event: patch.add(event))  # type: ignore[arg-type]
    return patch


def events_of(patch: PatchEncoder, **without: Any) -> list[Any]:
    """The events of the message."""
    content = patch.content(**without)
    assert content is not None
    found: list[Any] = json.loads(content[0])["events"]
    return found


def test_event_is_encoded_when_it_happens() -> None:
    source = ColumnDataSource({"x": [1]})
    patch = noting(source)
    source.stream({"x": [2]})
    source.stream({"x": [3]})
    assert [dict(event["data"]["entries"])["x"] for event in events_of(patch)] == [[2], [3]]


def test_size_is_about_what_the_events_take_also_as_plain_texts() -> None:
    div = Div()
    patch = noting(div)
    div.text = "x" * 50_000
    div.tags = ["y" * 30_000]
    div.disabled = True
    content = patch.content()
    assert content is not None and len(content[0]) - 100 < patch.size < len(content[0]) + 100


def test_a_property_with_models_that_changes_again_begins_a_message() -> None:
    column, div = Column(), Div()
    patch = noting(column, div)
    div.text = "a"
    div.text = "b"
    column.children = [Div()]
    column.width = 3
    div.name = "c"
    column.children.append(DataTable(source=ColumnDataSource({"x": np.array([1.5])})))
    column.children = []
    column.children = [Div()]
    contents = patch.contents()
    attrs = [[event["attr"] for event in json.loads(content)["events"]] for content, _ in contents]
    assert attrs == [["text", "text", "children", "width", "name"], ["children"], ["children", "children"]]
    assert [len(buffers) for _, buffers in contents] == [0, 1, 0]
    assert patch.content() is not None and len(events_of(patch)) == 8
    assert patch.values_set() is None


def test_a_model_that_is_taken_away_again_begins_a_message_too() -> None:
    plot = figure()
    patch = noting(plot)
    plot.above = [LinearAxis()]
    pan = plot.select_one({"type": PanTool})
    plot.toolbar.active_drag = pan
    plot.toolbar.active_drag = None
    plot.toolbar.active_drag = pan
    attrs = [[event["attr"] for event in json.loads(content)["events"]] for content, _ in patch.contents()]
    assert attrs == [["above", "active_drag"], ["active_drag", "active_drag"]]


def test_a_change_that_cannot_be_sent_leaves_no_empty_message() -> None:
    column = Column()
    patch = noting(column)
    column.children = [Div()]
    with pytest.raises(UnsendableError):
        patch.add(ModelChangedEvent(column.document, column, "children", object()))  # type: ignore[arg-type]
    assert len(patch.contents()) == 1
    assert patch.contents(without=None) == [patch.content()]


def test_changes_of_all_kinds_of_values_keep_their_order() -> None:
    div, slider = Div(), Slider(start=0, end=9, value=5)
    patch = noting(div, slider)
    div.text = "plain \ud800"
    div.tags = [1, float("inf")]
    slider.value = 7
    div.name = None
    slider.step = 2.5
    div.tags = []
    div.disabled = True
    slider.value = float("nan")
    new = [event["new"] for event in events_of(patch)]
    infinite, nothing = {"type": "number", "value": "+inf"}, {"type": "number", "value": "nan"}
    assert new == ["plain \ud800", [1, infinite], 7, 2.5, [], True, nothing]


def test_new_model_is_written_out_once_and_then_named() -> None:
    div = Div(tags=[])
    patch = noting(div)
    slider = Slider(start=0, end=9, value=5)
    div.tags = [slider]
    div.tags = [slider, slider]
    events = events_of(patch)
    assert events[0]["new"][0]["type"] == "object"
    assert events[1]["new"] == [{"id": slider.id}, {"id": slider.id}]
    assert events[0]["model"] == {"id": div.id}
    patch.close()
    assert isinstance(div.document, ServedDocument)
    again = begun(div.document)
    div.tags = [slider]
    assert events_of(again)[0]["new"] == [{"id": slider.id}]


def test_what_a_connection_set_is_left_out_for_it_only() -> None:
    div = Div()
    patch = noting(div)
    setter = object()
    div.set_from_json("text", "theirs", setter=setter)  # type: ignore[arg-type]
    assert patch.content(without=setter) is None
    div.text = "ours"
    assert patch.setters == {id(setter)}
    assert [event["new"] for event in events_of(patch, without=setter)] == ["ours"]
    assert [event["new"] for event in events_of(patch)] == ["theirs", "ours"]
