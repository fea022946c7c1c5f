"""Cells are found by field or title; those that nothing edits are refused."""

from __future__ import annotations

from typing import Any

import pytest
from bokeh.models import CellEditor, ColumnDataSource, DataTable, NumberEditor, TableColumn

from app_server.testing.errors import CannotDo
from app_server.testing.moves.tables import cell


def table(**more: Any) -> DataTable:
    """A table with columns that are edited by text, by number, and not at all."""
    columns = [
        TableColumn(field="x", title="X"),
        TableColumn(field="y", editor=NumberEditor()),
        TableColumn(field="z", title="Z", editor=CellEditor()),
    ]
    source = ColumnDataSource({"x": ["a", "b"], "y": [1, 2], "z": [3, 4]})
    return DataTable(**{"source": source, "columns": columns, "editable": True, "name": "table", **more})


def test_columns_are_given_by_field_or_title() -> None:
    assert [cell(table(), 1, column) for column in ("x", "X", "y")] == ["x", "x", "y"]


@pytest.mark.parametrize(
    ("given", "where", "why"),
    [
        ({"editable": False}, (0, "x"), "cannot be edited"),
        ({}, (0, "w"), "'w' is not among its columns: 'x', 'y', 'z'"),
        ({}, (0, "Z"), "the column 'Z' has no editor"),
        ({}, (2, "x"), "has 2 rows, and none of index 2"),
    ],
)
def test_other_cells_are_refused(given: dict[str, Any], where: tuple[int, str], why: str) -> None:
    with pytest.raises(CannotDo) as refused:
        cell(table(**given), *where)
    assert str(refused.value) == f"DataTable 'table': {why}"
