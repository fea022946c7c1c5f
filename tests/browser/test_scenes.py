"""Scenes of the manual's deployment chapter, in a browser."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.support.browsers.pages import drag_slider, open_app, wait_for_model
from tests.support.deployments.scenes import embedding_site

pytestmark = pytest.mark.browser


def test_another_site_shows_a_session_that_it_has_signed(tmp_path: Path, page: Page, processes: ExitStack) -> None:
    _, address, _ = embedding_site(tmp_path, processes)
    open_app(page, address)
    assert page.locator("h1").first.inner_text() == "Only at Acme"
    drag_slider(page, 0, 40)
    wait_for_model(page, "double", "model.value > 2")
