"""What the command says when its server is ready."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from bokeh.models import Div

from app_server.apps import application_from_function
from app_server.server.announce import announce
from app_server.server.applications import load_applications
from app_server.server.server import Server
from app_server.settings import Settings
from tests.support.clock import skipping_loop


def fill(document: Any) -> None:
    """A text."""
    document.add_root(Div(name="text"))


@pytest.mark.parametrize("count", [1, 2])
def test_browser_is_shown_the_application_or_the_index(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url, new: opened.append(url))
    with skipping_loop() as loop:
        applications = {f"/{number}": application_from_function(fill) for number in range(count)}
        announce(Server(applications, Settings(show=True), loop))
    assert opened == ["http://localhost:5006/0" if count == 1 else "http://localhost:5006/"]


def test_what_is_announced_is_where_it_is_served(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with skipping_loop() as loop:
        announce(Server(load_applications([], Settings()), Settings(unix_socket="/run/s"), loop))
    assert caplog.messages[0].startswith("No application was named: the page at / says so")
    assert caplog.messages[1] == "Serving on the Unix socket /run/s"
