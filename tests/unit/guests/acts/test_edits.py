"""Tables of Panel's hear of cells that are edited, as their callbacks do."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from app_server.guests.acts.edits import edits
from app_server.testing import CannotDo, open_app

pn: Any


@pytest.fixture(autouse=True, scope="module")
def _imported() -> None:
    """Panel, now and not before: once it is there, it adds to every page of the process."""
    global pn
    pn = importlib.import_module("panel")


def table(**more: Any) -> tuple[Any, list[Any]]:
    """A table, and what its callbacks hear of edits."""
    pandas = importlib.import_module("pandas")
    made, heard = pn.widgets.Tabulator(pandas.DataFrame({"a": range(30), "b": ["x"] * 30}), **more), []
    made.on_edit(lambda event: heard.append((event.column, event.row, event.old, event.value)))
    return made, heard


def test_callbacks_hear_of_edits_when_the_value_is_there() -> None:
    made, heard = table()
    with open_app(pn.Column(made)) as app:
        app.edit(made, 1, "a", 20)
        app.edit(app.find("DataTabulator"), 2, "b", "y")
        assert heard == [("a", 1, 1, 20), ("b", 2, "x", "y")]
        assert (made.value["a"][1], made.value["b"][2]) == (20, "y")


def test_rows_are_those_of_the_page_of_the_table() -> None:
    made, heard = table(pagination="remote", page_size=10)
    with open_app(pn.Column(made)) as app:
        app.set(app.find("DataTabulator"), page=3)
        app.edit(made, 1, "a", 7)
        assert (made.value["a"][21], heard) == (7, [("a", 21, 21, 7)])


def test_columns_without_an_editor_are_not_edited() -> None:
    made, heard = table(editors={"a": None})
    with open_app(pn.Column(made)) as app:
        with pytest.raises(CannotDo, match="the column 'a' has no editor"):
            app.edit(made, 0, "a", 1)
        app.edit(made, 0, "b", "z")
        assert heard == [("b", 0, "x", "z")]


def test_events_are_those_of_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    tabulator = importlib.import_module("panel.models.tabulator")
    monkeypatch.setattr(tabulator, "TableEditEvent", lambda model, column, row, pre=False: None)
    cell = {"column": "a", "row": 1}
    before, after = edits("a", 1, 5, 4)
    assert (before, after) == ([("table-edit", {**cell, "pre": True})], [("table-edit", {**cell, "pre": False})])
    monkeypatch.setattr(tabulator, "TableEditEvent", lambda model, column, row, value=None, old=None: None)
    assert edits("a", 1, 5, 4) == ([("table-edit", {**cell, "value": 5, "old": 4})], [])
