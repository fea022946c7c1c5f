"""Traces by OpenTelemetry, received by a collector as a real one receives them: OTLP over HTTP."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator

import pytest

from tests.protocol.conftest import Served, apps, serving
from tests.support.ports import free_port
from tests.support.servers.collector import Collector, Span, collecting

TRACE, PROXY = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
FROM_PROXY = {"traceparent": f"00-{TRACE}-{PROXY}-01", "tracestate": "rojo=1"}


@pytest.fixture(scope="module")
def receiver() -> Iterator[Collector]:
    """The collector that all tests share."""
    with collecting() as found:
        yield found


@pytest.fixture
def collector(receiver: Collector) -> Collector:
    """The same, with the spans that begin from now on."""
    receiver.since_ns = time.time_ns()
    return receiver


@pytest.fixture(scope="module")
def traced(receiver: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    store = tmp_path_factory.mktemp("saved")
    flags = ("--otel", "traces", "--log-json", "--store", str(store))
    environment = receiver.environment(OTEL_SERVICE_NAME="boards", OTEL_RESOURCE_ATTRIBUTES="deployment=blue")
    served_ones = apps("board.py", "faulty.py", "hooked", "beats.py", "spanning.py")
    with serving(*served_ones, *flags, env=environment) as served:
        yield served


def _lines(served: Served, start: int) -> list[dict[str, str]]:
    """What was logged since then, without what other tests' sessions of /hooked say when they end."""
    lines = [json.loads(line) for line in served.log_since(start).splitlines() if line.startswith("{")]
    return [line for line in lines if "/hooked" not in line["message"]]


def test_page_is_a_tree_of_spans_below_that_of_the_proxy(traced: Served, collector: Collector) -> None:
    answer = traced.site.get("/hooked", headers={**FROM_PROXY, "X-Request-ID": "from-the-proxy"})
    (page,) = collector.wait_for("GET /hooked", where=lambda span: span.trace == TRACE)
    assert page.parent == PROXY and not page.failed
    assert page.attributes == {
        "http.request.method": "GET",
        "http.route": "/hooked",
        "http.response.status_code": 200,
        "app_server.application": "/hooked",
        "app_server.request_id": "from-the-proxy",
    }
    tree = collector.tree(TRACE)
    assert tree["build"] == "GET /hooked"
    assert tree["hook on_session_created"] == "build"
    assert tree["hook process_request"] == "GET /hooked"
    (build,) = [span for span in collector.of_trace(TRACE) if span.name == "build"]
    assert len(build.attributes["app_server.session"]) == 8
    assert answer.token not in str(collector.of_trace(TRACE))
    assert page.resource["service.name"] == "boards" and page.resource["deployment"] == "blue"
    assert page.resource["service.instance.id"].endswith(f":{traced.process.port}/0")


def test_slider_is_a_turn_with_its_callback_linked_to_the_socket_of_the_proxys_trace(
    traced: Served, collector: Collector
) -> None:
    token = traced.site.token("/board")
    with traced.site.client("/board", token, additional_headers=FROM_PROXY) as client:
        client.set("slider", "value", 7)
        socket, callback = collector.wait_for("GET /board/ws", "callback Slider.value")
        assert socket.trace == TRACE and socket.parent == PROXY
        assert socket.attributes["http.response.status_code"] == 101
        assert collector.tree(TRACE)["turn join"] == "GET /board/ws"
        turn = collector.parent_of(callback)
        assert (turn.name, turn.parent, turn.links) == ("turn PATCH-DOC", "", (socket.id,))
        assert turn.attributes["app_server.application"] == "/board"
        assert turn.attributes["app_server.waited_ms"] >= 0
        assert callback.attributes["code.function.name"] == "slide"
        assert callback.attributes["code.file.path"] == str(apps("board.py")[0])
        assert 0 < callback.lasted_s <= turn.lasted_s
        assert not turn.failed and not callback.failed


def test_failing_callback_is_a_failed_span_with_its_exception_and_the_log_has_its_trace(
    traced: Served, collector: Collector
) -> None:
    start = traced.log_size()
    with traced.site.client("/board") as client:
        client.set("command", "value", "fail:in a span")
        (callback,) = collector.wait_for("callback TextInput.value", where=lambda span: span.failed)
    assert callback.status == "ValueError: the secret of the board in a span"
    event = callback.events["exception"]
    assert event["exception.type"] == "ValueError"
    assert "board.py" in event["exception.stacktrace"]
    turn = collector.parent_of(callback)
    assert turn.failed
    (line,) = [line for line in _lines(traced, start) if "raised an exception" in line["message"]]
    assert (line["trace_id"], line["span_id"]) == (turn.trace, turn.id)


def test_application_that_fails_is_a_failed_build_and_page(traced: Served, collector: Collector) -> None:
    start = traced.log_size()
    assert traced.site.get("/faulty", fail="raise").status == 500
    build, page = collector.wait_for("build", "GET /faulty", where=lambda span: span.failed)
    assert build.parent == page.id and build.events["exception"]["exception.type"].endswith("ApplicationError")
    assert page.attributes["http.response.status_code"] == 500
    assert {line["trace_id"] for line in _lines(traced, start) if line["level"] == "error"} == {page.trace}


def test_query_and_session_are_never_in_a_span(traced: Served, collector: Collector) -> None:
    traced.site.get("/board", secret="do-not-tell")
    (page,) = collector.wait_for("GET /board")
    collector.wait_for("build", where=lambda span: span.trace == page.trace)
    assert "do-not-tell" not in str(collector.of_trace(page.trace))


@pytest.mark.parametrize("header", ["nonsense", f"00-{'0' * 32}-{PROXY}-01", f"00-{TRACE}-{PROXY}-01, again"])
def test_broken_traceparent_begins_a_trace_of_its_own(header: str, traced: Served, collector: Collector) -> None:
    named = {"traceparent": header, "X-Request-ID": f"broken-{len(header)}"}
    assert traced.site.get("/board", headers=named).status == 200
    mine = named["X-Request-ID"]
    (page,) = collector.wait_for("GET /board", where=lambda span: span.attributes["app_server.request_id"] == mine)
    assert page.parent == "" and page.trace != TRACE


def test_session_is_traced_only_if_the_request_that_built_it_is_sampled(traced: Served, collector: Collector) -> None:
    for name, flags in (("unsampled-session", "00"), ("followed-session", "01")):
        header = {"traceparent": f"00-{'a' * 32}-{PROXY}-{flags}"}
        token = traced.site.get(f"/board?bokeh-session-id={name}", headers=header).token
        with traced.site.client("/board", token, additional_headers=header) as client:
            client.set("slider", "value", 11)
    collector.wait_for("turn leave", where=lambda span: span.attributes["app_server.session"] == "followed")
    sessions = {span.attributes.get("app_server.session") for span in list(collector.spans)}
    assert "followed" in sessions and "unsampled-session"[:8] not in sessions
    assert len([span for span in collector.named("GET /board") if span.trace == "a" * 32]) == 1


def test_periodic_callback_is_a_turn_with_its_function(traced: Served, collector: Collector) -> None:
    with traced.site.client("/beats") as client:
        client.set("command", "value", "async-periodic:20")
        (awaited,) = collector.wait_for("callback a periodic callback, awaited")
    turn, callback = collector.named("turn periodic")[0], collector.named("callback a periodic callback")[0]
    assert callback.parent == turn.id and callback.attributes["code.function.name"] == "add_one_later"
    assert turn.parent == "" and len(turn.links) == 1
    assert awaited.lasted_s >= 0.001 and awaited.trace in {span.trace for span in collector.named("turn periodic")}


def test_saving_a_session_is_a_span_with_the_call_of_the_store(traced: Served, collector: Collector) -> None:
    with traced.site.client("/board") as client:
        client.set("slider", "value", 21)

        def below(store: Span) -> bool:
            return store.parent in {save.id for save in collector.named("save")}

        collector.wait_for("store write_batch", where=below)


def test_text_lines_of_the_log_end_with_the_ids_of_their_span(collector: Collector) -> None:
    with serving(*apps("hooked"), "--otel", "traces", env=collector.environment()) as served:
        served.site.get("/hooked", headers={"traceparent": f"00-{'b' * 32}-{PROXY}-01"})
        (hook,) = collector.wait_for("hook on_session_created", where=lambda span: span.trace == "b" * 32)
        served.process.wait_for_log("created ")
        line = next(line for line in served.process.log_text().splitlines() if " creating " in line)
    assert line.endswith(f"[trace_id={'b' * 32} span_id={hook.id}]")


def test_applications_own_spans_are_below_those_of_its_callbacks(traced: Served, collector: Collector) -> None:
    with traced.site.client("/spanning") as client:
        client.set("slider", "value", 5)
        query, callback = collector.wait_for("query", "callback Slider.value", where=lambda span: bool(span.parent))
    assert query.attributes == {"rows": 5}
    assert query.parent in {span.id for span in collector.named("callback Slider.value")}
    assert query.resource == callback.resource


def test_user_is_named_only_if_asked_for(traced: Served, collector: Collector) -> None:
    flags = "--otel traces --auth-header X-User --auth-header-from 127.0.0.1,::1".split()
    for more, named in (((), None), (("--otel-user",), "ann")):
        trace = secrets.token_hex(16)
        header = {"X-User": "ann", "traceparent": f"00-{trace}-{PROXY}-01"}
        with serving(*apps("board.py"), *flags, *more, env=collector.environment()) as served:
            assert served.site.get("/board", headers=header).status == 200
            (page,) = collector.wait_for("GET /board", where=lambda span, trace=trace: span.trace == trace)
        assert page.attributes.get("enduser.id") == named
        assert named or "ann" not in str(collector.of_trace(trace))


def test_sessions_that_the_console_watches_are_traced_too(collector: Collector) -> None:
    flags = ("--otel", "traces", "--console", str(free_port()))
    with serving(*apps("board.py"), *flags, env=collector.environment()) as served:
        token = served.site.get("/board?bokeh-session-id=watched-session").token
        with served.site.client("/board", token) as client:
            client.set("slider", "value", 30)
            collector.wait_for(
                "callback Slider.value", where=lambda span: span.attributes["app_server.session"] == "watched-"
            )
        assert "Traceback" not in served.process.log_text()
