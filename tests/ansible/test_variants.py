"""What else playbooks can install, on Debian 12: supervisor behind Apache with TLS and a firewall; gunicorn behind SSH.

Two deployments, set up at the same time: `boards` on the host three, and on four one that no one reaches but through a
tunnel, whose gateway is three. The tests share them, in whatever order they come; the last one takes them away.
"""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.support.browsers.pages import chromium, drag_slider, model_value, open_app, wait_for_model
from tests.support.client import Site as Visited
from tests.support.client import fetch
from tests.support.hosts.kept import claimed_place
from tests.support.hosts.playbooks import ROOT, Host, Outcome, Site, files_of, opened_pages, wheelhouse
from tests.support.hosts.staging import Stage
from tests.support.ports import free_port
from tests.support.server import stop
from tests.support.waiting import until

SUITE = "bookworm"
BOARDS = """
name: boards
apps: {who: who.py}
public: {hosts: ["THREE"]}
instances: {count: 2, hosts: [{name: three, address: THREE, ssh: admin@THREE}]}
proxy: {kind: apache, static: true}
tls: {mode: development}
# Where the tests run, no one may have more open files.
service: {manager: supervisor, drain_s: 2, open_files: 4096}
secrets: {secret_key: {file: /etc/boards/secret_key}}
sessions: {ids: signed, unused_lifetime_s: 2}
"""
BEHIND_A_TUNNEL = """
apps: {who: who.py}
public: {hosts: [localhost]}
proxy: {kind: none}
instances: {count: 1, address: 127.0.0.1, hosts: [{name: four, address: 127.0.0.1, ssh: admin@FOUR}]}
service: {manager: gunicorn, workers: 2, drain_s: 2}
secrets: {secret_key: {file: /etc/app-server/secret_key}}
sessions: {ids: signed, unused_lifetime_s: 2}
tunnels: {office: {kind: reverse, server: tunnel@THREE, ssh: admin@THREE, listen: VISITED}}
"""
# Of the gateway, where no one else listens.
VISITED_PORT = 7400
_ROUTE = re.compile(r"/_i/([a-z0-9]+)/")


@dataclass(frozen=True)
class Both:
    """The two deployments, and who may come through the tunnel."""

    boards: Site
    hidden: Site
    visited_port: int
    visitor: Path

    def play(self, playbook: str) -> list[Outcome]:
        """A playbook, run for both at the same time."""
        key = self.visitor.with_suffix(".pub").read_text(encoding="ascii").strip()
        with ThreadPoolExecutor() as pool:
            boards = pool.submit(self.boards.play, playbook, variables={"app_server_firewall": True})
            hidden = pool.submit(self.hidden.play, playbook, variables={"tunnel_visitors": {"office": [key]}})
            outcomes = [boards.result(), hidden.result()]
        for outcome in outcomes:
            assert outcome.status == 0, outcome.said
        return outcomes

    @property
    def three(self) -> Host:
        """The host with the proxy, which is the other's gateway."""
        return self.boards.hosts[0]

    @property
    def four(self) -> Host:
        """The host behind the tunnel."""
        return self.hidden.hosts[0]

    @property
    def url(self) -> str:
        """Where the boards are."""
        return f"https://{self.three.address}"

    def ssh(self, *words: str) -> list[str]:
        """An ssh of the visitor's to the gateway's user."""
        known = self.hidden.folder / "known_hosts"
        return ["ssh", "-F", "none", "-i", str(self.visitor), "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes",
                "-o", f"UserKnownHostsFile={known}", *words]  # fmt: skip


@pytest.fixture(scope="module")
def stage(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage[Both]]:
    """The hosts for both deployments."""
    with claimed_place(("three", "four"), SUITE) as place:
        packages = (wheelhouse(SUITE), place.wheel())

        def described(hosts: Sequence[Host], folder: Path) -> Both:
            words = {host.name.upper(): host.address for host in hosts} | {"VISITED": str(VISITED_PORT)}
            if not (folder / "visitor").exists():
                visitor = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "visitor"]
                subprocess.run(visitor, check=True)
            boards, hidden = (
                _site(folder / name, deploy, words, host, packages, place.key)
                for name, deploy, host in (("boards", BOARDS, hosts[0]), ("hidden", BEHIND_A_TUNNEL, hosts[1]))
            )
            return Both(boards, hidden, VISITED_PORT, folder / "visitor")

        made = Stage(
            place, lambda: tmp_path_factory.mktemp("variants") / "sites",
            described, install, wait_until_served,
        )  # fmt: skip
        yield made
        made.spend()


def _site(
    folder: Path, deploy: str, words: Mapping[str, str], host: Host, packages: tuple[Path, ...], key: Path
) -> Site:
    site = Site(folder, [host], packages, key)
    if not folder.exists():
        folder.mkdir()
        for word, value in words.items():
            deploy = deploy.replace(word, value)
        (folder / "deploy.yaml").write_text(deploy, encoding="utf-8")
        shutil.copyfile(ROOT / "tests/container/apps/who.py", folder / "who.py")
        shutil.copyfile(key.with_name("known_hosts"), folder / "known_hosts")
        site.pack()
    return site


def install(both: Both) -> None:
    """Bring both deployments to their hosts."""
    both.play("site.yml")


def is_linked(address: str, link: str) -> bool:
    """Whether there is a page, and it leads back to the instance of this link."""
    answer = fetch(address, timeout_s=30)
    return answer.status == 200 and link in answer.text


def wait_until_served(both: Both) -> None:
    """Return when hosts that have just started serve both deployments."""
    runs, active = ("supervisorctl", "status"), ("systemctl", "is-active", "apache2")
    until(lambda: both.three.run(*runs, check=False).count("RUNNING") == 2, "boards run", 60)
    until(lambda: both.three.run(*active, check=False) == "active", "Apache runs", 60)
    for route in ("a1", "a2"):
        address, link = f"{both.url}/_i/{route}/who", f"/_i/{route}/"
        until(partial(is_linked, address, link), f"Apache leads to {route}", 60)
    until(lambda: f":{both.visited_port} " in both.three.run("ss", "-ltn"), "the tunnel is open", 60)


def test_second_run_changes_nothing(installed: Both) -> None:
    for outcome in installed.play("site.yml"):
        assert outcome.count("changed") == 0, outcome.said


def test_supervisor_runs_the_instances(installed: Both) -> None:
    status = installed.three.run("supervisorctl", "status")
    assert re.findall(r"^(\S+) +(\S+)", status, re.MULTILINE) == [("boards-a1", "RUNNING"), ("boards-a2", "RUNNING")]
    pid = re.search(r"pid (\d+)", status)
    assert pid is not None
    # supervisord's own limit is raised, at its start or while it runs; an instance goes up to what the host allows it.
    supervisord = installed.three.run("cat", "/run/supervisord.pid")
    assert _open_files(installed.three, supervisord) >= 4096
    until(lambda: _open_files(installed.three, pid[1]) >= 4096, "the instance has its limit", 10)
    # They read the key themselves, and no one else does.
    assert installed.three.run("stat", "--format=%a %U %G", "/etc/boards/secret_key") == "640 root boards"
    assert installed.three.run("stat", "--format=%U", f"/proc/{pid[1]}") == "boards"


def _open_files(host: Host, pid: str) -> int:
    """How many files a process of the host may have open."""
    found = re.search(r"Max open files +(\d+)", host.run("cat", f"/proc/{pid}/limits"))
    assert found is not None
    return int(found[1])


def test_apache_serves_pages_and_sockets_with_the_certificate_for_development(installed: Both) -> None:
    authority = (installed.boards.folder / "certificates" / "authority.pem").read_text(encoding="ascii")
    trusting = ssl.create_default_context(cadata=authority)
    with socket.create_connection((installed.three.address, 443), timeout=30) as plain:
        trusting.wrap_socket(plain, server_hostname=installed.three.address).close()
    assert fetch(f"http://{installed.three.address}/who").status == 301
    met: list[str] = []
    built: list[int] = []
    with ExitStack() as pages:
        # What is printed is shown if the test fails.
        logs = (f"/var/log/boards/{name}.log" for name in ("access", "error", "a1", "a2"))
        pages.callback(lambda: print(installed.three.run("tail", "--lines=40", *logs, check=False)))

        def visit() -> int:
            """Open a page at the instance that Apache finds least busy, and leave it open; how many there are."""
            answer = fetch(f"{installed.url}/who", timeout_s=30)
            route = _ROUTE.search(answer.text)
            assert route is not None, answer.text
            client = pages.enter_context(Visited(installed.url).client(f"/_i/{route[1]}/who", answer.token))
            met.append(route[1])
            built.append(int(str(client.value("built", "text"))))
            return len(met)

        # For a second after an instance has not answered, all pages are the other one's.
        until(lambda: visit() >= 8 and set(met) == {"a1", "a2"}, "both instances have pages")
        # Then it gets them all, until it is as busy.
        until(lambda: visit() and abs(met.count("a1") - met.count("a2")) <= 1, "they have the same number of pages")
    # No session was built a second time for its socket.
    assert built == list(range(built[0], built[0] + len(built)))


def test_deployment_under_supervisor_behind_apache_is_looked_at_read_and_closed(installed: Both) -> None:
    to, boards = ("--target", "ansible"), installed.boards
    status, said = boards.command("deploy", "status", *to)
    rows = [line.split()[:3] for line in said.splitlines()]
    assert status == 0, said
    for row in (["a1", "three", "running"], ["a2", "three", "running"], ["proxy", "three", "running"]):
        assert row in rows, said
    try:
        assert boards.command("deploy", "maintenance", "on", *to) == (0, "maintenance is on: three\n")
        answer = fetch(f"{installed.url}/who", timeout_s=30)
        assert answer.status == 503 and "Back soon" in answer.text
        assert fetch(f"{installed.url}/healthz", timeout_s=30).status == 200
    finally:
        assert boards.command("deploy", "maintenance", "off", *to) == (0, "maintenance is off: three\n")
    assert fetch(f"{installed.url}/who", timeout_s=30).status == 200
    status, said = boards.command("deploy", "logs", "--lines", "2", *to)
    assert status == 0 and {line.partition(" ")[0] for line in said.splitlines()} == {"a1", "a2"}, said
    script = 'id -un; cat "$BOKEH_SECRET_KEY_FILE" | wc -l; exit 7'
    assert boards.command("deploy", "exec", *to, "a2", "sh", "-c", script) == (7, "boards\n1\n")


def test_deployment_under_gunicorn_without_a_proxy_is_looked_at_and_read(installed: Both) -> None:
    to, hidden = ("--target", "ansible"), installed.hidden
    status, said = hidden.command("deploy", "status", *to)
    assert status == 0 and "maintenance: no proxy" in said, said
    assert any(line.split()[:3] == ["a1", "four", "running"] for line in said.splitlines()), said
    status, said = hidden.command("deploy", "maintenance", "on", *to)
    assert status == 1 and "proxy: none: nothing could answer in place of the instances" in said
    status, said = hidden.command("deploy", "logs", *to)
    assert status == 0 and said.startswith("a1 | "), said
    assert hidden.command("deploy", "exec", *to, "a1", "id", "-un") == (0, "app-server\n")


def test_slider_moves_in_chromium(installed: Both) -> None:
    with chromium() as browser:
        visit = browser.new_page(ignore_https_errors=True)
        open_app(visit, f"{installed.url}/who")
        drag_slider(visit, 0, 120)
        moved = model_value(visit, "slider", "model.value")
        assert moved > 1
        wait_for_model(visit, "text", f"model.text === '{moved}'")


def test_firewall_leaves_ssh_and_the_proxy_alone(installed: Both) -> None:
    address = installed.three.address
    for port in (22, 80, 443):
        socket.create_connection((address, port), timeout=30).close()
    assert fetch(f"{installed.url}/who", timeout_s=30).status == 200
    with pytest.raises(TimeoutError):
        socket.create_connection((address, 5100), timeout=2)
    # What was to take it back has not come to it.
    assert installed.three.run("systemctl", "is-active", "boards-firewall-undo.timer", check=False) == "inactive"


def test_page_and_socket_of_gunicorn_come_through_the_tunnel(installed: Both) -> None:
    assert installed.four.run("systemctl", "is-active", "app-server@a1", "app-server-tunnel-office") == "active\nactive"
    processes = installed.four.run("ps", "-u", "app-server", "-o", "args=")
    assert processes.count("gunicorn -c /etc/app-server/gunicorn/a1.conf.py") == 3, processes
    here, there = free_port(), f"localhost:{installed.visited_port}"
    words = installed.ssh("-NT", "-o", "ExitOnForwardFailure=yes", "-L", f"{here}:{there}")
    process = subprocess.Popen([*words, f"tunnel@{installed.three.address}"], stdin=subprocess.DEVNULL)
    try:
        until(lambda: _listens(here), "ssh listens", 60)
        # The server answers to the name that people type, with the port that the tunnel was made for.
        origin = {"Origin": f"http://{there}"}
        visited = Visited(f"http://localhost:{here}")
        answer = visited.get("/who")
        assert "<title>four</title>" in answer.text
        with visited.client("/who", answer.token, additional_headers=origin) as client:
            client.set("slider", "value", 4)
            client.wait_value("text", "text", "4")
    finally:
        stop(process)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_gateway_allows_nothing_else(installed: Both) -> None:
    to = f"tunnel@{installed.three.address}"
    for words in ((to, "id"), ("-NT", "-o", "ExitOnForwardFailure=yes", "-R", "5999:localhost:22", to)):
        done = subprocess.run(
            installed.ssh(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        assert (done.returncode != 0, done.stdout) == (True, ""), words
    assert installed.three.run("getent", "passwd", "tunnel").endswith(":/usr/sbin/nologin")
    assert installed.four.run("stat", "--format=%a %U", "/etc/app-server/tunnel_key") == "600 app-server"


def test_changed_programs_are_started_one_after_another_without_a_lost_page(installed: Both) -> None:
    deploy = installed.boards.folder / "deploy.yaml"
    text = deploy.read_text(encoding="utf-8")
    deploy.write_text(text.replace("drain_s: 2,", "drain_s: 3, environment: {COLOUR: green},"), encoding="utf-8")
    app = installed.boards.folder / "who.py"
    needs_it = f"import os\nassert os.environ['COLOUR'] == 'green'\n{app.read_text(encoding='utf-8')}"
    app.write_text(needs_it, encoding="utf-8")
    installed.boards.pack()
    with opened_pages(f"{installed.url}/who") as seen:
        outcome = installed.boards.play("site.yml", variables={"app_server_firewall": True})
    assert outcome.status == 0, outcome.said
    assert set(seen) == {200} and seen[200] > 10, seen
    pids = re.findall(r"pid (\d+)", installed.three.run("supervisorctl", "status"))
    assert all("COLOUR=green" in installed.three.run("cat", f"/proc/{pid}/environ").split("\0") for pid in pids)


def test_uninstall_leaves_nothing(ending: Both, stage: Stage[Both]) -> None:
    ending.play("uninstall.yml")
    for host, was in zip((ending.three, ending.four), stage.before, strict=True):
        assert files_of(host) ^ was == set()
        users = host.run("getent", "passwd")
        assert not {"boards", "app-server", "tunnel"} & {line.partition(":")[0] for line in users.splitlines()}
    assert "boards" not in ending.three.run("nft", "list", "ruleset", check=False)
