"""Under a real gunicorn: each session in one worker, whatever reaches which, while workers come and go."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from app_server.errors import OperatorError
from app_server.gunicorn import app
from app_server.security.auth.passwords import Cost, hash_password
from app_server.security.tokens import Signer, mint_session_id, mint_token
from tests.protocol.conftest import APPS, SECRET, Served
from tests.protocol.processes.test_processes import Runs, use, workers
from tests.support.client import PATIENCE_S, Site
from tests.support.clients.visitor import Visitor
from tests.support.ports import free_port
from tests.support.server import REPOSITORY, run_command, running_process
from tests.support.waiting import patience, until

WORKERS = 4
PAUSE_S = 0.04
"""Between the pages of one visitor: without it he takes a core until workers have made way, which takes seconds."""


@contextmanager
def gunicorn(
    folder: Path, *flags: str, keywords: str = "", name: str = "counting.py", warm: bool = True, **environ: str
) -> Iterator[Served]:
    """Serve an application with gunicorn; its runs are counted in `folder`.

    Unless `warm`, its workers import what they need themselves, as they do without --preload.
    """
    port = free_port()
    command = [
        sys.executable, "-m", "gunicorn", "--bind", f"localhost:{port}", "--no-control-socket",
        "-k", "app_server.gunicorn.Worker", *flags, f"app_server.gunicorn:app({str(APPS / name)!r}{keywords})",
    ]  # fmt: skip
    environ = {"COUNTING_FILE": str(folder / "runs"), "APP_SERVER_RUNTIME_DIR": str(folder / "run"), **environ}
    with running_process(command, f"http://localhost:{port}", env=environ, warm=warm) as started:
        yield Served(Site(started.url), started)
        started.process.send_signal(signal.SIGINT)  # no worker is to wait for sessions that no one needs any more


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the shared server's application counts its runs."""
    return tmp_path_factory.mktemp("gunicorn")


@pytest.fixture(scope="module")
def shared(folder: Path) -> Iterator[Served]:
    """Four workers."""
    with gunicorn(folder, "--workers", str(WORKERS), warm=False) as served:
        yield served


@pytest.fixture
def runs(folder: Path) -> Runs:
    """The runs since the test began."""
    return Runs(folder / "runs")


def send(served: Served, number: int) -> None:
    """Send a signal to gunicorn's main process."""
    os.kill(served.process.process.pid, number)


def count(served: Served) -> int:
    """How many worker processes there are."""
    return len(workers(served))


def serving_workers(served: Served) -> int:
    """How many workers have come to the point of serving."""
    return served.process.log_text().count(" serves 1 applications")


def test_100_pages_with_their_sockets_are_100_runs(shared: Served, runs: Runs) -> None:
    until(lambda: serving_workers(shared) == WORKERS, patience_s=3 * PATIENCE_S)

    def visit(number: int) -> str:
        return use(shared, shared.site.token("/counting"), number % 99 + 1)

    with ThreadPoolExecutor(8) as pool:
        answered = list(pool.map(visit, range(100)))
    assert len(runs) == 100
    assert sorted(answered) == sorted(runs.processes)
    assert len(set(answered)) == WORKERS


def test_workers_have_run_the_application_before_they_serve(tmp_path: Path) -> None:
    with gunicorn(tmp_path, "--workers", "2", keywords=", warm=True") as served:
        until(lambda: serving_workers(served) == 2, patience_s=3 * PATIENCE_S)
        ran = {int(line.split()[0]) for line in (tmp_path / "runs").read_text().splitlines()}
        assert ran == {worker.pid for worker in workers(served)}


def test_any_worker_reports_what_all_have_counted(tmp_path: Path) -> None:
    with gunicorn(tmp_path, "--workers", "2", keywords=", metrics=True") as served:
        until(lambda: serving_workers(served) == 2, patience_s=3 * PATIENCE_S)
        for _ in range(6):
            served.site.token("/counting")
        command = [sys.executable, "-m", "app_server", "status", "--json"]
        environ = {**os.environ, "APP_SERVER_RUNTIME_DIR": str(tmp_path / "run")}
        out = subprocess.run(command, env=environ, cwd=REPOSITORY, capture_output=True, timeout=60, check=True).stdout
        processes = json.loads(out)["processes"].values()
        assert {facts["pid"] for facts in processes} == {worker.pid for worker in workers(served)}
        assert sum(facts["applications"]["/counting"]["now"]["sessions"] for facts in processes) == 6
        text = served.site.get("/metrics").text
        figures = re.findall(r"^app_server_sessions\{.*\} (.*)$", text, re.MULTILINE)
        assert (len(figures), sum(map(float, figures))) == (2, 6)


def test_a_client_with_a_token_of_its_own_and_the_page_of_its_session_meet(shared: Served, runs: Runs) -> None:
    for _ in range(12):
        session_id = mint_session_id(Signer())
        token = mint_token(Signer(), session_id, expires_at=int(time.time()) + 60)
        first = use(shared, token)
        page = shared.site.get("/counting", headers={"Bokeh-Session-Id": session_id})
        assert use(shared, page.token) == first
    assert len(runs) == 12


def test_no_page_fails_while_all_workers_are_replaced_and_sessions_go_on_or_come_back(tmp_path: Path) -> None:
    flags = ["--workers", "3", "--graceful-timeout", f"{patience(12):.0f}"]
    with gunicorn(tmp_path, *flags, keywords=", session_token_expiration=1") as served:
        until(lambda: serving_workers(served) == 3, patience_s=3 * PATIENCE_S)
        before = {worker.pid for worker in workers(served)}
        over = False

        def visit(number: int) -> int:
            pages = 0
            while not over:
                time.sleep(PAUSE_S)
                token = served.site.token("/counting")
                pages += 1
                try:
                    use(served, token)
                except ConnectionClosed:  # asked to reconnect
                    use(served, token)
            return pages

        kept = served.site.token("/counting")
        with served.site.client("/counting", kept) as client, ThreadPoolExecutor(3) as pool:
            client.set("slider", "value", 1)
            process = client.value("seen", "text").split()[0]
            visitors = [pool.submit(visit, number) for number in range(3)]
            try:
                send(served, signal.SIGHUP)
                until(lambda: serving_workers(served) == 6, patience_s=3 * PATIENCE_S)
                client.set("slider", "value", 2)
                assert client.value("seen", "text") == f"{process} 2"
                assert use(served, kept, 3) == process  # a page that reconnects
                assert client.close_code(patience(3 * PATIENCE_S)) == 1012
                assert int(use(served, kept)) not in before  # although the token has expired
            finally:
                over = True
            assert all(visitor.result() > 0 for visitor in visitors)
        until(lambda: not before & {worker.pid for worker in workers(served)}, patience_s=3 * PATIENCE_S)
        assert count(served) == 3


def test_more_and_fewer_workers_share_the_sessions(tmp_path: Path) -> None:
    runs = Runs(tmp_path / "runs")
    with gunicorn(tmp_path, "--workers", "1", "--graceful-timeout", "600") as served:
        kept = served.site.token("/counting")
        with served.site.client("/counting", kept) as client:
            client.set("slider", "value", 1)
            first = client.value("seen", "text").split()[0]
            send(served, signal.SIGTTIN)
            until(lambda: serving_workers(served) == 2, patience_s=3 * PATIENCE_S)
            # A share changes hands a moment after its new worker serves.
            met: list[str] = []

            def meet() -> str:
                met.append(use(served, served.site.token("/counting")))
                return met[-1]

            until(lambda: meet() != first, patience_s=PATIENCE_S)
            send(served, signal.SIGTTOU)  # the first one leaves
            served.process.wait_for_log("Worker 1 leaves")
            until(lambda: served.site.get("/readyz").status == 200)
            assert use(served, kept) == first  # its session is still there
            until(lambda: [meet() != first for _ in range(5)] == [True] * 5, patience_s=PATIENCE_S)
        assert len(runs) == len(met) + 1


def test_a_worker_that_has_answered_enough_makes_way_when_another_one_is_there(tmp_path: Path) -> None:
    flags = ["--workers", "2", "--max-requests", "30", "--graceful-timeout", "6"]
    with gunicorn(tmp_path, *flags) as served:
        until(lambda: serving_workers(served) == 2, patience_s=3 * PATIENCE_S)
        with served.site.client("/counting") as client:
            client.set("slider", "value", 1)
            before = {worker.pid for worker in workers(served)}
            while before & {worker.pid for worker in workers(served)}:
                time.sleep(PAUSE_S)
                token = served.site.token("/counting")
                try:
                    use(served, token)
                except ConnectionClosed:
                    use(served, token)
            assert client.close_code() == 1012
        assert " 503 " not in served.process.log_text()


def test_a_worker_that_crashes_or_hangs_is_replaced_and_its_share_taken(tmp_path: Path) -> None:
    with gunicorn(tmp_path, "--workers", "2", "--timeout", f"{patience(3):.0f}") as served:
        until(lambda: serving_workers(served) == 2, patience_s=3 * PATIENCE_S)
        token = served.site.token("/counting")
        killed = int(use(served, token))
        os.kill(killed, signal.SIGKILL)
        hung = int(use(served, token))
        assert hung != killed
        with served.site.client("/counting", token) as client:
            client.send("PATCH-DOC", {"events": [client.change("slider", "value", 100)]})  # it never comes back
            assert client.close_code(patience(3 * PATIENCE_S)) is None
        served.process.wait_for_log("WORKER TIMEOUT")
        served.process.wait_for_log("in hang")  # where it stood
        assert int(use(served, token)) not in (killed, hung)


def test_sigterm_lets_sessions_go_on_for_a_while(tmp_path: Path) -> None:
    graceful_s = round(patience(8))  # two thirds are left for what is asked meanwhile
    with gunicorn(tmp_path, "--workers", "2", "--graceful-timeout", str(graceful_s)) as served:
        until(lambda: serving_workers(served) == 2, patience_s=3 * PATIENCE_S)
        token = served.site.token("/counting")
        left = workers(served)
        with served.site.client("/counting", token) as client:
            client.set("slider", "value", 1)
            send(served, signal.SIGTERM)
            until(lambda: all(served.site.get("/counting").status == 503 for _ in range(6)))
            assert served.site.get("/readyz").status == 503
            use(served, token)
            assert client.close_code(patience(graceful_s + PATIENCE_S)) == 1012
        assert served.process.process.wait(patience(PATIENCE_S)) == 0
        assert not any(worker.is_running() for worker in left)
        assert not list((tmp_path / "run").iterdir())


def test_sigint_ends_at_once(tmp_path: Path) -> None:
    with gunicorn(tmp_path, "--workers", "2", "--graceful-timeout", "600") as served:
        with served.site.client("/counting") as client:
            send(served, signal.SIGINT)
            assert client.close_code() == 1001
        assert served.process.process.wait(patience(PATIENCE_S)) == 0


def test_applications_loaded_beforehand_with_settings_of_their_own(tmp_path: Path) -> None:
    keywords = ", prefix='/some/where', use_xheaders=True, session_ids='signed', log_format='OURS %(message)s'"
    flags = ["--workers", "2", "--preload", "--access-logfile", "-"]
    with gunicorn(tmp_path, *flags, keywords=keywords, warm=False, BOKEH_SECRET_KEY=SECRET) as served:
        until(lambda: serving_workers(served) == 2, patience_s=3 * PATIENCE_S)
        address = {"X-Real-Ip": "203.0.113.9"}
        page = served.site.get("/some/where/counting", headers=address)
        assert page.status == 200
        with served.site.client("/some/where/counting", page.token) as client:
            client.set("slider", "value", 5)
        assert "OURS " in served.process.log_text()
        served.process.wait_for_log("203.0.113.9")
        served.process.wait_for_log('"GET /some/where/counting HTTP/1.1" 200')


def test_sessions_with_processes_of_their_own_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_SERVER_ISOLATION", "process")
    with pytest.raises(OperatorError) as refused:
        app(str(APPS / "counting.py"))
    assert str(refused.value) == (
        "isolation: gunicorn's workers do not start processes for sessions. "
        "Use app-server serve --num-procs, or leave it out."
    )


@pytest.mark.parametrize(
    ("application", "said"),
    [
        ("app_server.gunicorn:app('nowhere.py')", "app-server: nowhere.py"),
        ("app_server.gunicorn:app('x.py', port=1)", "app-server: port: is for gunicorn to say. Give gunicorn --bind."),
        ("json:dumps", "app-server: this worker serves what app_server.gunicorn.app returns"),
    ],
)
def test_what_cannot_be_served_is_one_line_in_the_log(application: str, said: str) -> None:
    words = ["--bind", f"localhost:{free_port()}", "--no-control-socket", "-k", "app_server.gunicorn.Worker"]
    done = run_command(*words, application, module="gunicorn")
    assert done.returncode != 0
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("app-server:")]
    assert line.startswith(said)
    assert "Traceback" not in done.stderr


def test_another_worker_class_says_what_is_missing(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--bind", f"localhost:{port}", "--no-control-socket"]
    command += [f"app_server.gunicorn:app({str(APPS / 'counting.py')!r})"]
    with running_process(command, f"http://localhost:{port}", warm=True) as started:
        assert Site(started.url).get("/counting").status == 500
        started.wait_for_log("-k app_server.gunicorn.Worker")


def test_only_the_worker_that_is_interrupted_ends(tmp_path: Path) -> None:
    configuration = tmp_path / "configuration.py"
    configuration.write_text(
        "def interrupt():\n    raise KeyboardInterrupt\n"
        "def post_worker_init(worker):\n    if worker.age == 2:\n        worker.run = interrupt\n"
    )
    with gunicorn(tmp_path, "--workers", "2", "--graceful-timeout", "1", "--config", str(configuration)) as served:
        served.process.wait_for_log("Worker 3 serves")
        assert "Worker 1 leaves" not in served.process.log_text()
        assert (tmp_path / "run" / str(served.process.process.pid)).is_dir()
        assert use(served, served.site.token("/counting"))
        served.process.wait_for_log("KeyboardInterrupt")


def test_logins_are_those_of_all_workers(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("".join(f"{name}:{hash_password(name * 4, cost=Cost(2, 1, 1))}\n" for name in ("ann", "bob")))
    users.chmod(0o600)
    keywords = f", basic_auth={str(users)!r}, access=['/board=user:ann']"
    secret = {"BOKEH_COOKIE_SECRET": "another secret of forty-four letters, or so."}
    with ExitStack() as stack:
        served = stack.enter_context(gunicorn(tmp_path, "--workers", "2", keywords=keywords, name="board.py", **secret))
        until(lambda: serving_workers(served) == 2, patience_s=3 * PATIENCE_S)
        ann, bob = Visitor(served.process.url), Visitor(served.process.url)
        assert ann.log_in("ann", "ann" * 4).status == bob.log_in("bob", "bob" * 4).status == 303
        assert bob.ask("/board").status == 403
        clients = [stack.enter_context(ann.client("/board")) for _ in range(6)]
        assert ann.ask("/logout").status == 200
        assert [client.close_code() for client in clients] == [1001] * 6
        begun_s = time.monotonic()
        statuses = [Visitor(served.process.url).log_in("eve", "guess").status for _ in range(12)]
        assert 5 <= statuses.count(403) <= 5 + time.monotonic() - begun_s
