"""What a running server tells those who watch it, and whom it lets in when there are many."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import InvalidStatus

from app_server.security.tokens import Signer, mint_token, read_token
from tests.protocol.conftest import Served, apps, serving
from tests.support.client import PATIENCE_S
from tests.support.server import run_command
from tests.support.waiting import patience, until


@pytest.fixture(scope="module")
def watched() -> Iterator[Served]:
    """A server that is measured, and says soon that its loop is blocked."""
    flags = "--metrics --block-limit 0.2"
    with serving(*apps("board.py", "beats.py", "faulty.py", "sleepy.py"), *flags.split()) as served:
        yield served


def measured(served: Served, name: str, **labels: str) -> float:
    """The value of a metric; 0 if it is missing."""
    answer = served.site.get("/metrics")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            if (sample.name, sample.labels) == (f"app_server_{name}", {"process": "0", **labels}):
                return sample.value
    return 0


def test_sessions_connections_and_changes_are_counted(watched: Served) -> None:
    app = {"application": "/board"}
    before = {name: measured(watched, name, **app) for name in ("sessions_opened_total", "round_trip_seconds_count")}
    with watched.site.client("/board") as client:
        for value in range(5):
            client.set("slider", "value", value + 10)
        assert measured(watched, "sessions", **app) == measured(watched, "connections", **app) == 1
        assert measured(watched, "sessions_opened_total", **app) == before["sessions_opened_total"] + 1
        assert measured(watched, "round_trip_seconds_count", **app) == before["round_trip_seconds_count"] + 5
        assert measured(watched, "callback_seconds_count", kind="change", **app) >= 5
        assert measured(watched, "sent_bytes_total", **app) > measured(watched, "received_bytes_total", **app) > 500


def test_callbacks_are_distinguished(watched: Served) -> None:
    with watched.site.client("/beats") as client:
        client.set("command", "value", "timeout:1")
        client.wait_value("count", "text", "1")
        client.set("command", "value", "async-tick:")
        client.wait_value("count", "text", "2")
    for kind in ("timeout", "next_tick", "awaited"):
        assert measured(watched, "callback_seconds_count", application="/beats", kind=kind) == 1


def test_application_that_fails_is_counted_as_refused(watched: Served) -> None:
    before = measured(watched, "opens_refused_total", application="/faulty", reason="failed")
    assert watched.site.get("/faulty", fail="raise").status == 500
    assert measured(watched, "opens_refused_total", application="/faulty", reason="failed") == before + 1


def test_forged_token_is_counted_as_refused(watched: Served) -> None:
    with watched.site.socket("/board", "nonsense") as client:
        assert client.close_code() == 1008
    assert measured(watched, "opens_refused_total", application="/board", reason="token") == 1


def test_foreign_origin_is_counted_as_refused(watched: Served) -> None:
    headers = {"Origin": "https://example.net"}
    assert watched.site.get("/board/autoload.js", headers=headers, **{"bokeh-autoload-element": "here"}).status == 403
    assert measured(watched, "opens_refused_total", application="/board", reason="origin") == 1


def test_metrics_are_not_for_those_who_come_through_a_proxy(watched: Served) -> None:
    for header in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "Via"):
        assert watched.site.get("/metrics", headers={header: "192.0.2.1"}).status == 404


def test_metrics_are_off_unless_asked_for(plain: Served) -> None:
    assert plain.site.get("/metrics").status == 404


@pytest.mark.parametrize(("command", "where"), [("0.7", ""), ("later:0.7", ", in a next tick callback")])
def test_blocked_loop_is_logged_with_its_culprit(watched: Served, command: str, where: str) -> None:
    names = ("loop_blocks_total", "loop_blocked_seconds_total")
    with watched.site.client("/sleepy") as client:
        # On a busy machine building the session may have blocked the loop, too.
        ends = ("Stack of its thread:", "it was blocked for")
        until(lambda: len({watched.process.log_text().count(end) for end in ends}) == 1, "it blocks no more")
        before = {name: measured(watched, name) for name in names}
        start = watched.log_size()
        client.set("command", "value", command)
        if where:
            client.wait_value("slept", "text", command)
        assert measured(watched, "loop_blocks_total") == before["loop_blocks_total"] + 1
    until(lambda: "it was blocked for" in watched.log_since(start), "the end of the block is logged")
    log = watched.log_since(start)
    assert " s by /sleepy session " in log
    assert f"…{where}; it serves no client meanwhile. Stack of its thread:" in log
    assert "time.sleep(float(" in log
    ends = re.findall(r"The event loop runs again; it was blocked for [0-4]\.\d s", log)
    assert log.count("Stack of its thread:") == len(ends) == 1
    assert 0.2 < measured(watched, "loop_longest_lag_seconds") < 5
    blocked_s = measured(watched, "loop_blocked_seconds_total") - before["loop_blocked_seconds_total"]
    assert 0.2 < blocked_s < 5


def test_process_that_was_stopped_is_not_taken_for_one_that_is_blocked(watched: Served) -> None:
    start = watched.log_size()
    process = psutil.Process(watched.process.process.pid)
    process.suspend()
    time.sleep(0.8)  # for so long it is stopped
    process.resume()
    watched.process.wait_for_log("no other thread could run meanwhile")
    assert "Stack of its thread:" not in watched.log_since(start)


@pytest.fixture(scope="module")
def small() -> Iterator[Served]:
    """A server for two sessions, which end soon after their last client has gone."""
    flags = "--max-sessions 2 --unused-session-lifetime 1000 --check-unused-sessions 50"
    with serving(*apps("board.py"), *flags.split()) as served:
        yield served


def test_full_server_admits_only_those_who_have_a_session(small: Served) -> None:
    site = small.site
    token = site.token("/board")
    with site.client("/board", token) as first, site.client("/board"):
        page = site.get("/board")
        assert (page.status, page.headers["retry-after"]) == (503, "5")
        assert '<meta http-equiv="refresh" content="5">' in page.text
        assert "The server has reached its limit of sessions. This page tries again by itself." in page.text
        script = site.get("/board/autoload.js", **{"bokeh-autoload-element": "here"})
        assert (script.status, script.headers["retry-after"]) == (503, "5")
        assert script.text.startswith('console.error("app-server: Too many visitors at the moment. ')
        with pytest.raises(InvalidStatus) as caught, site.socket("/board", token_for("someone")):
            pass
        assert caught.value.response.status_code == 503
        assert site.get("/board", **{"bokeh-token": token}).status == 200
        with site.client("/board", token) as second:
            second.set("slider", "value", 7)
            first.wait_value("double", "value", 14)
        assert site.get("/readyz").status == 200
    wait_until_free(small)


def test_one_address_has_no_more_than_its_share() -> None:
    flags = "--max-sessions-per-address 1 --use-xheaders --unused-session-lifetime 60000"
    with serving(*apps("board.py"), *flags.split()) as served:
        neighbours = [{"X-Real-IP": f"2001:db8::{number}"} for number in (1, 2)]
        stranger = {"X-Real-IP": "2001:db8:0:1::1"}
        found = [served.site.get("/board", headers=headers) for headers in (*neighbours, stranger)]
    assert [answer.status for answer in found] == [200, 503, 200]
    assert "Your address has reached its limit of sessions." in found[1].text


def test_user_has_no_more_than_the_limit_in_all_processes() -> None:
    flags = (
        "--num-procs 2 --auth-header X-User --auth-header-from 127.0.0.1 --max-sessions-per-user 2"
        " --unused-session-lifetime 60000"
    )
    with serving(*apps("board.py"), *flags.split()) as served:
        asked = ["ann"] * 6 + ["bob"]  # connections of their own: either process may accept them
        found = [served.site.get("/board", headers={"X-User": name}) for name in asked]
        log = served.process.log_text()
    assert [answer.status for answer in found] == [200, 200, 503, 503, 503, 503, 200]
    assert "You have 2 open sessions here; close a page and try again." in found[2].text
    assert "no session for 'ann' at 127.0.0.1: you have 2 open sessions here" in log


def token_for(session_id: str) -> str:
    """A token that lets its bearer build a session of this id."""
    return mint_token(Signer(), session_id, expires_at=int(time.time()) + 60)


def wait_until_free(served: Served) -> None:
    """Return when a page is to be had again."""
    deadline = time.monotonic() + patience(PATIENCE_S)
    while served.site.get("/board").status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_json_log_names_application_session_and_request() -> None:
    with serving(*apps("sleepy.py", "beats.py", "faulty.py"), "--log-json", "--log-level", "debug") as served:
        page = served.site.get("/sleepy", headers={"X-Request-ID": "proxy-17"})
        with served.site.client("/sleepy", page.token) as client:
            client.set("command", "value", "0")
        with served.site.client("/beats") as client:
            client.set("command", "value", "fail:")
            client.wait_value("word", "text", "about to fail")
            served.process.wait_for_log("a beat fails")
        failed = served.site.get("/faulty", fail="raise")
        served.process.wait_for_log("a secret of the application")
        until(lambda: served.process.log_text().endswith("\n"))
        lines = [json.loads(line) for line in served.process.log_text().splitlines()]
    assert page.headers["x-request-id"] == "proxy-17"
    answered = next(line for line in lines if "GET /sleepy" in line["message"])
    assert answered["request_id"] == "proxy-17"
    entry = next(line for line in lines if line["message"] == "asked to sleep: 0")
    assert (entry["application"], entry["logger"]) == ("/sleepy", "sleepy")
    assert len(entry["session"]) == 8 and entry["session"] in session_id_of(page.token)
    assert "request_id" not in entry
    beat = next(line for line in lines if "a beat fails" in line.get("exception", ""))
    assert (beat["application"], beat["level"]) == ("/beats", "error")
    fault = next(line for line in lines if "a secret of the application" in line.get("exception", ""))
    assert fault["request_id"] == failed.headers["x-request-id"]
    assert page.token not in json.dumps(lines) and session_id_of(page.token) not in json.dumps(lines)


def session_id_of(token: str) -> str:
    """The session that an unsigned token opens."""
    return read_token(Signer(), token).session_id


def test_application_called_metrics_gives_way_to_the_figures(tmp_path: Path) -> None:
    (tmp_path / "metrics.py").write_text("")
    answer = run_command("serve", tmp_path / "metrics.py", "--metrics", "--port", "0")
    hint = "Give the application another name, or another route: /NAME=FILE."
    fault = f"app-server: /metrics: the server's own page is at /metrics. {hint}"
    assert (answer.returncode, answer.stderr.splitlines()[-1]) == (2, fault)


def test_isolated_session_that_blocks_is_logged_and_goes_on() -> None:
    with serving(*apps("sleepy.py"), "--isolation", "process", "--block-limit", "0.4") as served:
        with served.site.client("/sleepy") as client:
            start = served.log_size()  # building it may have taken too long already
            assert client.set("command", "value", "1.5").msgtype == "OK"
            until(lambda: "goes on; it was blocked for" in served.log_since(start), "it goes on")
            assert client.set("command", "value", "0").msgtype == "OK"
        log = served.log_since(start)
    assert log.count("s. Its stack:") == 1
    assert "in obey" in log[log.index("Its stack:") :]
