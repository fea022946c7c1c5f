"""The first tab: charts, instances, applications and processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bokeh.layouts import row

from app_server.console import tables
from app_server.console.charts import Charts, legend
from app_server.console.feed import Instance
from app_server.console.kit import Kit, set_text


class OverviewTab:
    """How the deployment is, and was in the last minutes."""

    parts = frozenset({"history"})

    def __init__(self, kit: Kit) -> None:
        self._charts = Charts([kit.widgets])
        self._legend, self._tables = kit.text("legend"), kit.text("overview")
        wrapped = {"flex-wrap": "wrap", "gap": "4px 12px"}
        charts = row(*self._charts.figures, sizing_mode="stretch_width", styles=wrapped)
        self.widgets: Sequence[Any] = (self._legend, charts, self._tables)

    def show(self, instances: Sequence[Instance]) -> None:
        """Show what the instances say."""
        self._charts.show(instances)
        set_text(self._legend, legend(instances))
        set_text(
            self._tables,
            f"<h2>Instances</h2>{tables.instances_table(instances)}"
            f"<h2>Applications</h2>{tables.applications_table(instances)}"
            f"<h2>Processes</h2>{tables.processes_table(instances)}",
        )
