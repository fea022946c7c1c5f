"""Releases, keys and mishaps: playbooks run on two hosts that serve a deployment and go on serving it."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Page
from websockets.exceptions import ConnectionClosedError, WebSocketException

from tests.ansible.pair import INSTANCES, page, title, visitors
from tests.support.browsers.pages import chromium, drag_slider, model_value, open_app, wait_for_model
from tests.support.client import Site as Visited
from tests.support.hosts.playbooks import Site, files_of
from tests.support.waiting import until

# The slider's value in a new session.
UNTOUCHED = 1


@pytest.fixture
def who(installed: Site) -> Iterator[Path]:
    """The application's file, as it is again after the test, and so is the release."""
    path, release = installed.folder / "who.py", installed.folder / "release"
    before = {file: file.read_bytes() for file in (path, release / "release.json", release / "release.tar.gz")}
    yield path
    for file, content in before.items():
        file.write_bytes(content)


@dataclass
class Guests:
    """People who keep a session open; who has not come back in time, and why."""

    lost: list[str] = field(default_factory=list)


@contextmanager
def staying_visitors(site: Site, number: int) -> Iterator[Guests]:
    """Sessions in use: each moves its slider, comes back when its server goes, and has 30 s for that."""
    guests, over = Guests(), threading.Event()

    def stay() -> None:
        try:
            route, answer = page(site)
            while not over.is_set():
                _visit_until(over, site, route, answer.token)
        except (AssertionError, OSError, TimeoutError, WebSocketException) as error:
            guests.lost.append(repr(error))

    threads = [threading.Thread(target=stay) for _ in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield guests
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _visit_until(over: threading.Event, site: Site, route: str, token: str) -> None:
    """Use a session until its connection ends, come back, and so on; each time it has to answer within 30 s."""
    lost_s = time.monotonic()
    while True:
        try:
            with Visited(f"http://{site.hosts[0].address}").client(f"/_i/{route}/who", token) as client:
                lost_s = 0.0
                for turn in itertools.count(2):
                    client.set("slider", "value", turn % 10)
                    client.wait_value("text", "text", str(turn % 10), timeout_s=30)
                    if over.wait(2):
                        return
        except (OSError, TimeoutError, WebSocketException):
            lost_s = lost_s or time.monotonic()
            if time.monotonic() > lost_s + 30:
                raise
            time.sleep(0.2)


@dataclass(frozen=True)
class Shown:
    """What a page shows: the host that has built its session, and the value of its slider."""

    host: str
    value: int

    def seen_on(self, host: str) -> Shown:
        """What the page shows when this host has its session: a host has only what its own instances save."""
        return self if host == self.host else Shown(host, UNTOUCHED)


def _shown(tab: Page) -> Shown:
    return Shown(model_value(tab, "where", "model.text"), model_value(tab, "slider", "model.value"))


def _moved(tab: Page, dx: float) -> Shown:
    """What a page shows after its slider has been dragged, and the session has answered."""
    drag_slider(tab, 0, dx)
    shown = _shown(tab)
    assert shown.value > UNTOUCHED
    wait_for_model(tab, "text", f"model.text === '{shown.value}'")
    return shown


def test_killed_instance_is_back_and_costs_no_page(installed: Site) -> None:
    with visitors(installed) as seen:
        before = installed.hosts[1].run("systemctl", "show", "app-server@b1", "-p", "MainPID", "--value")
        installed.hosts[1].run("systemctl", "kill", "--signal=KILL", "app-server@b1")
        until(
            lambda: (
                installed.hosts[1].run("systemctl", "is-active", "app-server@b1", check=False) == "active"
                and installed.hosts[1].run("systemctl", "show", "app-server@b1", "-p", "MainPID", "--value") != before
            ),
            "the instance runs again", 60,
        )
        time.sleep(0.5)
    assert set(seen) == {200}, seen


def test_deployment_is_looked_at_read_and_closed_on_all_hosts(installed: Site) -> None:
    to = ("--target", "ansible")
    # systemd may be about to start an instance again that another test has killed.
    until(lambda: installed.command("deploy", "status", *to)[0] == 0, "every instance runs", 60)
    status, said = installed.command("deploy", "status", *to)
    assert status == 0, said
    release = installed.hosts[0].run("readlink", "/opt/app-server/current").strip().rpartition("/")[2]
    rows = [line.split() for line in said.splitlines()]
    assert [[row[0], row[1], row[2], row[5]] for row in rows if row[:1] and row[0] in INSTANCES] == [
        [name, host, "running", release] for name, host in INSTANCES.items()
    ], said
    assert ["maintenance:", "off"] in rows and any(row[:3] == ["proxy", "one", "running"] for row in rows), said
    try:
        for _ in range(2):
            assert installed.command("deploy", "maintenance", "on", *to) == (0, "maintenance is on: one\n")
        site = Visited(f"http://{installed.hosts[0].address}")
        assert (site.get("/who").status, site.get("/healthz").status) == (503, 200)
        assert "maintenance: on\n" in installed.command("deploy", "status", *to)[1]
    finally:
        assert installed.command("deploy", "maintenance", "off", *to) == (0, "maintenance is off: one\n")
    assert site.get("/who").status == 200
    status, said = installed.command("deploy", "logs", "--lines", "20", *to)
    assert status == 0 and {line.split(" ", 1)[0] for line in said.splitlines()} == set(INSTANCES), said
    key = 'cat "$BOKEH_SECRET_KEY_FILE" >/dev/null && echo "$BOKEH_SECRET_KEY_FILE"'
    script = f"id -un; pwd; {key}; command -v app-server; exit 7"
    status, said = installed.command("deploy", "exec", *to, "b2", "sh", "-c", script)
    assert status == 7, said
    assert said.splitlines() == [
        "app-server", f"/opt/app-server/releases/{release}/apps", "/run/credentials/app-server@b2.service/secret_key",
        "/opt/app-server/bin/app-server",
    ], said  # fmt: skip


def test_logs_are_followed_until_ctrl_c_and_leave_nothing_on_the_hosts(installed: Site) -> None:
    words = [sys.executable, "-m", "app_server", "deploy", "logs", "-f", "--lines", "1", "--target", "ansible"]
    with subprocess.Popen(
        words, env={**os.environ, **installed.environ}, cwd=installed.folder, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as following:  # fmt: skip
        assert following.stdout is not None
        names = iter(line.partition(" ")[0] for line in following.stdout)
        assert {next(names), next(names)} <= set(INSTANCES)
        installed.hosts[1].run("systemctl", "kill", "--signal=KILL", "app-server@b3")
        assert next(name for name in names if name == "b3")
        following.send_signal(signal.SIGINT)
        assert following.wait(30) == 130
        left = subprocess.run(["pgrep", "--session", str(following.pid)], capture_output=True, text=True, check=False)
        assert left.stdout == ""
    for host in installed.hosts:
        found = lambda host=host: host.run("pgrep", "journalctl", check=False)  # noqa: E731
        until(lambda found=found: found() == "", f"nothing is left on {host.name}", 30)
    until(lambda: page(installed)[0] == "b3", "b3 is back", 60)


def test_host_that_is_away_hides_no_other(installed: Site) -> None:
    to = ("--target", "ansible")
    with installed.hosts[1].without_network():
        status, said = installed.command("deploy", "status", *to)
        assert status == 1 and "fault: two: cannot be reached: " in said, said
        rows = [line.split() for line in said.splitlines()]
        assert {row[0]: row[2] for row in rows if row[:1] and row[0] in INSTANCES} == {
            name: "running" if host == "one" else "unknown" for name, host in INSTANCES.items()
        }, said
        status, said = installed.command("deploy", "logs", "--lines", "1", *to)
        assert status == 1 and "app-server: two: ssh: " in said, said
        assert any(line.split(" ")[0] in ("a1", "a2", "a3") for line in said.splitlines()), said
    until(lambda: page(installed)[0].startswith("b"), "the host is back behind the proxy", 60)


def test_key_is_rotated_without_a_trace_and_without_losing_anybody(installed: Site) -> None:
    route, answer = page(installed)
    old = installed.hosts[0].run("cat", "/etc/app-server/secret_key").strip()
    with visitors(installed) as seen:
        outcome = installed.play("rotate-secret.yml", "-vvv", "--diff")
    assert outcome.status == 0, outcome.said
    assert set(seen) == {200}, seen
    keys = {host.run("cat", "/etc/app-server/secret_key") for host in installed.hosts}
    assert len(keys) == 1
    new, previous = keys.pop().split()
    assert (previous, new != old, len(new)) == (old, True, 48)
    for host in installed.hosts:
        assert host.run("stat", "-c", "%a %U", "/etc/app-server/secret_key").strip() == "600 root"
    # Who has a page from before comes back to a session of the same name, at any instance.
    visited = Visited(f"http://{installed.hosts[0].address}")
    for name in (route, "a1", "b3"):
        with visited.client(f"/_i/{name}/who", answer.token):
            pass
    forgotten = installed.play("rotate-secret.yml", "-vvv", "--diff", variables={"rotate_forget": True})
    assert forgotten.status == 0, forgotten.said
    assert {host.run("cat", "/etc/app-server/secret_key") for host in installed.hosts} == {new}
    with pytest.raises(ConnectionClosedError, match="not signed"), visited.client(f"/_i/{route}/who", answer.token):
        pass
    assert title(installed) == "power"
    for key in (old, new):
        assert key not in outcome.said + forgotten.said


def test_release_that_does_not_run_is_refused_and_the_old_one_serves(installed: Site, who: Path) -> None:
    current = installed.hosts[0].run("readlink", "/opt/app-server/current")
    with visitors(installed) as seen:
        who.write_text("raise SystemError('not today')\n", encoding="utf-8")
        installed.pack()
        outcome = installed.play("site.yml")
    assert outcome.status != 0 and "the preflight failed" in outcome.said and "not today" in outcome.said, outcome.said
    assert installed.hosts[0].run("readlink", "/opt/app-server/current") == current
    assert set(seen) == {200}, seen
    assert title(installed) == "power"


def test_full_disk_leaves_the_old_release_serving(installed: Site, who: Path) -> None:
    who.write_text(who.read_text(encoding="utf-8") + "# " + "x" * 65536, encoding="utf-8")
    release = installed.pack().split()[1]
    folder = f"/opt/app-server/releases/{release}"
    other = installed.hosts[1]
    other.run("mkdir", folder)
    other.run("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", folder)
    try:
        outcome = installed.play("site.yml", variables={"app_server_free_mb": 1})
        assert outcome.status != 0 and "No space left on device" in outcome.said, outcome.said
    finally:
        other.run("umount", folder)
        other.run("rmdir", folder)
    assert title(installed) == "power"


def test_secret_that_cannot_be_read_is_not_written_over(installed: Site) -> None:
    key, other = "/etc/app-server/secret_key", installed.hosts[1]
    other.run("sh", "-c", f"mv {key} {key}.away && mkdir {key}")
    try:
        outcome = installed.play("site.yml")
    finally:
        other.run("sh", "-c", f"rmdir {key} && mv {key}.away {key}")
    assert outcome.status != 0, outcome.said
    assert f"two: {key} cannot be read, and will not be overwritten." in outcome.said, outcome.said
    assert title(installed) == "power"


def test_instance_that_does_not_start_takes_all_hosts_back(installed: Site, who: Path) -> None:
    before = [host.run("readlink", "/opt/app-server/current") for host in installed.hosts]
    unit = "/run/systemd/system/app-server@b2.service.d"
    other = installed.hosts[1]
    refuse = "[Service]\nExecStartPre=/bin/sh -c '! grep -q unlucky /opt/app-server/current/apps/who.py'\n"
    other.run("sh", "-c", f"mkdir -p {unit} && printf '%s' \"$0\" >{unit}/refuse.conf", refuse)
    who.write_text(who.read_text(encoding="utf-8") + "# unlucky\n", encoding="utf-8")
    installed.pack()
    try:
        with visitors(installed) as seen:
            outcome = installed.play("site.yml")
    finally:
        other.run("rm", "-r", unit)
        other.run("systemctl", "daemon-reload")
    assert outcome.status != 0 and "two: " in outcome.said, outcome.said
    assert "All hosts that can be reached are back to what they ran before." in outcome.said, outcome.said
    assert [host.run("readlink", "/opt/app-server/current") for host in installed.hosts] == before
    for name, on in INSTANCES.items():
        host = installed.hosts[on == "two"]
        assert host.run("systemctl", "is-active", f"app-server@{name}").strip() == "active"
        assert before[0].split("/")[-1].strip() in host.run("cat", f"/opt/app-server/running/{name}")
    assert set(seen) == {200}, seen


def test_release_and_the_way_back_keep_every_session_and_page(installed: Site, who: Path) -> None:
    text = who.read_text(encoding="utf-8")
    who.write_text(text.replace('title="power"', 'title="new power"'), encoding="utf-8")
    installed.pack()
    before = [files_of(host) for host in installed.hosts]
    foreseen = installed.play("site.yml", "--check", "--diff")
    assert foreseen.status == 0, foreseen.said
    assert [files_of(host) for host in installed.hosts] == before
    assert "two: would start b1, then b2, then b3" in " ".join(foreseen.said.split()), foreseen.said
    assert "would reload the proxy" not in foreseen.said
    running = installed.hosts[0].run("systemctl", "show", "nginx", "-p", "StateChangeTimestamp", "-p", "ReloadResult")
    with staying_visitors(installed, 42) as guests, chromium() as browser:
        tabs = [browser.new_page() for _ in range(8)]
        for tab in tabs:
            open_app(tab, f"http://{installed.hosts[0].address}/who")
        earlier = [_moved(tab, 120) for tab in tabs]
        with visitors(installed) as seen:
            outcome = installed.play("site.yml")
        assert outcome.status == 0, outcome.said
        # Every page has come back to a session that answers. The instances of a host share what they save: a session on
        # the same host was restored, one that has moved to the other host was built again.
        later = [_shown(tab) for tab in tabs]
        assert later == [was.seen_on(now.host) for was, now in zip(earlier, later, strict=True)]
        assert set(later) & set(earlier), (earlier, later)
        for tab, was in zip(tabs, later, strict=True):
            assert _moved(tab, 60).value > was.value
    assert set(seen) == {200} and seen[200] > 10, seen
    assert guests.lost == []
    assert title(installed) == "new power"
    # Nothing of the proxy's has changed, and a reload would have cost it its counts.
    assert "Reload the configuration" not in outcome.changed
    assert running == installed.hosts[0].run(
        "systemctl", "show", "nginx", "-p", "StateChangeTimestamp", "-p", "ReloadResult"
    )
    with visitors(installed) as seen:
        outcome = installed.play("rollback.yml")
    assert outcome.status == 0, outcome.said
    assert set(seen) == {200}, seen
    assert title(installed) == "power"
    # The release that was taken back is still there to go to; another one is not.
    newer = json.loads((installed.folder / "release/release.json").read_text(encoding="utf-8"))["id"]
    outcome = installed.play("rollback.yml", "--check", variables={"app_server_back_to": newer})
    assert outcome.status == 0, outcome.said
    assert "two: would start b1, then b2, then b3" in " ".join(outcome.said.split()), outcome.said
    outcome = installed.play("rollback.yml", variables={"app_server_back_to": "0123456789ab"})
    assert outcome.status != 0 and outcome.count("changed") == 0, outcome.said
    said = " ".join(outcome.said.split())
    assert "does not have release 0123456789ab; nothing was changed. It has " in said and newer in said, said


def test_lost_host_costs_no_page_and_stops_a_run(installed: Site) -> None:
    with installed.hosts[1].without_network(), visitors(installed) as seen:
        outcome = installed.play("site.yml")
        assert outcome.status != 0 and outcome.count("unreachable") == 1, outcome.said
        assert outcome.count("changed") == 0, outcome.said
        until(lambda: seen[200] > 5, "pages go on", 60)
    assert set(seen) == {200}, seen
    until(lambda: page(installed)[0].startswith("b"), "the host is back behind the proxy", 60)


def test_frozen_host_stops_a_run_before_anything_is_touched(installed: Site) -> None:
    # Its kernel goes on answering: who is connected waits for a word of sshd's.
    with installed.hosts[1].frozen():
        outcome = installed.play("site.yml")
    assert outcome.status != 0 and outcome.count("unreachable") == 1, outcome.said
    assert outcome.count("changed") == 0, outcome.said
    until(lambda: page(installed)[0].startswith("b"), "the host is back behind the proxy", 60)
