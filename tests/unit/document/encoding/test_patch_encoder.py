"""The changes of one turn, each encoded when it happens."""

from __future__ import annotations

import json

from bokeh.models import ColumnDataSource, Div, Slider

from app_server.document import engine
from app_server.document.encoding.document_encoder import encode_document
from app_server.document.encoding.patch_encoder import PatchEncoder
from app_server.document.served import new_document

engine.install()


def test_event_is_encoded_when_it_happens() -> None:
    document = new_document("s")
    source = ColumnDataSource({"x": [1]})
    document.add_root(source)
    encode_document(document)
    patch = PatchEncoder(document)
    document.on_change(lambda event: patch.add(event))  # type: ignore[arg-type]
    source.stream({"x": [2]})
    source.stream({"x": [3]})
    content = patch.content()
    assert content is not None
    events = json.loads(content[0])["events"]
    assert [dict(event["data"]["entries"])["x"] for event in events] == [[2], [3]]


def test_size_is_about_what_the_events_take_also_as_plain_texts() -> None:
    document = new_document("s")
    div = Div()
    document.add_root(div)
    encode_document(document)
    patch = PatchEncoder(document)
    document.on_change(lambda event: patch.add(event))  # type: ignore[arg-type]
    div.text = "x" * 50_000
    div.tags = ["y" * 30_000]
    div.disabled = True
    content = patch.content()
    assert content is not None and len(content[0]) - 100 < patch.size < len(content[0]) + 100


def test_changes_of_all_kinds_of_values_keep_their_order() -> None:
    document = new_document("s")
    div, slider = Div(), Slider(start=0, end=9, value=5)
    document.add_root(div)
    document.add_root(slider)
    encode_document(document)
    patch = PatchEncoder(document)
    document.on_change(lambda event: patch.add(event))  # type: ignore[arg-type]
    div.text = "plain \ud800"
    div.tags = [1, float("inf")]
    slider.value = 7
    div.name = None
    slider.step = 2.5
    div.tags = []
    div.disabled = True
    slider.value = float("nan")
    new = [event["new"] for event in json.loads(patch.content()[0])["events"]]  # type: ignore[index]
    infinite, nothing = {"type": "number", "value": "+inf"}, {"type": "number", "value": "nan"}
    assert new == ["plain \ud800", [1, infinite], 7, 2.5, [], True, nothing]


def test_new_model_is_written_out_once_and_then_named() -> None:
    document = new_document("s")
    div = Div(tags=[])
    document.add_root(div)
    encode_document(document)
    patch = PatchEncoder(document)
    document.on_change(lambda event: patch.add(event))  # type: ignore[arg-type]
    slider = Slider(start=0, end=9, value=5)
    div.tags = [slider]
    div.tags = [slider, slider]
    events = json.loads(patch.content()[0])["events"]  # type: ignore[index]
    assert events[0]["new"][0]["type"] == "object"
    assert events[1]["new"] == [{"id": slider.id}, {"id": slider.id}]
    assert events[0]["model"] == {"id": div.id}
    patch.close()
    again = PatchEncoder(document)
    document.on_change(lambda event: again.add(event))  # type: ignore[arg-type]
    div.tags = [slider]
    assert json.loads(again.content()[0])["events"][0]["new"] == [{"id": slider.id}]  # type: ignore[index]


def test_what_a_connection_set_is_left_out_for_it_only() -> None:
    document = new_document("s")
    div = Div()
    document.add_root(div)
    encode_document(document)
    patch = PatchEncoder(document)
    document.on_change(lambda event: patch.add(event))  # type: ignore[arg-type]
    setter = object()
    div.set_from_json("text", "theirs", setter=setter)  # type: ignore[arg-type]
    assert patch.content(without=setter) is None
    div.text = "ours"
    assert patch.setters == {id(setter)}
    assert [event["new"] for event in json.loads(patch.content(without=setter)[0])["events"]] == ["ours"]  # type: ignore[index]
    assert [event["new"] for event in json.loads(patch.content()[0])["events"]] == ["theirs", "ours"]  # type: ignore[index]
