"""What `serve` does before the server starts."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
import types
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from app_server.cli.running.serve import expand, prepare, run, tell_bokeh
from app_server.errors import OperatorError
from app_server.settings import Settings


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("app_server.server.lifecycle")
    module.serve_until_stopped = lambda settings, paths: 0  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "app_server.server", types.ModuleType("app_server.server"))
    monkeypatch.setitem(sys.modules, "app_server.server.lifecycle", module)
    monkeypatch.setattr("app_server.cli.running.serve.configure_logging", lambda settings: None)


def test_patterns_become_sorted_files_without_repetition(tmp_path: Path) -> None:
    for name in ("b.py", "a.py", "c.txt"):
        (tmp_path / name).touch()
    assert expand([f"{tmp_path}/*.py", f"{tmp_path}/a*", f"{tmp_path}/c.txt"]) == [
        f"{tmp_path}/a.py",
        f"{tmp_path}/b.py",
        f"{tmp_path}/c.txt",
    ]


def test_pattern_without_a_match_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as caught:
        expand([f"{tmp_path}/*.py"])
    assert str(caught.value) == f"{tmp_path}/*.py: no file matches. Look at the path, or leave out --glob."


def test_names_are_left_alone_without_glob() -> None:
    prepared = prepare(argparse.Namespace(files=["*.py"]), {})
    assert prepared.args[1] == ["*.py"]  # type: ignore[attr-defined]


def test_variable_that_is_set_counts_before_the_file() -> None:
    environ = {"BOKEH_MINIFIED": "yes"}
    tell_bokeh(environ, Settings(), {"BOKEH_MINIFIED": "no", "BOKEH_RESOURCES": "cdn"})
    assert environ == {"BOKEH_MINIFIED": "yes", "BOKEH_RESOURCES": "cdn"}


def test_empty_variable_is_kept_from_bokeh_which_cannot_read_it() -> None:
    environ = {"BOKEH_MINIFIED": "", "BOKEH_RESOURCES": " ", "HOME": ""}
    tell_bokeh(environ, Settings(), {"BOKEH_RESOURCES": "cdn"})
    assert environ == {"BOKEH_RESOURCES": "cdn", "HOME": ""}


def test_a_no_to_signing_is_kept_from_bokeh_which_reads_it_as_a_yes() -> None:
    environ = {"BOKEH_SIGN_SESSIONS": "no"}
    tell_bokeh(environ, Settings(), {})
    assert environ == {}


def test_project_names_settings_and_applications(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.app-server]\napps = ["a.py"]\nport = 8000\n', encoding="utf-8")
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    prepared = prepare(argparse.Namespace(files=[]), {"HOME": str(tmp_path)})
    settings, paths, _ = prepared.args  # type: ignore[attr-defined]
    assert (settings.port, settings.use_config, paths) == (8000, "../pyproject.toml", ["../a.py"])
    prepared = prepare(argparse.Namespace(files=["b.py"], port=["81"]), {"HOME": str(tmp_path)})
    settings, paths, _ = prepared.args  # type: ignore[attr-defined]
    assert (settings.port, paths) == (81, ["b.py"])
    prepared = prepare(argparse.Namespace(files=[], use_config=["none"]), {"HOME": str(tmp_path)})
    settings, paths, _ = prepared.args  # type: ignore[attr-defined]
    assert (settings, paths) == (Settings(), [])


@pytest.mark.usefixtures("no_server")
def test_file_of_variables_reaches_settings_and_applications_but_overrides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / ".env"
    file.write_text("TEST_PASSWORD='hunter2 $x'\nTEST_SET=file\nAPP_SERVER_ROUTE=a\n", encoding="utf-8")
    monkeypatch.setenv("TEST_SET", "before")
    for name in ("TEST_PASSWORD", "APP_SERVER_ROUTE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    prepared = prepare(argparse.Namespace(files=[], env_file=[str(file)]), {})
    assert prepared.args[0].route == "a" and "TEST_PASSWORD" not in os.environ  # type: ignore[attr-defined]
    with caplog.at_level(logging.INFO):
        prepared()
    assert (os.environ["TEST_PASSWORD"], os.environ["TEST_SET"]) == ("hunter2 $x", "before")
    assert f"reading variables from {file}" in caplog.messages and "hunter2" not in caplog.text
    prepared = prepare(argparse.Namespace(files=[]), {"APP_SERVER_ENV_FILE": str(file), "APP_SERVER_ROUTE": "b"})
    assert prepared.args[0].route == "b"  # type: ignore[attr-defined]


@pytest.mark.usefixtures("no_server")
def test_limit_for_users_that_nobody_knows_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        run(Settings(max_sessions_per_user=3, auth_header="X-User", auth_header_from=("unix",)), [], {})
        assert not caplog.messages
        run(Settings(max_sessions_per_user=3), [], {})
    assert caplog.messages == [
        "--max-sessions-per-user has no effect: users do not log in. Set a way to log in, such as --basic-auth,"
        " or use --max-sessions-per-address"
    ]


@pytest.fixture
def no_collector() -> Iterator[None]:
    """As in the process of the command when it begins."""
    gc.disable()
    yield
    gc.unfreeze()
    gc.enable()


@pytest.mark.usefixtures("no_server", "no_collector")
def test_garbage_is_looked_for_by_the_time_that_applications_are_served() -> None:
    run(Settings(), [], {})
    assert gc.isenabled()


@pytest.mark.usefixtures("no_collector")
def test_garbage_of_applications_that_are_checked_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(settings: Settings, paths: Sequence[str]) -> int:
        return 0 if gc.isenabled() else 1

    monkeypatch.setattr("app_server.cli.running.serve.configure_logging", lambda settings: None)
    monkeypatch.setattr("app_server.server.warming.check.check_applications", check)
    (tmp_path / "app.py").write_text("", encoding="utf-8")
    assert run(Settings(), [str(tmp_path / "app.py")], {}, checks=True) == 0


@pytest.mark.usefixtures("no_server")
def test_short_key_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        run(Settings(secret_key="x" * 31), [], {})
        assert caplog.messages == ["BOKEH_SECRET_KEY is short enough to guess; `app-server secret` prints a better one"]
        caplog.clear()
        run(Settings(secret_key="x" * 32), [], {})
        assert caplog.messages == []
