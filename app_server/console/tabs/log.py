"""The tab with the lines of the log, filtered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bokeh.models.widgets import Select, TextInput

from app_server.console import tables
from app_server.console.feed import Instance
from app_server.console.kit import Kit, set_text
from app_server.console.reading import entries, text


class LogTab:
    """The latest lines of all processes."""

    parts = frozenset({"log"})

    def __init__(self, kit: Kit) -> None:
        self._instances: Sequence[Instance] = ()
        levels = list(tables.LEVELS)
        self._level = kit.styled(Select, name="level", title="Level", value="info", options=levels, width=110)
        self._application = kit.styled(
            Select, name="application", title="Application", value="", options=[("", "all")], width=180
        )
        self._session = kit.styled(
            TextInput, name="session", title="Session", placeholder="its first characters", width=160
        )
        self._words = kit.styled(
            TextInput, name="words", title="Words", placeholder="in the line", styles={"flex": "1 1 160px"}
        )
        self._lines = kit.text("log")
        for select in (self._level, self._application):
            select.on_change("value", lambda attr, old, new: self.show(self._instances))
        for field in (self._session, self._words):
            field.on_change("value_input", lambda attr, old, new: self.show(self._instances))
        filters = kit.line(self._level, self._application, self._session, self._words)
        self.widgets: Sequence[Any] = (filters, self._lines)

    def choose(self, session: str) -> None:
        """Show only the lines of this session, of every level."""
        self._session.update(value=session, value_input=session)
        self._level.update(value=tables.LEVELS[0])
        self._application.update(value="")
        self._words.update(value="", value_input="")

    def show(self, instances: Sequence[Instance]) -> None:
        """Show what the instances say."""
        self._instances = instances
        self._offer_applications()
        html = tables.log_table(
            instances,
            level=str(self._level.value),
            application=str(self._application.value),
            session=(self._session.value_input or "").strip(),
            words=self._words.value_input or "",
        )
        set_text(self._lines, html)

    def _offer_applications(self) -> None:
        found = {text(line, "application", 200) for each in self._instances for line in entries(each, "log")}
        options: list[Any] = [("", "all"), *((url, url) for url in sorted(found) if url)]
        if options != self._application.options:
            self._application.update(options=options)
