"""What the server answers itself: the index, the icon, its health, and 404."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from app_server.protocol import doctor
from tests.support.servers.inside import Inside, inside
from tests.unit.requests.applications import fill

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


def test_answers_of_addresses_that_are_missing_have_the_id_of_the_request(state: Inside) -> None:
    for path, status in (("/p/app", 200), ("/p/nowhere", 404), ("/elsewhere", 404)):
        answer = state.ask(path, headers={"X-Request-ID": "abc"})
        assert (answer.status, answer.headers["x-request-id"]) == (status, "abc")


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
    assert answer.status == 404 and "Page not found" in answer.text


@pytest.mark.parametrize(
    ("settings", "link"),
    [
        ({"prefix": "/p"}, '<a class="home" href="/p/">To the application</a>'),
        ({"disable_index_redirect": True}, '<a class="home" href="/">All applications</a>'),
        ({"disable_index": True}, None),
    ],
)
def test_what_is_nowhere_has_a_way_home(settings: dict[str, Any], link: str | None) -> None:
    with inside({"/app": fill}, **settings) as served:
        text = served.get("/nowhere").text
        assert link in text if link else 'class="home"' not in text
        assert 'class="home"' not in served.get(f"{settings.get('prefix', '')}/app", method="PUT").text


@pytest.mark.parametrize(
    ("path", "place"), [("/app", "elsewhere"), ("/q/app/ws", "elsewhere"), ("/p/nowhere", "here"), ("/p", "here")]
)
def test_doctor_learns_whether_another_prefix_would_help(state: Inside, path: str, place: str) -> None:
    asked = {doctor.HEADER: doctor.Sent("http", "localhost", path).statement()}
    seen = doctor.Seen.read(state.get(path, headers=asked).headers[doctor.HEADER.lower()])
    assert seen is not None and seen.place == place


def test_method_that_an_address_does_not_take_is_405(state: Inside) -> None:
    answer = state.get("/p/app", method="PUT")
    assert answer.status == 405 and "Method not allowed" in answer.text


def test_each_refusal_has_one_line_in_the_log(state: Inside, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        state.get("/p/app?bokeh-token=a-secret")
    lines = [text for text in caplog.messages if "a-secret" not in text]
    assert len(lines) == len(caplog.messages) == 2
    assert lines[0].startswith("/app: refused 127.0.0.1: ") and lines[1].startswith("403 GET /p/app (127.0.0.1) ")
    assert lines[1].endswith(": Invalid token or session ID")
