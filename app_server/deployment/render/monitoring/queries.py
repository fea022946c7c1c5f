"""PromQL over the metrics of one deployment, which `docs/monitoring.md` lists.

Every series has the label `deployment`, which the target `prometheus` gives it, so several deployments can have one
Prometheus.
"""

from __future__ import annotations

from app_server.deployment.plan.values import Plan
from app_server.errors import OperatorError

PREFIX = "app_server_"


def series(plan: Plan, metric: str, *matchers: str) -> str:
    """The series of a metric, such as `app_server_sessions{deployment="tools"}`; matchers narrow it down.

    Names of deployments are letters, digits and dashes: PromQL needs no escapes.
    """
    name = metric if metric == "up" else f"{PREFIX}{metric}"
    return f"{name}{{{', '.join((equal('deployment', plan.name), *matchers))}}}"


def equal(label: str, value: str) -> str:
    """What only series match whose label has this value."""
    return f'{label}="{value}"'


def rate(plan: Plan, metric: str, window: str, *matchers: str) -> str:
    """By how much a counter grows in a second, over this window."""
    return f"rate({series(plan, metric, *matchers)}[{window}])"


def by(labels: str, expression: str) -> str:
    """The sums over all but these labels."""
    return f"sum by ({labels}) ({expression})"


def quantile(share: float, labels: str, buckets: str, window: str) -> str:
    """The duration that this share of a histogram's events do not exceed, in seconds, by these labels."""
    counts = by(f"le, {labels}", f"rate({buckets}[{window}])")
    return f"histogram_quantile({share:g}, {counts})"


def need_metrics(plan: Plan) -> None:
    """Raise OperatorError if there is nothing that Prometheus could read."""
    if not plan.has_metrics:
        hint = "Add `metrics: yes` to the block `server`."
        raise OperatorError("the instances have no metrics for Prometheus", where="server.metrics", hint=hint)
