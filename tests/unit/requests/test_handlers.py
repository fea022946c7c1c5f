"""Pages, scripts, the index and what else is asked for by GET, of a server inside the test's process."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bokeh.models import Slider

from app_server.apps import empty_application
from app_server.protocol import doctor
from tests.support.servers.inside import Inside, inside


def fill(document: Any) -> None:
    """A slider."""
    document.add_root(Slider(name="slider", start=0, end=10, value=1))
    document.title = "A slider"


def fail(document: Any) -> None:
    """An application with a fault."""
    raise ValueError("it is broken")


@pytest.fixture(scope="module")
def state() -> Iterator[Inside]:
    """Two applications below a prefix, one of which fails."""
    with inside({"/app": fill, "/broken": fail}, prefix="/p", allow_websocket_origin=("good.example",)) as served:
        yield served


# Pages


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
        'The server has as many sessions as it may have. Load the page again in a while.")\n'
    )


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


# The script for other people's pages


def script_of(state: Inside, query: str = "bokeh-autoload-element=here", **headers: str) -> Any:
    """The answer to a request for the script."""
    return state.get(f"/p/app/autoload.js?{query}", headers=headers)


def test_script_puts_the_application_into_the_element(state: Inside) -> None:
    answer = script_of(state, Origin="https://good.example")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["access-control-allow-origin"] == "https://good.example"
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert '"here"' in answer.text and "/p/static/js/bokeh" in answer.text


def test_script_without_resources_loads_none(state: Inside) -> None:
    assert "/static/js/bokeh" not in script_of(state, "bokeh-autoload-element=here&resources=none").text


def test_script_for_an_absolute_address_loads_from_there(state: Inside) -> None:
    query = "bokeh-autoload-element=here&bokeh-absolute-url=https://public.example/outer/p/app&bokeh-app-path=/p/app"
    assert "https://public.example/outer/p/static/js/bokeh" in script_of(state, query).text


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "No bokeh-autoload-element query parameter"),
        ("bokeh-autoload-element=a%22b", "Malformed bokeh-autoload-element or bokeh-app-path"),
        ("bokeh-autoload-element=" + "a" * 201, "Malformed bokeh-autoload-element or bokeh-app-path"),
        ("bokeh-autoload-element=a&bokeh-app-path=app", "Malformed bokeh-autoload-element or bokeh-app-path"),
        ("bokeh-autoload-element=a&bokeh-app-path=/%3Cb", "Malformed bokeh-autoload-element or bokeh-app-path"),
        ("bokeh-autoload-element=a&bokeh-absolute-url=//x/app", "Malformed bokeh-absolute-url"),
        ("bokeh-autoload-element=a&bokeh-absolute-url=http://[x/app", "Malformed bokeh-absolute-url"),
        ("bokeh-autoload-element=a&bokeh-absolute-url=http://x/%27", "Malformed bokeh-absolute-url"),
    ],
)
def test_words_that_would_end_up_in_a_script_are_refused_in_one(state: Inside, query: str, reason: str) -> None:
    answer = script_of(state, query)
    assert answer.status == 400
    assert answer.text == f'console.error("app-server: {reason}")\n'
    assert answer.headers["content-type"] == "application/javascript; charset=utf-8"


def test_page_of_another_origin_gets_no_script(state: Inside, caplog: pytest.LogCaptureFixture) -> None:
    before = state.server.state.runtimes[0].gauges.refused["origin"]
    answer = script_of(state, Origin="https://evil.example")
    assert answer.status == 403 and "access-control-allow-origin" not in answer.headers
    assert answer.text == 'console.error("app-server: Pages of this origin may not embed the application")\n'
    assert state.server.state.runtimes[0].gauges.refused["origin"] == before + 1
    line = "Refused a page of origin 'https://evil.example'. If it is yours, start with --allow-websocket-origin="
    assert [text for text in caplog.messages if text.startswith("Refused")] == [line + "evil.example"]
    assert script_of(state, "", Origin="https://good.example").headers["access-control-allow-origin"]


def test_browser_that_asks_whether_it_may_ask_is_told(state: Inside) -> None:
    asks = {"Origin": "https://good.example", "Access-Control-Request-Headers": "X-Mine"}
    answer = state.get("/p/app/autoload.js", method="OPTIONS", headers=asks)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-methods"] == "GET, OPTIONS"
    assert answer.headers["access-control-allow-headers"] == "X-Mine"
    stranger = state.get("/p/app/autoload.js", method="OPTIONS", headers={**asks, "Origin": "https://evil.example"})
    assert "access-control-allow-headers" not in stranger.headers


def test_application_that_fails_says_so_on_the_console(state: Inside) -> None:
    answer = state.get("/p/broken/autoload.js?bokeh-autoload-element=here")
    assert answer.status == 500 and answer.text.startswith('console.error("app-server: The application failed to start')
    assert "it is broken" not in answer.text


def test_reason_is_on_the_console_in_development() -> None:
    with inside({"/broken": fail}, dev=True) as served:
        script = served.get("/broken/autoload.js?bokeh-autoload-element=here")
        page = served.get("/broken")
    assert "it is broken" in script.text
    assert "it is broken" in page.text and "Traceback" in page.text


# What an application says of itself


@pytest.mark.parametrize("metadata", [{"a": 1}, lambda: {"a": 1}])
def test_metadata_are_what_the_application_says(metadata: Any, state: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state.server.state.runtimes[0].application, "metadata", metadata)
    assert json.loads(state.get("/p/app/metadata").body) == {"url": "/app", "data": {"a": 1}}


def test_metadata_are_empty_or_an_error(state: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    assert json.loads(state.get("/p/app/metadata").body) == {"url": "/app", "data": {}}

    def no() -> None:
        raise SystemExit(1)

    monkeypatch.setattr(state.server.state.runtimes[0].application, "metadata", no)
    assert state.get("/p/app/metadata").status == 500


# The index


def test_index_lists_the_applications(state: Inside) -> None:
    answer = state.get("/p/")
    assert answer.status == 200 and answer.headers["content-type"] == "text/html; charset=utf-8"
    assert 'href="/p/app"' in answer.text and 'href="/p/broken"' in answer.text
    assert state.get("/p/", method="HEAD").status == 200


def test_only_application_is_where_the_index_leads() -> None:
    with inside({"/app": fill}, prefix="/p") as served:
        answer = served.get("/p/?a=1&b=2")
        assert (answer.status, answer.headers["location"]) == (302, "/p/app?a=1&b=2")
        assert served.get("/p/").headers["location"] == "/p/app"
    with inside({"/app": fill}, disable_index_redirect=True) as served:
        assert 'href="/app"' in served.get("/").text
    with inside({"/app": fill}, disable_index=True) as served:
        assert served.get("/").status == 404


def test_index_of_ones_own_that_fails_is_an_error_page(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    template = tmp_path / "index.html"
    template.write_text("{% apply str %}{{ nobody }}{% end %}", encoding="utf-8")
    with inside({"/a": fill, "/b": fill}, index=str(template)) as served:
        answer = served.get("/")
    assert answer.status == 500 and "The index page failed" in answer.text
    assert any(str(template) in text for text in caplog.messages)


# The icon, health and what is nowhere


def test_icon_is_the_servers_one_of_ones_own_or_none(tmp_path: Path, state: Inside) -> None:
    answer = state.get("/p/favicon.ico")
    assert answer.status == 200 and answer.headers["cache-control"] == "public, max-age=86400" and answer.body
    assert state.get("/favicon.ico", method="HEAD").body == b""
    (tmp_path / "mine.ico").write_bytes(b"icon")
    with inside({"/app": fill}, ico_path=str(tmp_path / "mine.ico")) as served:
        own = served.get("/favicon.ico")
        assert (own.headers["content-type"], own.body) == ("image/x-icon", b"icon")
    with inside({"/app": fill}, ico_path="none") as served:
        assert served.get("/favicon.ico").status == 404


def test_health_is_known_with_and_without_the_prefix(state: Inside) -> None:
    for path in ("/healthz", "/p/healthz"):
        answer = state.get(path)
        assert (answer.status, answer.text) == (200, '{"status": "alive"}')
        assert answer.headers["cache-control"] == "no-store"
        assert state.get(path, method="HEAD").status == 200


def test_health_comes_in_parts_for_the_doctor(state: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "TRICKLE_PAUSE_S", 0.0)
    asked = {doctor.HEADER: doctor.Sent("http", "localhost", "/healthz").statement()}
    answer = state.get("/healthz?trickle", headers=asked)
    assert answer.text == " " * 64 * doctor.TRICKLE_PARTS + '{"status": "alive"}'
    assert state.get("/healthz?trickle").text == '{"status": "alive"}', "strangers get no slow answers"


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_what_is_nowhere_is_404_whatever_the_method(state: Inside, method: str) -> None:
    answer = state.get("/p/nowhere", method=method)
    assert answer.status == 404 and "There is no such page" in answer.text


@pytest.mark.parametrize(
    ("path", "place"), [("/app", "elsewhere"), ("/q/app/ws", "elsewhere"), ("/p/nowhere", "here"), ("/p", "here")]
)
def test_doctor_learns_whether_another_prefix_would_help(state: Inside, path: str, place: str) -> None:
    asked = {doctor.HEADER: doctor.Sent("http", "localhost", path).statement()}
    seen = doctor.Seen.read(state.get(path, headers=asked).headers[doctor.HEADER.lower()])
    assert seen is not None and seen.place == place


def test_method_that_an_address_does_not_take_is_405(state: Inside) -> None:
    answer = state.get("/p/app", method="PUT")
    assert answer.status == 405 and "This address does not take that method" in answer.text


def test_each_refusal_has_one_line_in_the_log(state: Inside, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        state.get("/p/app?bokeh-token=a-secret")
    lines = [text for text in caplog.messages if "a-secret" not in text]
    assert len(lines) == len(caplog.messages) == 2
    assert lines[0].startswith("/app: refused 127.0.0.1: ") and lines[1].startswith("403 GET /p/app (127.0.0.1) ")
    assert lines[1].endswith(": Invalid token or session ID")
