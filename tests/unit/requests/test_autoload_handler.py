"""The script that puts an application into a page of another site."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.servers.inside import Inside, inside
from tests.unit.requests.applications import fail


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
