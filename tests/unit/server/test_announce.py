"""What the command says when its server is ready."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from bokeh.models import Div

from app_server.apps import application_from_function
from app_server.server.announce import announce, for_people, network_address
from app_server.server.applications import load_applications
from app_server.server.server import Server
from app_server.settings import Settings
from tests.support.clock import skipping_loop


def fill(document: Any) -> None:
    """A text."""
    document.add_root(Div(name="text"))


def test_machine_without_a_browser_gets_the_address(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("webbrowser._browsers", {})
    monkeypatch.setattr("webbrowser._tryorder", [])
    with skipping_loop() as loop:
        announce(Server({"/a": application_from_function(fill)}, Settings(show=True), loop))
    assert caplog.messages[-1] == "No browser was found on this machine. Open http://localhost:5006/a in one yourself."


@pytest.mark.parametrize("count", [1, 2])
def test_browser_is_shown_the_application_or_the_index(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def open_one(url: str, new: int) -> bool:
        opened.append(url)
        return True

    monkeypatch.setattr("webbrowser.open", open_one)
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


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        ({}, ["From other machines: http://10.1.2.3:5006/ (needs --allow-websocket-origin 10.1.2.3:5006)"]),
        (
            {"allow_websocket_origin": ("10.1.2.3:5006",), "prefix": "/p", "address": "0.0.0.0"},
            ["From other machines: http://10.1.2.3:5006/p/"],
        ),
        ({"address": "127.0.0.1"}, []),
    ],
)
def test_people_learn_how_other_machines_reach_it_and_how_to_stop(settings: dict[str, Any], lines: list[str]) -> None:
    with skipping_loop() as loop:
        server = Server({"/app": application_from_function(fill)}, Settings(**settings), loop)
        assert list(for_people(server, "10.1.2.3")) == [*lines, "Press Ctrl-C to stop"]
        assert list(for_people(server, None)) == ["Press Ctrl-C to stop"]


@pytest.mark.parametrize("terminal", [True, False])
def test_only_a_terminal_shows_how_to_stop(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    with skipping_loop() as loop:
        announce(Server({"/app": application_from_function(fill)}, Settings(address="127.0.0.1"), loop))
    stop = ["Press Ctrl-C to stop"] if terminal else []
    assert caplog.messages == ["Serving http://127.0.0.1:5006/app", *stop]


def test_network_address_is_none_of_this_machine_only() -> None:
    address = network_address()
    assert address is None or not address.startswith("127.")
