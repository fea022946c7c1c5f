"""Sends to a collector that may be away: the server does not wait for it, and the log says once that it is away."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

log = logging.getLogger(__name__)

_FAMILIES = (
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.common.http",
    "opentelemetry.sdk._shared_internal",
)
"""What the SDK logs here, at each attempt and for each span that is dropped, we log once."""

_AWAY_S = 0.2
"""How long to wait at the end for a collector that did not answer the last time."""

_PLAIN_REASON = re.compile(r"\[Errno -?\d+\] [^'\"()]+|Read timed out|code: \d+|Transient error [^,]{1,60} encountered")


class _Quiet(logging.Filter):
    """Keeps the last line of these loggers, and lets none pass."""

    last = ""

    def filter(self, record: logging.LogRecord) -> bool:
        found = _PLAIN_REASON.search(record.getMessage())
        if found is not None:
            reason = found[0].removeprefix("Transient error ").removesuffix(" encountered")
            self.last = reason.replace("code:", "status")
        return False


_quiet = _Quiet()


def quieten() -> None:
    """Let the SDK's exporters log nothing by themselves."""
    for name in _FAMILIES:
        logging.getLogger(name).addFilter(_quiet)


class Reachability:
    """Whether a collector takes what it is sent; `what` is sent, to `where`."""

    def __init__(self, what: str, where: str) -> None:
        self._what = what
        self._where = where
        self.away = False
        """Whether the last attempt has failed."""

    def note(self, *, arrived: bool) -> None:
        """Log that this has changed."""
        if arrived and self.away:
            log.info("OpenTelemetry: %s are sent to %s again", self._what, self._where)
        elif not arrived and not self.away:
            why = f" ({_quiet.last})" if _quiet.last else ""
            log.warning(
                "OpenTelemetry: %s cannot be sent to %s%s; they are dropped until it answers, and the server goes on",
                self._what, self._where, why,
            )  # fmt: skip
        self.away = not arrived

    def patience_s(self, longest_s: float) -> float:
        """How long to wait at the end until the rest has arrived; hardly at all if the last attempt has failed."""
        return min(_AWAY_S, longest_s) if self.away else longest_s


class ReachingExporter(SpanExporter):
    """Another exporter, of which the log says once that its collector is away."""

    def __init__(self, exporter: SpanExporter, reachability: Reachability) -> None:
        self._exporter = exporter
        self._reachability = reachability
        self._ended = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them, in the thread of the processor; whether they have arrived."""
        result = self._exporter.export(spans)
        if not self._ended:
            self._reachability.note(arrived=result is SpanExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        """Send no more."""
        self._ended = True
        self._exporter.shutdown()


def within(seconds: float, work: Callable[[], Any]) -> None:
    """Do this in a thread, and return when it is done or the time is up; the process may end meanwhile."""
    thread = threading.Thread(target=work, name="opentelemetry's end", daemon=True)
    thread.start()
    thread.join(seconds)
