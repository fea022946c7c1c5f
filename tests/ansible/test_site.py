"""From bare hosts to a served deployment and back: playbooks run on two hosts, looked at from inside and outside.

Each test begins with bare hosts or with installed ones, in whatever order they come. In the order of this file the
hosts are set up once, and started again from what was kept of them for the last test.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from typing import Any

import pytest
import testinfra

from tests.ansible.pair import INSTANCES, SECRET, describe, install, page, visitors
from tests.support.browsers.pages import chromium, drag_slider, model_value, open_app, wait_for_model
from tests.support.client import Site as Visited
from tests.support.hosts.playbooks import Site, files_of
from tests.support.hosts.staging import Stage
from tests.support.waiting import until


@pytest.fixture
def one(careful: Stage[Site]) -> Site:
    """The deployment, installed on the first host only."""
    site = careful.bare()
    careful.begin()
    describe(site.folder, site.hosts[:1])
    site.pack()
    install(site)
    return site


def refused(site: Site, before: list[set[str]], *reasons: str, **variables: Any) -> None:
    """A run stops with these reasons, and has touched nothing."""
    outcome = site.play("site.yml", variables=variables)
    assert outcome.status != 0
    for reason in reasons:
        assert reason in " ".join(outcome.said.split()), outcome.said
    assert outcome.count("changed") == 0, outcome.said
    assert [files_of(host) for host in site.hosts] == before


def test_check_run_on_bare_hosts_says_what_would_be_done_and_does_nothing(bare: Site, stage: Stage[Site]) -> None:
    outcome = bare.play("site.yml", "--check", "--diff")
    assert outcome.status == 0, outcome.said
    said = " ".join(outcome.said.split())
    for claim in (
        "+/opt/app-server/current: link to /opt/app-server/releases/", "+/etc/app-server: directory 0751",
        "one: would write /etc/app-server/secret_key", "two: would start b1, then b2, then b3",
        "one: would reload the proxy",
    ):  # fmt: skip
        assert claim in said, outcome.said
    assert [files_of(host) for host in bare.hosts] == stage.before


def test_everything_in_the_way_is_reported_before_anything_is_touched(bare: Site, stage: Stage[Site]) -> None:
    listen = "import socket, time; s = socket.create_server(('', 5101)); time.sleep(900)"
    place = "/etc/systemd/system/app-server.target"
    other = bare.hosts[1]
    other.run("touch", place)
    other.run("systemd-run", "--unit=other-program", "python3", "-c", listen)
    try:
        until(lambda: ":5101" in other.run("ss", "-ltn"), "the other program listens", 60)
        refused(
            bare, [stage.before[0], stage.before[1] | {f"f 644 root {place} "}],
            "MB left, but 99999999 MB are needed",
            "two: port 5101, which instance b2 needs, is used by another program",
            f"two: {place} exists and was not written by app-server",
            app_server_free_mb=99999999,
        )  # fmt: skip
    finally:
        other.run("systemctl", "stop", "other-program")
        other.run("rm", place)


def test_wrong_password_of_sudo_stops_it_before_anything_is_touched(bare: Site, stage: Stage[Site]) -> None:
    other = bare.hosts[1]
    other.run("sed", "-i", "s/NOPASSWD: //", "/etc/sudoers.d/admin")
    try:
        refused(bare, stage.before, "Incorrect sudo password", ansible_become_password="wrong")
    finally:
        other.run("sh", "-c", "echo 'admin ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/admin")


def test_host_is_added_without_a_failed_page(one: Site, stage: Stage[Site]) -> None:
    before = one.hosts[0].run("systemctl", "show", "app-server@a1", "-p", "MainPID", "--value")
    describe(one.folder, one.hosts)
    one.pack()
    with visitors(one) as seen:
        outcome = one.play("site.yml")
    assert outcome.status == 0, outcome.said
    assert set(seen) == {200}, seen
    assert {page(one)[0] for _ in range(18)} == set(INSTANCES)
    # Its release differs, for the proxy has another file; so a1 was restarted, after a drain.
    assert one.hosts[0].run("systemctl", "show", "app-server@a1", "-p", "MainPID", "--value") != before
    stage.is_installed()


def test_second_run_changes_nothing(untouched: Site) -> None:
    for flags in (("--diff",), ("--check", "--diff")):
        outcome = untouched.play("site.yml", *flags)
        assert (outcome.status, outcome.count("changed")) == (0, 0), outcome.said


@pytest.mark.parametrize("index", [0, 1])
def test_host_is_as_it_should_be(installed: Site, index: int) -> None:
    where = installed.hosts[index]
    host = testinfra.get_host(f"docker://{where.container}")
    user = host.user("app-server")
    assert (user.shell, user.group) == ("/usr/sbin/nologin", "app-server")
    key = host.file("/etc/app-server/secret_key")
    assert (key.mode, key.user, key.size) == (0o600, "root", 49)
    # The proxy looks for its file there.
    assert host.file("/etc/app-server").mode == 0o751
    assert host.file("/opt/app-server/current").is_symlink
    saved = host.file("/var/lib/app-server/sessions")
    assert (saved.mode, saved.user, saved.group) == (0o700, "app-server", "app-server")
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


def test_application_has_its_secret_and_nothing_else_shows_it(installed: Site) -> None:
    assert SECRET.encode() not in (installed.folder / "apps.env").read_bytes(), "ansible-vault has encrypted it"
    for where in installed.hosts:
        host = testinfra.get_host(f"docker://{where.container}")
        file = host.file("/etc/app-server/variables.env")
        assert (file.mode, file.user, file.group) == (0o600, "root", "root")
        assert file.content_string == f"# For who.py\nWHO_SECRET='{SECRET}'\n"
        assert host.check_output("find /opt /srv /tmp -name trial.env -o -name apps.env") == ""
        name = next(name for name, on in INSTANCES.items() if on == where.name)
        pid = host.check_output(f"systemctl show app-server@{name} -p MainPID --value")
        assert "WHO_SECRET" not in host.file(f"/proc/{pid}/environ").content_string
        assert SECRET not in host.check_output(f"systemctl cat app-server@{name}; journalctl --no-pager")
    assert SECRET not in (installed.folder / "site.yml.log").read_text(encoding="utf-8")


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


def test_host_is_removed_by_one_command_without_a_failed_page(ending: Site, stage: Stage[Site]) -> None:
    folder = ending.folder
    (folder / "hooks").mkdir()
    for name in ("before-deploy", "after-deploy"):
        hook = folder / "hooks" / name
        hook.write_text('#!/bin/sh\necho "$(basename $0) $APP_SERVER_DEPLOY_HOSTS" >>hooked\n', encoding="utf-8")
        hook.chmod(0o755)
    store = folder / "deployed" / "app-server"
    store.mkdir(parents=True)
    shutil.copyfile(folder / "inventory.yml", store / "inventory.yml")  # as a run before has left it
    describe(folder, ending.hosts[:1])
    route = next(name for name, _ in iter(lambda: page(ending), None) if name.startswith("b"))
    assert route
    with visitors(ending) as seen:
        status, said = ending.command(
            "deploy", "ansible", *(word for path in ending.packages for word in ("--packages", str(path)))
        )
    assert status == 0, said
    assert set(seen) == {200}, seen
    assert (folder / "hooked").read_text(encoding="utf-8") == "before-deploy one\nafter-deploy one\n"
    assert re.search(r": release [0-9a-f]{12}$", (store / "log").read_text(encoding="utf-8").rstrip())
    # Plays and tasks were shown while they ran, and all that Ansible has printed is kept.
    assert "\n  Switch the instances, one host after another\n" in said and "PLAY RECAP" not in said, said
    assert re.search(r"^    \S.*: two  \d+(\.\d)? s$", said, re.MULTILINE), said
    assert "PLAY RECAP" in (store / "ansible.log").read_text(encoding="utf-8")
    status, history = ending.command("deploy", "history")
    assert status == 0 and " ansible  deploy " in history and " done in " in history, history
    # The doctor has the last word.
    assert "one instance for page and socket" in " ".join(said.split()), said
    assert not (store / "removed.yml").exists()
    assert files_of(ending.hosts[1]) ^ stage.before[1] == set()


def test_uninstall_leaves_nothing(ending: Site, stage: Stage[Site]) -> None:
    outcome = ending.play("uninstall.yml")
    assert outcome.status == 0, outcome.said
    for host, was in zip(ending.hosts, stage.before, strict=True):
        assert files_of(host) ^ was == set()
        assert "app-server" not in host.run("getent", "passwd")
