"""The tab with the sessions, and what can be done with those that are selected."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from html import escape
from typing import Any

from bokeh.models import CustomJS
from bokeh.models.widgets import Select, TextInput

from app_server.console.feed import Instance
from app_server.console.kit import set_text
from app_server.console.reading import whole
from app_server.console.session_rows import SessionRef
from app_server.console.session_table import SessionTable
from app_server.console.tabs.base import LONGEST_MESSAGE, Order, PageParts

_SECONDS: list[Any] = [(each, f"{each} s") for each in ("5", "10", "30", "60")]
_HINT = '<p class="muted">Select a session to send its page a message, to profile it, or to end it.</p>'


class SessionsTab:
    """The sessions of all instances."""

    parts = frozenset({"sessions"})

    def __init__(self, page: PageParts) -> None:
        self._page = page
        self._instances: Sequence[Instance] = ()
        kit = page.kit
        placeholder = "Filter by session, user, application …"
        self._filter = kit.styled(TextInput, name="filter", placeholder=placeholder, sizing_mode="stretch_width")
        self._filter.on_change("value_input", lambda attr, old, new: self.show(self._instances))
        self._table = SessionTable(kit.widgets, self._selected)
        self._busy, self._chosen = kit.text("busy"), kit.text("chosen", _HINT)
        self._message = kit.styled(
            TextInput, name="message", placeholder="Message to the page", max_length=LONGEST_MESSAGE,
            styles={"flex": "1 1 240px"},
        )  # fmt: skip
        send = kit.button("Send message", self._send)
        end = kit.button("End session", partial(self._ask_to_end, True), "danger")
        self._seconds = kit.styled(Select, name="seconds", value="10", options=_SECONDS, width=90)
        profile = kit.button("Profile", self._profile)
        self._acts = kit.line(self._message, send, kit.button("Show log", self._show_log), profile, self._seconds, end)
        yes, no = kit.button("Yes, end", self._end, "danger"), kit.button("No", partial(self._ask_to_end, False))
        self._confirm = kit.line(yes, no)
        self._busy.update(visible=False)
        self._acts.update(visible=False)
        self._confirm.update(visible=False)
        self.widgets: Sequence[Any] = (
            self._filter,
            self._table.widget,
            self._busy,
            self._chosen,
            self._acts,
            self._confirm,
        )

    @property
    def fit(self) -> CustomJS:
        """What fits the table to a phone, once the page is there."""
        return self._table.fit

    def show(self, instances: Sequence[Instance]) -> None:
        """Show what the instances say."""
        self._instances = instances
        self._table.show(instances, time.time(), self._filter.value_input or "")
        set_text(self._busy, busy_note(instances))
        self._busy.update(visible=bool(self._busy.text))
        self._selected()

    def _selected(self) -> None:
        chosen = self._table.chosen()
        set_text(self._chosen, "".join(f"<div>{escape(ref.shown)}</div>" for ref in chosen[:5]) or _HINT)
        self._acts.update(visible=bool(chosen) and not self._confirm.visible)
        if not chosen:
            self._confirm.update(visible=False)

    def _ask_to_end(self, asked: bool) -> None:
        self._confirm.update(visible=asked)
        self._acts.update(visible=not asked)

    def _end(self) -> None:
        self._ask_to_end(False)
        self._page.carry_out([_order("end", ref) for ref in self._table.chosen()])

    def _show_log(self) -> None:
        for ref in self._table.chosen()[:1]:
            self._page.show_log(ref.ident_shown)

    def _profile(self) -> None:
        chosen = self._table.chosen()
        if len(chosen) > 1:
            self._page.say("Select one session: one is profiled at a time.")
            return
        seconds = float(self._seconds.value)
        self._page.carry_out([_order("profile", ref, seconds=seconds, text=f"{seconds:g} s") for ref in chosen])

    def _send(self) -> None:
        words = (self._message.value_input or self._message.value or "").strip()[:LONGEST_MESSAGE]
        if not words:
            self._page.say("Write the message first.")
            return
        self._message.update(value="")
        self._page.carry_out([_order("message", ref, text=words) for ref in self._table.chosen()])


def busy_note(instances: Sequence[Instance]) -> str:
    """How many sessions are not in the table, as their processes do not answer; "" for none."""
    busy = sum(whole(instance, "busy") for instance in instances)
    if not busy:
        return ""
    return f'<p class="warn">{busy} isolated session{"s are" if busy > 1 else " is"} busy and cannot be shown now.</p>'


def _order(act: str, ref: SessionRef, **more: str | float) -> Order:
    return Order(ref.address, {"act": act, "process": ref.process, "key": ref.key, "on": ref.shown, **more})
