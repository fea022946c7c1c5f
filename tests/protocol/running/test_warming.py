"""Applications that are run once before the server is ready, and instead of serving."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.protocol.conftest import serving
from tests.support.server import run_command, start_server
from tests.support.servers.family import has_ended
from tests.support.waiting import PATIENCE_S, patience, until

HOOKS = """
import os

def note(word):
    with open(os.environ["NOTES"], "a") as file:
        file.write(f"{word} {os.getpid()}\\n")

def on_server_loaded(server_context): note("loaded")
def on_server_unloaded(server_context): note("unloaded")
def on_session_created(session_context): note("created")
def on_session_destroyed(session_context): note("destroyed")
"""
MAIN = """
import os, threading
from bokeh.models import Div
from bokeh.io import curdoc

threading.Thread(target=threading.Event().wait, daemon=True).start()
curdoc().add_root(Div(text=curdoc().session_context.id))
with open(os.environ["NOTES"], "a") as file:
    file.write(f"run {os.getpid()}\\n")
"""
MARKING = """
import os
from bokeh.io import curdoc

with open(os.environ["NOTES"], "a") as file:
    print(curdoc().session_context.id, file=file)
"""
FAULTY = """
def work():
    raise ValueError("oops")

work()
"""
ENDLESS = """
while True:
    try:
        while True:
            pass
    except Exception:
        pass
"""
LINGERING = f"import time{ENDLESS}".replace("pass", "time.sleep(0.001)", 1)
"""The same, but it leaves the core to others."""

LARGE = """
from bokeh.io import curdoc
from bokeh.models import Div

class Endless(list):
    def __iter__(self):
        while done:
            pass
        return super().__iter__()

done = False
curdoc().add_root(Div(tags=[Endless()]))
done = True
"""
"""Its document takes forever to encode, for which the server is running its own code."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Applications: noting, with hooks, and some that fail."""
    (tmp_path / "noting").mkdir()
    (tmp_path / "noting" / "main.py").write_text(MAIN)
    (tmp_path / "noting" / "app_hooks.py").write_text(HOOKS)
    for name, text in (
        ("faulty", FAULTY), ("endless", ENDLESS), ("lingering", LINGERING), ("large", LARGE),
        ("leaving", "import sys\nsys.exit(3)\n"), ("broken", "x = (\n"),
    ):  # fmt: skip
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def notes(folder: Path) -> list[tuple[str, str]]:
    """What the applications have noted: a word and the process."""
    lines = (folder / "notes").read_text().splitlines()
    return [(word, pid) for word, _, pid in (line.partition(" ") for line in lines)]


def lives(folder: Path) -> list[list[str]]:
    """What each process has noted."""
    found: dict[str, list[str]] = {}
    for word, pid in notes(folder):
        found.setdefault(pid, []).append(word)
    return list(found.values())


@pytest.mark.parametrize(
    ("flags", "processes"),
    [(["--num-procs", "1"], 1), (["--num-procs", "2"], 2), (["--isolation", "process"], 1)],
    ids=["one", "several", "isolated"],
)
def test_applications_are_run_before_the_server_is_ready(folder: Path, flags: list[str], processes: int) -> None:
    words = [folder / "noting", folder / "faulty.py", folder / "leaving.py", "--warm", *flags]
    with serving(*words, env={"NOTES": str(folder / "notes")}) as served:
        served.process.wait_for_log("Serving http")
        assert served.site.get("/readyz").status == 200
        life = ["loaded", "created", "run", "destroyed", *(["unloaded"] if "--isolation" in flags else [])]
        assert life in lives(folder)
        until(lambda: lives(folder) == [life] * processes, "each process has run the application once")
        served.process.wait_for_log("/leaving: the warmup failed: ")
        log = served.process.log_text()
        assert f"/faulty: the warmup failed: {folder}/faulty.py:3: ValueError: oops. Correct it" in log
        assert "in work" in log and 'raise ValueError("oops")' in log
        assert f"/leaving: the warmup failed: {folder}/leaving.py:2: the application called sys.exit(3)" in log
        assert served.site.get("/noting").status == 200
        assert served.site.get("/faulty").status == 500


@pytest.mark.parametrize("flags", [["--num-procs", "2"], ["--isolation", "process"]], ids=["several", "isolated"])
def test_applications_are_run_again_after_a_reload_but_not_after_a_crash(tmp_path: Path, flags: list[str]) -> None:
    (tmp_path / "marking.py").write_text(MARKING)
    ids = tmp_path / "ids"
    with serving(tmp_path / "marking.py", "--warm", *flags, env={"NOTES": str(ids)}) as served:
        runs = 1 if "--isolation" in flags else 2
        until(lambda: ids.read_text().split() == ["warmup"] * runs, "each process has run the application once")
        processes = psutil.Process(served.process.process.pid).children()
        for process in processes:
            process.kill()
        psutil.wait_procs(processes, patience(PATIENCE_S))
        until(lambda: served.site.get("/marking").status == 200, "another process has taken over")
        assert ids.read_text().split().count("warmup") == runs
        os.kill(served.process.process.pid, signal.SIGHUP)
        until(lambda: ids.read_text().split().count("warmup") == 2 * runs, "each new process has run it once")


def test_a_snapshot_is_the_run(folder: Path) -> None:
    (folder / "plain.py").write_text(MAIN.replace("curdoc().session_context.id", "''").replace("threading.Thread", "#"))
    words = [folder / "plain.py", folder / "faulty.py", "--warm", "--isolation", "snapshot"]
    with serving(*words, env={"NOTES": str(folder / "notes")}) as served:
        assert [word for word, _ in notes(folder)] == ["run"]
        assert served.site.get("/plain").status == 200
        assert [word for word, _ in notes(folder)] == ["run"]
        served.process.wait_for_log(f"/faulty: the warmup failed: {folder}/faulty.py:3: ValueError: oops")


@pytest.mark.parametrize(
    ("name", "isolation"), [("endless", "none"), ("lingering", "process"), ("lingering", "snapshot")]
)
def test_an_application_that_never_returns_keeps_no_other_from_being_served(
    folder: Path, name: str, isolation: str
) -> None:
    words = [folder / f"{name}.py", folder / "noting", "--warm", "--isolation", isolation]
    words += ["--start-timeout", str(round(patience(5)))]
    with serving(*words, env={"NOTES": str(folder / "notes")}) as served:
        assert served.site.get("/noting").status == 200
        served.process.wait_for_log("did not return within", PATIENCE_S)
        assert f"/{name}: the warmup failed: {folder}/{name}.py:" in served.process.log_text()


def test_a_document_that_takes_too_long_to_encode_keeps_no_other_from_being_served(folder: Path) -> None:
    words = [folder / "large.py", folder / "noting", "--warm", "--start-timeout", "15"]
    with serving(*words, env={"NOTES": str(folder / "notes")}) as served:
        assert served.site.get("/noting").status == 200
        served.process.wait_for_log("/large: the warmup failed: /large: did not return within 2.5 s", PATIENCE_S)


@pytest.mark.parametrize(("isolation", "flags"), [("snapshot", []), ("snapshot", ["--warm"]), ("process", ["--warm"])])
def test_no_process_remains_of_a_server_that_is_stopped_while_an_application_starts(
    folder: Path, isolation: str, flags: list[str]
) -> None:
    noted = folder / "pid"
    begin = f"import os\nwith open({str(noted)!r}, 'w') as file:\n    print(os.getpid(), file=file)\n"
    (folder / "endless.py").write_text(begin + ENDLESS)
    server = start_server("endless.py", "--isolation", isolation, *flags, "--port", "0", cwd=folder)
    try:
        until(lambda: noted.exists() and noted.read_text().endswith("\n"), "the application starts", 60)
    finally:
        server.terminate()
        server.wait(patience(PATIENCE_S))
    until(lambda: has_ended(int(noted.read_text())), "the process in which the application starts has ended")


def check(folder: Path, *words: str | Path) -> tuple[int, list[str], str]:
    """The status of a check, its lines, and its log."""
    environment = {"NOTES": str(folder / "notes")}
    found = run_command("serve", "--check", *words, cwd=folder, env=environment, timeout_s=4 * PATIENCE_S)
    return found.returncode, found.stdout.splitlines(), found.stderr


def test_check_has_a_line_for_each_application_and_fails_if_one_does(folder: Path) -> None:
    words = ["noting", "faulty.py", "endless.py", "leaving.py", "broken.py", "--start-timeout", "6"]
    status, lines, log = check(folder, *words)
    assert status == 1
    assert lines[0] == "/noting: ok"
    assert lines[1] == "/faulty: faulty.py:3: ValueError: oops"
    assert lines[2].startswith("/endless: endless.py:") and lines[2].endswith(": did not return within 2 s")
    assert lines[3] == "/leaving: leaving.py:2: the application called sys.exit(3)"
    assert lines[4] == "/broken: broken.py:1: SyntaxError: '(' was never closed"
    assert len(lines) == 5
    assert "in work" in log and "restart the server" not in log  # nothing is served
    assert [word for word, _ in notes(folder)] == ["loaded", "created", "run", "destroyed", "unloaded"]


def test_check_of_good_applications_succeeds_and_only_its_lines_are_on_stdout(folder: Path) -> None:
    (folder / "loud.py").write_text("print('to be heard')\n")
    status, lines, log = check(folder, "loud.py", "noting", "--isolation", "process")
    assert (status, lines) == (0, ["/loud: ok", "/noting: ok"])
    assert "to be heard" in log


def test_check_of_a_path_that_leads_nowhere_is_a_wrong_word(folder: Path) -> None:
    status, lines, log = check(folder, "missing.py")
    assert (status, lines) == (2, [])
    assert "missing.py: there is no such file or folder" in log
