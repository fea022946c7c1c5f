"""`app-server status`: which server is meant, and what it shows of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app_server.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, main
from app_server.cli.running import status
from app_server.server.observing.metrics import snapshot_of
from tests.support.ports import free_port
from tests.support.servers.inside import Inside, inside
from tests.unit.cli.pretending import pretending


@pytest.fixture(scope="module")
def state() -> Iterator[Inside]:
    """A server with an application and its numbers at /metrics."""
    with inside({"/board": lambda document: None}, metrics=True) as served:
        served.get("/board")
        yield served


def test_processes_of_this_users_server_are_asked(
    runtime_base: tuple[Path, dict[str, str]], state: Inside, capsys: pytest.CaptureFixture[str]
) -> None:
    base, environ = runtime_base
    with pretending(base, lambda: snapshot_of(state.server.state)) as process:
        assert main(["status", "--json"], environ) == EXIT_OK
        found = json.loads(capsys.readouterr().out)
        assert found["url"] == f"http://localhost:5006/ (process {process.pid})" and found["silent"] == []
        assert found["processes"]["0"]["applications"]["/board"]["now"]["sessions"] == 1
        # Any of its processes names it.
        assert main(["status", str(process.pid), "--json"], environ) == EXIT_OK
        assert json.loads(capsys.readouterr().out)["url"] == found["url"]


def test_address_is_asked_for_its_metrics(state: Inside, capsys: pytest.CaptureFixture[str]) -> None:
    for address in (state.url, f"{state.url}/metrics"):
        assert main(["status", address, "--json"], {}) == EXIT_OK
        found = json.loads(capsys.readouterr().out)
        assert found["url"] == address
        assert [facts["applications"]["/board"]["now"]["sessions"] for facts in found["processes"].values()] == [1]


def test_screen_is_shown_once_without_a_terminal(
    state: Inside, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "REFRESH_S", 0.0)
    assert main(["status", state.url], {}) == EXIT_OK
    shown = capsys.readouterr().out
    assert "/board" in shown and state.url in shown


def test_screen_is_shown_until_ctrl_c(state: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    looks: list[int] = []

    def look() -> dict[str, Any]:
        looks.append(1)
        if len(looks) == 3:
            raise KeyboardInterrupt
        return status.fetch(state.url)

    monkeypatch.setattr(status, "REFRESH_S", 0.0)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        assert status.watch(look, status.fetch(state.url), Console(file=nowhere, width=100)) == 0
    assert len(looks) == 3


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "status: no server of this user is running."
         " Name its process, or the http:// address of a server with --metrics."),
        (["board"], "board: is neither a process nor an address."
         " Give its process id, or the http:// address of a server with --metrics."),
        (["999999999"], "999999999: no server of this user has this process."
         " If it belongs to another user, run the command as that user."),
    ],
)  # fmt: skip
def test_what_means_no_server_is_one_line(
    runtime_base: tuple[Path, dict[str, str]], words: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", *words], runtime_base[1]) == EXIT_USAGE
    assert capsys.readouterr().err == f"app-server: {error}\n"


def test_several_servers_are_named(
    runtime_base: tuple[Path, dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    base, environ = runtime_base
    with pretending(base), pretending(base):
        assert main(["status"], environ) == EXIT_USAGE
    said = capsys.readouterr().err
    assert said.startswith("app-server: status: several servers are running: ")
    assert said.count("port 5006 with /board") == 2
    assert said.endswith(". Name one: app-server status --port N, or its process.\n")


def test_port_names_one_of_several(
    runtime_base: tuple[Path, dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    base, environ = runtime_base
    with pretending(base) as one, pretending(base, url="http://localhost:5007/"):
        assert main(["status", "--port", "5006", "--json"], environ) == EXIT_OK
        assert json.loads(capsys.readouterr().out)["url"] == f"http://localhost:5006/ (process {one.pid})"
        assert main(["status", "--port", "5008"], environ) == EXIT_USAGE
        said = capsys.readouterr().err
        assert said.startswith("app-server: --port: no server of this user listens on port 5008; there are port 500")
        assert status.servers([], environ)[str(one.pid)] == "port 5006 with /board"
    assert main(["status", "1", "--port", "5006"], environ) == EXIT_USAGE
    assert "--port: cannot be used with a process or an address" in capsys.readouterr().err


def test_address_that_has_no_metrics_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with inside({"/board": lambda document: None}) as plain:
        assert main(["status", plain.url], {}) == EXIT_FAILED
    assert capsys.readouterr().err == (
        f"app-server: {plain.url}/metrics: answered with status 404."
        " Start the server with --metrics, and ask it directly: it does not answer through a proxy.\n"
    )
    address = f"http://127.0.0.1:{free_port()}"
    assert main(["status", address], {}) == EXIT_FAILED
    assert capsys.readouterr().err == (
        f"app-server: {address}/metrics: cannot be reached: [Errno 111] Connection refused\n"
    )


def test_server_that_does_not_answer_is_named_and_one_that_has_ended_is_said(
    runtime_base: tuple[Path, dict[str, str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    base, environ = runtime_base

    def silent() -> dict[str, Any]:
        raise OSError

    monkeypatch.setattr(status, "ANSWER_S", 0.05)
    monkeypatch.setattr("threading.excepthook", lambda arguments: None)
    with pretending(base, silent) as process:
        assert main(["status", "--json"], environ) == EXIT_OK
        found = json.loads(capsys.readouterr().out)
        assert found["silent"] == [f"0-{process.pid}"] and "does not answer" in found["url"]
        monkeypatch.setattr(status, "alive", lambda pid: False)
        assert main(["status", "--json"], environ) == EXIT_FAILED
        assert capsys.readouterr().err == f"app-server: process {process.pid}: the server has ended\n"


def test_whether_a_process_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert status.alive(os.getpid()) and not status.alive(999_999_999)
    assert status.children_of(999_999_999) == [] and status.socket_folders(999_999_999) == []

    def foreign(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr("os.kill", foreign)
    assert status.alive(1)
