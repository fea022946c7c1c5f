"""Widgets of Jupyter end with the document that they are in."""

from __future__ import annotations

import gc
import importlib
import sys
import weakref
from typing import Any

import pytest

from app_server.document import current, ids
from app_server.document.ids import ModelIds
from app_server.document.served import ServedDocument
from app_server.guests import guest_for
from app_server.guests.jupyter import forget_widgets
from tests.unit.guests.making import context_of, request

pn: Any
ipw: Any


@pytest.fixture(autouse=True, scope="module")
def _imported() -> None:
    """Panel, now and not before: once it is there, it adds to every page of the process."""
    global pn, ipw
    guest_for({"panel"})
    pn, ipw = importlib.import_module("panel"), importlib.import_module("ipywidgets")


@pytest.fixture(autouse=True)
def _installed() -> None:
    current.install()
    ids.install()


def instances() -> dict[str, Any]:
    """The widgets of this process."""
    found: dict[str, Any] = importlib.import_module("ipywidgets.widgets.widget")._instances
    return found


async def shown() -> tuple[weakref.ref[Any], ServedDocument]:
    """A document with a widget in it, and a reference to the widget."""
    document = ServedDocument(ModelIds("a session"))
    document.kept = context_of(document, request())  # type: ignore[attr-defined]
    with document.at_work(), guest_for({"panel"}).building(document):
        pn.extension("ipywidgets")
        slider = ipw.IntSlider(value=3)
        pn.Column(slider).servable()
    assert any(widget is slider for widget in instances().values())
    return weakref.ref(slider), document


async def test_widgets_are_forgotten_with_their_document() -> None:
    before = len(instances())
    slider, document = await shown()
    other_slider, other = await shown()
    guest_for({"panel"}).ended(document)
    document.destroy()
    gone = weakref.ref(document)
    del document
    gc.collect()
    assert slider() is None and gone() is None
    kept = other_slider()
    assert kept is not None and any(widget is kept for widget in instances().values())
    guest_for({"panel"}).ended(other)
    assert len(instances()) == before


async def test_saved_session_leaves_the_widgets_out() -> None:
    _, document = await shown()
    guest_for({"panel"}).saves(document)
    (model,) = [each for each in document.models if type(each).__name__ == "IPyWidget"]
    assert document.session_context is not None
    assert set(document.session_context.excluded) == {model.id}
    guest_for({"panel"}).ended(document)


def test_nothing_is_forgotten_where_there_are_no_widgets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ipywidgets.widgets.widget", raising=False)
    forget_widgets(ServedDocument(ModelIds("a session")))
    assert "ipywidgets.widgets.widget" not in sys.modules, "it is not imported for that"
