"""A whole document as it is saved: what is in it, what is not, and what tells whether another build fits."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, DataRange1d, Div, PasswordInput, Plot, Slider, TextInput

from app_server.document import engine
from app_server.document.encoding.document_encoder import encode_document
from app_server.document.saving.whole import called_models, encode_for_store, encode_inputs, lost_callbacks, skeleton
from app_server.document.served import ServedDocument, new_document

engine.install()


def document_of(*roots: Any, session_id: str = "s") -> ServedDocument:
    document = new_document(session_id)
    with document.at_work():
        for make in roots:
            document.add_root(make())
    return document


def attributes(part: Any) -> dict[str, dict[str, Any]]:
    """The saved values of each root, by its class."""
    return {root["name"]: root.get("attributes", {}) for root in json.loads(part[0])["doc"]["roots"]}


def test_arrays_are_copies_and_clients_are_not_thought_to_have_anything() -> None:
    document = document_of(lambda: ColumnDataSource({"x": np.arange(1000.0)}))
    (source,) = document.roots
    before = encode_document(new_document("t"))
    content, buffers = encode_for_store(document)
    assert before and json.loads(content)["doc"]["title"] == document.title
    source.data["x"][:] = 7  # type: ignore[attr-defined]
    assert np.frombuffer(buffers[0][1])[5] == 5
    assert not document.models.clients_have(source)


def test_passwords_and_what_is_excluded_are_left_out() -> None:
    document = document_of(
        lambda: PasswordInput(value="secret", title="Password"),
        lambda: TextInput(value="private", title="Diagnosis", name="d"),
        lambda: Div(text="shown"),
    )
    _, text, _ = document.roots
    part = encode_for_store(document, {text.id})
    assert b"secret" not in part[0] and b"private" not in part[0] and b"Diagnosis" not in part[0]
    found = attributes(part)
    assert found["PasswordInput"] == {"title": "Password"}
    assert found["TextInput"] == {} and found["Div"]["text"] == "shown"


def test_skeleton_is_the_same_for_builds_of_the_same_models() -> None:
    one = document_of(lambda: Slider(start=0, end=1, value=0, name="a"), Div, session_id="one")
    two = document_of(lambda: Slider(start=0, end=9, value=5, name="b"), Div, session_id="two")
    other = document_of(Div, lambda: Slider(start=0, end=1, value=0), session_id="one")
    assert skeleton(one) == skeleton(two) != skeleton(other)


def test_inputs_of_a_large_document_are_what_changed_and_fits() -> None:
    document = document_of(
        lambda: TextInput(value="a" * 500, name="small"),
        lambda: TextInput(value="b" * 5000, name="large"),
        lambda: Slider(start=0, end=9, value=5),
        lambda: PasswordInput(value="secret"),
        lambda: ColumnDataSource({"x": [1]}),
    )
    small, large, slider, password, source = document.roots
    keys = [(each.id, "value") for each in (small, large, slider, password)] + [(source.id, "data"), ("gone", "value")]
    part = encode_inputs(document, keys, max_bytes=2000)
    roots = {root["id"]: root["attributes"] for root in json.loads(part[0])["doc"]["roots"]}
    assert roots == {small.id: {"name": "small", "value": "a" * 500}, slider.id: {"value": 5}}
    assert list(part[1]) == []
    assert encode_inputs(document, keys, {small.id, slider.id}, max_bytes=2000)[0].count(b'"id"') == 0


def _changed(attr: str, old: object, new: object) -> None: ...


def test_models_whose_callbacks_are_lost_are_named() -> None:
    document = document_of(Div, Div)
    kept, lost = document.roots
    lost.name = "lost"
    for each in (kept, lost):
        each.on_change("text", _changed)
    called = called_models(document)
    assert sorted(called) == sorted([kept.id, lost.id])
    assert lost_callbacks(document, called) == []
    lost.remove_on_change("text", _changed)
    assert lost_callbacks(document, [*called, "one that has gone"]) == ["Div 'lost'"]


def test_bounds_that_browsers_work_out_are_no_values() -> None:
    document = document_of(lambda: Plot(x_range=DataRange1d(), y_range=DataRange1d(start=1, end=2)))
    content = encode_for_store(document)[0]
    encoded = json.loads(content)["doc"]["roots"][0]["attributes"]
    assert {"start": 1, "end": 2}.items() <= encoded["y_range"]["attributes"].items()
    assert "start" not in encoded["x_range"].get("attributes", {})
