"""From bare hosts to a served deployment and back: playbooks run on two hosts, looked at from inside and outside.

The tests build on each other, in the order in which they stand here: setting up hosts takes long.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest
import testinfra
from playwright.sync_api import sync_playwright

from tests.support.browser import CHROMIUM, CHROMIUM_ARGS, drag_slider, model_value, open_app, wait_for_model
from tests.support.client import Answer, fetch
from tests.support.client import Site as Visited
from tests.support.engine import wait_until
from tests.support.playbooks import Site, files_of, opened_pages

INSTANCES = {"a1": "one", "a2": "one", "b1": "two", "b2": "two"}
_ROUTE = re.compile(r"/_i/([a-z0-9]+)/")


@pytest.fixture(scope="module")
def before(site: Site) -> list[set[str]]:
    """What was on the hosts before anything was done."""
    return [files_of(host) for host in site.hosts]


@pytest.fixture(scope="module")
def installed(site: Site, before: list[set[str]]) -> Site:
    """The deployment, installed on both hosts by one run."""
    outcome = site.play("site.yml")
    assert outcome.status == 0, outcome.said
    return site


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


def refused(site: Site, before: list[set[str]], reason: str, **variables: Any) -> None:
    """A run stops with this reason, and has touched nothing."""
    outcome = site.play("site.yml", variables=variables)
    assert outcome.status != 0
    assert reason in " ".join(outcome.said.split()), outcome.said
    assert outcome.count("changed") == 0, outcome.said
    assert [files_of(host) for host in site.hosts] == before


def test_too_little_room_stops_it_before_anything_is_touched(site: Site, before: list[set[str]]) -> None:
    refused(site, before, "MB left, and 99999999 MB are asked for", app_server_free_mb=99999999)


def test_taken_port_stops_it_before_anything_is_touched(site: Site, before: list[set[str]]) -> None:
    listen = "import socket, time; s = socket.create_server(('', 5101)); time.sleep(900)"
    other = site.hosts[1]
    other.run("systemd-run", "--unit=other-program", "python3", "-c", listen)
    try:
        wait_until(lambda: ":5101" in other.run("ss", "-ltn"), "the other program listens")
        refused(site, before, "two: port 5101, which instance b2 is to have, is taken by another program")
    finally:
        other.run("systemctl", "stop", "other-program")


def test_file_of_somebody_else_stops_it_before_anything_is_touched(site: Site, before: list[set[str]]) -> None:
    place = "/etc/systemd/system/app-server.target"
    site.hosts[1].run("touch", place)
    with_file = [before[0], before[1] | {f"f 644 root {place} "}]
    try:
        refused(site, with_file, f"two: {place} is there already, and is not ours")
    finally:
        site.hosts[1].run("rm", place)


def test_host_that_cannot_be_reached_stops_it_before_anything_is_touched(site: Site, before: list[set[str]]) -> None:
    inventory = site.folder / "inventory.yml"
    text = inventory.read_text(encoding="utf-8")
    there = rf'(ansible_host: "?){re.escape(site.hosts[1].address)}'
    inventory.write_text(re.sub(there, r"\1unreachable.invalid", text), encoding="utf-8")
    try:
        refused(site, before, "Could not resolve hostname unreachable.invalid")
    finally:
        inventory.write_text(text, encoding="utf-8")


def test_second_run_changes_nothing(installed: Site) -> None:
    outcome = installed.play("site.yml")
    assert (outcome.status, outcome.count("changed")) == (0, 0), outcome.said


@pytest.mark.parametrize("index", [0, 1])
def test_host_is_as_it_should_be(installed: Site, index: int) -> None:
    where = installed.hosts[index]
    host = testinfra.get_host(
        f"ssh://admin@{where.address}", ssh_identity_file=str(installed.key), sudo=True,
        ssh_extra_args=f"-o UserKnownHostsFile={installed.folder / 'known_hosts'}",
    )  # fmt: skip
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
    assert host.package("nginx").is_installed is (where.name == "one")
    if where.name == "one":
        assert host.service("nginx").is_running and host.service("nginx").is_enabled
        assert host.socket("tcp://0.0.0.0:80").is_listening
        assert host.run("nginx -t").rc == 0
        assert host.run("logrotate --debug /etc/logrotate.d/app-server").rc == 0


def test_hosts_share_the_key(installed: Site) -> None:
    assert len({host.run("cat", "/etc/app-server/secret_key") for host in installed.hosts}) == 1


def test_page_and_socket_meet_one_instance_of_four_on_two_hosts(installed: Site) -> None:
    met: Counter[str] = Counter()
    for _ in range(24):
        route, answer = page(installed)
        with Visited(f"http://{installed.hosts[0].address}").client(f"/_i/{route}/who", answer.token) as client:
            assert f"<title>{INSTANCES[route]}</title>" in answer.text
            assert client.value("where", "text") == INSTANCES[route]
        met[route] += 1
    assert set(met) == set(INSTANCES), met


def test_slider_moves_in_chromium(installed: Site) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_ARGS))
        visit = browser.new_page()
        open_app(visit, f"http://{installed.hosts[0].address}/who")
        drag_slider(visit, 0, 120)
        moved = model_value(visit, "slider", "model.value")
        assert moved > 1
        wait_for_model(visit, "text", f"model.text === '{moved}'")
        browser.close()


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


def test_new_release_and_the_way_back_cost_no_page(installed: Site, who: Path) -> None:
    text = who.read_text(encoding="utf-8")
    who.write_text(text.replace('title="power"', 'title="new power"'), encoding="utf-8")
    installed.pack()
    with ExitStack() as stack:
        for _ in range(20):
            route, answer = page(installed)
            stack.enter_context(
                Visited(f"http://{installed.hosts[0].address}").client(f"/_i/{route}/who", answer.token)
            )
        with visitors(installed) as seen:
            outcome = installed.play("site.yml")
        assert outcome.status == 0, outcome.said
    assert set(seen) == {200} and seen[200] > 10, seen
    assert title(installed) == "new power"
    with visitors(installed) as seen:
        outcome = installed.play("rollback.yml")
    assert outcome.status == 0, outcome.said
    assert set(seen) == {200}, seen
    assert title(installed) == "power"


def test_uninstall_leaves_nothing(installed: Site, before: list[set[str]]) -> None:
    outcome = installed.play("uninstall.yml")
    assert outcome.status == 0, outcome.said
    for host, was in zip(installed.hosts, before, strict=True):
        assert files_of(host) ^ was == set()
        assert "app-server" not in host.run("getent", "passwd")
