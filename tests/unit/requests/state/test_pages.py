"""The pages that the server makes itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from app_server.apps import application_from_function
from app_server.engine.loop import EngineLoop
from app_server.engine.runtime import ApplicationRuntime
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


def runtimes_of(loop: SkippingLoop, settings: Settings) -> Sequence[ApplicationRuntime]:
    """Two applications."""
    applications = {route: application_from_function(lambda document: None) for route in ("/a", "/b%20c")}
    policy = Policy.of(settings, AuthBackend(), 5006)
    return make_runtimes(applications, policy, EngineLoop(loop), Gauges(), Admission())


def pages_of(loop: SkippingLoop, **given: Any) -> Pages:
    """The pages of a server with two applications."""
    settings = Settings(**given)
    return Pages(settings, runtimes_of(loop, settings))


def test_page_of_a_failure_has_its_reason_in_development_only(loop: SkippingLoop) -> None:
    error = ApplicationError("app.py:3: it broke")
    error.__cause__ = ValueError("the cause")
    shown = pages_of(loop).failure_page(error)
    assert "The application failed to start" in shown and "it broke" not in shown
    developing = pages_of(loop, dev=True).failure_page(error)
    assert "it broke" in developing and "ValueError: the cause" in developing


def test_index_names_applications_as_people_read_them(loop: SkippingLoop) -> None:
    html = pages_of(loop, prefix="/p").index_html({}, runtimes_of(loop, Settings()))
    assert 'href="/p/b%20c"' in html and "<strong>B c</strong>" in html


def test_index_shows_the_applications_that_it_is_given(loop: SkippingLoop, tmp_path: Path) -> None:
    shown = runtimes_of(loop, Settings())[:1]
    html = pages_of(loop).index_html({}, shown)
    assert 'href="/a"' in html and "B c" not in html and "1 application<" in html
    own = tmp_path / "index.html"
    own.write_text("{% for item in items %}<{{ item }}>{% endfor %}")
    assert pages_of(loop, index=str(own)).index_html({}, shown) == "</a>"


@pytest.mark.parametrize(("given", "there"), [({}, True), ({"disable_index": True}, False)])
def test_list_of_applications_is_there_unless_it_is_disabled(
    loop: SkippingLoop, given: dict[str, Any], there: bool
) -> None:
    assert pages_of(loop, **given).has_index is there


def test_icon_that_cannot_be_read_is_named(loop: SkippingLoop, tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as caught:
        pages_of(loop, ico_path=str(tmp_path / "x.ico"))
    assert str(caught.value) == f"--ico-path: {tmp_path / 'x.ico'} cannot be read: No such file or directory"
