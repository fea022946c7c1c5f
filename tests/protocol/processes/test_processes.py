"""Several processes behind one address: each session in one of them, whatever reaches which."""

from __future__ import annotations

import os
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import psutil
import pytest
import trustme
from websockets.exceptions import ConnectionClosed

from app_server.security.tokens import Signer, mint_session_id, mint_token
from tests.protocol.conftest import Served, apps, serving
from tests.support.client import PATIENCE_S, ask
from tests.support.waiting import patience, until

PROCESSES = 4
UNSIGNED = Signer()


@pytest.fixture(scope="module")
def runs_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the application counts its runs."""
    return tmp_path_factory.mktemp("runs") / "runs"


@pytest.fixture(scope="module")
def several(runs_file: Path) -> Iterator[Served]:
    """Four processes that serve an application which counts its runs."""
    environ = {"COUNTING_FILE": str(runs_file)}
    with serving(*apps("counting.py"), "--num-procs", str(PROCESSES), env=environ) as served:
        yield served


class Runs:
    """The runs of the application since this was made."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._before = len(self._lines())

    def _lines(self) -> list[str]:
        return self._path.read_text().splitlines() if self._path.exists() else []

    @property
    def processes(self) -> list[str]:
        """The process of each run."""
        return [line.split()[0] for line in self._lines()[self._before :]]

    def __len__(self) -> int:
        return len(self.processes)


@pytest.fixture
def runs(runs_file: Path) -> Runs:
    """The runs since the test began."""
    return Runs(runs_file)


def use(served: Served, token: str, value: int = 7) -> str:
    """Open the session of this token and move its slider; the process that answers."""
    with served.site.client("/counting", token) as client:
        client.set("slider", "value", value)
        process, seen = client.value("seen", "text").split()
        assert seen == str(value)
        return str(process)


def test_200_pages_with_their_sockets_are_200_runs(several: Served, runs: Runs) -> None:
    def visit(number: int) -> str:
        return use(several, several.site.token("/counting"), number % 99 + 1)

    with ThreadPoolExecutor(8) as pool:
        answered = list(pool.map(visit, range(200)))
        while len(set(answered)) < PROCESSES and len(answered) < 2000:  # some may still have to start
            answered += pool.map(visit, range(200))
    assert len(runs) == len(answered)
    assert sorted(answered) == sorted(runs.processes)
    assert len(set(answered)) == PROCESSES


def test_an_embedded_application_runs_once(several: Served, runs: Runs) -> None:
    query = {"bokeh-autoload-element": "e1", "bokeh-app-path": "/counting"}
    tokens = [several.site.get("/counting/autoload.js", **query).token for _ in range(12)]
    assert sorted(use(several, token) for token in tokens) == sorted(runs.processes)
    assert len(runs) == 12


def test_a_client_with_a_token_of_its_own_and_the_page_of_its_session_meet(several: Served, runs: Runs) -> None:
    for _ in range(12):
        session_id = mint_session_id(UNSIGNED)
        token = mint_token(UNSIGNED, session_id, expires_at=int(time.time()) + 60)
        first = use(several, token)
        page = several.site.get("/counting", headers={"Bokeh-Session-Id": session_id})
        assert page.status == 200
        assert use(several, page.token) == first
    assert len(runs) == 12


def test_requests_for_a_session_that_is_being_built_wait_for_it(several: Served, runs: Runs) -> None:
    session_id = mint_session_id(UNSIGNED)
    token = mint_token(UNSIGNED, session_id, expires_at=int(time.time()) + 60)

    def ask(number: int) -> str:
        if number % 2:
            return use(several, token)
        query = {"slow": "1", "bokeh-session-id": session_id}
        return use(several, several.site.get("/counting", **query).token)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert len(runs) == 1


def test_a_forged_token_is_refused_as_with_one_process(several: Served) -> None:
    assert several.site.get("/counting", **{"bokeh-token": "nonsense"}).status == 403
    with several.site.socket("/counting", "nonsense") as client:
        assert client.close_code() == 1008


def workers(served: Served) -> list[psutil.Process]:
    """The worker processes."""
    return psutil.Process(served.process.process.pid).children()


def test_a_process_that_crashes_is_started_again(tmp_path: Path) -> None:
    environ = {"COUNTING_FILE": str(tmp_path / "runs")}
    with serving(*apps("counting.py"), "--num-procs", "2", env=environ) as served:
        token = served.site.token("/counting")
        killed = int(use(served, token))
        survivor = next(worker.pid for worker in workers(served) if worker.pid != killed)
        other = next(token for token in (served.site.token("/counting") for _ in range(99))
                     if use(served, token) == str(survivor))  # fmt: skip
        with served.site.client("/counting", other) as undisturbed:
            os.kill(killed, signal.SIGKILL)
            # Its page comes back with the same token, and finds the application as it starts.
            assert int(use(served, token)) not in (killed, survivor)
            undisturbed.set("slider", "value", 33)
            assert undisturbed.value("seen", "text") == f"{survivor} 33"
        assert len(workers(served)) == 2
        served.process.wait_for_log("ended with SIGKILL")


def test_workers_do_not_outlive_their_parent(tmp_path: Path) -> None:
    environ = {"COUNTING_FILE": str(tmp_path / "runs")}
    with serving(*apps("counting.py"), "--num-procs", "2", env=environ) as served:
        left = workers(served)
        os.kill(served.process.process.pid, signal.SIGKILL)
        psutil.wait_procs(left, patience(PATIENCE_S))
        assert not any(process.is_running() for process in left)


def test_sigterm_ends_all_processes_with_status_0(tmp_path: Path) -> None:
    environ = {"COUNTING_FILE": str(tmp_path / "runs")}
    with serving(*apps("counting.py"), "--num-procs", "2", env=environ) as served:
        left = workers(served)
        with served.site.client("/counting") as client:
            assert served.process.stop() == 0
            assert client.close_code() == 1001
        assert not any(process.is_running() for process in left)


def test_a_session_goes_on_while_its_process_is_replaced_and_comes_back_afterwards(tmp_path: Path) -> None:
    environ = {"COUNTING_FILE": str(tmp_path / "runs")}
    flags = ["--num-procs", "2", "--drain", "4", "--session-token-expiration", "1"]
    with serving(*apps("counting.py"), *flags, env=environ) as served:
        before = {worker.pid for worker in workers(served)}
        token = served.site.token("/counting")
        with served.site.client("/counting", token) as client:
            client.set("slider", "value", 1)
            process = client.value("seen", "text").split()[0]
            os.kill(served.process.process.pid, signal.SIGHUP)
            served.process.wait_for_log("Stopping: 1 sessions")
            # It is still there, also for a page that reconnects, whichever process that reaches.
            client.set("slider", "value", 2)
            assert client.value("seen", "text") == f"{process} 2"
            assert use(served, token, 3) == process
            until(lambda: len({worker.pid for worker in workers(served)} - before) == 2)
            until(lambda: int(use(served, served.site.token("/counting"))) not in before)
            assert client.close_code() == 1012
        # The token has expired meanwhile, and was handed on with the session's name.
        assert int(use(served, token)) not in before
        until(lambda: not before & {worker.pid for worker in workers(served)})
        served.interrupt()


def test_no_page_fails_while_processes_are_replaced(tmp_path: Path) -> None:
    environ = {"COUNTING_FILE": str(tmp_path / "runs")}
    runs = Runs(tmp_path / "runs")
    with serving(*apps("counting.py"), "--num-procs", "3", env=environ) as served:
        before = {worker.pid for worker in workers(served)}
        over = False

        def visit(number: int) -> int:
            pages = 0
            while not over:
                token = served.site.token("/counting")
                pages += 1
                try:
                    use(served, token)
                except ConnectionClosed:  # asked to reconnect
                    use(served, token)
            return pages

        with ThreadPoolExecutor(4) as pool:
            visitors = [pool.submit(visit, number) for number in range(4)]
            until(lambda: len(runs) > 8)
            os.kill(served.process.process.pid, signal.SIGHUP)
            until(lambda: not before & {worker.pid for worker in workers(served)}, patience_s=3 * PATIENCE_S)
            over = True
            assert all(visitor.result() > 0 for visitor in visitors)
        assert len(workers(served)) == 3


def test_applications_that_no_longer_load_leave_the_old_processes_serving(tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text("from bokeh.plotting import curdoc\n")
    with serving(script, "--num-procs", "2") as served:
        before = {worker.pid for worker in workers(served)}
        script.write_text("def\n")
        os.kill(served.process.process.pid, signal.SIGHUP)
        served.process.wait_for_log("Not replacing the workers")
        assert served.site.get("/app").status == 200
        assert {worker.pid for worker in workers(served)} == before


def test_a_drained_server_keeps_its_sessions_and_takes_no_new_ones(tmp_path: Path) -> None:
    environ = {"COUNTING_FILE": str(tmp_path / "runs")}
    with serving(*apps("counting.py"), "--drain", "30", env=environ) as served:
        token = served.site.token("/counting")
        with served.site.client("/counting", token) as client:
            served.process.process.terminate()
            served.process.wait_for_log("Stopping: 1 sessions")
            assert served.site.get("/readyz").status == 503
            refused = served.site.get("/counting")
            assert refused.status == 503
            assert refused.headers["retry-after"] == "2"
            client.set("slider", "value", 9)
            assert client.value("seen", "text").endswith(" 9")
            use(served, token)  # a page that reconnects
            process = served.process.process
            os.kill(process.pid, signal.SIGINT)
            process.wait(patience(PATIENCE_S))


def test_a_drained_server_ends_with_its_last_session(tmp_path: Path) -> None:
    environ = {"COUNTING_FILE": str(tmp_path / "runs")}
    flags = ["--drain", "600", "--unused-session-lifetime", "1000", "--check-unused-sessions", "50"]
    with serving(*apps("counting.py"), *flags, env=environ) as served:
        with served.site.client("/counting"):
            served.process.process.terminate()
            served.process.wait_for_log("Stopping: 1 sessions")
        assert served.process.process.wait(patience(PATIENCE_S)) == 0


def test_connections_are_relayed_if_the_server_terminates_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "pem")
    authority.cert_pem.write_to_path(tmp_path / "ca")
    environ = {"COUNTING_FILE": str(tmp_path / "runs")}
    runs = Runs(tmp_path / "runs")
    flags = ["--num-procs", "3", "--ssl-certfile", tmp_path / "pem"]
    with serving(*apps("counting.py"), *flags, env=environ) as served:
        trusting = ssl.create_default_context(cafile=str(tmp_path / "ca"))
        for number in range(1, 201):
            with served.site.client("/counting", ssl=trusting, origin=served.process.url) as client:
                client.set("slider", "value", number)
                assert client.value("seen", "text").endswith(f" {number}")
            assert len(runs) == number
            # The kernel chooses who accepts: on a busy machine the same one for a while.
            if number >= 12 and len(set(runs.processes)) > 1:
                return
        pytest.fail("one process took all connections")


def test_a_process_that_hangs_is_ended_if_configured(tmp_path: Path) -> None:
    environ = {"COUNTING_FILE": str(tmp_path / "runs")}
    flags = ["--num-procs", "2", "--hang-timeout", f"{patience(1.5):.3g}"]
    with serving(*apps("counting.py"), *flags, env=environ) as served:
        token = served.site.token("/counting")
        with served.site.client("/counting", token) as client:
            client.send("PATCH-DOC", {"events": [client.change("slider", "value", 100)]})  # it never comes back
            assert client.close_code(patience(3 * PATIENCE_S)) is None
        served.process.wait_for_log("has not moved for")
        served.process.wait_for_log("in hang")  # where it stood
        use(served, token)


def test_a_new_process_that_hangs_while_it_starts_leaves_the_old_one_serving(tmp_path: Path) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "main.py").write_text("from bokeh.plotting import curdoc\ncurdoc().title = 'here'\n")
    hooks, hanging = folder / "app_hooks.py", "import time\ndef on_server_loaded(context):\n    time.sleep(600)\n"
    hooks.write_text("")
    with serving(folder, "--num-procs", "2", "--start-timeout", str(round(patience(1)))) as served:
        before = {worker.pid for worker in workers(served)}
        hooks.write_text(hanging)
        os.kill(served.process.process.pid, signal.SIGHUP)
        served.process.wait_for_log("The new worker 0 ended with SIGKILL; the old one stays")
        until(lambda: re.search(r"has not come to serving within \d+ s; ending it", served.process.log_text()))
        served.process.wait_for_log("in on_server_loaded")  # where it stood
        assert {worker.pid for worker in workers(served)} == before
        assert served.site.get("/app").status == 200
        hooks.write_text("")
        os.kill(served.process.process.pid, signal.SIGHUP)
        until(lambda: not before & {worker.pid for worker in workers(served)}, patience_s=3 * PATIENCE_S)


def test_a_replaced_process_passes_on_what_comes_on_connections_that_it_kept(tmp_path: Path) -> None:
    environ = {"COUNTING_FILE": str(tmp_path / "runs")}
    flags = ["--num-procs", "2", "--drain", "20", "--prefix", "/p", "--route", "r1"]
    with serving(*apps("counting.py"), *flags, prefix="/_i/r1/p", env=environ) as served:
        before = {worker.pid for worker in workers(served)}
        kept = HTTPConnection("localhost", served.process.port, timeout=patience(PATIENCE_S))
        token = ask(kept, "/p/counting").token
        with served.site.client("/counting", token) as client:
            client.set("slider", "value", 1)
            assert int(client.value("seen", "text").split()[0]) in before
            os.kill(served.process.process.pid, signal.SIGHUP)
            served.process.wait_for_log("Stopping: 1 sessions")
            assert ask(kept, "/p/counting", "HEAD").status == 200
            assert ask(kept, "/p/counting/autoload.js", "OPTIONS").status == 204
            fresh = ask(kept, "/p/counting")
            assert fresh.status == 200
            until(lambda: int(use(served, served.site.token("/counting"))) not in before)
            use(served, fresh.token)
            client.set("slider", "value", 2)
            assert int(client.value("seen", "text").split()[0]) in before
        kept.close()
        served.interrupt()


def test_the_command_drain_ends_a_server_with_its_last_session(tmp_path: Path) -> None:
    environ = {"COUNTING_FILE": str(tmp_path / "runs"), "APP_SERVER_RUNTIME_DIR": str(tmp_path / "run")}
    flags = "--num-procs 2 --drain 600 --unused-session-lifetime 1000 --check-unused-sessions 50".split()

    def drain(*words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "app_server", "drain", *words]
        return subprocess.Popen(
            command, env={**os.environ, **environ}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    said, _ = drain().communicate(timeout=patience(3 * PATIENCE_S))
    assert said.startswith("app-server: drain: no server of this user is running.")
    with serving(*apps("counting.py"), *flags, env=environ) as served:
        main = served.process.process.pid
        with served.site.client("/counting"):
            waiting = drain("--port", str(served.process.port), "--wait")
            until(lambda: all(served.site.get("/readyz").status == 503 for _ in range(4)), patience_s=3 * PATIENCE_S)
            assert waiting.poll() is None
        said, _ = waiting.communicate(timeout=patience(3 * PATIENCE_S))
        lines = said.splitlines()
        assert lines[0] == f"process {main} accepts no new sessions; 1 session with 1 connection left"
        assert lines[-1] == f"process {main} has ended"
        assert served.process.process.wait(patience(PATIENCE_S)) == 0
