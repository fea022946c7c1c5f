"""The doctor's judgement of a Content-Security-Policy against what Chromium makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page

from app_server.doctor.address import read_target
from app_server.doctor.rules.policy import policy_lets_the_page_run
from app_server.doctor.seen.answers import Answer
from app_server.doctor.seen.evidence import Evidence
from app_server.doctor.seen.pages import Page as SeenPage
from tests.support.browsers.pages import Complaints
from tests.support.server import RunningServer, running_server
from tests.support.waiting import until

pytestmark = pytest.mark.browser

APP = Path(__file__).with_name("apps") / "restricted"
ADVISED = (
    "script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; connect-src 'self';"
    " img-src 'self' data: blob:"
)


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server(APP) as started:
        yield started


@pytest.mark.parametrize(
    ("policy", "found", "drawn", "run"),
    [
        ("default-src 'none'", "csp-blocks", False, False),
        ("default-src 'self'", "csp-blocks", False, False),
        ("script-src 'self' 'unsafe-inline' 'unsafe-eval'; connect-src https:", "csp-blocks", False, False),
        ("script-src 'unsafe-inline' 'unsafe-eval'", "csp-blocks", False, False),
        ("default-src 'self' 'unsafe-inline'", "csp-narrow", True, False),
        (ADVISED, None, True, True),
        ("font-src 'self'", None, True, True),
    ],
)
def test_doctor_finds_what_the_browser_blocks(
    server: RunningServer, page: Page, complaints: Complaints, policy: str, found: str | None, drawn: bool, run: bool
) -> None:
    address = f"{server.url}/restricted?{urlencode({'policy': policy})}"
    response = page.goto(address)
    assert response is not None
    answer = Answer(read_target(address), status=response.status, body=response.body())
    if drawn:
        page.locator("button").click()
        # Asking the page for its title is also what lets its complaints come in.
        until(lambda: page.title() == "clicked" or "unsafe-eval" in " ".join(complaints.messages))
        assert (page.title() == "clicked") is run
    else:
        page.wait_for_load_state("networkidle")
        assert page.locator("button").count() == 0
    findings = policy_lets_the_page_run(Evidence(answer.target, page=SeenPage(answer)))
    assert [finding.id for finding in findings] == ([found] if found else [])
    complaints.clear()
