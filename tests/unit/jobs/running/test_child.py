"""The process of a job, looked at from inside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from multiprocessing import Pipe
from pathlib import Path

from app_server.jobs.running.child import ConnectionReporter
from app_server.jobs.running.packing import pack
from app_server.jobs.running.runners import ProcessRunner
from tests.support.waiting import until
from tests.unit.jobs.making import gone
from tests.unit.jobs.test_reporting import Noting


def surroundings() -> dict[str, object]:
    """What a job's process is like."""
    loaded = sorted(name for name in sys.modules if name.partition(".")[0] in ("bokeh", "tornado", "numpy"))
    return {"nice": os.nice(0), "group": os.getpgrp() == os.getpid(), "loaded": loaded, "stdin": sys.stdin.read()}


def orphan(note: str) -> None:
    """Start a process, kill the one that would be told of the result, and never return."""
    started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    Path(note).write_text(f"{os.getpid()} {started.pid} ", encoding="utf-8")
    os.kill(os.getppid(), signal.SIGKILL)
    while True:
        time.sleep(1000)


def test_process_is_polite_imports_nothing_of_the_server_and_has_a_group_of_its_own() -> None:
    found = ProcessRunner(pack(surroundings, (), {}), sys.path, "surroundings").run(Noting())
    assert found == {"nice": min(19, os.nice(0) + 5), "group": True, "loaded": [], "stdin": ""}


def test_newest_report_is_sent_before_the_outcome() -> None:
    here, there = Pipe()
    with here, there:
        reporter = ConnectionReporter(there)
        reporter.report(0.1, "one")
        assert here.recv() == ("progress", 0.1, "one")
        reporter.report(0.2, "two")
        reporter.report(0.3, "three")
        reporter.finish(("result", b""))
        got = [here.recv()]
        while got[-1][0] == "progress":
            got.append(here.recv())
        assert got[-2:] == [("progress", 0.3, "three"), ("result", b"")]


def test_process_ends_with_what_it_has_started_when_its_server_is_killed(tmp_path: Path) -> None:
    note = tmp_path / "note"
    program = (
        "import sys; from app_server.jobs.running.packing import pack\n"
        "from app_server.jobs.running.runners import ProcessRunner\n"
        "from tests.unit.jobs.running.test_child import orphan\n"
        "from tests.unit.jobs.test_reporting import Noting\n"
        "ProcessRunner(pack(orphan, (sys.argv[1],), {}), sys.path, 'orphan').run(Noting())\n"
    )
    root = str(Path(__file__).resolve().parents[4])
    ended = subprocess.run([sys.executable, "-c", program, str(note)], cwd=root, check=False)
    assert ended.returncode < 0
    pids = [int(word) for word in note.read_text(encoding="utf-8").split()]
    until(lambda: all(map(gone, pids)), "both have ended")
