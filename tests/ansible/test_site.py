"""From bare hosts to a served deployment and back: playbooks run on two hosts, looked at from inside and outside.

The tests build on each other, in the order in which they stand here: setting up hosts takes long.
"""

from __future__ import annotations

import itertools
import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import testinfra
from websockets.exceptions import ConnectionClosedError, WebSocketException

from tests.ansible.conftest import describe
from tests.support.browser import chromium, drag_slider, model_value, open_app, wait_for_model
from tests.support.client import Answer, fetch
from tests.support.client import Site as Visited
from tests.support.engine import wait_until
from tests.support.playbooks import Site, files_of, opened_pages

INSTANCES = {"a1": "one", "a2": "one", "a3": "one", "b1": "two", "b2": "two", "b3": "two"}
_ROUTE = re.compile(r"/_i/([a-z0-9]+)/")


@pytest.fixture(scope="module")
def before(site: Site) -> list[set[str]]:
    """What was on the hosts before anything was done."""
    return [files_of(host) for host in site.hosts]


@pytest.fixture(scope="module")
def one(site: Site, before: list[set[str]]) -> Site:
    """The deployment, installed on the first host alone."""
    describe(site.folder, site.hosts[:1])
    site.pack()
    outcome = site.play("site.yml")
    assert outcome.status == 0, outcome.said
    return site


@pytest.fixture(scope="module")
def installed(one: Site) -> Site:
    """The deployment on both hosts, of which the second came later."""
    assert "two:" in (one.folder / "inventory.yml").read_text(encoding="utf-8")
    return one


def page(site: Site) -> tuple[str, Answer]:
    """A fresh page through the proxy, and the instance that has its session."""
    answer = fetch(f"http://{site.hosts[0].address}/who", timeout_s=30)
    assert answer.status == 200, answer.text
    found = _ROUTE.search(answer.text)
    assert found is not None, answer.text
    return found[1], answer


def title(site: Site) -> str:
    """The slider's title in a fresh session, read through the proxy."""
    route, answer = page(site)
    with Visited(f"http://{site.hosts[0].address}").client(f"/_i/{route}/who", answer.token) as client:
        return str(client.value("slider", "title"))


def visitors(site: Site) -> AbstractContextManager[Counter[int]]:
    """Somebody who opens pages all the time."""
    return opened_pages(f"http://{site.hosts[0].address}/who")


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


def refused(site: Site, before: list[set[str]], *reasons: str, **variables: Any) -> None:
    """A run stops with these reasons, and has touched nothing."""
    outcome = site.play("site.yml", variables=variables)
    assert outcome.status != 0
    for reason in reasons:
        assert reason in " ".join(outcome.said.split()), outcome.said
    assert outcome.count("changed") == 0, outcome.said
    assert [files_of(host) for host in site.hosts] == before


def test_check_run_on_bare_hosts_says_what_would_be_done_and_does_nothing(site: Site, before: list[set[str]]) -> None:
    outcome = site.play("site.yml", "--check", "--diff")
    assert outcome.status == 0, outcome.said
    said = " ".join(outcome.said.split())
    for claim in (
        "+/opt/app-server/current: link to /opt/app-server/releases/", "+/etc/app-server: directory 0750",
        "one: would write /etc/app-server/secret_key", "two: would start b1, then b2, then b3",
        "one: would have the proxy read its configuration anew",
    ):  # fmt: skip
        assert claim in said, outcome.said
    assert [files_of(host) for host in site.hosts] == before


def test_everything_in_the_way_is_told_before_anything_is_touched(site: Site, before: list[set[str]]) -> None:
    listen = "import socket, time; s = socket.create_server(('', 5101)); time.sleep(900)"
    place = "/etc/systemd/system/app-server.target"
    other = site.hosts[1]
    other.run("touch", place)
    other.run("systemd-run", "--unit=other-program", "python3", "-c", listen)
    try:
        wait_until(lambda: ":5101" in other.run("ss", "-ltn"), "the other program listens")
        refused(
            site, [before[0], before[1] | {f"f 644 root {place} "}],
            "MB left, and 99999999 MB are asked for",
            "two: port 5101, which instance b2 is to have, is taken by another program",
            f"two: {place} is there already, and is not ours",
            app_server_free_mb=99999999,
        )  # fmt: skip
    finally:
        other.run("systemctl", "stop", "other-program")
        other.run("rm", place)


def test_wrong_password_of_sudo_stops_it_before_anything_is_touched(site: Site, before: list[set[str]]) -> None:
    other = site.hosts[1]
    other.run("sed", "-i", "s/NOPASSWD: //", "/etc/sudoers.d/admin")
    try:
        refused(site, before, "Incorrect sudo password", ansible_become_password="wrong")
    finally:
        other.run("sh", "-c", "echo 'admin ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/admin")


def test_host_is_added_without_a_failed_page(one: Site) -> None:
    before = one.hosts[0].run("systemctl", "show", "app-server@a1", "-p", "MainPID", "--value")
    describe(one.folder, one.hosts)
    one.pack()
    with visitors(one) as seen:
        outcome = one.play("site.yml")
    assert outcome.status == 0, outcome.said
    assert set(seen) == {200}, seen
    assert {page(one)[0] for _ in range(18)} == set(INSTANCES)
    # Its release differs, for the proxy has another file; so a1 was started anew, after a drain.
    assert one.hosts[0].run("systemctl", "show", "app-server@a1", "-p", "MainPID", "--value") != before


def test_second_run_changes_nothing(installed: Site) -> None:
    for flags in (("--diff",), ("--check", "--diff")):
        outcome = installed.play("site.yml", *flags)
        assert (outcome.status, outcome.count("changed")) == (0, 0), outcome.said


@pytest.mark.parametrize("index", [0, 1])
def test_host_is_as_it_should_be(installed: Site, index: int) -> None:
    where = installed.hosts[index]
    host = testinfra.get_host(f"docker://{where.container}")
    user = host.user("app-server")
    assert (user.shell, user.group) == ("/usr/sbin/nologin", "app-server")
    key = host.file("/etc/app-server/secret_key")
    assert (key.mode, key.user, key.size) == (0o600, "root", 49)
    assert host.file("/etc/app-server").mode == 0o750
    assert host.file("/opt/app-server/current").is_symlink
    mine = [name for name, on in INSTANCES.items() if on == where.name]
    for number, name in enumerate(mine):
        service = host.service(f"app-server@{name}.service")
        assert service.is_running and service.is_enabled
        shown = host.check_output(
            f"systemctl show app-server@{name} -p NoNewPrivileges -p ProtectSystem -p PrivateDevices -p User -p Type"
        )
        assert {"NoNewPrivileges=yes", "ProtectSystem=strict", "PrivateDevices=yes"} <= set(shown.split())
        assert {"User=app-server", "Type=notify"} <= set(shown.split())
        assert host.socket(f"tcp://{where.address}:{5100 + number}").is_listening
        # The key is nowhere to be read: not in the unit, not in a process's environment.
        secret = key.content_string.strip()
        pid = host.check_output(f"systemctl show app-server@{name} -p MainPID --value")
        assert secret not in host.file(f"/proc/{pid}/environ").content_string
        assert secret not in host.check_output(f"systemctl cat app-server@{name}")
    # They start at boot, whichever releases are still there then.
    assert host.file("/etc/systemd/system/multi-user.target.wants/app-server.target").is_symlink
    assert host.check_output("find /etc/systemd -lname '*/releases/*'") == ""
    assert host.package("nginx").is_installed is (where.name == "one")
    if where.name == "one":
        assert host.service("nginx").is_running and host.service("nginx").is_enabled
        assert host.socket("tcp://0.0.0.0:80").is_listening
        assert host.run("nginx -t").rc == 0
        assert host.run("logrotate --debug /etc/logrotate.d/app-server").rc == 0


def test_hosts_share_the_key(installed: Site) -> None:
    assert len({host.run("cat", "/etc/app-server/secret_key") for host in installed.hosts}) == 1


def test_page_and_socket_meet_one_instance_of_six_on_two_hosts(installed: Site) -> None:
    met: Counter[str] = Counter()
    for _ in range(18):
        route, answer = page(installed)
        with Visited(f"http://{installed.hosts[0].address}").client(f"/_i/{route}/who", answer.token) as client:
            assert f"<title>{INSTANCES[route]}</title>" in answer.text
            assert client.value("where", "text") == INSTANCES[route]
        met[route] += 1
    assert set(met) == set(INSTANCES), met


def test_slider_moves_in_chromium(installed: Site) -> None:
    with chromium() as browser:
        visit = browser.new_page()
        open_app(visit, f"http://{installed.hosts[0].address}/who")
        drag_slider(visit, 0, 120)
        moved = model_value(visit, "slider", "model.value")
        assert moved > 1
        wait_for_model(visit, "text", f"model.text === '{moved}'")


def test_killed_instance_is_back_and_costs_no_page(installed: Site) -> None:
    with visitors(installed) as seen:
        before = installed.hosts[1].run("systemctl", "show", "app-server@b1", "-p", "MainPID", "--value")
        installed.hosts[1].run("systemctl", "kill", "--signal=KILL", "app-server@b1")
        wait_until(
            lambda: (
                installed.hosts[1].run("systemctl", "is-active", "app-server@b1", check=False) == "active"
                and installed.hosts[1].run("systemctl", "show", "app-server@b1", "-p", "MainPID", "--value") != before
            ),
            "the instance runs again",
        )
        time.sleep(0.5)
    assert set(seen) == {200}, seen


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
    assert outcome.status != 0 and "the trial failed" in outcome.said and "not today" in outcome.said, outcome.said
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
    assert outcome.status != 0 and f"two: {key} cannot be read, and is not written over." in outcome.said, outcome.said
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
    assert "What was switched is as it was before, on all hosts" in outcome.said, outcome.said
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
    assert "would have the proxy read" not in foreseen.said
    running = installed.hosts[0].run("systemctl", "show", "nginx", "-p", "StateChangeTimestamp", "-p", "ReloadResult")
    with staying_visitors(installed, 42) as guests, chromium() as browser:
        tabs = [browser.new_page() for _ in range(8)]
        for tab in tabs:
            open_app(tab, f"http://{installed.hosts[0].address}/who")
            drag_slider(tab, 0, 120)
        with visitors(installed) as seen:
            outcome = installed.play("site.yml")
        assert outcome.status == 0, outcome.said
        # Every page has come back to a session that answers. No state is saved here, so it was built anew.
        for tab in tabs:
            value = model_value(tab, "slider", "model.value")
            assert value == 1
            drag_slider(tab, 0, 60)
            now = model_value(tab, "slider", "model.value")
            assert now > value
            wait_for_model(tab, "text", f"model.text === '{now}'")
    assert set(seen) == {200} and seen[200] > 10, seen
    assert guests.lost == []
    assert title(installed) == "new power"
    # Nothing of the proxy's has changed, and a reload would have cost it its counts.
    assert "Read the configuration anew" not in outcome.changed
    assert running == installed.hosts[0].run(
        "systemctl", "show", "nginx", "-p", "StateChangeTimestamp", "-p", "ReloadResult"
    )
    with visitors(installed) as seen:
        outcome = installed.play("rollback.yml")
    assert outcome.status == 0, outcome.said
    assert set(seen) == {200}, seen
    assert title(installed) == "power"


def test_lost_host_costs_no_page_and_stops_a_run(installed: Site) -> None:
    with installed.hosts[1].without_network(), visitors(installed) as seen:
        outcome = installed.play("site.yml")
        assert outcome.status != 0 and outcome.count("unreachable") == 1, outcome.said
        assert outcome.count("changed") == 0, outcome.said
        wait_until(lambda: seen[200] > 5, "pages go on")
    assert set(seen) == {200}, seen
    wait_until(lambda: page(installed)[0].startswith("b"), "the host is back behind the proxy")


def test_frozen_host_stops_a_run_before_anything_is_touched(installed: Site) -> None:
    # Its kernel goes on answering: who is connected waits for a word of sshd's.
    with installed.hosts[1].frozen():
        outcome = installed.play("site.yml")
    assert outcome.status != 0 and outcome.count("unreachable") == 1, outcome.said
    assert outcome.count("changed") == 0, outcome.said
    wait_until(lambda: page(installed)[0].startswith("b"), "the host is back behind the proxy")


def test_host_is_removed_by_one_command_without_a_failed_page(installed: Site, before: list[set[str]]) -> None:
    folder = installed.folder
    (folder / "hooks").mkdir()
    for name in ("before-deploy", "after-deploy"):
        hook = folder / "hooks" / name
        hook.write_text('#!/bin/sh\necho "$(basename $0) $APP_SERVER_DEPLOY_HOSTS" >>hooked\n', encoding="utf-8")
        hook.chmod(0o755)
    store = folder / "deployed" / "app-server"
    store.mkdir(parents=True)
    shutil.copyfile(folder / "inventory.yml", store / "inventory.yml")  # as a run before has left it
    describe(folder, installed.hosts[:1])
    route = next(name for name, _ in iter(lambda: page(installed), None) if name.startswith("b"))
    assert route
    with visitors(installed) as seen:
        status, said = installed.command(
            "deploy", "ansible", *(word for path in installed.packages for word in ("--packages", str(path)))
        )
    assert status == 0, said
    assert set(seen) == {200}, seen
    assert (folder / "hooked").read_text(encoding="utf-8") == "before-deploy one\nafter-deploy one\n"
    assert re.search(r": release [0-9a-f]{12}$", (store / "log").read_text(encoding="utf-8").rstrip())
    # The doctor has the last word.
    assert "one instance for page and socket" in " ".join(said.split()), said
    assert not (store / "removed.yml").exists()
    assert files_of(installed.hosts[1]) ^ before[1] == set()
    # By hand from here on.
    shutil.copyfile(store / "inventory.yml", folder / "inventory.yml")


def test_uninstall_leaves_nothing(installed: Site, before: list[set[str]]) -> None:
    outcome = installed.play("uninstall.yml")
    assert outcome.status == 0, outcome.said
    for host, was in zip(installed.hosts, before, strict=True):
        assert files_of(host) ^ was == set()
        assert "app-server" not in host.run("getent", "passwd")
