"""The tab with what can be done with instances: maintenance, and draining."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape
from typing import Any

from bokeh.layouts import column
from bokeh.models.widgets import Select, TextInput

from app_server.console.feed import Instance
from app_server.console.kit import set_text
from app_server.console.reading import text
from app_server.console.tabs.base import LONGEST_MESSAGE, Order, PageParts

_ALL = "all instances"
_ABOUT = (
    "<p><b>Maintenance</b> turns new visitors away with a page that says so, until it is switched off or the server "
    "ends. Open sessions go on.</p><p><b>Drain</b> stops an instance once its sessions have ended, as "
    "<code>app-server drain</code> does.</p>"
)


class MaintenanceTab:
    """One instance, or all of them."""

    parts = frozenset[str]()

    def __init__(self, page: PageParts) -> None:
        self._page = page
        self._instances: Sequence[Instance] = ()
        self._asked = ""
        kit = page.kit
        self._where = kit.styled(Select, name="instance", title="Instance", value=_ALL, options=[_ALL], width=240)
        self._words = kit.styled(
            TextInput, name="maintenance", title="What new visitors read", placeholder="We are back at noon.",
            sizing_mode="stretch_width", max_length=LONGEST_MESSAGE,
        )  # fmt: skip
        buttons = kit.line(
            kit.button("Maintenance on", partial(self._ask, "maintenance on")),
            kit.button("Maintenance off", partial(self._carry_out, "maintenance off")),
            kit.button("Drain", partial(self._ask, "drain"), "danger"),
        )
        self._question = kit.text("question")
        answers = kit.line(kit.button("Yes", self._confirmed, "danger"), kit.button("No", partial(self._ask, "")))
        self._confirm = column(self._question, answers, sizing_mode="stretch_width")
        self._confirm.update(visible=False)
        self.widgets: Sequence[Any] = (kit.text("about", _ABOUT), self._where, self._words, buttons, self._confirm)

    def show(self, instances: Sequence[Instance]) -> None:
        """Offer these instances."""
        self._instances = instances
        options: list[Any] = [_ALL, *(text(instance, "name", 100) for instance in instances)]
        if options != self._where.options:
            self._where.update(options=options)

    def _ask(self, act: str) -> None:
        self._asked = act
        self._confirm.update(visible=bool(act))
        question = "stops when its sessions have ended" if act == "drain" else "turns new visitors away"
        set_text(self._question, f"<p>{escape(str(self._where.value))}: {question}. Go on?</p>")

    def _confirmed(self) -> None:
        act = self._asked
        self._ask("")
        self._carry_out(act)

    def _carry_out(self, act: str) -> None:
        words = self._words.value_input if act == "maintenance on" else ""
        chosen = [each for each in self._instances if self._where.value in (_ALL, text(each, "name", 100))]
        if not chosen:
            self._page.say(f"{self._where.value} is not among the instances any more. Choose another one.")
            return
        fields = {"act": act, "text": (words or "").strip()}
        self._page.carry_out(
            [Order(text(each, "address"), {**fields, "on": text(each, "name", 100)}) for each in chosen]
        )
