"""A snapshot as Prometheus reads it, written by prometheus-client.

Names follow Prometheus's conventions: base units at the end of the name, `_total` for what only grows. Every
metric has its process as a label: when a process restarts, its counters begin at 0, which Prometheus notices, but would
not notice in a sum. Add up with `sum by (application) (rate(…))`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from app_server.errors import OperatorError
from app_server.observe.gauges import BOUNDS_S
from app_server.version import __version__, how_to_install

if TYPE_CHECKING:
    from prometheus_client.core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

NOW = {
    "sessions": ("app_server_sessions", "Sessions that live."),
    "connections": ("app_server_connections", "Connections to sessions."),
    "unused": ("app_server_sessions_unused", "Sessions without a connection."),
    "queued_bytes": ("app_server_queue_bytes", "Bytes queued for browsers that are slow to read them."),
    "jobs_running": ("app_server_jobs_running", "Jobs of applications that run."),
    "jobs_queued": ("app_server_jobs_queued", "Jobs that wait for a place."),
    "apart_bytes": (
        "app_server_sessions_apart_memory_bytes",
        "Memory of session processes, with shared memory divided among its users.",
    ),
}
EVER = {
    "built": ("app_server_sessions_opened", "Sessions that were built."),
    "ended": ("app_server_sessions_ended", "Sessions that have ended."),
    "connected": ("app_server_connections_opened", "Connections that were opened."),
    "messages_in": ("app_server_messages_received", "Messages from browsers."),
    "messages_out": ("app_server_messages_sent", "Messages to browsers, counted for each browser."),
    "bytes_in": ("app_server_received_bytes", "Bytes from browsers, over WebSockets."),
    "bytes_out": ("app_server_sent_bytes", "Bytes to browsers, over WebSockets."),
}
HISTOGRAMS = {
    "build": ("app_server_session_build_seconds", "How long it takes to build a session, including hooks."),
    "round_trip": (
        "app_server_round_trip_seconds",
        "From the arrival of a change to its answer being handed to the system.",
    ),
    "job": ("app_server_job_seconds", "How long jobs ran, from their beginning to their end."),
}
PROCESS = {
    "pid": ("app_server_process_id", "The system's number of the process."),
    "rss_bytes": ("app_server_resident_memory_bytes", "Memory of the process that is in RAM."),
    "pss_bytes": ("app_server_proportional_memory_bytes", "The same, with shared memory divided among its users."),
    "started_s": ("app_server_start_time_seconds", "When the process began, since the epoch."),
    "draining": ("app_server_draining", "1 if no new sessions are accepted."),
    "max_sessions": ("app_server_sessions_limit", "Limit of sessions of the process; 0 for no limit."),
}
LOOP = {
    "lag_s": ("app_server_loop_last_lag_seconds", "How late the event loop ran last."),
    "longest_lag_s": ("app_server_loop_longest_lag_seconds", "How late it ever came."),
    "recent_lag_s": ("app_server_loop_recent_lag_seconds", "How late it ran at most in the last minute or two."),
}
REFUSED = ("app_server_opens_refused", "Pages, scripts and sockets that were refused.")
JOBS = ("app_server_jobs", "Jobs that have ended, by how: done, failed, cancelled, lost; or were refused.")
CALLBACKS = (
    "app_server_callback_seconds",
    "How long the application's code took in a turn, including encoding its changes; the total for awaited ones.",
)
LAG = ("app_server_loop_lag_seconds", "How late the event loop ran, sampled twice a second.")
BLOCKS = ("app_server_loop_blocks", "How often the event loop was blocked longer than --block-limit.")
BLOCKED = ("app_server_loop_blocked_seconds", "How long it was blocked in total.")
CPU = ("app_server_cpu_seconds", "Processor time of the process and of its sessions' processes, user and system.")
ANSWERS = ("app_server_http_answers", "Answers to HTTP requests.")
SAVING = {
    "saved": ("app_server_sessions_saved", "How often a session was written to the store."),
    "restored": ("app_server_sessions_restored", "Sessions that were restored from the store."),
    "lost": ("app_server_sessions_lost", "Sessions that another process has taken over, or that were deleted."),
    "failed": ("app_server_store_failures", "How often sessions could not be written to the store."),
}
AWAY = ("app_server_store_away", "1 if the store could not be used the last time.")
SILENT = ("app_server_silent_processes", "Processes that did not answer when asked.")

_ALERTED = ("failed", "full", "origin", "store")
"""The reasons of refusals that are exposed from the beginning: Prometheus overlooks the first step of a new counter."""

_JOBS_ALERTED = ("failed", "refused")

_AT = ["process", "application"]


def check() -> None:
    """Raise OperatorError if prometheus-client is not installed."""
    try:
        import prometheus_client  # noqa: F401
    except ImportError:
        hint = how_to_install("observe")
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
    processes = sorted(snapshot["processes"].items())
    applications = [
        ([process, url], gauges)
        for process, facts in processes
        for url, gauges in sorted(facts["applications"].items())
    ]
    for key, (name, about) in NOW.items():
        gauge = GaugeMetricFamily(name, about, labels=_AT)
        for at, gauges in applications:
            gauge.add_metric(at, gauges["now"][key])
        yield gauge
    for key, (name, about) in EVER.items():
        counter = CounterMetricFamily(name, about, labels=_AT)
        for at, gauges in applications:
            counter.add_metric(at, gauges["ever"][key])
        yield counter
    refused = CounterMetricFamily(*REFUSED, labels=[*_AT, "reason"])
    for at, gauges in applications:
        for reason, count in sorted({**dict.fromkeys(_ALERTED, 0), **gauges["ever"]["refused"]}.items()):
            refused.add_metric([*at, reason], count)
    yield refused
    jobs = CounterMetricFamily(*JOBS, labels=[*_AT, "outcome"])
    for at, gauges in applications:
        for outcome, count in sorted({**dict.fromkeys(_JOBS_ALERTED, 0), **gauges["ever"]["jobs"]}.items()):
            jobs.add_metric([*at, outcome], count)
    yield jobs
    for key, words in HISTOGRAMS.items():
        yield _histogram(words, key, _AT, [(at, gauges["ever"][key]) for at, gauges in applications])
    called = [
        ([*at, kind], histogram)
        for at, gauges in applications
        for kind, histogram in sorted(gauges["ever"]["callbacks"].items())
    ]
    yield _histogram(CALLBACKS, "callback", [*_AT, "kind"], called)
    yield from _of_processes(processes)
    yield GaugeMetricFamily(*SILENT, len(snapshot["silent"]))


def _of_processes(processes: list[tuple[str, Mapping[str, Any]]]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    for key, (name, about) in PROCESS.items():
        gauge = GaugeMetricFamily(name, about, labels=["process"])
        for process, facts in processes:
            if facts[key] is not None:
                gauge.add_metric([process], float(facts[key]))
        yield gauge
    for key, (name, about) in LOOP.items():
        gauge = GaugeMetricFamily(name, about, labels=["process"])
        for process, facts in processes:
            gauge.add_metric([process], facts["loop"]["now"][key])
        yield gauge
    yield _histogram(LAG, "lag", ["process"], [([name], facts["loop"]["ever"]["lag"]) for name, facts in processes])
    cpu, blocks, blocked = (CounterMetricFamily(*words, labels=["process"]) for words in (CPU, BLOCKS, BLOCKED))
    answers = CounterMetricFamily(*ANSWERS, labels=["process", "status"])
    for process, facts in processes:
        if facts.get("cpu_s") is not None:
            cpu.add_metric([process], facts["cpu_s"])
        blocks.add_metric([process], facts["loop"]["ever"]["blocks"])
        blocked.add_metric([process], facts["loop"]["ever"]["blocked_s"])
        for status, count in sorted(facts["answers"].items()):
            answers.add_metric([process, status], count)
    yield from (cpu, blocks, blocked, answers)
    yield from _of_saving([(process, facts["saving"]) for process, facts in processes if "saving" in facts])


def _of_saving(processes: list[tuple[str, Mapping[str, int]]]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    for key, (name, about) in SAVING.items():
        counter = CounterMetricFamily(name, about, labels=["process"])
        for process, saving in processes:
            counter.add_metric([process], saving[key])
        yield counter
    away = GaugeMetricFamily(*AWAY, labels=["process"])
    for process, saving in processes:
        away.add_metric([process], saving["away"])
    yield away


def _histogram(
    words: tuple[str, str], key: str, labels: list[str], found: Iterable[tuple[list[str], Mapping[str, Any]]]
) -> Metric:
    """A family of histograms, whose buckets are made to hold all that was shorter, as Prometheus has them.

    Empty histograms are left out: with many applications they would be most of the answer.
    """
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(*words, labels=labels)
    for values, histogram in found:
        seen, buckets = 0, []
        for bound, count in zip([*map(str, BOUNDS_S[key]), "+Inf"], histogram["counts"], strict=True):
            seen += count
            buckets.append((bound, float(seen)))
        if seen:
            family.add_metric(values, buckets, histogram["sum_s"])
    return family
