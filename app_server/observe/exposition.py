"""A snapshot as Prometheus reads it, written by prometheus-client.

Names follow Prometheus's conventions: base units at the end of the name, `_total` for what only grows. What belongs to
a process carries its name as `process`, all else is added up over the processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from app_server.errors import OperatorError
from app_server.observe.gauges import BOUNDS_S
from app_server.version import __version__

if TYPE_CHECKING:
    from prometheus_client.core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_NOW = {
    "sessions": ("app_server_sessions", "Sessions that live."),
    "connections": ("app_server_connections", "Connections to sessions."),
    "unused": ("app_server_sessions_unused", "Sessions that live without a connection."),
    "queued_bytes": ("app_server_queue_bytes", "Bytes that wait for browsers that do not take them."),
}
_EVER = {
    "built": ("app_server_sessions_opened", "Sessions that were built."),
    "ended": ("app_server_sessions_ended", "Sessions that have ended."),
    "connected": ("app_server_connections_opened", "Connections that were opened."),
    "messages_in": ("app_server_messages_received", "Messages from browsers."),
    "messages_out": ("app_server_messages_sent", "Messages to browsers, once for each of them."),
    "bytes_in": ("app_server_received_bytes", "Bytes from browsers, over WebSockets."),
    "bytes_out": ("app_server_sent_bytes", "Bytes to browsers, over WebSockets."),
}
_HISTOGRAMS = {
    "build": ("app_server_session_build_seconds", "How long it takes to build a session, hooks included."),
    "round_trip": (
        "app_server_round_trip_seconds",
        "From the arrival of a change to its answer being handed to the system.",
    ),
}
_PROCESS = {
    "rss_bytes": ("app_server_resident_memory_bytes", "Memory of the process that is in RAM."),
    "pss_bytes": ("app_server_proportional_memory_bytes", "The same, what is shared divided among those who share it."),
    "started_s": ("app_server_start_time_seconds", "When the process began, since the epoch."),
    "draining": ("app_server_draining", "1 where no new sessions are taken."),
    "max_sessions": ("app_server_sessions_limit", "How many sessions the process may have; 0 for no limit."),
}
_LOOP = {
    "lag_s": ("app_server_loop_last_lag_seconds", "How late the loop came round the last time."),
    "longest_lag_s": ("app_server_loop_longest_lag_seconds", "How late it ever came."),
    "recent_lag_s": ("app_server_loop_recent_lag_seconds", "How late it came at most in the last minute or two."),
}


def check() -> None:
    """Raise OperatorError where prometheus-client is not installed."""
    try:
        import prometheus_client  # noqa: F401
    except ImportError:
        hint = "Install it with: pip install 'app-server[observe]'"
        raise OperatorError("prometheus-client is not installed", where="--metrics", hint=hint) from None


def expose(snapshot: Mapping[str, Any]) -> bytes:
    """The body of an answer to Prometheus."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.registry import Collector

    class Taken(Collector):
        def collect(self) -> Iterator[Metric]:
            return metrics(snapshot)

    registry = CollectorRegistry()
    registry.register(Taken())
    return generate_latest(registry)


def metrics(snapshot: Mapping[str, Any]) -> Iterator[Metric]:
    """The families of metrics, in an order that stays the same."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

    yield InfoMetricFamily("app_server", "The server.", {"version": __version__})
    applications, processes = sorted(snapshot["applications"].items()), sorted(snapshot["processes"].items())
    for key, (name, about) in _NOW.items():
        family = GaugeMetricFamily(name, about, labels=["application"])
        for url, gauges in applications:
            family.add_metric([url], gauges.get("now", {}).get(key, 0))
        yield family
    for key, (name, about) in _EVER.items():
        counter = CounterMetricFamily(name, about, labels=["application"])
        for url, gauges in applications:
            counter.add_metric([url], gauges["ever"][key])
        yield counter
    refused = CounterMetricFamily(
        "app_server_opens_refused", "Pages, scripts and sockets that were refused.", labels=["application", "reason"]
    )
    for url, gauges in applications:
        for reason, count in sorted(gauges["ever"]["refused"].items()):
            refused.add_metric([url, reason], count)
    yield refused
    for key, (name, about) in _HISTOGRAMS.items():
        found = [([url], each["ever"][key]) for url, each in applications]
        yield _histogram(name, about, key, ["application"], found)
    yield _histogram(
        "app_server_callback_seconds",
        "How long the application's code took in a turn, with the encoding of its changes; for awaited ones, in all.",
        "callback",
        ["application", "kind"],
        [
            ([url, kind], histogram)
            for url, each in applications
            for kind, histogram in sorted(each["ever"]["callbacks"].items())
        ],
    )
    yield from _of_processes(processes)
    yield GaugeMetricFamily(
        "app_server_silent_processes", "Processes that did not answer when asked for this.", len(snapshot["silent"])
    )


def _of_processes(processes: list[tuple[str, Mapping[str, Any]]]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    for key, (name, about) in _PROCESS.items():
        family = GaugeMetricFamily(name, about, labels=["process"])
        for process, facts in processes:
            if facts.get(key) is not None:
                family.add_metric([process], float(facts[key]))
        yield family
    for key, (name, about) in _LOOP.items():
        family = GaugeMetricFamily(name, about, labels=["process"])
        for process, facts in processes:
            family.add_metric([process], facts["loop"]["now"][key])
        yield family
    lags = [([process], facts["loop"]["ever"]["lag"]) for process, facts in processes]
    about = "How late the loop came round, twice a second."
    yield _histogram("app_server_loop_lag_seconds", about, "lag", ["process"], lags)
    blocks = CounterMetricFamily(
        "app_server_loop_blocks", "How often the loop was blocked beyond --block-limit.", labels=["process"]
    )
    blocked = CounterMetricFamily(
        "app_server_loop_blocked_seconds", "How long it was blocked in all those times.", labels=["process"]
    )
    answers = CounterMetricFamily(
        "app_server_http_answers", "Answers to HTTP requests.", labels=["process", "status"]
    )
    for process, facts in processes:
        blocks.add_metric([process], facts["loop"]["ever"]["blocks"])
        blocked.add_metric([process], facts["loop"]["ever"]["blocked_s"])
        for status, count in sorted(facts["answers"].items()):
            answers.add_metric([process, status], count)
    yield from (blocks, blocked, answers)


def _histogram(
    name: str, about: str, key: str, labels: list[str], found: Iterable[tuple[list[str], Mapping[str, Any]]]
) -> Metric:
    """A family of histograms, whose buckets are made to hold all that was shorter, as Prometheus has them."""
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(name, about, labels=labels)
    for values, histogram in found:
        seen, buckets = 0, []
        for bound, count in zip([*map(str, BOUNDS_S[key]), "+Inf"], histogram["counts"], strict=True):
            seen += count
            buckets.append((bound, float(seen)))
        family.add_metric(values, buckets, histogram["sum_s"])
    return family
