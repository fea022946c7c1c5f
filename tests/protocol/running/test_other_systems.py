"""The server on Windows and macOS, as far as Linux can look like them: see tests/support/systems/."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app_server.client import ConnectionLost, pull_session
from app_server.security.auth.passwords import Cost, hash_password
from tests.support.clients.visitor import Visitor
from tests.support.ports import free_port
from tests.support.server import REPOSITORY
from tests.support.servers.driven import fetched
from tests.support.waiting import patience, until

APP = """
from bokeh.io import curdoc
from bokeh.models import Slider

from app_server import jobs

slider = Slider(start=0, end=10, value=1, title="ä → ü", name="slider")


def done(value):
    slider.title = f"{value} by a job"


def refused(where):
    try:
        jobs.submit(len, "", where=where)
    except jobs.JobError as error:
        return str(error)


def moved(attr, old, new):
    jobs.submit(str, new, on_result=done)
    curdoc().title = str(refused("process"))


slider.on_change("value", moved)
curdoc().add_root(slider)
"""

DEPLOYMENT = """
apps:
  app: app.py
public: www.example.com
"""


class Driven:
    """A process on another system, and the results that it has written so far."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], port: int) -> None:
        self.folder, self.process, self.port = folder, process, port

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def result(self, name: str) -> Any:
        """What the process has written under this name."""
        path = self.folder / f"{name}.json"
        until(lambda: path.exists() or self.process.poll() is not None, f"{name}\n{self.log}", 60)
        assert path.exists(), self.log
        return json.loads(path.read_text(encoding="utf-8"))

    def interrupt(self) -> int:
        """Ctrl-C; the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(patience(20))


def environment(system: str, folder: Path) -> Mapping[str, str]:
    """This one's, with a home of its own."""
    kept = {name: value for name, value in os.environ.items() if name != "HOME" and not name.startswith("XDG_")}
    home = {"windows": "USERPROFILE", "macos": "HOME"}[system]
    return {**kept, home: str(folder), "APP_SERVER_RUNTIME_DIR": str(folder / "r"), "PYTHONUTF8": "0"}


@contextmanager
def driven(system: str, folder: Path, commands: Sequence[Sequence[str]], serve: Sequence[str]) -> Iterator[Driven]:
    port = free_port()
    (folder / "app.py").write_text(APP, encoding="utf-8")
    (folder / "deploy.yaml").write_text(DEPLOYMENT, encoding="utf-8")
    last = ["serve", str(folder / "app.py"), "--port", str(port), "--address", "127.0.0.1", *serve]
    (folder / "commands.json").write_text(json.dumps([*commands, last]), encoding="utf-8")
    words = ["-X", "warn_default_encoding", "-m", "tests.support.systems.other", system]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *words, "tests.support.servers.driven", str(folder)],
            cwd=REPOSITORY, env=environment(system, folder),
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield Driven(folder, process, port)
    finally:
        process.kill()
        process.wait()


REFUSED: Mapping[str, tuple[Sequence[str], str]] = {
    "--num-procs": (
        ["serve", "app.py", "--num-procs", "2"],
        "--num-procs: needs several processes (fork), which Windows does not have."
        " Leave it out: one process serves all sessions.",
    ),
    "--isolation": (
        ["serve", "app.py", "--isolation", "snapshot"],
        "--isolation snapshot: needs several processes (fork), which Windows does not have."
        " Leave it out: the sessions share one process, or those of --num-procs.",
    ),
    "--unix-socket": (
        ["serve", "app.py", "--unix-socket", "app.sock"],
        "--unix-socket: needs Unix sockets, which Windows does not have."
        " Leave it out, and listen at --address and --port.",
    ),
    "--store": (
        ["serve", "app.py", "--store", "sessions"],
        "--store: needs folders of one user, which Windows does not have."
        " Name a Redis (redis://HOST), or leave it out: sessions then end with the server.",
    ),
    "--console": (
        ["serve", "app.py", "--console", "localhost:5099"],
        "--console: needs several processes (fork), which Windows does not have."
        " Leave it out; --metrics and --stats-log-frequency show figures.",
    ),
    "status": (
        ["status"],
        "status: needs Unix sockets, which Windows does not have. Stop a server with Ctrl-C;"
        " `app-server status http://HOST:PORT` reads the figures of one with --metrics.",
    ),
    "backup": (
        ["backup", "app.backup"],
        "app-server backup: needs owners and modes of files, which Windows does not have."
        " Run it on Linux or macOS, or in Windows' Subsystem for Linux.",
    ),
    "deploy": (
        ["deploy", "compose"],
        "app-server deploy: needs file locks and links to folders, which Windows does not have. Run it on Linux or"
        " macOS, or in Windows' Subsystem for Linux; `app-server config` and `bundle` work here.",
    ),
}

DONE: Mapping[str, Sequence[str]] = {
    "init": ["init", "FOLDER/app.py", "--yes", "--output", "FOLDER/new.yaml"],
    "config": ["config", "all", "--file", "FOLDER/deploy.yaml", "--output", "FOLDER/out"],
    "config again": ["config", "all", "--file", "FOLDER/deploy.yaml", "--output", "FOLDER/out", "--force"],
    "config printed": ["config", "nginx", "--file", "FOLDER/deploy.yaml"],
    "check": ["serve", "--check", "FOLDER/app.py"],
    "check of settings": [
        "serve", "--check", "FOLDER/app.py", "--basic-auth", "FOLDER/users", "--index", "FOLDER/i.html",
    ],
    "html": ["html", "FOLDER/app.py", "--output", "FOLDER/app.html"],
    "info": ["info"],
    "certificate": ["certificate", "localhost", "--folder", "FOLDER/certificates"],
    "secret": ["secret"],
    "help": ["serve", "--help-all"],
}  # fmt: skip


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driven]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("BOKEH_COOKIE_SECRET", "0123456789abcdef" * 2)
        yield from started_on_windows(tmp_path_factory.mktemp("windows"))


def started_on_windows(folder: Path) -> Iterator[Driven]:
    (folder / "out").mkdir()
    (folder / "users").write_text("", encoding="utf-8")
    (folder / "i.html").write_text("", encoding="utf-8")
    commands = [words for words, _ in REFUSED.values()] + list(DONE.values())
    named = [[word.replace("FOLDER", str(folder)) for word in each] for each in commands]
    at = [[str(folder / word) if word == "app.py" else word for word in each] for each in named]
    with driven("windows", folder, at, ["--dev"]) as started:
        yield started


@pytest.mark.parametrize("name", REFUSED)
def test_windows_refuses_what_it_lacks_in_one_line(windows: Driven, name: str) -> None:
    result = windows.result(str(list(REFUSED).index(name)))
    said = result["err"].splitlines() or windows.log.splitlines()
    assert result["status"] in (1, 2) and said[-1] == f"app-server: {REFUSED[name][1]}", result


@pytest.mark.parametrize("name", DONE)
def test_windows_runs_the_other_commands(windows: Driven, name: str) -> None:
    result = windows.result(str(len(REFUSED) + list(DONE).index(name)))
    assert result["status"] == 0 and "Traceback" not in result["err"], result["err"]
    if name == "config printed":
        assert "proxy_pass" in result["out"]


def test_files_written_on_windows_have_the_line_ends_of_their_readers(windows: Driven) -> None:
    windows.result("library")
    assert "app: app.py" in (windows.folder / "new.yaml").read_bytes().decode("utf-8")
    written = [path for path in (windows.folder / "out").rglob("*") if path.is_file()]
    assert len(written) > 3 and not any(b"\r" in path.read_bytes() for path in written)


def test_client_pulls_a_session_on_windows_and_jobs_run_in_threads(windows: Driven) -> None:
    pulled = windows.result("library")["pull"]
    assert len(pulled) == 4, pulled
    before, after, process, socket = pulled
    assert (before, after) == ("ä → ü", "7 by a job")
    assert process == (
        "len: needs a process of its own, which has no connection on Windows."
        ' Leave out where="process": a thread does the work'
    )
    assert socket == (
        "somewhere: there are no Unix sockets on Windows."
        " Leave out unix_socket=, and give the address of a server with a port."
    )


def test_server_of_a_program_works_in_a_loop_that_watches_no_sockets(windows: Driven) -> None:
    assert windows.result("library")["serve_in_loop"] == ["_ProactorLoop", 200, 0, 2]


def test_asgi_application_answers_on_windows(windows: Driven) -> None:
    assert windows.result("library")["serve_at_uvicorn"] == 200


def test_application_is_tested_on_windows(windows: Driven) -> None:
    assert windows.result("library")["test_application"] == "3 by a job"


def title_at(driven: Driven) -> Any:
    """What a new session shows."""
    with pull_session(url=f"http://127.0.0.1:{driven.port}/app") as session:
        return session.document.get_model_by_name("slider").title


def test_windows_serves_sessions_reloads_them_and_ends_at_ctrl_c(windows: Driven) -> None:
    windows.result("library")
    assert title_at(windows) == "ä → ü"
    assert fetched(f"http://127.0.0.1:{windows.port}/static/js/bokeh.min.js") == 200
    assert fetched(f"http://127.0.0.1:{windows.port}/static/js/..%5C..%5Cpackage.json") == 0
    (windows.folder / "app.py").write_text(APP.replace("ä → ü", "ö"), encoding="utf-8")

    def is_reloaded() -> bool:
        try:
            return title_at(windows) == "ö"
        except ConnectionLost:  # --dev has ended this session, which was one of the old code
            return False

    until(is_reloaded, windows.log)
    assert windows.interrupt() == 0
    assert "Traceback" not in windows.log and "EncodingWarning: 'encoding' argument not specified\n  File \"" not in (
        windows.log
    )


def test_macos_serves_sessions_in_two_processes_and_saves_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOKEH_COOKIE_SECRET", "0123456789abcdef" * 2)
    monkeypatch.setenv("BOKEH_SECRET_KEY", "0123456789abcdef" * 2)
    users = tmp_path / "users"
    users.write_text(f"ann:{hash_password('correct horse', cost=Cost(2, 1, 1))}\n", encoding="utf-8")
    app = str(tmp_path / "app.py")
    commands = [["serve", "--check", app], ["info"], ["serve", app, "--isolation", "process"]]
    flags = ["--num-procs", "2", "--store", str(tmp_path / "sessions"), "--basic-auth", str(users)]
    with driven("macos", tmp_path, commands, flags) as macos:
        results = [macos.result(str(number)) for number in range(3)]
        assert [result["status"] for result in results] == [0, 0, 2], results
        assert results[2]["err"].splitlines()[-1] == (
            "app-server: --isolation process: needs /proc, which macOS does not have."
            " Leave it out: the sessions share one process, or those of --num-procs."
        )
        at = f"http://127.0.0.1:{macos.port}"
        until(lambda: fetched(f"{at}/healthz") == 200 or macos.process.poll() is not None, "an answer", 60)
        visitor = Visitor(at)
        assert visitor.log_in("ann", "correct horse").status == 303, macos.log
        token = visitor.ask("/app").token
        with pull_session(url=f"{at}/app", cookies=visitor.cookies, token=token) as session:
            slider = session.document.get_model_by_name("slider")
            slider.value = 4
            session.run(until=lambda: "by a job" in slider.title, timeout_s=20)
        until(lambda: len(list((tmp_path / "sessions").iterdir())) == 1, macos.log)
        assert macos.interrupt() == 0 and "Traceback" not in macos.log, macos.log
