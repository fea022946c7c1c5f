"""The tab with the profiles that operators have taken of sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from bokeh.models.widgets import Select

from app_server.console.feed import Instance
from app_server.console.figures import clock
from app_server.console.flame import FlameGraph
from app_server.console.kit import Kit, set_text
from app_server.console.reading import entries, known, number, text
from app_server.observe.profile import flame

_HINT = (
    '<p class="muted">Select a session in the tab Sessions, and press Profile: what its callbacks do then is sampled, '
    "and shown here. Meanwhile someone has to use the session.</p>"
)


class ProfilesTab:
    """The last profiles of all instances, one at a time."""

    parts = frozenset({"profiles"})

    def __init__(self, kit: Kit) -> None:
        self._found: dict[str, Any] = {}
        self._shown = ""
        self._chooser = kit.styled(Select, name="profile", title="Profile", value="", options=[], visible=False)
        self._chooser.on_change("value", lambda attr, old, new: self._draw())
        self._about = kit.text("about-profile", _HINT)
        self._graph = FlameGraph()
        self._graph.widget.update(visible=False)
        self.widgets: Sequence[Any] = (self._chooser, self._about, self._graph.widget)

    def show(self, instances: Sequence[Instance]) -> None:
        """Show what the instances say; a new profile is chosen at once."""
        each = [(instance, entry) for instance in instances for entry in entries(instance, "profiles")]
        each.sort(key=lambda pair: -(known(number(pair[1], "at_s")) or 0.0))
        found = {f"{text(instance, 'address')} {number(entry, 'at_s')}": entry for instance, entry in each}
        if list(found) == list(self._found):
            return
        self._found = found
        options: list[Any] = [(ident, title(entry)) for ident, entry in found.items()]
        self._chooser.update(options=options, value=next(iter(found), ""), visible=bool(found))
        self._draw()

    def _draw(self) -> None:
        entry = self._found.get(str(self._chooser.value))
        if entry is None or self._shown == self._chooser.value:
            return
        self._shown = str(self._chooser.value)
        calls = entry.get("calls")
        self._graph.show(flame(calls if isinstance(calls, list) else ()))
        self._graph.widget.update(visible=True)
        busy_s, duration_s = number(entry, "busy_s"), number(entry, "duration_s")
        words = f"Callbacks ran for {busy_s:.2f} s of {duration_s:.1f} s. Point at a bar for its file and line."
        set_text(self._about, f"<p>{escape(words)}</p>")


def title(entry: Mapping[str, Any]) -> str:
    """What a profile is called: when it was taken, in UTC as in the log, and of which session."""
    return f"{clock(number(entry, 'at_s'))}  {text(entry, 'on', 100)}"
