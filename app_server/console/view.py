"""One operator's page of the console: its tabs, kept up to date, and what came of acts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from html import escape
from typing import Any, Protocol, cast

from bokeh.document import Document
from bokeh.layouts import column
from bokeh.models import CustomJS, TabPanel, Tabs

from app_server.console import tables
from app_server.console.feed import Feed, Instance
from app_server.console.kit import Kit, set_text
from app_server.console.tabs.base import Order, PageParts
from app_server.console.tabs.log import LogTab
from app_server.console.tabs.maintenance import MaintenanceTab
from app_server.console.tabs.overview import OverviewTab
from app_server.console.tabs.profiles import ProfilesTab
from app_server.console.tabs.reading import ReadingTab
from app_server.console.tabs.sessions import SessionsTab

REFRESH_MS = 2000


class Tab(Protocol):
    """A tab: what it needs to know of the instances, its widgets, and how it shows that."""

    @property
    def parts(self) -> Collection[str]: ...

    @property
    def widgets(self) -> Sequence[Any]: ...

    def show(self, instances: Sequence[Instance]) -> None: ...


class View:
    """The page of one operator, who is called `who` in the audit log."""

    def __init__(self, document: Document, feed: Feed, who: str, logout_url: str = "") -> None:
        self._document = document
        self._feed = feed
        self._who = who
        self._logout_url = logout_url
        kit = Kit()
        self._headline, self._result = kit.text("headline"), kit.text("result")
        self._result.update(visible=False)
        page = PageParts(kit, self._carry_out, self._say, self._show_log)
        self._sessions, self._log = SessionsTab(page), LogTab(kit)
        shown: Mapping[str, Tab] = {
            "Overview": OverviewTab(kit),
            "Sessions": self._sessions,
            "Log": self._log,
            "Profiles": ProfilesTab(kit),
            "Stalls": ReadingTab(kit, "stalls", tables.stalls_list),
            "Maintenance": MaintenanceTab(page),
            "Audit": ReadingTab(kit, "audit", tables.audit_table),
        }
        self._tabs = list(shown.values())
        panels = [_panel(title, tab) for title, tab in shown.items()]
        self._chooser = kit.styled(Tabs, name="tabs", tabs=panels, sizing_mode="stretch_width")
        self._chooser.on_change("active", lambda attr, old, new: self._refresh_soon())
        document.add_root(column(self._headline, self._result, self._chooser, sizing_mode="stretch_width"))
        document.add_periodic_callback(cast(Any, self.refresh), REFRESH_MS)
        self._refresh_soon()

    @property
    def fit(self) -> CustomJS:
        """What fits the page to a phone, once it is there."""
        return self._sessions.fit

    def _refresh_soon(self) -> None:
        self._document.add_next_tick_callback(cast(Any, self.refresh))

    async def refresh(self) -> None:
        """Ask the instances what the open tab needs, and show what has changed."""
        tab = self._open_tab
        instances = await self._feed.look(tab.parts)
        set_text(self._headline, tables.headline(instances, self._who, self._logout_url))
        tab.show(instances)

    @property
    def _open_tab(self) -> Tab:
        active = int(self._chooser.active)
        return self._tabs[active if 0 <= active < len(self._tabs) else 0]

    def _show_log(self, session: str) -> None:
        self._log.choose(session)
        self._chooser.update(active=self._tabs.index(self._log))

    # Acts, one after another, and what came of them.

    def _carry_out(self, orders: Sequence[Order]) -> None:
        if orders:
            self._document.add_next_tick_callback(cast(Any, partial(self._carry_out_all, orders)))

    async def _carry_out_all(self, orders: Sequence[Order]) -> None:
        results = []
        for order in orders:
            self._say("One moment …")
            result = await self._feed.act(order.address, order.fields, self._who)
            results.append(f"{order.fields['act']}, {order.fields['on']}: {result}")
        self._say("\n".join(results))
        await self.refresh()

    def _say(self, words: str) -> None:
        lines = "".join(f"<div>{escape(line)}</div>" for line in words.split("\n"))
        set_text(self._result, f'<div class="result" role="status">{lines}</div>')
        self._result.update(visible=True)


def _panel(title: str, tab: Tab) -> TabPanel:
    child = column(*tab.widgets, sizing_mode="stretch_width", styles={"padding-top": "10px"})
    return TabPanel(title=title, child=child)
