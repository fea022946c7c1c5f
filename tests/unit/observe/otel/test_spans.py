"""Spans of a process, as the SDK's own exporter for tests has them."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app_server.observe.otel.current import span_ids
from app_server.observe.otel.spans import Pipeline, Spans, pipeline_for
from app_server.observe.otel.traceparent import Parent


@pytest.fixture
def ended() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def spans(ended: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> Iterator[Spans]:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    # Nobody listens: what is sent has failed at once, and not in the middle of a later test.
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.001")

    def make(instance: str) -> Pipeline:
        pipeline = pipeline_for(Resource({"service.instance.id": instance}), "nowhere")
        pipeline.provider.add_span_processor(SimpleSpanProcessor(ended))
        return pipeline

    made = Spans(make)
    made.start("here/0")
    yield made
    made.stop(0.5)


def _by_name(ended: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in ended.get_finished_spans()}


SAMPLED, UNSAMPLED = Parent(1, 2, 1, (("a", "b"),)), Parent(1, 2, 0)


def test_parent_decides_what_is_sampled_and_its_state_is_kept(spans: Spans, ended: InMemorySpanExporter) -> None:
    with spans.request("followed", SAMPLED, {}):
        with spans.span("inner", {}):
            assert spans.header() is not None
    for parent in (UNSAMPLED, None):
        with spans.request("not followed", parent, {}):
            assert spans.session("/a", "long-session-id") is None
    found = _by_name(ended)
    assert found.keys() == {"followed", "inner"}
    assert found["followed"].context.trace_state == {"a": "b"}


def test_turns_of_a_traced_session_are_traces_of_their_own_that_are_always_sampled(
    spans: Spans, ended: InMemorySpanExporter
) -> None:
    with spans.request("page", SAMPLED, {}):
        session = spans.session("/a", "long-session-id")
        assert session is not None
        with session.turn("change", None):
            pass
    with session.turn("periodic", 0.25), session.callback("beat", None):
        pass
    with session.turn("", None):
        session.name_turn("join")
    found = _by_name(ended)
    page, first, later = found["page"], found["turn change"], found["turn periodic"]
    assert first.parent is not None and first.parent.span_id == page.context.span_id
    assert later.parent is None and later.context.trace_id != page.context.trace_id
    assert [link.context.span_id for link in later.links] == [page.context.span_id]
    assert later.attributes == {
        "app_server.application": "/a", "app_server.session": "long-ses", "app_server.waited_ms": 250.0,
    }  # fmt: skip
    assert "turn join" in {span.name for span in ended.get_finished_spans()}


def test_exceptions_are_recorded_but_not_the_end_of_a_task(spans: Spans, ended: InMemorySpanExporter) -> None:
    for name, error in (("fails", ValueError("why")), ("exits", SystemExit(3)), ("is ended", GeneratorExit())):
        with pytest.raises(type(error)), spans.request(name, SAMPLED, {}):
            raise error
    found = _by_name(ended)
    assert found["fails"].status.description == "ValueError: why"
    assert [event.name for event in found["exits"].events] == ["exception"]
    assert found["is ended"].status.is_ok or not found["is ended"].events


def test_work_of_another_thread_is_below_the_span_that_asked_for_it(spans: Spans, ended: InMemorySpanExporter) -> None:
    def work() -> str:
        return "done"

    assert spans.carried("store read", work) is work
    with spans.request("page", SAMPLED, {}):
        carried = spans.carried("store read", work)
    thread = threading.Thread(target=carried)
    thread.start()
    thread.join()
    found = _by_name(ended)
    assert found["store read"].parent is not None
    assert found["store read"].parent.span_id == found["page"].context.span_id


def test_seed_of_an_application_repeats_no_ids(spans: Spans) -> None:
    seen = set()
    for _ in range(2):
        random.seed(1)
        with spans.request("page", SAMPLED, {}):
            seen.add(span_ids()[1])
    assert len(seen) == 2
    assert span_ids() == ("", "")


_PROGRAM = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from app_server.observe.otel.setup import make_tracing
from app_server.settings import Settings

ended = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ended))
trace.set_tracer_provider(provider)
tracing = make_tracing(Settings(otel="traces"))
tracing.start("here/0")
with tracing.span("page", {}):
    pass
tracing.stop(1)
with provider.get_tracer("theirs").start_as_current_span("later"):
    pass
print([span.name for span in ended.get_finished_spans()])
"""


def test_program_with_a_pipeline_of_its_own_gets_the_spans_there_and_keeps_it() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("['page', 'later']\n", "")
