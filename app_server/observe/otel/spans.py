"""The spans of one process, by OpenTelemetry's SDK. Imported only with `--otel traces` or `both`."""

from __future__ import annotations

import logging
import random
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from contextvars import copy_context
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar
from weakref import WeakSet

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.span import TraceState

from app_server.observe.logs import SHORT
from app_server.observe.otel import current  # noqa: F401  # what the log looks for
from app_server.observe.otel.code import code_of
from app_server.observe.otel.sending import Reachability, ReachingExporter, quieten, within
from app_server.observe.otel.traceparent import Parent, written
from app_server.observe.otel.tracing import Attributes, SessionTrace
from app_server.version import __version__

log = logging.getLogger(__name__)

T = TypeVar("T")

_ours: WeakSet[TracerProvider] = WeakSet()
"""Those that we have made in this process: a program that embeds the server may have one of its own, which is used."""


class _Following(Sampler):
    """Asks another sampler, but for the turns of a session that is traced: their traces begin with a link to it."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Any = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Whether this span is recorded."""
        if links and not trace.get_current_span(parent_context).get_span_context().is_valid:
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes)
        return self._sampler.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        """What the SDK calls it."""
        return self._sampler.get_description()


class _Ids(IdGenerator):
    """Ids that an application's random.seed() does not repeat, as it does with the SDK's own."""

    def __init__(self) -> None:
        self._random = random.Random(secrets.token_bytes(16))

    def generate_trace_id(self) -> int:
        """A new trace's id."""
        return self._random.getrandbits(128) or 1

    def generate_span_id(self) -> int:
        """A new span's id."""
        return self._random.getrandbits(64) or 1


class _Block:
    """A block in which a span is current; what it raises is recorded. A class, because turns are many."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> None:
        self._token = attach(trace.set_span_in_context(self._span))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        detach(self._token)
        if isinstance(error, Exception | SystemExit):
            _fail(self._span, error)
        self._span.end()


def _fail(span: Span, error: BaseException | str | None) -> None:
    if isinstance(error, BaseException):
        span.record_exception(error)
        span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
    else:
        span.set_status(Status(StatusCode.ERROR, error))


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What makes the spans of a process, and whether the collector takes them."""

    provider: TracerProvider
    collector: Reachability


class Spans:
    """Begins the spans of a process; `start` makes what sends them."""

    on = True

    def __init__(self, make_pipeline: Callable[[str], Pipeline]) -> None:
        self._make_pipeline = make_pipeline
        self._pipeline: Pipeline | None = None
        self._tracer: trace.Tracer = trace.NoOpTracer()

    def start(self, instance: str) -> None:
        """Begin to send spans from this process, which is called this."""
        theirs = trace.get_tracer_provider()
        if isinstance(theirs, TracerProvider) and theirs not in _ours:
            self._tracer = theirs.get_tracer("app_server", __version__)
            return
        self._pipeline = self._make_pipeline(instance)
        provider = self._pipeline.provider
        _ours.add(provider)
        if not isinstance(theirs, TracerProvider):
            trace.set_tracer_provider(provider)  # the application's own spans are sent, too
        self._tracer = provider.get_tracer("app_server", __version__)

    def stop(self, within_s: float) -> None:
        """Send what is left, and return after this time at the latest."""
        if self._pipeline is not None:
            within(self._pipeline.collector.patience_s(within_s), self._pipeline.provider.shutdown)
            self._pipeline = None

    def request(self, name: str, parent: Parent | None, attributes: Attributes) -> AbstractContextManager[None]:
        """A block that answers a request, whose sender's span is `parent`."""
        return _Block(
            self._tracer.start_span(name, context=_remote(parent), kind=SpanKind.SERVER, attributes=dict(attributes))
        )

    def span(self, name: str, attributes: Attributes) -> AbstractContextManager[None]:
        """A block that is a span of this name."""
        return _Block(self._tracer.start_span(name, attributes=dict(attributes)))

    def add(self, attributes: Attributes) -> None:
        """Add attributes to the current span."""
        trace.get_current_span().set_attributes(dict(attributes))

    def failed(self, error: BaseException | str | None) -> None:
        """The current span has failed, with this exception or for this reason."""
        _fail(trace.get_current_span(), error)

    def header(self) -> str | None:
        """What names the current span in a request to another process."""
        context = trace.get_current_span().get_span_context()
        return written(context.trace_id, context.span_id, context.trace_flags) if context.is_valid else None

    def session(self, application: str, session_id: str) -> SessionTrace | None:
        """What traces a session that is being built in the current span; None if that is not sampled."""
        span = trace.get_current_span()
        if not span.is_recording():
            return None
        named = {"app_server.application": application, "app_server.session": session_id[:SHORT]}
        return _SessionSpans(self._tracer, span.get_span_context(), named)

    def carried(self, name: str, work: Callable[[], T]) -> Callable[[], T]:
        """This work as a span below the current one, whichever thread does it; unchanged if there is none."""
        if not trace.get_current_span().is_recording():
            return work
        context = copy_context()

        def spanned() -> T:
            with self.span(name, {}):
                return work()

        return lambda: context.run(spanned)


class _SessionSpans:
    """The spans of one session.

    A turn that a span leads to, such as that of the request that opens the socket, is below it. Any other begins a
    trace of its own, for a page may be open all day; it is linked to what its connection, or its session, began in.
    """

    def __init__(self, tracer: trace.Tracer, built_in: SpanContext, attributes: dict[str, str]) -> None:
        self._tracer = tracer
        self._built_in = built_in
        self._attributes = attributes

    def turn(self, kind: str, waited_s: float | None) -> AbstractContextManager[None]:
        """A block that is a turn; `waited_s` is how long its message has waited for it."""
        attributes: dict[str, Any] = self._attributes
        if waited_s is not None:
            attributes = {**attributes, "app_server.waited_ms": round(1000 * waited_s, 3)}
        name = f"turn {kind}" if kind else "turn"
        around = trace.get_current_span()
        if around.is_recording():
            return _Block(self._tracer.start_span(name, attributes=attributes))
        context = around.get_span_context()
        link = Link(context if context.is_valid else self._built_in)
        return _Block(self._tracer.start_span(name, context=Context(), attributes=attributes, links=[link]))

    def callback(self, what: str, function: Callable[..., Any] | None) -> AbstractContextManager[None]:
        """A block in which the application is called."""
        attributes = {**self._attributes, **code_of(function)}
        return _Block(self._tracer.start_span(f"callback {what}", attributes=attributes))

    def name_turn(self, what: str) -> None:
        """Say what the turn is that has begun."""
        trace.get_current_span().update_name(f"turn {what}")

    def failed(self, error: BaseException | None) -> None:
        """The application has raised this in the span that is current."""
        _fail(trace.get_current_span(), error)


def _remote(parent: Parent | None) -> Context:
    """The context in which this span of another program is current."""
    if parent is None:
        return Context()
    state = TraceState(list(parent.state))
    remote = SpanContext(parent.trace_id, parent.span_id, True, TraceFlags(parent.flags), state)
    return trace.set_span_in_context(NonRecordingSpan(remote), Context())


def pipeline_for(resource: Resource, endpoint: str) -> Pipeline:
    """What sends the spans of this process, in a thread that it begins, with a queue that drops what is too much."""
    quieten()
    by_environment = TracerProvider(shutdown_on_exit=False).sampler
    provider = TracerProvider(_Following(by_environment), resource, shutdown_on_exit=False, id_generator=_Ids())
    collector = Reachability("traces", endpoint)
    provider.add_span_processor(BatchSpanProcessor(ReachingExporter(OTLPSpanExporter(), collector)))
    return Pipeline(provider, collector)
