"""What a load test knows of a page."""

from __future__ import annotations

from typing import Any

from app_server.load.outline import Outline, Place


def model(kind: str, ident: str, **attributes: Any) -> dict[str, Any]:
    """A model as the server writes it."""
    return {"type": "object", "name": kind, "id": ident, **({"attributes": attributes} if attributes else {})}


SLIDER = model("Slider", "p1", start=0, end=5, value=1)
DOCUMENT = {
    "roots": [
        model("Column", "p9", children=[SLIDER, model("Div", "p2", text="hello"), {"id": "p1"}]),
        model("Slider", "p3", name="other"),
    ]
}


def outline(document: dict[str, Any] = DOCUMENT) -> Outline:
    return Outline(document, frozenset({"Slider"}))


def ids(found: Outline) -> list[str]:
    return [each.id for each in found.reachable()]


def test_models_are_found_once_each_in_the_pages_order() -> None:
    assert ids(outline()) == ["p9", "p1", "p2", "p3"]


def test_properties_are_kept_of_widgets_only() -> None:
    found = outline()
    slider, div = found.get("p1"), found.get("p2")
    assert slider is not None and slider.properties == {"start": 0, "end": 5, "value": 1}
    assert div is not None and div.properties == {}
    assert found.get("p7") is None


def test_changes_of_properties_are_followed() -> None:
    found = outline()
    found.apply([{"kind": "ModelChanged", "model": {"id": "p1"}, "attr": "end", "new": 7}])
    slider = found.get("p1")
    assert slider is not None and slider.properties["end"] == 7


def test_widget_that_is_taken_out_of_the_page_cannot_be_reached_and_a_new_one_can() -> None:
    found = outline()
    found.apply([{"kind": "ModelChanged", "model": {"id": "p9"}, "attr": "children", "new": [model("Slider", "p5")]}])
    assert ids(found) == ["p9", "p5", "p3"]
    found.apply([{"kind": "ModelChanged", "model": {"id": "p9"}, "attr": "children", "new": []}])
    assert ids(found) == ["p9", "p3"]


def test_roots_come_and_go() -> None:
    found = outline()
    found.apply([{"kind": "RootAdded", "model": model("Slider", "p6")}, {"kind": "RootRemoved", "model": {"id": "p9"}}])
    assert ids(found) == ["p3", "p6"]


def test_events_that_are_not_understood_are_passed_over() -> None:
    found = outline()
    found.apply([7, {}, {"kind": "ModelChanged", "model": {"id": "p77"}, "attr": "x", "new": 1}, {"kind": "RootAdded"}])
    assert ids(found) == ["p9", "p1", "p2", "p3"]


def test_place_is_the_same_whatever_the_ids() -> None:
    one = outline({"roots": [model("Row", "p1", children=[model("Slider", "p2"), model("Slider", "p3", name="n")])]})
    other = outline({"roots": [model("Row", "q7", children=[model("Slider", "q5"), model("Slider", "q2", name="n")])]})
    assert list(one.places().values()) == list(other.places().values())
    assert one.places()["p3"] == Place("Slider", "n", 0)


def test_models_that_refer_to_each_other_are_walked_once() -> None:
    parent = model("Row", "p1", children=[model("Tool", "p2", owner={"id": "p1"})])
    assert ids(outline({"roots": [parent]})) == ["p1", "p2"]


def test_data_is_not_searched_for_models() -> None:
    data = {"type": "map", "entries": [["x", [{"id": "p3"}]], ["y", list(range(5000))]]}
    assert ids(outline({"roots": [model("Source", "p1", data=data)]})) == ["p1"]


def test_document_without_roots_is_empty() -> None:
    assert outline({}).reachable() == [] and outline({}).places() == {}
