"""Faults of the machine: processes that are killed or stand still, and a run folder that is lost or full.

What each may cost is written in docs/when-things-fail.md.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest
from websockets.exceptions import InvalidStatus, WebSocketException

from tests.protocol.conftest import APPS, Served, apps, serving
from tests.support.client import PATIENCE_S, Client, Site
from tests.support.ports import free_port
from tests.support.server import running_process
from tests.support.waiting import patience, until

MODES = {
    "alone": [],
    "workers": ["--num-procs", "2"],
    "process": ["--isolation", "process"],
    "snapshot": ["--isolation", "snapshot"],
}


@contextmanager
def machine(folder: Path, *flags: str, **environ: str) -> Iterator[Served]:
    """A server whose run folder lies in `folder`."""
    environment = {"COUNTING_FILE": str(folder / "runs"), "APP_SERVER_RUNTIME_DIR": str(folder / "run"), **environ}
    with serving(*apps("apart.py"), *flags, env=environment) as served:
        yield served


@contextmanager
def gunicorn(folder: Path, *flags: str, app: Path = APPS / "apart.py") -> Iterator[Served]:
    """The same under gunicorn."""
    port = free_port()
    environment = {"COUNTING_FILE": str(folder / "runs"), "APP_SERVER_RUNTIME_DIR": str(folder / "run")}
    command = [
        sys.executable, "-m", "gunicorn", "--bind", f"localhost:{port}", "--no-control-socket", "--graceful-timeout",
        "1", "-k", "app_server.gunicorn.Worker", *flags, f"app_server.gunicorn:app({str(app)!r})",
    ]  # fmt: skip
    with running_process(command, f"http://localhost:{port}", env=environment, warm=True) as started:
        yield Served(Site(started.url), started)


def main(served: Served) -> psutil.Process:
    """The server's main process."""
    return psutil.Process(served.process.process.pid)


def do(client: Client, words: str) -> psutil.Process:
    """Have the application do something; the process that has done it."""
    client.set("field", "value", words)
    return psutil.Process(int(client.value("seen", "text").split()[0]))


def loop_for_ever(client: Client) -> None:
    """Have the application do what is never answered."""
    client.send("PATCH-DOC", {"events": [client.change("field", "value", "linger")]})


def explained(served: Served, token: str) -> bool:
    """Whether the page of a session that has ended says why."""
    try:
        with served.site.client("/apart", token) as client:
            return "It took longer to answer" in client.attributes[client.roots[0]].get("text", "")
    except InvalidStatus:  # it is to come again
        return False


def visit(served: Served) -> psutil.Process:
    """Open the page and use it; the process of its session."""
    with served.site.client("/apart") as client:
        return do(client, "this")


def assert_gone(processes: list[psutil.Process], patience_s: float = 1.0) -> None:
    """Fail where one of them still does anything; the machine's init may not have taken note of its end yet."""

    def lives(process: psutil.Process) -> bool:
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    until(lambda: not any(map(lives, processes)), patience_s=patience_s)


def assert_healthy_start(served: Served) -> None:
    """Fail where the server has said more than that it starts, and where it serves."""
    lines = served.process.log_text().splitlines()
    gunicorns = ("Starting ", "Listening ", "Using ", "Booting ", "Booting ", "Worker ", "Worker ")
    expected = gunicorns if "Starting gunicorn" in lines[0] else ("Serving ",)
    assert len(lines) == len(expected), lines
    assert all("INFO" in line and line.partition("INFO")[2].lstrip("] ").startswith(expected) for line in lines), lines


# The run folder


@pytest.mark.parametrize("mode", [*MODES, "gunicorn"])
def test_a_healthy_start_says_little_and_a_run_folder_that_is_deleted_is_made_again(tmp_path: Path, mode: str) -> None:
    flags = ["--workers", "2"] if mode == "gunicorn" else MODES[mode]
    with (gunicorn if mode == "gunicorn" else machine)(tmp_path, *flags) as served:
        token = served.site.token("/apart")
        if mode == "gunicorn":
            until(lambda: served.process.log_text().count(" serves ") == 2)
        else:
            served.process.wait_for_log("Serving ")  # another worker may answer before the first one says so
        assert_healthy_start(served)
        with served.site.client("/apart", token) as client:
            before = do(client, "before").pid
            shutil.rmtree(tmp_path / "run")
            assert visit(served).is_running()
            with served.site.client("/apart", token) as again:
                assert again.value("seen", "text") == f"{before} before"
            for _ in range(4):
                visit(served)
            assert do(client, "after").pid == before
        served.process.wait_for_log("created it again")
        log = served.process.log_text()
        assert log.count("created it again") == 1
        assert "Traceback" not in log and " 503 " not in log
        if mode != "workers":
            return
        command = [sys.executable, "-m", "app_server", "status", "--json"]
        environ = {**os.environ, "APP_SERVER_RUNTIME_DIR": str(tmp_path / "run")}
        said = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30, check=True).stdout
        assert str(served.process.process.pid) in said


def test_a_run_folder_that_cannot_be_made_again_ends_the_server_with_a_line(tmp_path: Path) -> None:
    for serve, flags, status in (machine, MODES["process"], 1), (gunicorn, [], 4):
        with serve(tmp_path, *flags) as served:
            visit(served)
            left = main(served).children(recursive=True)
            (tmp_path / "run").rename(tmp_path / "elsewhere")
            (tmp_path / "run").symlink_to(tmp_path)  # which someone else could have made
            assert served.process.process.wait(patience(2 * PATIENCE_S)) == status
            assert_gone(left)
            log = served.process.log_text()
            assert f"{tmp_path / 'run'} belongs to another user" in log
            assert "Traceback" not in log
        (tmp_path / "run").unlink()
        shutil.rmtree(tmp_path / "elsewhere")


@pytest.mark.parametrize(("mode", "status"), [("alone", 1), ("gunicorn", 4)])
def test_thread_that_never_ends_does_not_hide_that_the_server_gave_up(tmp_path: Path, mode: str, status: int) -> None:
    app, run = tmp_path / "threaded.py", tmp_path / "run"
    app.write_text(
        "import asyncio, threading, time\n"
        "threading.Thread(target=time.sleep, args=(600,)).start()\n"
        "asyncio.get_running_loop().run_in_executor(None, time.sleep, 600)\n"
    )
    started = (
        gunicorn(tmp_path, app=app)
        if mode == "gunicorn"
        else serving(str(app), env={"APP_SERVER_RUNTIME_DIR": str(run)})
    )
    with started as served:
        served.site.token("/threaded")
        run.rename(tmp_path / "elsewhere")
        run.symlink_to(tmp_path)
        assert served.process.process.wait(patience(2 * PATIENCE_S)) == status


# The log


def test_a_full_disk_under_the_log_costs_lines_of_it(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to("/dev/full")
    with machine(tmp_path, "--num-procs", "2", "--log-file", str(tmp_path / "log")) as served:
        for _ in range(3):
            assert served.site.get("/missing").status == 404
            visit(served)
        lines = served.process.log_text().splitlines()
    assert all("cannot be written: No space left on device" in line for line in lines), lines
    assert 1 <= len(lines) <= 3  # one for each process that has had something to say


# Processes that are killed


def fork_servers(served: Served) -> list[psutil.Process]:
    """The processes that have forked the session of a page that is opened for this."""
    with served.site.client("/apart") as client:
        found = [do(client, "this").parent()]
    return [process for process in found if process is not None]


@pytest.mark.parametrize("victim", ["process", "snapshot", "guard of a snapshot"])
def test_sessions_whose_fork_server_was_killed_keep_their_limits(tmp_path: Path, victim: str) -> None:
    flags = MODES[victim.split()[-1]]
    with machine(tmp_path, *flags, "--callback-limit", f"{patience(1):.3g}", "--session-cpu", "60") as served:
        token, stuck_token = served.site.token("/apart"), served.site.token("/apart")
        with served.site.client("/apart", token) as client, served.site.client("/apart", stuck_token) as stuck:
            before = do(client, "before")
            do(stuck, "before")
            (fork_server,) = fork_servers(served)
            loop_for_ever(stuck)
            (fork_server.parent() if "guard" in victim else fork_server).kill()  # type: ignore[union-attr]
            assert stuck.close_code() is None  # it had begun before the new one was there
            assert do(client, "after") == before
            loop_for_ever(client)
            assert client.close_code() is None
        served.process.wait_for_log("its successor takes over")
        for each in (token, stuck_token):
            until(partial(explained, served, each))
        served.process.wait_for_log("in loop_for_ever")
        visit(served)


def test_sessions_of_a_killed_fork_server_end_in_order_and_crash_with_a_notice(tmp_path: Path) -> None:
    flags = ["--unused-session-lifetime", "100", "--check-unused-sessions", "50"]
    with machine(tmp_path, *MODES["process"], *flags) as served:
        crashing, ending = served.site.token("/apart"), served.site.token("/apart")
        with served.site.client("/apart", crashing) as one, served.site.client("/apart", ending) as other:
            ended = do(other, "this")
            do(one, "this")
            (fork_server,) = fork_servers(served)
            fork_server.kill()
            served.process.wait_for_log("its successor takes over")
            one.send("PATCH-DOC", {"events": [one.change("field", "value", "crash")]})
            assert one.close_code() is None
        served.process.wait_for_log("its process ended unexpectedly")
        with served.site.client("/apart", crashing) as client:
            assert "unexpected end" in client.attributes[client.roots[0]]["text"]
        assert_gone([ended])
        with served.site.client("/apart", ending) as client:
            assert do(client, "fresh") != ended
        assert served.process.log_text().count("its process ended unexpectedly") == 1


@pytest.mark.parametrize("mode", ["process", "snapshot"])
def test_nothing_is_left_of_a_server_that_stops_right_after_its_fork_server_was_killed(
    tmp_path: Path, mode: str
) -> None:
    with machine(tmp_path, *MODES[mode], "--drain-deadline", "1") as served:
        with served.site.client("/apart") as client, served.site.client("/apart") as stuck:
            sessions = [do(client, "this"), do(stuck, "this")]
            (fork_server,) = fork_servers(served)
            loop_for_ever(stuck)
            left = main(served).children(recursive=True)
            assert set(sessions) <= set(left)
            fork_server.kill()
            served.process.process.terminate()
            assert client.close_code() == 1001
            assert served.process.process.wait(patience(PATIENCE_S)) == 0
        assert_gone(left)


def test_nothing_is_left_of_a_server_that_is_stopped_impatiently(tmp_path: Path) -> None:
    with machine(tmp_path, *MODES["process"], "--drain", "30") as served:
        with served.site.client("/apart") as client, served.site.client("/apart") as stuck:
            do(client, "this")
            do(stuck, "this")
            loop_for_ever(stuck)
            left = main(served).children(recursive=True)
            served.process.process.terminate()
            served.process.wait_for_log("Stopping")
            time.sleep(1.05)
            served.process.process.terminate()
            assert served.process.process.wait(patience(PATIENCE_S)) == 1
        assert_gone(left)


def test_nothing_is_left_when_the_main_process_and_the_fork_server_are_killed_together(tmp_path: Path) -> None:
    with machine(tmp_path, *MODES["process"], "--drain-deadline", "1") as served:
        with served.site.client("/apart") as client, served.site.client("/apart") as stuck:
            sessions = [do(client, "this"), do(stuck, "this")]
            (fork_server,) = fork_servers(served)
            loop_for_ever(stuck)
            left = main(served).children(recursive=True)
            assert set(sessions) <= set(left)
            main(served).kill()
            fork_server.kill()
            assert client.close_code() == 1001
        assert_gone(left, PATIENCE_S)


# Processes that stand still


@contextmanager
def standing_still(process: psutil.Process) -> Iterator[None]:
    process.suspend()
    try:
        yield
    finally:
        process.resume()


def test_processes_that_stand_still_cost_what_they_do_and_no_more(tmp_path: Path) -> None:
    flags = ["--isolation", "process", "--num-procs", "2", "--drain-deadline", "1"]
    with machine(tmp_path, *flags) as served, served.site.client("/apart") as client:
        session = do(client, "this")
        fork_server = session.parent()
        assert fork_server is not None
        workers = [child for child in main(served).children() if child != fork_server]
        with standing_still(main(served)):
            assert visit(served) != session
        with standing_still(fork_server):
            assert do(client, "that") == session
            assert served.site.get("/healthz").status == 200
        assert visit(served).parent() == fork_server
        with standing_still(session):
            assert visit(served) != session
        assert do(client, "and that") == session
        workers[0].suspend()
        workers[1].suspend()
        left = main(served).children(recursive=True)
        served.process.process.terminate()
        assert served.process.process.wait(patience(2 * PATIENCE_S)) == 0
    assert_gone(left)


# The clock

CLOCK = """
import os, time
_real = time.time
def _jumped():
    try:
        with open(os.environ["JUMP_FILE"]) as file:
            return _real() + float(file.read() or 0)
    except FileNotFoundError:
        return _real()
time.time = _jumped
"""


@pytest.mark.parametrize("mode", ["alone", "process"])
def test_a_clock_that_jumps_ends_no_session_and_refuses_no_new_page(tmp_path: Path, mode: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(CLOCK)
    jump = tmp_path / "jump"
    flags = ["--check-unused-sessions", "50", "--keep-alive", "200"]
    environ = {"PYTHONPATH": str(tmp_path), "JUMP_FILE": str(jump)}
    with machine(tmp_path, *MODES[mode], *flags, **environ) as served:
        token = served.site.token("/apart")
        with served.site.client("/apart", token) as client:
            before = do(client, "before")
            for jump_s in (86_400, -86_400, 0):
                jump.write_text(str(jump_s))
                assert do(client, f"at {jump_s}") == before
                with served.site.client("/apart", token) as again:  # although the token may have expired
                    assert again.value("seen", "text") == f"{before.pid} at {jump_s}"
                visit(served)
        unused = served.site.token("/apart")
        jump.write_text("86400")
        with served.site.client("/apart", unused) as client:  # its session waits for it still
            assert do(client, "late").is_running()
        assert "ERROR" not in served.process.log_text()


# Descriptors


def test_a_fork_server_without_descriptors_refuses_new_sessions_until_others_end(tmp_path: Path) -> None:
    port = free_port()
    command = ["bash", "-c", 'ulimit -n 50; exec "$@"', "bash", sys.executable, "-m", "app_server", "serve"]
    command += [*map(str, apps("apart.py")), "--port", str(port), "--isolation", "process"]
    command += ["--unused-session-lifetime", "100", "--check-unused-sessions", "50"]
    environ = {"COUNTING_FILE": str(tmp_path / "runs"), "APP_SERVER_RUNTIME_DIR": str(tmp_path / "run")}
    with running_process(command, f"http://localhost:{port}", env=environ) as started:
        served = Served(Site(started.url), started)
        with ExitStack() as stack:
            statuses = []
            while 503 not in statuses and len(statuses) < 60:
                page = served.site.get("/apart")
                statuses.append(page.status)
                if page.status == 200:
                    try:
                        stack.enter_context(served.site.client("/apart", page.token))
                    except (OSError, WebSocketException):
                        break
            assert len(statuses) > 5
            assert served.process.log_text().count("\n") < 5 * len(statuses)
        until(lambda: len(main(served).children(recursive=True)) == 2)  # all sessions are gone
        visit(served)
        assert "Traceback" not in served.process.log_text()


# gunicorn


def test_gunicorn_and_its_workers_may_be_killed_or_stand_still(tmp_path: Path) -> None:
    with gunicorn(tmp_path, "--workers", "2", "--timeout", f"{patience(2):.0f}") as served:
        with served.site.client("/apart") as client:
            mine = do(client, "this")
            with standing_still(main(served)):
                assert do(client, "that") == mine
                visit(served)
            mine.kill()
            assert client.close_code() is None
        assert visit(served) != mine
        until(lambda: len(main(served).children()) == 2)
        still = main(served).children()[0]
        still.suspend()
        assert_gone([still], PATIENCE_S)
        with served.site.client("/apart") as client:
            do(client, "this")
            left = main(served).children()
            main(served).kill()
            assert client.close_code() == 1012
        assert_gone(left, PATIENCE_S)
