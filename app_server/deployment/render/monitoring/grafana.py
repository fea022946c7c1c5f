"""A dashboard for Grafana 10 and newer, as its import page and its file provisioning take it.

The data source is chosen in the dashboard, and so are the applications and instances that its charts show.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from app_server.deployment.plan.values import Plan
from app_server.deployment.render import File, Files
from app_server.deployment.render.monitoring.queries import by, need_metrics, quantile, rate, series

_SOURCE: Final = {"type": "prometheus", "uid": "${source}"}
_APPLICATION: Final = 'application=~"$application"'
_INSTANCE: Final = 'instance=~"$instance"'
_AT: Final = (_APPLICATION, _INSTANCE)
_WINDOW: Final = "$__rate_interval"
_SCHEMA_VERSION: Final = 39
_WIDTH: Final = 24
"""How many columns a dashboard has."""


@dataclass(frozen=True, slots=True)
class Panel:
    """A chart, or a row of figures; `queries` are pairs of PromQL and the legend of its series."""

    title: str
    about: str
    queries: Sequence[tuple[str, str]]
    unit: str
    kind: Literal["timeseries", "stat", "heatmap"] = "timeseries"
    stacked: bool = False
    width: int = 8
    height: int = 8


def wanted(plan: Plan) -> bool:
    """Whether the instances have metrics."""
    return plan.has_metrics


def render(plan: Plan) -> Files:
    """One dashboard."""
    need_metrics(plan)
    text = json.dumps(dashboard(plan), indent=1, ensure_ascii=False) + "\n"
    return {f"grafana/{plan.name}.json": File(text, install=f"/var/lib/grafana/dashboards/{plan.name}.json")}


def dashboard(plan: Plan) -> dict[str, Any]:
    """The dashboard as Grafana's JSON model has it. The same deployment keeps its address in Grafana."""
    return {
        "uid": f"app-server-{hashlib.sha256(plan.name.encode()).hexdigest()[:12]}",
        "title": plan.name,
        "description": f"{plan.site.url}; written by app-server, so changes are lost when it is written again.",
        "tags": ["app-server"],
        "schemaVersion": _SCHEMA_VERSION,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": list(_variables(plan))},
        "annotations": {"list": [_restarts(plan)]},
        "panels": list(_placed([*_figures(plan), *_people(plan), *_speed(plan), *_machine(plan)])),
    }


def _variables(plan: Plan) -> Iterator[dict[str, Any]]:
    yield {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    for name, metric in (("application", "app_server_sessions"), ("instance", "up")):
        yield {
            "name": name,
            "label": name.capitalize(),
            "type": "query",
            "datasource": _SOURCE,
            "query": f'label_values({metric}{{deployment="{plan.name}"}}, {name})',
            "refresh": 2,
            "includeAll": True,
            "multi": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
            "sort": 1,
        }


def _restarts(plan: Plan) -> dict[str, Any]:
    return {
        "name": "Starts",
        "datasource": _SOURCE,
        "enable": True,
        "iconColor": "orange",
        "expr": f"changes({series(plan, 'start_time_seconds', _INSTANCE)}[1m]) > 0",
        "titleFormat": "process {{process}} of {{instance}} has started",
    }


def _figures(plan: Plan) -> Iterator[Panel]:
    p99 = quantile(0.99, "deployment", series(plan, "round_trip_seconds_bucket", *_AT), "5m")
    for title, about, query, unit in (
        ("Sessions", "Sessions that live now.", f"sum({series(plan, 'sessions', *_AT)})", "none"),
        ("Connections", "Open sockets of pages.", f"sum({series(plan, 'connections', *_AT)})", "none"),
        (
            "Opened in an hour",
            "Sessions that were built in the last hour.",
            f"sum(increase({series(plan, 'sessions_opened_total', *_AT)}[1h]))",
            "none",
        ),
        ("Instances", "Instances that answer.", f"sum({series(plan, 'up', _INSTANCE)})", "none"),
        ("Round trip, p99", "99 of 100 changes were answered within this time.", p99, "s"),
        ("Memory", "Of all instances.", f"sum({series(plan, 'resident_memory_bytes', _INSTANCE)})", "bytes"),
    ):
        yield Panel(title, about, ((query, ""),), unit, "stat", width=4, height=4)


def _people(plan: Plan) -> Iterator[Panel]:
    yield Panel(
        "Sessions by application",
        "Sessions that live; a closed page's session lives a little longer.",
        ((by("application", series(plan, "sessions", *_AT)), "{{application}}"),),
        "none",
        stacked=True,
    )
    yield Panel(
        "Sessions by instance",
        "Whether the balancer divides visitors evenly.",
        ((by("instance", series(plan, "sessions", *_AT)), "{{instance}}"),),
        "none",
    )
    yield Panel(
        "Opened and refused, by the minute",
        "Sessions that were built, and pages, scripts and sockets that were refused, by the reason.",
        (
            (f"60 * {by('application', rate(plan, 'sessions_opened_total', _WINDOW, *_AT))}", "{{application}} opened"),
            (f"60 * {by('reason', rate(plan, 'opens_refused_total', _WINDOW, *_AT))} > 0", "refused: {{reason}}"),
        ),
        "none",
    )


def _speed(plan: Plan) -> Iterator[Panel]:
    trips = series(plan, "round_trip_seconds_bucket", *_AT)
    yield Panel(
        "Round trips",
        "From the arrival of a change to its answer: half of them, and 99 of 100, take no longer.",
        tuple(
            (quantile(share, "application", trips, _WINDOW), f"{{{{application}}}} {name}")
            for share, name in ((0.5, "p50"), (0.99, "p99"))
        ),
        "s",
    )
    yield Panel(
        "Round trips, spread",
        "How many changes took how long.",
        ((by("le", f"rate({trips}[{_WINDOW}])"), "{{le}}"),),
        "s",
        "heatmap",
    )
    yield Panel(
        "Callbacks, p99",
        "How long the applications' code takes, by the kind of callback.",
        ((quantile(0.99, "kind", series(plan, "callback_seconds_bucket", *_AT), _WINDOW), "{{kind}}"),),
        "s",
    )
    yield Panel(
        "Building a session, p90",
        "How long a visitor waits for the application's code before there is a page.",
        (
            (
                quantile(0.9, "application", series(plan, "session_build_seconds_bucket", *_AT), _WINDOW),
                "{{application}}",
            ),
        ),
        "s",
    )
    yield Panel(
        "Event loop, longest lag",
        "How late the loop ran at most in the last minute or two: meanwhile it serves no one.",
        ((series(plan, "loop_recent_lag_seconds", _INSTANCE), "{{instance}}, process {{process}}"),),
        "s",
    )
    yield Panel(
        "Changes",
        "Messages from browsers and to them, by the second.",
        (
            (f"sum({rate(plan, 'messages_received_total', _WINDOW, *_AT)})", "received"),
            (f"sum({rate(plan, 'messages_sent_total', _WINDOW, *_AT)})", "sent"),
        ),
        "none",
    )


def _machine(plan: Plan) -> Iterator[Panel]:
    yield Panel(
        "Memory by instance",
        "Resident memory of its processes, and that of sessions with processes of their own.",
        (
            (by("instance", series(plan, "resident_memory_bytes", _INSTANCE)), "{{instance}}"),
            (
                f"{by('instance', series(plan, 'sessions_apart_memory_bytes', *_AT))} > 0",
                "{{instance}}, sessions' processes",
            ),
        ),
        "bytes",
    )
    yield Panel(
        "Traffic over WebSockets",
        "Bytes from browsers and to them, by the second, and bytes that wait for slow browsers.",
        (
            (f"sum({rate(plan, 'received_bytes_total', _WINDOW, *_AT)})", "received a second"),
            (f"sum({rate(plan, 'sent_bytes_total', _WINDOW, *_AT)})", "sent a second"),
            (f"sum({series(plan, 'queue_bytes', *_AT)})", "queued"),
        ),
        "bytes",
    )
    yield Panel(
        "HTTP answers",
        "By the second and by their status.",
        ((by("status", rate(plan, "http_answers_total", _WINDOW, _INSTANCE)), "{{status}}"),),
        "none",
        stacked=True,
    )
    if plan.store.kind != "off":
        yield Panel(
            "Saved sessions, by the minute",
            "How often sessions were written, restored, and could not be written.",
            tuple(
                (f"60 * sum({rate(plan, metric, _WINDOW, _INSTANCE)})", name)
                for metric, name in (
                    ("sessions_saved_total", "written"),
                    ("sessions_restored_total", "restored"),
                    ("store_failures_total", "failed"),
                )
            ),
            "none",
        )


def _placed(panels: Iterable[Panel]) -> Iterator[dict[str, Any]]:
    """The panels beside each other, in rows as wide as the dashboard."""
    x = y = height = 0
    for number, panel in enumerate(panels, 1):
        if x + panel.width > _WIDTH:
            x, y, height = 0, y + height, 0
        yield {**_json(panel), "id": number, "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height}}
        x, height = x + panel.width, max(height, panel.height)


def _json(panel: Panel) -> dict[str, Any]:
    targets = [
        {
            "refId": chr(ord("A") + number),
            "datasource": _SOURCE,
            "expr": query,
            "legendFormat": legend or "__auto",
            **({"format": "heatmap"} if panel.kind == "heatmap" else {}),
            **({"instant": True} if panel.kind == "stat" else {}),
        }
        for number, (query, legend) in enumerate(panel.queries)
    ]
    custom = {"stacking": {"mode": "normal"}, "fillOpacity": 40} if panel.stacked else {"fillOpacity": 8}
    options: dict[str, Any] = {}
    if panel.kind == "heatmap":
        custom, options = {}, {"calculate": False, "yAxis": {"unit": panel.unit}}
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": _SOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0, "custom": custom}, "overrides": []},
        "options": options,
    }
