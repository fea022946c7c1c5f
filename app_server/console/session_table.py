"""The table of sessions, in which some can be selected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bokeh.models import ColumnDataSource, CustomJS, InlineStyleSheet
from bokeh.models.widgets.tables import CellFormatter, DataTable, NumberFormatter, StringFormatter, TableColumn

from app_server.console.feed import Instance
from app_server.console.session_rows import COLUMNS, Columns, SessionRef, patches, refs, rows

_ROW_PX = 32
_MOST_ROWS_SHOWN = 14

_NARROW = ("session", "user", "idle", "p99")
"""The columns that fit a phone."""

_TITLES = {
    "session": ("session", 90, ""), "application": ("application", 120, ""), "user": ("user", 140, ""),
    "instance": ("instance", 90, ""), "age": ("age, min", 70, "0"), "idle": ("idle, s", 60, "0"),
    "pages": ("pages", 60, "0"), "messages": ("messages", 80, "0"), "p50": ("p50, ms", 70, "0.0"),
    "p99": ("p99, ms", 70, "0.0"), "slowest": ("slowest, ms", 90, "0.0"), "where": ("slowest callback", 210, ""),
    "memory": ("MB", 50, "0"),
}  # fmt: skip

_FIT = """
const narrow = window.matchMedia("(max-width: 640px)")
const fit = () => { table.columns = narrow.matches ? few : all }
narrow.addEventListener("change", fit)
if (narrow.matches) fit()
"""


class SessionTable:
    """The sessions that are shown; `selected` is called when the operator has selected others."""

    def __init__(self, stylesheet: InlineStyleSheet, selected: Callable[[], None]) -> None:
        self._source = ColumnDataSource({name: [] for name in COLUMNS}, name="sessions")
        self._refs: dict[str, SessionRef] = {}
        self._shown: Columns = {name: [] for name in COLUMNS}
        self._chosen: list[str] = []
        self._selected = selected
        columns = {name: _column(name) for name in _TITLES}
        self.widget = DataTable(
            source=self._source, columns=list(columns.values()), index_position=None, sizing_mode="stretch_width",
            height=_height(1), row_height=_ROW_PX, stylesheets=[stylesheet], autosize_mode="none", reorderable=False,
        )  # fmt: skip
        narrow = [columns[name] for name in _NARROW]
        self._fit = CustomJS(args={"table": self.widget, "few": narrow, "all": list(columns.values())}, code=_FIT)
        self._source.selected.on_change("indices", lambda attr, old, new: self._select(new))

    @property
    def fit(self) -> CustomJS:
        """What shows fewer columns on a phone; to be run when the page is there."""
        return self._fit

    def chosen(self) -> list[SessionRef]:
        """The sessions that are selected and still there."""
        return [self._refs[ident] for ident in self._chosen if ident in self._refs]

    def show(self, instances: Sequence[Instance], now_s: float, wanted: str) -> None:
        """Show these sessions; those that were selected stay so."""
        self._refs = refs(instances)
        fresh = rows(instances, now_s, wanted)
        changed = patches(self._shown, fresh)
        self._shown = fresh
        if changed:
            self._source.patch(changed)
        elif changed is None:
            self._replace(fresh)

    def _replace(self, fresh: dict[str, list[Any]]) -> None:
        chosen = set(self._chosen)
        places = [place for place, ident in enumerate(fresh["ref"]) if ident in chosen]
        self._source.selected.update(indices=[])
        self._source.update(data=dict(fresh))
        self._source.selected.update(indices=places)
        self._chosen = [fresh["ref"][place] for place in places]
        self.widget.update(height=_height(len(fresh["ref"])))

    def _select(self, places: Sequence[int]) -> None:
        idents = self._shown["ref"]
        self._chosen = [idents[place] for place in places if 0 <= place < len(idents)]
        self._selected()


def _height(count: int) -> int:
    return _ROW_PX * (min(max(count, 3), _MOST_ROWS_SHOWN) + 1) + 20


def _column(name: str) -> TableColumn:
    title, width, number_format = _TITLES[name]
    formatter: CellFormatter = StringFormatter()
    if number_format:
        formatter = NumberFormatter(format=number_format, text_align="right", nan_format="–", null_format="–")
    return TableColumn(field=name, title=title, width=width, formatter=formatter)
