"""A real Prometheus with the alert rules, the targets and the dashboard that `app-server config` writes."""

from __future__ import annotations

import json
import os
import re
import shutil
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app_server.deployment.plan.values import Plan
from tests.support.client import Site
from tests.support.deployments.scenes import write
from tests.support.ports import free_port
from tests.support.server import REPOSITORY, RunningServer, running_process, running_server
from tests.support.waiting import until
from tests.unit.deployment.making import planned

APPS = REPOSITORY / "tests" / "protocol" / "apps"
CONFIG = """\
global: {scrape_interval: 500ms, evaluation_interval: 500ms}
rule_files: [FOLDER/prometheus/*.rules.yml]
scrape_configs:
  - job_name: app-server
    file_sd_configs: [{files: [FOLDER/prometheus/*.targets.yml]}]
"""
UNSEEN = ("Saved sessions, by the minute",)
"""Charts of what the server under test does not do."""


@dataclass(frozen=True)
class Watched:
    """A deployment of which one instance of two is served, and the Prometheus that watches it."""

    plan: Plan
    folder: Path
    server: RunningServer
    address: str

    def ask(self, path: str, **words: str) -> Any:
        """What Prometheus's HTTP API answers."""
        address = f"{self.address}/api/v1/{path}?{urllib.parse.urlencode(words)}"
        with urllib.request.urlopen(address, timeout=30) as answer:
            found = json.load(answer)
        assert found["status"] == "success", found
        return found["data"]

    def query(self, expression: str) -> list[Any]:
        """The series that an expression has now."""
        found: list[Any] = self.ask("query", query=expression)["result"]
        return found

    def alerts(self, state: str) -> dict[str, dict[str, Any]]:
        """The alerts in this state, by their names."""
        return {each["labels"]["alertname"]: each for each in self.ask("alerts")["alerts"] if each["state"] == state}


def prometheus_program() -> str:
    """The path of prometheus. Raises AssertionError without one; `make test` installs it."""
    found = os.environ.get("APP_SERVER_TEST_PROMETHEUS") or shutil.which("prometheus")
    assert found is not None, "Prometheus is not installed: `make test` does that for root on Debian"
    return found


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("watched")
    port, own = free_port(), free_port()
    spec = f"""\
        name: tools
        apps: {{board: board.py, faulty: faulty.py}}
        public: {{hosts: localhost, port: {port}}}
        proxy: none
        instances: {{count: 2, port: {port}, address: 127.0.0.1}}
        sessions: {{max_sessions: 500}}
        service: {{memory_mb: 800}}
        server: {{metrics: yes}}
        monitoring: {{labels: {{team: "data & 'dashboards'"}}}}
        paths: {{apps: {APPS}}}
        """
    plan = planned(folder, spec)
    write(folder, "alerts", "prometheus", "grafana", plan=plan)
    (folder / "prometheus.yml").write_text(CONFIG.replace("FOLDER", str(folder)))
    command = [
        prometheus_program(), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{own}", "--log.level=warn",
    ]  # fmt: skip
    with ExitStack() as processes:
        flags = ["--metrics", "--max-sessions", "500", "--port", str(port)]
        served = processes.enter_context(running_server(APPS / "board.py", APPS / "faulty.py", *flags))
        running = processes.enter_context(running_process(command, f"http://127.0.0.1:{own}"))
        until(lambda: Site(running.url).get("/-/ready").status == 200, "Prometheus has started")
        seen = Watched(plan, folder, served, running.url)
        until(lambda: seen.query('up{deployment="tools", instance="a1", pool="tools"} == 1'), "the instance is watched")
        until(lambda: seen.query('up{deployment="tools", instance="a2", pool="tools"} == 0'), "the other one is missed")
        yield seen


def test_alert_fires_for_an_application_that_fails_and_names_it(watched: Watched) -> None:
    assert "AppServerApplicationFails" not in watched.alerts("firing")
    assert Site(watched.server.url).get("/faulty?fail=raise").status == 500
    until(lambda: "AppServerApplicationFails" in watched.alerts("firing"), "the alert fires")
    alert = watched.alerts("firing")["AppServerApplicationFails"]
    assert alert["labels"] == {
        "alertname": "AppServerApplicationFails", "application": "/faulty", "deployment": "tools", "severity": "page",
        "team": "data & 'dashboards'",
    }  # fmt: skip
    assert alert["annotations"]["summary"] == "/faulty fails to start for its visitors"


def test_every_alert_is_evaluated(watched: Watched) -> None:
    until(lambda: all(rule["health"] != "unknown" for rule in rules(watched)), "all rules are evaluated")
    assert [rule for rule in rules(watched) if rule["health"] != "ok"] == []
    assert len(rules(watched)) == 13


def rules(watched: Watched) -> list[dict[str, Any]]:
    """The rules as Prometheus has read them."""
    (group,) = watched.ask("rules")["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def test_every_chart_of_the_dashboard_shows_something(watched: Watched) -> None:
    site = Site(watched.server.url)
    dashboard = json.loads((watched.folder / "grafana" / "tools.json").read_text())
    titles = {panel["title"] for panel in dashboard["panels"]}
    assert len(titles) == len(dashboard["panels"]) > 15

    def empty() -> list[str]:
        # Rates need changes between two scrapes.
        with site.client("/board") as client:
            client.set("command", "value", "stream:1")
            client.events()
        return [panel["title"] for panel in dashboard["panels"] if not any(map(shown, panel["targets"]))]

    def shown(target: dict[str, Any]) -> bool:
        query = target["expr"].replace("$__rate_interval", "1m").replace("$application", ".*")
        return bool(watched.query(query.replace("$instance", ".*")))

    until(lambda: set(empty()) <= set(UNSEEN), "all charts have series")


def test_dashboards_lists_are_those_of_the_deployment(watched: Watched) -> None:
    dashboard = json.loads((watched.folder / "grafana" / "tools.json").read_text())
    source, *lists = dashboard["templating"]["list"]
    assert source["type"] == "datasource"
    found = {}
    for each in lists:
        series, label = re.fullmatch(r"label_values\((.*), (\w+)\)", each["query"]).groups()  # type: ignore[union-attr]
        found[each["name"]] = sorted(one["metric"][label] for one in watched.query(f"count by ({label}) ({series})"))
    assert found == {"application": ["/board", "/faulty"], "instance": ["a1", "a2"]}


def test_instance_that_does_not_run_is_noticed(watched: Watched) -> None:
    def noticed() -> dict[str, dict[str, Any]]:
        return {**watched.alerts("pending"), **watched.alerts("firing")}

    until(lambda: "AppServerInstanceDown" in noticed(), "its absence is noticed")
    assert noticed()["AppServerInstanceDown"]["annotations"]["summary"] == "Instance a2 does not answer Prometheus"
