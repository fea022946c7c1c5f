"""A collector that is away, slow or in trouble: the server goes on, says so once, and ends in time. And its figures."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Iterator
from typing import TypeAlias

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.protocol.conftest import Served, apps, serving
from tests.support.ports import free_port
from tests.support.server import run_command
from tests.support.servers.collector import Collector, Point, collecting
from tests.support.waiting import patience, until

AWAY = "cannot be sent to"
QUICK = {"OTEL_BSP_SCHEDULE_DELAY": "20", "OTEL_EXPORTER_OTLP_TIMEOUT": "1.5"}
SMALL = {"OTEL_BSP_MAX_QUEUE_SIZE": "64", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "16"}


def _moves(served: Served, count: int) -> list[float]:
    """How long each of these moves of a slider took."""
    took = []
    with served.site.client("/board") as client:
        for value in range(count):
            began = time.perf_counter()
            client.set("slider", "value", value)
            took.append(time.perf_counter() - began)
    return took


def _lines(served: Served) -> Counter[str]:
    return Counter(line.split(" ", 3)[-1] for line in served.process.log_text().splitlines() if "OpenTelemetry" in line)


def test_collector_that_is_away_is_logged_once_and_again_when_it_is_back() -> None:
    port = free_port()
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", **QUICK, **SMALL}
    with serving(*apps("board.py"), "--otel", "traces", env=environment) as served:
        _moves(served, 200)
        served.process.wait_for_log(AWAY)
        _moves(served, 200)
        assert _lines(served) == {
            f"OpenTelemetry: traces cannot be sent to http://127.0.0.1:{port} ([Errno 111] Connection refused); they "
            "are dropped until it answers, and the server goes on": 1
        }  # fmt: skip
        with collecting(port) as collector:
            until(lambda: served.site.get("/board") and collector.spans, "spans, as soon as the collector is there")
            served.process.wait_for_log(f"OpenTelemetry: traces are sent to http://127.0.0.1:{port} again")
        began = time.monotonic()
        assert served.process.stop() == 0
        assert time.monotonic() - began < patience(5)
        assert "Traceback" not in served.process.log_text()


def test_collector_that_answers_nothing_slows_no_one_down_and_does_not_hold_up_the_end() -> None:
    with collecting() as collector:
        collector.hold.clear()
        with serving(*apps("board.py"), "--otel", "both", env=collector.environment(**SMALL)) as served:
            held = _moves(served, 300)
            assert collector.requests > 0 and not collector.spans
            began = time.monotonic()
            assert served.process.stop() == 0
            assert time.monotonic() - began < patience(8)
        collector.hold.set()
        with serving(*apps("board.py"), "--otel", "both", env=collector.environment(**SMALL)) as served:
            free = _moves(served, 300)
    assert statistics.median(held) < 3 * statistics.median(free)


def test_collector_in_trouble_is_named_with_its_status() -> None:
    with collecting() as collector:
        collector.answer = 500
        environment = {**collector.environment(OTEL_METRIC_EXPORT_INTERVAL="100"), **QUICK}
        with serving(*apps("board.py"), "--otel", "both", env=environment) as served:
            _moves(served, 50)
            served.process.wait_for_log("traces cannot")
            served.process.wait_for_log("metrics cannot")
            _moves(served, 50)
            until(lambda: collector.requests > 10, "several attempts")
            counts = _lines(served)
            assert sorted(counts.values()) == [1, 1]
            assert all("(status 500)" in line for line in counts)
            collector.answer = 200
            served.process.wait_for_log("metrics are sent")
            assert served.site.get("/board").status == 200


@pytest.fixture(scope="module")
def measured() -> Iterator[tuple[Served, Collector]]:
    with collecting() as collector:
        flags = ("--otel", "metrics", "--metrics")
        environment = collector.environment(OTEL_METRIC_EXPORT_INTERVAL="100")
        with serving(*apps("board.py"), *flags, env=environment) as served:
            yield served, collector


Figures: TypeAlias = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def _as_at_metrics(points: list[Point]) -> Figures:
    """What was received, as /metrics writes it: histograms by their sums and counts, without `_total`."""
    found = {}
    for point in points:
        labels = tuple((name, str(value)) for name, value in point.labels)
        if point.buckets:
            found[f"{point.name}_count", labels] = float(sum(point.buckets))
            found[f"{point.name}_sum", labels] = point.value
        else:
            found[point.name, labels] = point.value
    return found


def _shown(served: Served) -> Figures:
    """What /metrics says, by the names that OTLP has."""
    families = text_string_to_metric_families(served.site.get("/metrics").text)
    samples = [sample for family in families for sample in family.samples if not sample.name.endswith("_bucket")]
    return {(_bare(sample.name), tuple(sorted(sample.labels.items()))): sample.value for sample in samples}


def _bare(name: str) -> str:
    return "app_server" if name == "app_server_info" else name.removesuffix("_total")


def test_figures_by_otlp_are_those_of_metrics(measured: tuple[Served, Collector]) -> None:
    served, collector = measured
    _moves(served, 20)
    moving = ("cpu", "lag", "memory", "answers")
    until(lambda: served.site.get("/metrics").status == 200 and len(collector.points) > 2, "figures")

    def same() -> bool:
        shown, received = _shown(served), _as_at_metrics(collector.points[-1])
        steady = {key: value for key, value in shown.items() if not any(word in key[0] for word in moving)}
        return shown.keys() == received.keys() and steady == {key: received[key] for key in steady}

    until(same, "the same figures")
    received = {point.name: point for point in collector.points[-1]}
    assert received["app_server_round_trip_seconds"].unit == "s"
    assert received["app_server_received_bytes"].unit == "By"
    assert sum(received["app_server_round_trip_seconds"].buckets) == 20
    assert collector.resources[-1]["service.name"] == "app-server"
    assert not collector.spans


def _start(*flags: str, **environment: str) -> str:
    """What a server says that does not start."""
    ended = run_command("serve", apps("board.py")[0], "--port", "0", *flags, env=environment)
    assert ended.returncode != 0
    return ended.stderr


def test_server_does_not_start_with_what_cannot_work() -> None:
    assert _start("--otel", "traces", OTEL_EXPORTER_OTLP_PROTOCOL="grpc") == (
        "app-server: OTEL_EXPORTER_OTLP_PROTOCOL: grpc is not supported. Set it to http/protobuf, and the endpoint to "
        "the collector's port for HTTP, usually 4318.\n"
    )
    assert "--otel-user: there are no traces to name users in. Give --otel traces too." in _start("--otel-user")
    assert "--otel: expected" in _start("--otel", "everything")
