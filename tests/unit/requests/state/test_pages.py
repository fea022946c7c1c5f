"""The pages that the server makes itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app_server.apps import application_from_function
from app_server.engine.loop import EngineLoop
from app_server.errors import ApplicationError, OperatorError
from app_server.http.auth_backend import AuthBackend
from app_server.observe.gauges import Gauges
from app_server.requests.state.pages import Pages
from app_server.requests.state.policy import Policy
from app_server.security.admission import Admission
from app_server.server.runtimes import make_runtimes
from app_server.settings import Settings
from tests.support.clock import SkippingLoop, skipping_loop


@pytest.fixture
def loop() -> Iterator[SkippingLoop]:
    with skipping_loop() as made:
        yield made


def pages_of(loop: SkippingLoop, **given: Any) -> Pages:
    """The pages of a server with two applications."""
    settings = Settings(**given)
    applications = {route: application_from_function(lambda document: None) for route in ("/a", "/b%20c")}
    policy = Policy.of(settings, AuthBackend(), 5006)
    return Pages(settings, make_runtimes(applications, policy, EngineLoop(loop), Gauges(), Admission()))


def test_page_of_a_failure_has_its_reason_in_development_only(loop: SkippingLoop) -> None:
    error = ApplicationError("app.py:3: it broke")
    error.__cause__ = ValueError("the cause")
    shown = pages_of(loop).failure_page(error)
    assert "The application failed to start" in shown and "it broke" not in shown
    developing = pages_of(loop, dev=True).failure_page(error)
    assert "it broke" in developing and "ValueError: the cause" in developing


def test_index_names_applications_as_people_read_them(loop: SkippingLoop) -> None:
    html = pages_of(loop, prefix="/p").index_html({})
    assert 'href="/p/b%20c"' in html and "<strong>B c</strong>" in html


def test_icon_that_cannot_be_read_is_named(loop: SkippingLoop, tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as caught:
        pages_of(loop, ico_path=str(tmp_path / "x.ico"))
    assert str(caught.value) == f"--ico-path: {tmp_path / 'x.ico'} cannot be read: No such file or directory"
