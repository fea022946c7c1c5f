"""The events of Panel's tables, which tell of a cell that is edited."""

from __future__ import annotations

from inspect import signature
from typing import Any

from app_server.guests.guest import Events


def edits(column: str, row: int, value: Any, old: Any) -> tuple[Events, Events]:
    """The events before and after the cell's new value is in the data."""
    from panel.models.tabulator import TableEditEvent

    cell = {"column": column, "row": row}
    if "pre" in signature(TableEditEvent).parameters:  # until Panel 1.9
        return [("table-edit", {**cell, "pre": True})], [("table-edit", {**cell, "pre": False})]
    return [("table-edit", {**cell, "value": value, "old": old})], []
