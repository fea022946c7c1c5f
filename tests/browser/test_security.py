"""What a browser shows of a failing application, what it may keep, and what it is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from bokeh.util.token import generate_session_id
from playwright.sync_api import Page, expect

from tests.support.browsers.pages import Complaints, model_value, open_app
from tests.support.server import RunningServer, running_server

pytestmark = pytest.mark.browser

APPS = Path(__file__).with_name("apps")
FAILING = (APPS / "failing.py", APPS / "mistaken")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """The failing applications, as they would be served to strangers."""
    with running_server(*FAILING) as started:
        yield started


@pytest.mark.parametrize("address", ["failing?raise", "failing?raise&bokeh-session-id=one", "failing?exit", "mistaken"])
def test_visitor_sees_that_the_application_failed_and_no_more(
    server: RunningServer, page: Page, complaints: Complaints, address: str
) -> None:
    response = page.goto(f"{server.url}/{address}")
    assert response is not None and response.status == 500
    assert response.headers["cache-control"] == "no-store"
    expect(page.locator("body")).to_contain_text("The application failed")
    source = page.content()
    for detail in ("Traceback", "open-sesame", "RuntimeError", "ZeroDivisionError", "failing.py", str(APPS)):
        assert detail not in source
    complaints.clear()


def test_session_id_is_free_again_after_a_failure(server: RunningServer, page: Page, complaints: Complaints) -> None:
    page.goto(f"{server.url}/failing?raise&bokeh-session-id=again")
    complaints.clear()
    open_app(page, f"{server.url}/failing?bokeh-session-id=again")
    assert model_value(page, "text", "model.text") == "all is well"
    assert "cannot go on with open-sesame" in server.log_text(), "the operator learns what strangers do not"


def test_developer_sees_the_traceback_with_file_and_line(
    processes: ExitStack, page: Page, complaints: Complaints
) -> None:
    server = processes.enter_context(running_server(*FAILING, "--dev"))
    response = page.goto(f"{server.url}/failing?raise")
    assert response is not None and response.status == 500
    body = page.locator("body")
    for detail in ("RuntimeError: cannot go on with open-sesame", "failing.py:13", "fail(SECRET_WORD)"):
        expect(body).to_contain_text(detail)
    assert "app_server" not in body.inner_text(), "the traceback begins with the author's code"
    page.goto(f"{server.url}/mistaken")
    expect(body).to_contain_text("mistaken/templates/index.html:2: ValueError: root with 'nobody' name not found")
    complaints.clear()


def test_page_is_not_kept_and_going_back_gives_a_new_session(server: RunningServer, page: Page) -> None:
    answers: list[dict[str, str]] = []
    page.on("response", lambda response: answers.append(response.headers) if "/failing" in response.url else None)
    open_app(page, f"{server.url}/failing")
    first = page.evaluate("Bokeh.documents[0].roots()[0].id")
    page.goto("about:blank")
    page.go_back()
    page.wait_for_function("typeof Bokeh !== 'undefined' && Bokeh.documents.length > 0")
    assert page.evaluate("Bokeh.documents[0].roots()[0].id") != first
    assert [answer["cache-control"] for answer in answers] == ["no-store"] * 2
    assert {answer["x-content-type-options"] for answer in answers} == {"nosniff"}


def test_browser_opens_sessions_that_were_signed_and_no_others(
    processes: ExitStack, page: Page, complaints: Complaints
) -> None:
    secret = "a secret of this test alone, long enough to be good"
    flags = ("--session-ids", "external-signed")
    environment = {"BOKEH_SECRET_KEY": secret}
    server = processes.enter_context(running_server(APPS / "failing.py", *flags, env=environment))
    signed = generate_session_id(secret_key=secret.encode(), signed=True)
    open_app(page, f"{server.url}/failing?bokeh-session-id={signed}")
    assert model_value(page, "text", "model.text") == "all is well"
    for refused in ("", f"?bokeh-session-id={signed[:-1]}", "?bokeh-session-id=mine", "?bokeh-token=e30"):
        response = page.goto(f"{server.url}/failing{refused}")
        assert response is not None and response.status == 403
        assert page.evaluate("typeof Bokeh") == "undefined"
    complaints.clear()
