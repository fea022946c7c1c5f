"""The figures of /metrics, by OTLP. Imported only with `--otel metrics` or `both`.

They are made from the families that /metrics shows, so both say the same. Only the end `_total` of what grows is left
out: systems that store figures append it themselves.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from app_server.observe import exposition
from app_server.observe.otel.sending import Reachability, quieten
from app_server.version import __version__

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric as Family
    from prometheus_client.samples import Sample

_SCOPE = InstrumentationScope("app_server", __version__)
_UNITS = {"_seconds": "s", "_bytes": "By"}
_GROWS = AggregationTemporality.CUMULATIVE


class FigureSender:
    """Sends the figures of one process. All of it blocks: it is called in a thread."""

    def __init__(self, resource: Resource, endpoint: str) -> None:
        quieten()
        self._resource = resource
        self._exporter = OTLPMetricExporter()
        self._reachability = Reachability("metrics", endpoint)
        self._began_ns = time.time_ns()

    def send(self, snapshot: Mapping[str, Any]) -> None:
        """Send a snapshot; the log says once if that fails."""
        data = as_metrics(snapshot, self._resource, self._began_ns, time.time_ns())
        arrived = self._exporter.export(data) is MetricExportResult.SUCCESS
        self._reachability.note(arrived=arrived)

    def patience_s(self, longest_s: float) -> float:
        """How long to wait at the end until the last ones have arrived."""
        return self._reachability.patience_s(longest_s)

    def stop(self) -> None:
        """Give up what is being sent."""
        self._exporter.shutdown()


def as_metrics(snapshot: Mapping[str, Any], resource: Resource, began_ns: int, now_ns: int) -> MetricsData:
    """A snapshot as OTLP has it."""
    families = exposition.metrics(snapshot)
    found = [Metric(family.name, family.documentation, _unit(family.name), _data(family, began_ns, now_ns))
             for family in families if family.samples]  # fmt: skip
    return MetricsData([ResourceMetrics(resource, [ScopeMetrics(_SCOPE, found, "")], "")])


def _unit(name: str) -> str:
    return next((unit for end, unit in _UNITS.items() if name.endswith(end)), "")


def _data(family: Family, began_ns: int, now_ns: int) -> Any:
    if family.type == "histogram":
        points = list(_histograms(family.samples, began_ns, now_ns))
        return Histogram(points, _GROWS)
    numbers = [
        NumberDataPoint(dict(sample.labels), began_ns, now_ns, _number(sample.value)) for sample in family.samples
    ]
    return Sum(numbers, _GROWS, is_monotonic=True) if family.type == "counter" else Gauge(numbers)


def _number(value: float) -> int | float:
    return int(value) if float(value).is_integer() else float(value)


def _histograms(samples: Iterable[Sample], began_ns: int, now_ns: int) -> Iterator[HistogramDataPoint]:
    """The points of a family of histograms, whose buckets hold only what is beyond the one before."""
    for labels, group in groupby(samples, lambda sample: {k: v for k, v in sample.labels.items() if k != "le"}):
        found = list(group)
        buckets = [(sample.labels["le"], int(sample.value)) for sample in found if "le" in sample.labels]
        total = next(sample.value for sample in found if sample.name.endswith("_sum"))
        counts = [after - before for before, after in pairwise([0, *(count for _, count in buckets)])]
        bounds = [float(bound) for bound, _ in buckets[:-1]]
        yield HistogramDataPoint(
            labels, began_ns, now_ns, buckets[-1][1], total, counts, bounds, float("nan"), float("nan")
        )
