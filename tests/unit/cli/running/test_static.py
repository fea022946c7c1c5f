"""`app-server static`: the settings that it has, and those that it leaves to `serve`."""

from __future__ import annotations

from typing import Any

import pytest

from app_server.cli import EXIT_OK, EXIT_USAGE, main
from app_server.cli.running.static import SETTINGS, own_settings
from app_server.server import bokehjs_server
from app_server.settings import Settings


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings with which files would have been served."""
    found: list[Settings] = []

    def serve(settings: Settings) -> int:
        found.append(settings)
        return 0

    monkeypatch.setattr(bokehjs_server, "serve_static_until_stopped", serve)
    monkeypatch.setattr("app_server.cli.running.static.configure_logging", lambda settings: None)
    return found


def test_flags_and_variables_of_its_own_are_settings(served: list[Settings]) -> None:
    assert main(["static", "--port", "5100", "--prefix", "/x"], {"APP_SERVER_IDLE_TIMEOUT": "7"}) == EXIT_OK
    [found] = served
    assert (found.port, found.prefix, found.idle_timeout_s) == (5100, "/x", 7)


def test_variables_of_the_applications_server_are_none_of_its_business(served: list[Settings]) -> None:
    environ: dict[str, Any] = {"BOKEH_SESSION_IDS": "nonsense", "BOKEH_SECRET_KEY_FILE": "/no/such"}
    assert main(["static"], environ) == EXIT_OK
    assert served == [Settings()]


def test_flag_of_serve_is_refused(served: list[Settings], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["static", "--session-ids", "signed"], {}) == EXIT_USAGE
    assert "--session-ids" in capsys.readouterr().err and served == []


def test_every_setting_is_one_of_serves() -> None:
    assert {setting.name for setting in own_settings()} == set(SETTINGS)
