"""The instances under a real supervisord, with the files that `app-server config supervisor` writes."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app_server.deployment.plan.values import Plan
from app_server.deployment.render import render
from tests.support.client import Site
from tests.support.ports import consecutive_ports
from tests.support.server import POLL_INTERVAL_S, REPOSITORY, stop
from tests.support.waiting import PATIENCE_S, patience, until
from tests.unit.deployment.making import planned

SUPERVISORD = Path(sys.executable).with_name("supervisord")
SUPERVISORCTL = Path(sys.executable).with_name("supervisorctl")


class Supervised:
    """A supervisord with the instances of a plan."""

    def __init__(self, plan: Plan, main: Path) -> None:
        self.plan = plan
        self.main = main

    def site(self, number: int) -> Site:
        """An instance."""
        return Site(f"http://localhost:{self.plan.instances[number].port}")

    def control(self, *words: str) -> str:
        """What supervisorctl says."""
        command = [str(SUPERVISORCTL), "-c", str(self.main), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout

    def pids(self) -> list[int]:
        """The processes of the instances, 0 for one that does not run."""
        status = self.control("status").splitlines()
        return [int(line.split("pid ")[1].split(",")[0]) if "RUNNING" in line else 0 for line in status]

    def has_saved(self, value: int) -> bool:
        """Whether a journal has this value, in the document or in a change."""
        files = Path(self.plan.store.folder or "").glob("*.session")
        return any(re.search(rb'"(new|value)": ?%d\b' % value, file.read_bytes()) for file in files)

    def wait_until_ready(self, number: int) -> None:
        """Return when an instance answers."""
        deadline = time.monotonic() + patience(3 * PATIENCE_S)
        while True:
            try:
                if self.site(number).get("/readyz").status == 200:
                    return
            except OSError:
                pass
            assert time.monotonic() < deadline, self.control("tail", f"app-server-a{number + 1}")
            time.sleep(POLL_INTERVAL_S)

    def wait_until_running(self) -> list[int]:
        """The processes, once supervisor takes all of them for started."""
        deadline = time.monotonic() + patience(3 * PATIENCE_S)
        while 0 in (pids := self.pids()):
            assert time.monotonic() < deadline, self.control("status")
            time.sleep(POLL_INTERVAL_S)
        return pids


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervised]:
    """Two instances of an application, on ports and paths of their own."""
    folder = tmp_path_factory.mktemp("supervisor")
    for name in ("etc/supervisor", "log", "run", "state"):
        (folder / name).mkdir(parents=True)
    (folder / "key").write_text("a key that is long enough to be taken for one")
    (folder / "apps.env").write_text("TEST_SECRET='%(ENV_HOME)s $HOME; #'\n", encoding="utf-8")
    first = consecutive_ports(2)
    spec = f"""\
        apps: {{board: board.py}}
        public: localhost
        instances: {{count: 2, port: {first}}}
        service:
          manager: supervisor
          user: {pwd.getpwuid(os.getuid()).pw_name}
          drain_s: 1
          open_files: 2000
          environment: {{MINE: "100 % ours; all, of it"}}
          secrets: {folder}/apps.env
        secrets: {{secret_key: {{file: {folder}/key}}}}
        sessions: {{ids: signed}}
        paths:
          command: ["{sys.executable}", -m, app_server]
          apps: {REPOSITORY}/tests/protocol/apps
          etc: {folder}/etc
          run: {folder}/run
          state: {folder}/state
        logs: {{dir: {folder}/log}}
        """
    plan = planned(folder, spec)
    files = render("supervisor", plan)
    (folder / "etc" / "supervisor" / "app-server.conf").write_text(files["supervisor/app-server.conf"].text)
    main = folder / "supervisord.conf"
    main.write_text(files["supervisor/supervisord.conf"].text)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(
        [str(SUPERVISORD), "-c", str(main)], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield Supervised(plan, main)
    finally:
        # It stops its programs first.
        stop(process, 20)


@pytest.fixture
def supervised(started: Supervised) -> Supervised:
    """The same, when both answer: another test may just have had one of them restarted."""
    for number in range(2):
        started.wait_until_ready(number)
    return started


def test_instances_serve_signed_sessions_to_pages_of_each_other(supervised: Supervised) -> None:
    # One key for all: a session's token is good everywhere.
    token = supervised.site(0).token("/board")
    with supervised.site(1).client("/board", token) as client:
        client.set("slider", "value", 4)
        client.wait_value("double", "value", 8)


def test_instances_have_their_environment_and_open_files(supervised: Supervised) -> None:
    for pid in supervised.wait_until_running():
        environment = Path(f"/proc/{pid}/environ").read_text().split("\0")
        assert "MINE=100 % ours; all, of it" in environment
        assert f"APP_SERVER_ENV_FILE={supervised.main.parent}/apps.env" in environment, "and what is in it is not shown"
        assert not [each for each in environment if each.startswith("TEST_SECRET")]
        limits = Path(f"/proc/{pid}/limits").read_text()
        (line,) = [line for line in limits.splitlines() if line.startswith("Max open files")]
        assert int(line.split()[3]) >= 2000


def test_restart_of_one_instance_leaves_the_other_alone(supervised: Supervised) -> None:
    before = supervised.wait_until_running()
    with supervised.site(1).client("/board") as client:
        assert "started" in supervised.control("restart", "app-server-a1")
        client.set("slider", "value", 3)
        client.wait_value("double", "value", 6)
    after = supervised.wait_until_running()
    assert after[0] != before[0] and after[1] == before[1]


def test_restarted_instance_goes_on_with_its_sessions(supervised: Supervised) -> None:
    before = supervised.wait_until_running()
    token = supervised.site(0).token("/board")
    with supervised.site(0).client("/board", token) as client:
        client.set("slider", "value", 11)
        client.wait_value("double", "value", 22)
        assert "started" in supervised.control("restart", "app-server-a1")
    assert supervised.wait_until_running()[0] != before[0]
    supervised.wait_until_ready(0)
    with supervised.site(0).client("/board", token) as client:
        assert (client.value("slider", "value"), client.value("double", "value")) == (11, 22)
    folder = Path(supervised.plan.store.folder or "").stat()
    assert (folder.st_mode & 0o7777, folder.st_uid) == (0o700, os.getuid())


def test_session_of_an_instance_that_died_goes_on_at_another(supervised: Supervised) -> None:
    token = supervised.site(1).token("/board")
    with supervised.site(1).client("/board", token) as client:
        client.set("slider", "value", 12)
        client.wait_value("double", "value", 24)
        # At most a second after a change it is saved.
        until(lambda: supervised.has_saved(24), "the session is saved", 5)
        os.kill(supervised.wait_until_running()[1], 9)
    with supervised.site(0).client("/board", token) as client:
        assert (client.value("slider", "value"), client.value("double", "value")) == (12, 24)


def test_instance_that_dies_is_started_again(supervised: Supervised) -> None:
    before = supervised.wait_until_running()
    os.kill(before[1], 9)
    deadline = time.monotonic() + patience(3 * PATIENCE_S)
    while (after := supervised.pids())[1] in (0, before[1]):
        assert time.monotonic() < deadline, supervised.control("status")
        time.sleep(POLL_INTERVAL_S)
    assert after[0] == before[0]
    supervised.wait_until_ready(1)
