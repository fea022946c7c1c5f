"""A collector of OpenTelemetry: receives OTLP over HTTP and keeps what it was sent, as protobuf's classes say it."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.waiting import PATIENCE_S, until

ERROR = 2
"""The status of a span that has failed."""


@dataclass(frozen=True)
class Span:
    """A span as it was received, with hexadecimal ids; `parent` is "" for the root of a trace."""

    name: str
    trace: str
    id: str
    parent: str
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]
    links: tuple[str, ...]
    events: Mapping[str, Mapping[str, Any]]
    failed: bool
    status: str
    lasted_s: float
    began_ns: int


@dataclass(frozen=True)
class Point:
    """A number, or a histogram, as it was received."""

    name: str
    unit: str
    labels: tuple[tuple[str, str], ...]
    value: float
    buckets: tuple[int, ...] = ()


@dataclass
class Collector:
    """What was received so far. `answer` is the status of what is answered; `hold` is cleared to answer nothing.

    Spans that began before `since_ns` are another test's, which may come late.
    """

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    points: list[list[Point]] = field(default_factory=list)
    resources: list[Mapping[str, Any]] = field(default_factory=list)
    requests: int = 0
    since_ns: int = 0
    answer: int = 200
    hold: threading.Event = field(default_factory=threading.Event)

    def environment(self, **more: str) -> dict[str, str]:
        """The variables by which a server sends here at once."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_BSP_SCHEDULE_DELAY": "50", **more}

    def own(self) -> list[Span]:
        """The spans of this test."""
        return [span for span in list(self.spans) if span.began_ns >= self.since_ns]

    def named(self, name: str) -> list[Span]:
        """The spans of this name, in the order of their beginnings."""
        return sorted((span for span in self.own() if span.name == name), key=lambda span: span.began_ns)

    def wait_for(self, *names: str, where: Callable[[Span], bool] = lambda span: True) -> list[Span]:
        """The last span of each name for which `where` holds, as soon as all are there."""

        def found() -> list[Span]:
            return [last for name in names if (last := next(filter(where, reversed(self.named(name))), None))]

        until(lambda: len(found()) == len(names), f"spans {names}", PATIENCE_S)
        return found()

    def parent_of(self, child: Span) -> Span:
        """The span that this one is part of, which ends after it and may be sent later: as soon as it is there."""

        def found() -> list[Span]:
            return [span for span in self.of_trace(child.trace) if span.id == child.parent]

        until(lambda: len(found()) == 1, f"the span that {child.name} is part of", PATIENCE_S)
        return found()[0]

    def of_trace(self, trace: str) -> list[Span]:
        """The spans of one trace."""
        return [span for span in self.own() if span.trace == trace]

    def tree(self, trace: str) -> dict[str, str]:
        """The name of each span of a trace, with that of its parent; "" where that was not received."""
        spans = self.of_trace(trace)
        names = {span.id: span.name for span in spans}
        return {span.name: names.get(span.parent, "") for span in spans}


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return None if kind is None else getattr(value, kind)


def _named(pairs: Any) -> dict[str, Any]:
    return {pair.key: _plain(pair.value) for pair in pairs}


def spans_of(body: bytes) -> Iterator[Span]:
    """The spans of a request to /v1/traces."""
    for group in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource = _named(group.resource.attributes)
        for scope in group.scope_spans:
            for span in scope.spans:
                yield Span(
                    span.name, span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(),
                    _named(span.attributes), resource, tuple(link.span_id.hex() for link in span.links),
                    {event.name: _named(event.attributes) for event in span.events},
                    span.status.code == ERROR, span.status.message,
                    (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9, span.start_time_unix_nano,
                )  # fmt: skip


def points_of(body: bytes) -> Iterator[Point]:
    """The points of a request to /v1/metrics."""
    for group in ExportMetricsServiceRequest.FromString(body).resource_metrics:
        for scope in group.scope_metrics:
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                for point in getattr(metric, kind).data_points:
                    labels = tuple(sorted(_named(point.attributes).items()))
                    if kind == "histogram":
                        yield Point(metric.name, metric.unit, labels, point.sum, tuple(point.bucket_counts))
                    else:
                        value = getattr(point, point.WhichOneof("value"))
                        yield Point(metric.name, metric.unit, labels, float(value))


@contextmanager
def collecting(port: int = 0) -> Iterator[Collector]:
    """Receive at a free port, or at this one, until the end of the block."""
    collector = Collector()
    collector.hold.set()

    class Receives(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            collector.requests += 1
            collector.hold.wait()
            if collector.answer == 200 and self.path == "/v1/traces":
                collector.spans.extend(spans_of(body))
            elif collector.answer == 200 and self.path == "/v1/metrics":
                groups = ExportMetricsServiceRequest.FromString(body).resource_metrics
                collector.resources.extend(_named(group.resource.attributes) for group in groups)
                collector.points.append(list(points_of(body)))
            self.send_response(collector.answer)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Receives)
    server.daemon_threads = True
    collector.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="collector", daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        collector.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()
