"""`app-server status`, /metrics and systemd, with one process and with several."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.protocol.conftest import Served, apps, serving
from tests.support.client import PATIENCE_S
from tests.support.server import REPOSITORY
from tests.support.waiting import patience, until


@contextmanager
def meeting(folder: Path, *flags: str, names: tuple[str, ...] = ("board.py",), **environ: str) -> Iterator[Served]:
    """A server whose processes meet in this folder, which `status` is given too."""
    with serving(*apps(*names), *flags, env={"APP_SERVER_RUNTIME_DIR": str(folder), **environ}) as served:
        yield served


@pytest.fixture(scope="module")
def meeting_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def several(meeting_place: Path) -> Iterator[Served]:
    """Two processes that are measured, and that no test leaves replaced or silent; only one test visits /sleepy."""
    flags = f"--num-procs 2 --metrics --drain {patience(3):.0f} --unused-session-lifetime 60000"
    with meeting(meeting_place, *flags.split(), names=("board.py", "sleepy.py")) as served:
        wait_for_processes(2, meeting_place)
        yield served


def status(*words: object, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """What the command says."""
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "160"}
    if folder is not None:
        environ["APP_SERVER_RUNTIME_DIR"] = str(folder)
    command = [sys.executable, "-m", "app_server", "status", *map(str, words)]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


def figures(*words: object, folder: Path | None = None) -> dict[str, Any]:
    """What it says as JSON."""
    answer = status(*words, "--json", folder=folder)
    assert answer.returncode == 0, answer.stderr
    return dict(json.loads(answer.stdout))


def wait_for_processes(number: int, folder: Path) -> None:
    """Return when all of them answer: a server answers as soon as one of its processes does."""
    until(lambda: len(figures(folder=folder)["processes"]) == number)


def total(served: Served, name: str, **labels: str) -> float:
    """A metric, added up over the processes."""
    families = text_string_to_metric_families(served.site.get("/metrics").text)
    samples = [sample for family in families for sample in family.samples if sample.name == f"app_server_{name}"]
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def workers(served: Served) -> set[int]:
    """The ids of the processes that serve."""
    return {child.pid for child in psutil.Process(served.process.process.pid).children()}


def test_any_process_answers_for_all(several: Served) -> None:
    tokens = [several.site.token("/sleepy") for _ in range(12)]
    assert [total(several, "sessions", application="/sleepy") for _ in range(4)] == [12] * 4
    assert total(several, "sessions_opened_total", application="/sleepy") == len(tokens)
    assert total(several, "silent_processes") == 0
    pids = workers(several)
    families = text_string_to_metric_families(several.site.get("/metrics").text)
    found = {sample.value for family in families for sample in family.samples if family.name == "app_server_process_id"}
    assert found == pids
    assert total(several, "proportional_memory_bytes") < total(several, "resident_memory_bytes")


def test_status_finds_the_only_server_and_the_one_of_a_process(several: Served, meeting_place: Path) -> None:
    main = several.process.process.pid
    worker = psutil.Process(main).children()[0].pid
    for words in ([], [main], [worker]):
        shown = figures(*words, folder=meeting_place)
        assert sorted(shown["processes"]) == ["0", "1"]
        assert shown["url"].startswith("http://") and shown["url"].endswith(f"(process {main})")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_status_finds_a_server_that_meets_elsewhere(several: Served, tmp_path: Path) -> None:
    main = several.process.process.pid
    for pid in (main, psutil.Process(main).children()[0].pid):
        shown = figures(pid, folder=tmp_path)
        assert sorted(shown["processes"]) == ["0", "1"]
        assert shown["url"].endswith(f"(process {main})")


def test_status_reads_metrics_of_a_server_elsewhere(several: Served) -> None:
    shown = figures(several.site.url)
    assert sorted(shown["processes"]) == ["0", "1"]
    assert set(shown["processes"]["0"]["applications"]) == {"/board", "/sleepy"}


def test_status_is_a_table_for_people(several: Served, meeting_place: Path) -> None:
    with several.site.client("/board") as client:
        client.set("slider", "value", 3)
        answer = status("--once", folder=meeting_place)
    assert answer.returncode == 0, answer.stderr
    assert "2 processes" in answer.stdout.splitlines()[0]
    assert "/board" in answer.stdout and "/sleepy" in answer.stdout and "\x1b" not in answer.stdout


def test_process_that_does_not_answer_is_named_and_not_waited_for(several: Served, meeting_place: Path) -> None:
    worker = psutil.Process(several.process.process.pid).children()[0]
    worker.suspend()
    try:
        began_s = time.monotonic()
        shown = figures(folder=meeting_place)
        assert time.monotonic() - began_s < patience(PATIENCE_S)
        assert len(shown["processes"]) == 1
        assert shown["silent"] == [next(f"{slot}-{worker.pid}" for slot in "01" if slot not in shown["processes"])]
    finally:
        worker.resume()
    until(lambda: figures(folder=meeting_place)["silent"] == [])


def test_process_that_is_replaced_is_shown_beside_its_successor(several: Served, meeting_place: Path) -> None:
    before = {facts["pid"] for facts in figures(folder=meeting_place)["processes"].values()}
    with several.site.client("/board"):
        several.process.process.send_signal(signal.SIGHUP)
        until(lambda: len(figures(folder=meeting_place)["processes"]) >= 3)
        leaving = {name: facts for name, facts in figures(folder=meeting_place)["processes"].items() if "-" in name}
        assert {facts["pid"] for facts in leaving.values()} <= before
        assert all(facts["draining"] for facts in leaving.values())
    until(lambda: not before & {facts["pid"] for facts in figures(folder=meeting_place)["processes"].values()})
    until(lambda: not before & workers(several))


def test_full_process_hands_new_pages_to_one_that_has_room(tmp_path: Path) -> None:
    flags = "--num-procs 3 --max-sessions 2 --unused-session-lifetime 60000"
    with meeting(tmp_path, *flags.split()) as served:
        wait_for_processes(3, tmp_path)
        assert [served.site.get("/board").status for _ in range(7)] == [200] * 6 + [503]
        shown = figures(folder=tmp_path)["processes"].values()
        assert [facts["applications"]["/board"]["now"]["sessions"] for facts in shown] == [2, 2, 2]


def test_sessions_with_processes_of_their_own_are_added_up(tmp_path: Path) -> None:
    # Long enough for a client to connect to the session of its page.
    lifetime_ms = round(1000 * patience(2))
    flags = "--num-procs 2 --isolation process --metrics --check-unused-sessions 50"
    flags += f" --unused-session-lifetime {lifetime_ms}"
    app = {"application": "/board"}
    with meeting(tmp_path, *flags.split()) as served, ExitStack() as clients:
        wait_for_processes(2, tmp_path)
        opened = [clients.enter_context(served.site.client("/board")) for _ in range(3)]
        for client in opened:
            client.set("slider", "value", 3)
        until(lambda: total(served, "sessions", **app) == total(served, "round_trip_seconds_count", **app) == 3)
        assert total(served, "sessions_opened_total", **app) == total(served, "connections", **app) == 3
        assert total(served, "sessions_apart_memory_bytes", **app) > 1e6
        assert total(served, "http_answers_total", status="2xx") >= 3
        assert figures(folder=tmp_path)["silent"] == []
        main = psutil.Process(served.process.process.pid)
        sessions = [child for child in main.children(recursive=True) if child.ppid() != main.pid]
        sessions[0].kill()
        until(lambda: total(served, "sessions", **app) == 2)
        opened[1].set("slider", "value", 5)
        clients.close()
        until(lambda: total(served, "sessions", **app) == 0)
        assert total(served, "round_trip_seconds_count", **app) == 4
        assert total(served, "sessions_ended_total", **app) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "status: no server of this user is running. Name its process, or the http:// address of a server"
             " with --metrics."),
        (["4194304"], "4194304: no server of this user has this process. If it belongs to another user,"
                      " run the command as that user."),
        (["soon"], "soon: is neither a process nor an address. Give its process id, or the http:// address"
                   " of a server with --metrics."),
    ],
)  # fmt: skip
def test_server_that_is_not_there_is_one_line(words: list[str], message: str, tmp_path: Path) -> None:
    answer = status(*words, folder=tmp_path)
    assert (answer.returncode, answer.stdout, answer.stderr) == (2, "", f"app-server: {message}\n")


def test_server_without_metrics_says_so(plain: Served) -> None:
    answer = status(plain.site.url)
    url = f"{plain.site.url}/metrics"
    hint = "Start the server with --metrics, and ask it directly: it does not answer through a proxy."
    assert answer.returncode == 1
    assert answer.stderr == f"app-server: {url}: answered with status 404. {hint}\n"


@pytest.mark.parametrize("processes", [1, 2])
def test_systemd_hears_of_start_life_and_end(processes: int, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(patience(PATIENCE_S))
        environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "400000"}
        with meeting(tmp_path, "--num-procs", str(processes), names=("sleepy.py",), **environ) as served:
            lines = [manager.recv(4096).decode()]
            while not any(line.startswith("READY=1") for line in lines):
                lines.append(manager.recv(4096).decode())
            while sum(line.startswith("WATCHDOG=1\nSTATUS=") for line in lines) < 2:
                lines.append(manager.recv(4096).decode())
            if processes == 1:
                with served.site.client("/sleepy") as client:
                    waiting = heard_while(manager, lambda: client.set("command", "value", "1.5"))
                    assert sum(line.startswith("WATCHDOG=1") for line in waiting) <= 4
            served.process.process.terminate()
            while manager.recv(4096).decode() != "STOPPING=1":
                pass


def heard_while(manager: socket.socket, act: Callable[[], object]) -> list[str]:
    """What systemd received while something was done."""
    while_waiting: list[str] = []
    manager.setblocking(False)
    try:
        while True:
            manager.recv(4096)
    except BlockingIOError:
        act()
    try:
        while True:
            while_waiting.append(manager.recv(4096).decode())
    except BlockingIOError:
        manager.settimeout(patience(PATIENCE_S))
        return while_waiting
