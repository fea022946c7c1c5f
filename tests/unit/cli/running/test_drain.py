"""`app-server drain`: which server it stops, the signal, and what it prints until the end."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from app_server.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, main
from app_server.cli.running import drain
from tests.support.waiting import patience
from tests.unit.cli.pretending import at_terminal, pretending, snapshot


def test_only_server_is_the_one_that_is_meant(
    runtime_base: tuple[Path, dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    base, environ = runtime_base
    with pretending(base) as process:
        assert main(["drain"], environ) == EXIT_OK
        assert process.wait(patience(10)) == -signal.SIGTERM
    said = capsys.readouterr().out
    assert said == f"process {process.pid} accepts no new sessions; 2 sessions with 1 connection left\n"


def test_port_names_one_of_several(
    runtime_base: tuple[Path, dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    base, environ = runtime_base
    with pretending(base) as one, pretending(base, url="http://localhost:5007/ (and more)") as other:
        assert main(["drain"], environ) == EXIT_USAGE
        first, second = sorted([(one.pid, 5006), (other.pid, 5007)], key=lambda each: str(each[0]))
        assert capsys.readouterr().err == (
            f"app-server: drain: several servers are running: port {first[1]} with /board (process {first[0]}),"
            f" port {second[1]} with /board (process {second[0]})."
            " Name one: app-server drain --port N, or its process.\n"
        )
        assert one.poll() is None and other.poll() is None
        assert main(["drain", "--port", "5007"], environ) == EXIT_OK
        assert other.wait(patience(10)) == -signal.SIGTERM and one.poll() is None
        assert main(["drain", str(one.pid)], environ) == EXIT_OK
        assert one.wait(patience(10)) == -signal.SIGTERM


def test_one_of_several_is_asked_for_at_a_terminal(runtime_base: tuple[Path, dict[str, str]]) -> None:
    base, environ = runtime_base
    with pretending(base) as one, pretending(base, url="http://localhost:5007/") as other:
        number = 1 + sorted([str(one.pid), str(other.pid)]).index(str(other.pid))
        for answer, status, end in (("9", EXIT_USAGE, "drain: '9' is none of them; nothing was done"),
                                    ("", EXIT_USAGE, "drain: no answer; nothing was done"),
                                    (str(number), EXIT_OK, "2 sessions with 1 connection left")):  # fmt: skip
            done, said = at_terminal(["drain"], environ, f"{answer}\n")
            lines = [" ".join(line.split()[1:]) for line in said if line.startswith("  ")]
            assert lines[number - 1] == f"port 5007 /board 2 sessions process {other.pid}", said
            assert (done, said[-1].endswith(end)) == (status, True), said
        assert other.wait(patience(10)) == -signal.SIGTERM and one.poll() is None


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "drain: no server of this user is running. Name its process: app-server drain PID"),
        (["x1"], "PID: expected a number, not 'x1'"),
        (["1234567890"], "PID: expected a number, not '1234567890'"),
        (["--port", "١"], "--port: expected a number, not '١'"),
        (["1", "--port", "2"], "--port: cannot be used with a process id. Leave one of them out."),
        (["1", "--port", "x"], "--port: expected a number, not 'x'"),
        (["--port", "5006"], "--port: no server of this user listens on port 5006."
         " Name its process instead: app-server drain PID"),
        (["999999999"], "999999999: no server of this user has this process."
         " If it belongs to another user, run the command as that user."),
    ],
)  # fmt: skip
def test_what_means_no_server_is_one_line(
    runtime_base: tuple[Path, dict[str, str]], words: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["drain", *words], runtime_base[1]) == EXIT_USAGE
    assert capsys.readouterr().err == f"app-server: {error}\n"


def test_what_is_left_is_said_when_it_changes_until_the_end(
    runtime_base: tuple[Path, dict[str, str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    base, environ = runtime_base
    monkeypatch.setattr(drain, "LOOK_S", 0.0)
    left = [2, 2, 1, 1, 0]
    folders: list[Path] = []

    def answer() -> dict[str, object]:
        sessions = left.pop(0)
        if not left:
            shutil.rmtree(folders[0])
        return snapshot(sessions, 0)

    with pretending(base, answer) as process:
        folders.append(base / str(process.pid))
        assert main(["drain", "--wait"], environ) == EXIT_OK
    begin = f"process {process.pid} accepts no new sessions; "
    assert capsys.readouterr().out.removeprefix(begin).splitlines() == [
        "2 sessions with 0 connections left",
        "1 session with 0 connections left",
        "0 sessions with 0 connections left",
        f"process {process.pid} has ended",
    ]


def test_server_that_has_ended_meanwhile_is_said(
    runtime_base: tuple[Path, dict[str, str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    base, environ = runtime_base

    def gone(pid: int, number: int) -> None:
        if number:
            raise ProcessLookupError

    def foreign(pid: int, number: int) -> None:
        if number:
            raise PermissionError

    with pretending(base) as process:
        foreigner = "belongs to another user. Run the command as that user."
        for kill, error in ((gone, "the server has ended"), (foreign, foreigner)):
            monkeypatch.setattr("os.kill", kill)
            assert main(["drain"], environ) == EXIT_FAILED
            monkeypatch.undo()
            assert capsys.readouterr().err == f"app-server: process {process.pid}: {error}\n"
