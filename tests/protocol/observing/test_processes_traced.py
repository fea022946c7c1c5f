"""Traces over several processes: each sends its own spans, and a trace goes on where a request is handed to."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator

import pytest

from tests.protocol.conftest import apps, serving
from tests.support.client import Site
from tests.support.ports import free_port
from tests.support.server import running_process
from tests.support.servers.collector import Collector, Span, collecting
from tests.support.waiting import until

PROXY = "00f067aa0ba902b7"


def _header(trace: str) -> dict[str, str]:
    return {"traceparent": f"00-{trace}-{PROXY}-01"}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as found:
        yield found


def _visit(site: Site, collector: Collector) -> tuple[Span, Span]:
    """A visit in a trace of its own: the spans of its build, and of its slider's turn."""
    trace = secrets.token_hex(16)
    token = site.get("/board", headers=_header(trace)).token
    with site.client("/board", token, additional_headers=_header(trace)) as client:
        client.set("slider", "value", 7)
        (build,) = collector.wait_for("build", where=lambda span: span.trace == trace)
        session = build.attributes["app_server.session"]
        turn, callback = collector.wait_for(
            "turn PATCH-DOC",
            "callback Slider.value",
            where=lambda span: span.attributes.get("app_server.session") == session,
        )
        collector.wait_for("GET /board/ws", where=lambda span: span.trace == trace and not _handed_over(span))
    assert callback.trace == turn.trace and callback.parent == turn.id
    return build, turn


def _handed_over(span: Span) -> bool:
    return bool(span.attributes.get("app_server.handed_over"))


@pytest.mark.parametrize("isolation", ["process", "snapshot"])
def test_session_in_a_process_of_its_own_goes_on_with_the_trace(isolation: str, collector: Collector) -> None:
    flags = ("--otel", "traces", "--isolation", isolation)
    with serving(*apps("board.py"), *flags, env=collector.environment()) as served:
        build, turn = _visit(served.site, collector)
        pid = turn.resource["process.pid"]
        assert pid == build.resource["process.pid"] != served.process.process.pid
        assert turn.resource["service.instance.id"].endswith(f"/session-{pid}")
        sockets = [span for span in collector.of_trace(build.trace) if span.name == "GET /board/ws"]
        (socket,) = [span for span in sockets if not _handed_over(span)]
        front = collector.parent_of(socket)
        assert _handed_over(front) and front.parent == PROXY
        assert front.resource["process.pid"] != pid == socket.resource["process.pid"]
    # What the session's last turn was is sent before its process ends.
    collector.wait_for("turn leave", where=lambda span: span.resource["process.pid"] == pid)


def test_each_worker_sends_its_own_spans_and_figures_and_a_trace_goes_on_in_the_one_that_has_the_session(
    collector: Collector,
) -> None:
    before = len(collector.spans)
    environment = collector.environment(OTEL_METRIC_EXPORT_INTERVAL="100")
    with serving(*apps("board.py"), "--otel", "both", "--num-procs", "2", env=environment) as served:

        def spans() -> list[Span]:
            return collector.spans[before:]

        def all_seen() -> bool:
            _visit(served.site, collector)
            passed = {span.id for span in spans() if _handed_over(span)}
            workers = {span.resource["process.pid"] for span in spans() if span.name == "turn PATCH-DOC"}
            return len(workers) == 2 and any(span.parent in passed for span in spans())

        until(all_seen, "turns in both workers, and a request that was passed on")
        instances = {span.resource["service.instance.id"].rpartition("/")[2] for span in spans()}
        assert instances == {"0", "1"}

        def senders() -> set[str | None]:
            return {dict(point.labels).get("process") for points in list(collector.points) for point in points}

        until(lambda: {"0", "1"} <= senders(), "figures of both workers")


def test_worker_of_gunicorn_sends_its_spans(collector: Collector) -> None:
    port = free_port()
    call = f'app_server.gunicorn:app({str(apps("board.py")[0])!r}, otel="traces")'
    command = [sys.executable, "-m", "gunicorn", "-k", "app_server.gunicorn.Worker", "-b", f"127.0.0.1:{port}",
               "--graceful-timeout", "1", call]  # fmt: skip
    environment = collector.environment()
    with running_process(command, f"http://127.0.0.1:{port}", env=environment, warm=True) as running:
        build, turn = _visit(Site(f"http://127.0.0.1:{port}"), collector)
        assert build.resource["process.pid"] == turn.resource["process.pid"] != running.process.pid
        assert running.log_text().count("Traceback") == 0
