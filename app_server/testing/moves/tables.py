"""Tables: which of their cells can be typed into."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app_server.testing.errors import hidden
from app_server.testing.moves.step import among, refuse

__tracebackhide__ = hidden


def cell(model: Any, row: int, column: str) -> str:
    """The field of a column, given by that or by its title; CannotDo if its cell in this row cannot be edited."""
    columns = list(getattr(model, "columns", ()))
    field: str = {each.title: each.field for each in columns}.get(column, column)
    if not getattr(model, "editable", False):
        raise refuse(model, "cannot be edited")
    among(model, field, [each.field for each in columns], "columns")
    if any(each.field == field and not _has_editor(each) for each in columns):
        raise refuse(model, f"the column {column!r} has no editor")
    rows = len(model.source.data[field])
    if not 0 <= row < rows:
        raise refuse(model, f"has {rows} rows, and none of index {row}")
    return field


def _has_editor(column: Any) -> bool:
    """Whether its editor, which is a model or a dictionary of Panel's, is one: the bare class edits nothing."""
    editor = column.editor
    kind = editor.get("type") if isinstance(editor, Mapping) else type(editor).__name__
    return kind not in ("CellEditor", "NoneType")
