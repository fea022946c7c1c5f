"""The page of an application."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.apps import empty_application
from app_server.store.base import session_key
from app_server.store.location import open_store
from tests.support.servers.inside import Inside, inside
from tests.unit.requests.applications import fill


def test_page_is_of_a_session_of_its_own_and_nobody_keeps_it(state: Inside) -> None:
    first, second = state.get("/p/app"), state.get("/p/app/")
    assert first.status == second.status == 200 and first.token != second.token
    assert first.headers["content-type"] == "text/html; charset=utf-8"
    assert first.headers["cache-control"] == "no-store"
    assert first.headers["referrer-policy"] == "same-origin"
    assert "<title>A slider</title>" in first.text


def test_head_says_that_the_page_is_there_and_makes_no_session(state: Inside) -> None:
    before = state.server.state.process.session_count
    answer = state.get("/p/app", method="HEAD")
    assert (answer.status, answer.body) == (200, b"") and answer.headers["cache-control"] == "no-store"
    assert state.server.state.process.session_count == before


def test_application_that_fails_is_told_without_its_reason(state: Inside, caplog: pytest.LogCaptureFixture) -> None:
    answer = state.get("/p/broken")
    assert answer.status == 500 and answer.headers["cache-control"] == "no-store"
    assert "The application failed to start" in answer.text and "it is broken" not in answer.text
    (record,) = [each for each in caplog.records if each.name.endswith("requests.application_handler")]
    assert "it is broken" in record.getMessage() and record.exc_info is not None


def test_page_of_a_server_that_is_full_tries_again_by_itself() -> None:
    with inside({"/app": fill}, max_sessions=1, max_sessions_per_address=1) as served:
        assert served.get("/app").status == 200
        answer = served.get("/app")
        script = served.get("/app/autoload.js?bokeh-autoload-element=x")
    assert answer.status == 503 and answer.headers["retry-after"] == "5"
    assert "Too many visitors at the moment" in answer.text
    assert "This page tries again by itself." in answer.text and "http-equiv" in answer.text
    assert script.status == 503 and script.headers["retry-after"] == "5"
    assert script.text == (
        'console.error("app-server: Too many visitors at the moment. '
        'The server has reached its limit of sessions. Load the page again in a while.")\n'
    )


def test_page_of_a_saved_session_that_another_process_has_does_not_speak_of_too_many(tmp_path: Path) -> None:
    place = str(tmp_path / "sessions")
    store = open_store(place, ttl_s=60, max_bytes=10**6)
    assert store is not None
    store.check()
    claim = store.claim(session_key("/app", "x"), create=True)
    with inside({"/app": fill}, store=place) as served:
        page = served.get("/app?bokeh-session-id=x")
        script = served.get("/app/autoload.js?bokeh-autoload-element=y&bokeh-session-id=x")
    assert claim is not None
    store.release(claim)
    assert page.status == 503 and "This session cannot be opened at the moment" in page.text
    assert "Another process has this session. This page tries again by itself." in page.text
    assert "Too many" not in page.text and script.status == 503
    assert "This session cannot be opened at the moment. Another process has this session." in script.text


def test_server_that_drains_makes_no_sessions_and_says_so_to_balancers() -> None:
    with inside({"/app": fill}) as served:
        assert served.get("/readyz").text == '{"status": "ready"}'
        served.server.state.process.begin_draining()
        page, ready, alive = served.get("/app"), served.get("/readyz"), served.get("/healthz")
        script = served.get("/app/autoload.js?bokeh-autoload-element=x")
        head = served.get("/readyz", method="HEAD")
    assert page.status == 503 and page.headers["retry-after"] == "2" and "One moment, please" in page.text
    assert (ready.status, ready.text) == (503, '{"status": "draining"}') and head.status == 503
    assert (alive.status, alive.text) == (200, '{"status": "alive"}')
    assert script.status == 503 and script.text == 'console.error("app-server: The server is restarting")\n'


def test_page_of_a_server_without_an_application_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with inside({"/": empty_application()}) as served:
        assert "No application is served here" in served.get("/").text
        ident = served.server.state.mint_session_id()
        assert "No application is served here" not in served.get(f"/?bokeh-session-id={ident}").text
