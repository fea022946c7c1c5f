"""Long work of applications, in servers of every kind: it comes back, is limited, seen, cancelled, and found again."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.protocol.conftest import SECRET, Served, apps, serving
from tests.protocol.running.test_status import figures
from tests.protocol.saving.conftest import kill
from tests.protocol.saving.test_sleeping import sessions_of
from tests.support.client import Client, Site
from tests.support.ports import free_port
from tests.support.server import running_server
from tests.support.waiting import PATIENCE_S, patience, until

MODES = {
    "one": (), "workers": ("--num-procs", "2"), "process": ("--isolation", "process"),
    "snapshot": ("--isolation", "snapshot"),
}  # fmt: skip


def say(client: Client, words: str) -> None:
    """Have the application do this."""
    client.set("field", "value", words)


def wait_for(client: Client, name: str, pattern: str) -> str:
    """What one of the texts says, as soon as it matches."""
    client.wait_for(lambda: re.fullmatch(pattern, str(client.value(name, "text"))))
    return str(client.value(name, "text"))


@contextmanager
def visiting(served: Served, token: str | None = None) -> Iterator[Client]:
    """A page that shows the session, with its document."""
    with served.site.client("/long_work", token) as client:
        yield client


def gone(pid: int) -> bool:
    """Whether a process has ended, although its status may not have been asked for."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture(scope="module", params=MODES)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    with serving(*apps("long_work.py"), *MODES[request.param]) as running:
        yield running


def test_work_in_threads_and_processes_comes_back_and_so_do_its_failures(served: Served) -> None:
    with visiting(served) as client:
        say(client, "count thread 20")
        _, _, in_thread = re.findall(r"\d+", wait_for(client, "note", r"result \(20, 7, \d+\)"))
        assert client.value("steps", "text") == "1.0 step 20"
        say(client, "count process 21")
        _, _, in_process = re.findall(r"\d+", wait_for(client, "note", r"result \(21, 7, \d+\)"))
        assert in_thread != in_process and gone(int(in_process))
        say(client, "fail process")
        wait_for(client, "note", "ValueError: no such town")
        say(client, "die process")
        wait_for(client, "note", "JobDied: die: the process of the job ended with SIGKILL. Most likely .*")
        say(client, "odd process")
        wait_for(client, "note", r"NotSendable: odd: its result\[0\] cannot be sent back, because it is a .*")


def test_job_that_never_ends_is_cancelled_with_its_process_and_a_page_goes_on(served: Served) -> None:
    with visiting(served) as client:
        say(client, "hang process")
        pid = int(wait_for(client, "steps", r"0.25 in \d+").split()[-1])
        say(client, "cancel")
        wait_for(client, "note", "cancelled")
        until(lambda: gone(pid), "its process has ended")
        say(client, "count thread 3")
        wait_for(client, "note", r"result \(3, 7, \d+\)")


@pytest.mark.parametrize("mode", MODES)
def test_jobs_that_never_end_do_not_hold_up_the_end_of_the_server(mode: str) -> None:
    with serving(*apps("long_work.py"), *MODES[mode]) as served:
        with visiting(served) as client:
            say(client, "hang thread")
            wait_for(client, "steps", r"0.25 in \d+")
            say(client, "named fit hang process")
            client.wait_for(lambda: client.value("where", "text") == "running")
            until(lambda: _job_processes(served), "its process is there")
            (process,) = _job_processes(served)
            os.kill(served.process.process.pid, signal.SIGTERM)
            assert client.close_code() in (1001, 1012)
        assert served.process.process.wait(patience(PATIENCE_S)) == 0, served.process.log_text()
        until(lambda: gone(process.pid), "its process has ended")
        assert "Traceback" not in served.process.log_text()


def _job_processes(served: Served) -> list[psutil.Process]:
    children = psutil.Process(served.process.process.pid).children(recursive=True)
    return [each for each in children if "app_server.jobs" in " ".join(each.cmdline())]


def test_limits_are_those_of_the_settings_and_status_and_metrics_show_jobs(tmp_path: Path) -> None:
    flags = "--max-jobs 1 --max-queued-jobs 2 --max-jobs-per-user 2 --metrics".split()
    with serving(*apps("long_work.py"), *flags, env={"APP_SERVER_RUNTIME_DIR": str(tmp_path)}) as served:
        with visiting(served) as one, visiting(served) as two, visiting(served) as three:
            say(one, "count thread 3")
            wait_for(one, "note", r"result .*")
            say(one, "hang process")
            wait_for(one, "steps", r"0.25 in \d+")
            say(one, "count thread 4")
            wait_for(one, "where", "queued")
            say(one, "count thread 5")
            wait_for(one, "note", "JobsFull: count: you have 2 jobs already. Cancel one, or wait.*")
            say(two, "count thread 6")
            wait_for(two, "where", "queued")
            say(three, "count thread 7")
            wait_for(three, "note", "JobsFull: count: the server is busy with other jobs: 1 running, 2 queued. .*")
            (facts,) = figures(served.process.process.pid, folder=tmp_path)["processes"].values()
            seen = facts["applications"]["/long_work"]
            assert (seen["now"]["jobs_running"], seen["now"]["jobs_queued"]) == (1, 2)
            assert seen["ever"]["jobs"] == {"done": 1, "refused": 2}
            text = served.site.get("/metrics").body.decode()
            found = {
                each.name: each.value
                for family in text_string_to_metric_families(text)
                for each in family.samples
                if each.name.startswith("app_server_jobs_") and each.labels.get("outcome", "refused") == "refused"
            }
            assert found == {"app_server_jobs_running": 1, "app_server_jobs_queued": 2, "app_server_jobs_total": 2}
            one.close()  # its session lives on for a while, and its jobs do
            say(three, "count thread 8")
            wait_for(three, "note", "JobsFull: count: the server is busy .*")


def test_server_that_drains_waits_for_named_jobs() -> None:
    flags = "--drain 60 --unused-session-lifetime 500 --check-unused-sessions 20".split()
    with serving(*apps("long_work.py"), *flags) as served:
        with visiting(served) as client:
            say(client, "named fit count thread 1000")
            wait_for(client, "steps", r".* step \d+")
        os.kill(served.process.process.pid, signal.SIGTERM)
        assert served.process.process.wait(patience(30)) == 0
        assert "Traceback" not in served.process.log_text()


# Found again.


@pytest.mark.parametrize("mode", ["one", "workers", "process"])
def test_named_job_of_a_killed_server_is_found_as_lost_where_its_session_goes_on(tmp_path: Path, mode: str) -> None:
    port = str(free_port())
    words = (*apps("long_work.py"), "--port", port, "--store", tmp_path, *MODES[mode])
    environment = {"BOKEH_SECRET_KEY": SECRET}
    with serving(*words, env=environment) as served:
        token = served.site.token("/long_work")
        with visiting(served, token) as client:
            say(client, "named fit hang process")
            pid = int(wait_for(client, "steps", r"0.25 in \d+").split()[-1])
            until(
                lambda: any(
                    b"0.25" in file.read_bytes() and b'"fit"' in file.read_bytes()
                    for file in tmp_path.glob("*.session")
                ),
                "it is saved",
            )
            kill_all(served)
            until(lambda: gone(pid), "the job's process ends with the server's")
    with serving(*words, env=environment) as served, visiting(served, token) as client:
        wait_for(client, "where", f"lost at 0.25: in {pid}")
        say(client, "named fit count process 9")
        wait_for(client, "note", r"result \(9, 7, \d+\)")


def test_page_that_was_cut_off_finds_its_job_going_on(served: Served) -> None:
    token = served.site.token("/long_work")
    with visiting(served, token) as client:
        say(client, "count thread 800")
        wait_for(client, "steps", r".* step \d+")
        client.cut()
    with visiting(served, token) as client:
        wait_for(client, "note", r"result \(800, 7, \d+\)")


def test_other_page_of_a_user_finds_the_job_and_other_users_do_not() -> None:
    flags = ("--auth-header", "X-Who", "--auth-header-from", "127.0.0.0/8,::1", "--max-jobs-per-user", "1")
    with serving(*apps("long_work.py"), *flags, env={"BOKEH_SECRET_KEY": SECRET}) as served:

        @contextmanager
        def page_of(user: str) -> Iterator[Client]:
            site = Site(served.site.url, {"X-Who": user})
            with site.client("/long_work", additional_headers={"X-Who": user}) as client:
                yield client

        with page_of("ada") as one, page_of("ada") as other, page_of("bob") as bob:
            steps = round(600 * patience(1))
            say(one, f"named fit count thread {steps}")
            wait_for(one, "steps", r".* step \d+")
            say(bob, "find fit")
            wait_for(bob, "where", "not found")
            say(other, "count thread 3")
            wait_for(other, "note", "JobsFull: count: you have 1 jobs already.*")
            say(bob, "count thread 3")
            wait_for(bob, "note", r"result \(3, 7, \d+\)")
            say(other, "find fit")
            wait_for(other, "where", r"running at .*: step \d+")
            for page in (one, other):
                wait_for(page, "note", rf"result \({steps}, 7, \d+\)")


def test_job_of_a_session_that_moves_to_another_process_is_lost_there(tmp_path: Path) -> None:
    flags = ("--num-procs", "2", "--store", tmp_path)
    with serving(*apps("long_work.py"), *flags, env={"BOKEH_SECRET_KEY": SECRET}) as served:
        token = served.site.token("/long_work")
        with visiting(served, token) as client:
            say(client, "named fit hang process")
            pid = int(wait_for(client, "steps", r"0.25 in \d+").split()[-1])
            os.kill(served.process.process.pid, signal.SIGHUP)  # replaces the workers
            assert client.close_code() == 1012
        with visiting(served, token) as client:
            wait_for(client, "where", f"lost at 0.25: in {pid}")
        until(lambda: gone(pid), "its process has ended")
        assert "Traceback" not in served.process.log_text()


def kill_all(served: Served) -> None:
    """End all processes of a server as a machine does that fails; not those of jobs."""
    jobs = _job_processes(served)
    family = psutil.Process(served.process.process.pid).children(recursive=True)
    others = [process for process in family if process not in jobs]
    kill(served)  # first, or it would start others in their place
    for process in others:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    until(lambda: all(gone(process.pid) for process in others), "they have closed their sockets")


def test_named_job_goes_on_while_its_session_sleeps(tmp_path: Path) -> None:
    flags = "--unused-session-lifetime 500 --check-unused-sessions 20 --metrics".split()
    with serving(*apps("long_work.py"), "--store", tmp_path, *flags, env={"BOKEH_SECRET_KEY": SECRET}) as served:
        token = served.site.token("/long_work")
        with visiting(served, token) as client:
            say(client, "named fit count thread 1500")
            wait_for(client, "steps", r".* step \d+")
        until(lambda: sessions_of(served) == 0, "it sleeps")
        with visiting(served, token) as client:
            wait_for(client, "note", r"result \(1500, 7, \d+\)")


def test_jobs_run_under_the_stock_server_too() -> None:
    with running_server(*apps("long_work.py"), server="stock") as running:
        served = Served(Site(running.url), running)
        with visiting(served) as client:
            say(client, "count process 12")
            wait_for(client, "note", r"result \(12, 7, \d+\)")
            say(client, "hang process")
            pid = int(wait_for(client, "steps", r"0.25 in \d+").split()[-1])
            say(client, "cancel")
            wait_for(client, "note", "cancelled")
            until(lambda: gone(pid), "its process has ended")


@pytest.mark.parametrize(("server", "threads"), [("ours", True), ("ours", False), ("panel", True)])
def test_jobs_run_in_applications_made_with_panel(server: str, threads: bool) -> None:
    flags = ["--num-threads", "4"] if threads else []
    with running_server(*apps("panel_work.py"), *flags, server=server) as running:
        site = Site(running.url)
        with site.client("/panel_work") as client:
            field = next(
                ident for ident, each in client.attributes.items() if each.get("title") == "field" or "value" in each
            )

            def text_has(words: str) -> bool:
                return any(words in str(each.get("text")) for each in client.attributes.values())

            for where, number in (("thread", 10), ("process", 11)):
                event = {"kind": "ModelChanged", "model": {"id": field}, "attr": "value", "new": f"{where} {number}"}
                client.patch(event)
                client.wait_for(lambda number=number: text_has(f"True: {sum(range(number))}"))
                assert text_has("its own" if threads else "main")
