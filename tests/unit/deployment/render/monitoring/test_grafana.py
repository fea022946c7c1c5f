"""The dashboard: its place in Grafana, and the places of its charts."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

from app_server.deployment.render import render
from tests.unit.deployment.making import MINIMAL, planned

METRICS = "server: {metrics: yes}\n"


def dashboard(folder: Path, more: str = "") -> dict[str, Any]:
    """The dashboard of a deployment."""
    (file,) = render("grafana", planned(folder, MINIMAL + METRICS + more)).values()
    found: dict[str, Any] = json.loads(file.text)
    return found


def test_charts_are_beside_each_other_and_never_on_top(tmp_path: Path) -> None:
    panels = dashboard(tmp_path)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
    for one, other in itertools.combinations([panel["gridPos"] for panel in panels], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below


def test_dashboard_keeps_its_address_and_has_one_of_its_own(tmp_path: Path) -> None:
    one, again, other = dashboard(tmp_path), dashboard(tmp_path, "instances: 4\n"), dashboard(tmp_path, "name: more\n")
    assert one["uid"] == again["uid"] != other["uid"]
    assert len(one["uid"]) <= 40  # Grafana's limit


def test_every_query_is_about_this_deployment(tmp_path: Path) -> None:
    for panel in dashboard(tmp_path, "name: tools\n")["panels"]:
        for target in panel["targets"]:
            assert target["expr"].count("app_server_") + target["expr"].count("up{") == target["expr"].count(
                '{deployment="tools"'
            ), target["expr"]


def test_store_has_a_chart_only_where_there_is_one(tmp_path: Path) -> None:
    titles = [
        {panel["title"] for panel in dashboard(tmp_path, more)["panels"]} for more in ("", "sessions: {store: off}\n")
    ]
    assert titles[0] - titles[1] == {"Saved sessions, by the minute"}
