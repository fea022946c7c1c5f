"""Prometheus's alert rules for a deployment (Prometheus 2.x and 3.x, rule files).

`page` is for what keeps people from working now, `ticket` for what an operator should look at within days.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

from app_server.deployment.plan.values import Plan
from app_server.deployment.render import File, Files
from app_server.deployment.render.monitoring.queries import by, equal, need_metrics, quantile, rate, series
from app_server.deployment.render.templates import comments

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert rule: it fires when `expression` has given a result for as long as `lasts`.

    `summary` says what happened, `action` what to do; both are templates of Prometheus.
    """

    name: str
    expression: str
    lasts: str
    severity: Literal["page", "ticket"]
    summary: str
    action: str
    labels: dict[str, str] = field(default_factory=dict)

    def rule(self) -> dict[str, Any]:
        """The rule as Prometheus reads it."""
        return {
            "alert": self.name,
            "expr": self.expression,
            "for": self.lasts,
            "labels": {**self.labels, "severity": self.severity},
            "annotations": {"summary": self.summary, "description": self.action},
        }


def wanted(plan: Plan) -> bool:
    """Whether the instances have metrics."""
    return plan.has_metrics


def render(plan: Plan) -> Files:
    """One file of rules."""
    need_metrics(plan)
    rules = [alert.rule() for alert in alerts(plan)]
    text = comments(plan, "alerts")
    groups = {"groups": [{"name": plan.name, "rules": rules}]}
    text += yaml.safe_dump(groups, sort_keys=False, width=10_000, allow_unicode=True)
    path = f"/etc/prometheus/rules/{plan.name}.yml"
    return {f"prometheus/{plan.name}.rules.yml": File(text, install=path)}


def alerts(plan: Plan) -> Iterator[Alert]:
    """The alerts of this deployment; those about a limit or a store only where it has one."""
    labels = {"deployment": plan.name, **plan.spec.monitoring.labels}
    for alert in (*_instances(plan), *_visitors(plan), *_speed(plan), *_memory(plan), *_store(plan)):
        yield Alert(alert.name, alert.expression, alert.lasts, alert.severity, alert.summary, alert.action, labels)


def _instances(plan: Plan) -> Iterator[Alert]:
    yield Alert(
        "AppServerInstanceDown",
        f"{series(plan, 'up')} == 0",
        "1m",
        "page",
        "Instance {{ $labels.instance }} does not answer Prometheus",
        "Look whether it runs and what it logged last. If it runs, check that Prometheus may reach its address.",
    )
    yield Alert(
        "AppServerInstanceMissing",
        f"count({series(plan, 'up')}) < {len(plan.instances)} or absent({series(plan, 'up')})",
        "5m",
        "ticket",
        f"Prometheus asks fewer than the {len(plan.instances)} instances of {plan.name}",
        "Give Prometheus the addresses again: `app-server config prometheus`.",
    )
    yield Alert(
        "AppServerRestarts",
        f"max by (instance) (changes({series(plan, 'start_time_seconds')}[15m])) > 3",
        "0m",
        "page",
        "Instance {{ $labels.instance }} has started again {{ $value }} times in 15 minutes",
        "Its log has the reason of the last end: an exception, memory (look for SIGKILL), or a hang.",
    )
    yield Alert(
        "AppServerProcessSilent",
        f"{series(plan, 'silent_processes')} > 0",
        "2m",
        "page",
        "{{ $value }} processes of instance {{ $labels.instance }} do not answer",
        "A callback blocks them. The log has its stack; --hang-timeout would end such a process.",
    )


def _visitors(plan: Plan) -> Iterator[Alert]:
    answers = rate(plan, "http_answers_total", "5m")
    failed = rate(plan, "http_answers_total", "5m", equal("status", "5xx"))
    yield Alert(
        "AppServerApplicationFails",
        _refused(plan, "failed", "5m"),
        "0m",
        "page",
        "{{ $labels.application }} fails to start for its visitors",
        "Its exception, with file and line, is in the log of the instances.",
    )
    yield Alert(
        "AppServerOriginRefused",
        _refused(plan, "origin", "10m"),
        "5m",
        "ticket",
        "{{ $labels.application }} refuses sockets of pages from another address: they stay empty",
        "If the address that the log names is yours, add it to public.hosts, or to embedding.origins.",
    )
    yield Alert(
        "AppServerErrors",
        f"{by('instance', failed)} / {by('instance', answers)} > 0.05",
        "5m",
        "page",
        "Instance {{ $labels.instance }} answers {{ $value | humanizePercentage }} of its requests with errors",
        "The log has a line for each of them.",
    )
    if plan.spec.sessions.max_sessions is None:
        return
    yield Alert(
        "AppServerFull",
        _refused(plan, "full", "5m"),
        "5m",
        "page",
        "{{ $labels.application }} turns visitors away: its instances are full",
        "Add instances, or raise sessions.max_sessions if there is memory left.",
    )
    yield Alert(
        "AppServerNearlyFull",
        f"{by('instance', series(plan, 'sessions'))} / {by('instance', series(plan, 'sessions_limit'))} > 0.9",
        "15m",
        "ticket",
        "Instance {{ $labels.instance }} has {{ $value | humanizePercentage }} of the sessions that it may have",
        "Add instances before it is full.",
    )


def _speed(plan: Plan) -> Iterator[Alert]:
    limit_s = plan.spec.monitoring.round_trip_s
    yield Alert(
        "AppServerSlow",
        f"{quantile(0.99, 'application', series(plan, 'round_trip_seconds_bucket'), '5m')} > {limit_s:g}",
        "10m",
        "ticket",
        "{{ $labels.application }} answers slowly: one change of 100 takes {{ $value | humanizeDuration }} or more",
        "`app-server status` shows which callbacks are slow. Move long work into a thread or a process.",
    )
    yield Alert(
        "AppServerLoopBlocked",
        f"increase({series(plan, 'loop_blocks_total')}[10m]) > 0",
        "0m",
        "ticket",
        "A callback has blocked everybody in process {{ $labels.process }} of instance {{ $labels.instance }}",
        "The log has its stack. Move the work into a thread, or give sessions processes (sessions.isolation).",
    )


def _memory(plan: Plan) -> Iterator[Alert]:
    # Proportional memory divides what several processes share. A single process does not report it.
    used = " or ".join(
        by("instance", series(plan, metric)) for metric in ("proportional_memory_bytes", "resident_memory_bytes")
    )
    limit_mb = plan.spec.service.memory_mb
    if limit_mb is not None:
        yield Alert(
            "AppServerMemory",
            f"({used}) > {round(0.9 * limit_mb * _MIB)}",
            "5m",
            "ticket",
            f"Instance {{{{ $labels.instance }}}} uses {{{{ $value | humanize1024 }}}}B of {limit_mb} MB",
            "Beyond its limit the system ends it. Raise service.memory_mb, add instances, or limit their sessions.",
        )


def _store(plan: Plan) -> Iterator[Alert]:
    if plan.store.kind != "off":
        yield Alert(
            "AppServerSavesNothing",
            f"{series(plan, 'store_away')} == 1",
            "2m",
            "page",
            "Instance {{ $labels.instance }} cannot save sessions: a restart would lose them",
            "The log says why: a full disk, permissions, or Redis that does not answer.",
        )


def _refused(plan: Plan, reason: str, window: str) -> str:
    """Whether an application has refused visitors for this reason."""
    refused = series(plan, "opens_refused_total", equal("reason", reason))
    return by("application", f"increase({refused}[{window}])") + " > 0"
