"""What was saved, given back to a document that its application has built again, the same or changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bokeh.models import ColumnDataSource, Div, RangeSlider, Slider, TextInput

from app_server.document import engine
from app_server.document.saving.laying import DOCUMENT, Changed, Fit, Restoration
from app_server.document.saving.replay import saved_document
from app_server.document.saving.whole import encode_for_store
from app_server.document.served import ServedDocument, new_document

engine.install()


def document_of(*models: Callable[[], Any]) -> ServedDocument:
    document = new_document("s")
    with document.at_work():
        for make in models:
            document.add_root(make())
    return document


def slider(**more: Any) -> Callable[[], Slider]:
    return lambda: Slider(**{"start": 0, "end": 9, "value": 5, "name": "factor", **more})


def text(**more: Any) -> Callable[[], TextInput]:
    return lambda: TextInput(**{"name": "who", **more})


def restoration(
    old: ServedDocument, new: ServedDocument, changed: list[tuple[Any, str, bool]], *, fit: Fit
) -> Restoration:
    """What the old document gives to the new one."""
    changes = [Changed(model if isinstance(model, str) else model.id, attr, by) for model, attr, by in changed]
    saved = saved_document(new, encode_for_store(old), [], {change[:2] for change in changes}, 10**6)
    return Restoration(new, saved, changes, fit, max_bytes=10**6)


def test_same_models_get_everything_without_an_event_roots_and_title_included() -> None:
    old, new = document_of(slider(), text()), document_of(slider(), text())
    old.roots[0].value = 7  # type: ignore[attr-defined]
    old.roots[1].placeholder = "name"  # type: ignore[attr-defined]
    old.title = "another"
    with old.at_work():
        old.add_root(Div(text="made by a callback"))
    events: list[Any] = []
    new.on_change(events.append)
    kept = new.roots[0]
    kept.on_change("value", lambda attr, before, after: events.append(after))
    new.roots[1].title = "set by the new build"  # type: ignore[attr-defined]
    events.clear()
    report = restoration(old, new, [(old.roots[0], "value", True)], fit=Fit.SAME).lay_over()
    assert report.left_out == () and events == []
    assert (new.roots[0], kept.value, new.title) == (kept, 7, "another")  # type: ignore[attr-defined]
    assert [type(root).__name__ for root in new.roots] == ["Slider", "TextInput", "Div"]
    assert new.roots[1].placeholder == "name" and new.roots[1].title == ""  # type: ignore[attr-defined]


def test_changed_application_gets_what_was_changed_on_the_models_that_fit() -> None:
    old = document_of(slider(), text(), lambda: Div(name="gone"), lambda: ColumnDataSource({"x": [1]}))
    new = document_of(lambda: Div(text="new"), slider(end=99), text(title="New title"))
    factor, who, gone, source = old.roots
    factor.value, who.value, gone.text, who.title = 7, "ann", "bye", "old title"  # type: ignore[attr-defined]
    changed = [
        (factor, "value", True), (who, "value", True), (gone, "text", False), (source, "data", False),
        ("never there", "value", True), (DOCUMENT, "RootAdded", False),
    ]  # fmt: skip
    report = restoration(old, new, changed, fit=Fit.PARTS).lay_over()
    _, new_factor, new_who = new.roots
    assert (new_factor.value, new_factor.end) == (7, 99)  # type: ignore[attr-defined]
    assert (new_who.value, new_who.title) == ("ann", "New title")  # type: ignore[attr-defined]
    assert report.left_out == ("Div 'gone'.text", "ColumnDataSource.data")


@pytest.mark.parametrize(
    "models",
    [
        (lambda: RangeSlider(start=0, end=9, value=(1, 2), name="factor"),),
        (slider(), text(), slider()),
        (slider(name="other"),),
    ],
    ids=["class", "two", "name"],
)
def test_name_of_another_class_or_of_two_models_fits_nothing(models: Any) -> None:
    old, new = document_of(lambda: Div(), slider()), document_of(*models)
    old.roots[1].value = 7  # type: ignore[attr-defined]
    report = restoration(old, new, [(old.roots[1], "value", True)], fit=Fit.PARTS).lay_over()
    assert report.left_out == ("Slider 'factor'.value",)


def test_inputs_are_set_by_the_ordinary_way_in_the_order_of_their_last_change() -> None:
    old, new = document_of(slider(), text(), Div), document_of(slider(), text(), Div)
    old.roots[0].value, old.roots[1].value, old.roots[2].text = 7, "ann", "7 ann"  # type: ignore[attr-defined]
    seen: list[Any] = []
    for root, attr in zip(new.roots, ("value", "value", "text"), strict=True):
        root.on_change(attr, lambda attr, before, after: seen.append(after))
    changed = [(old.roots[1], "value", True), (old.roots[0], "value", True), (old.roots[2], "text", False)]
    calls: list[Callable[[], None]] = []
    with new.at_work():
        restoration(old, new, changed, fit=Fit.SAME).give_inputs(calls.append)
        for call in calls:
            call()
    assert seen == ["ann", 7]
    assert new.roots[2].text == ""  # type: ignore[attr-defined]


def test_input_that_has_its_value_already_calls_nothing() -> None:
    old, new = document_of(slider(value=7)), document_of(slider(value=7))
    calls: list[Any] = []

    def settle() -> None:
        """What callbacks have left to do; here none have run."""

    restoration(old, new, [(old.roots[0], "value", True)], fit=Fit.SAME).give_inputs(calls.append, settle)
    assert calls == [settle]


def test_same_models_of_a_changed_application_get_only_what_was_changed() -> None:
    old, new = document_of(slider(), text()), document_of(slider(end=99), text(title="New title"))
    old.roots[0].value = 7  # type: ignore[attr-defined]
    report = restoration(old, new, [(old.roots[0], "value", True)], fit=Fit.MODELS).lay_over()
    assert report.left_out == ()
    assert (new.roots[0].value, new.roots[0].end, new.roots[1].title) == (7, 99, "New title")  # type: ignore[attr-defined]
