"""A stack in a swarm of three nodes: people come in by any of them, and notice neither an update nor a lost node."""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tests.support.client import Answer, Site
from tests.support.engine import docker, wait_until
from tests.support.images import ROOT, build
from tests.support.stack import app_server
from tests.support.swarm import Node, Swarm, running_swarm

DEPLOY = """
name: site
apps: {who: who.py}
public: {hosts: [198.51.100.1, 198.51.100.2, 198.51.100.3]}
instances: 3
service: {drain_s: 2, restart_s: 1}
sessions: {ids: signed, unused_lifetime_s: 2}
secrets: {secret_key: {file: /etc/site/secret}}
containers:
  images: {app: "APP", proxy: "PROXY"}
  memory_mb: 256
  swarm: {monitor_s: 3}
"""
PORT = 8080
INSTANCES = ("a1", "a2", "a3")
SERVICES = ("site_proxy", *(f"site_app-{name}" for name in INSTANCES))
SECRET = "do-not-tell-anybody-0123456789abcdef"
# Two after another on each node: a person who clicks, not a machine that asks as fast as it can.
PAUSE_S = 0.03
_ROUTE = re.compile(r"/_i/([A-Za-z0-9_-]+)/")
_TITLE = re.compile(r"<title>([0-9a-f]{12})</title>")


@dataclass
class Stack:
    """What was deployed, and where it is described."""

    swarm: Swarm
    folder: Path
    images: dict[str, str]

    def deploy(self, app: str) -> None:
        """Deploy with this one of the images; what happens then is not waited for."""
        text = DEPLOY.replace("APP", self.images[app]).replace("PROXY", self.images["proxy"])
        (self.folder / "deploy.yaml").write_text(text, encoding="utf-8")
        done = app_server("config", "swarm", "-f", self.folder / "deploy.yaml", "--output", self.folder / "site")
        assert done.returncode == 0, done.stderr
        file = self.folder / "site" / "swarm.yaml"
        self.swarm.docker("stack", "deploy", "--detach=true", "--resolve-image", "never", "-c", file, "site")

    def site(self, node: Node) -> Site:
        """The way in by a node's proxy."""
        return Site(f"http://{node.address}:{PORT}")

    def page(self, node: Node) -> tuple[str, str, Answer]:
        """A new session's page by a node's proxy, its instance, and the container that built it."""
        answer = self.site(node).get("/who")
        assert answer.status == 200, (answer.status, answer.text[:500])
        route, title = _ROUTE.search(answer.text), _TITLE.search(answer.text)
        assert route is not None and title is not None, answer.text[:500]
        return route[1], title[1], answer

    def page_of(self, node: Node, instance: str) -> tuple[str, Answer]:
        """A new session's page that this instance has: the container that built it, and the page."""
        for _ in range(60):
            route, container, answer = self.page(node)
            if route == instance:
                return container, answer
        raise AssertionError(f"none of 60 pages came from {instance}")

    def tasks(self, service: str = "") -> list[dict[str, Any]]:
        """What runs or shall run of the stack or of one service, as the swarm tells it."""
        words = ("service", "ps", service) if service else ("stack", "ps", "site")
        told = self.swarm.docker(*words, "--filter", "desired-state=running", "--format", "{{json .}}")
        return [json.loads(line) for line in told.splitlines()]

    def is_up(self) -> bool:
        """Whether everything that shall run does, and is well."""
        told = self.swarm.docker("stack", "services", "site", "--format", "{{.Name}} {{.Replicas}}").splitlines()
        counts = dict(line.split() for line in told)
        return set(counts) == set(SERVICES) and all(len(set(each.split("/"))) == 1 for each in counts.values())

    def updates(self) -> set[str]:
        """How the updates of the instances stand."""
        told = self.swarm.docker("service", "inspect", *SERVICES[1:], "--format", "{{json .UpdateStatus}}")
        return {str((json.loads(line) or {}).get("State")) for line in told.splitlines()}


@pytest.fixture(scope="module")
def stack(engine: None, app_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack that the tests of this file share, up on three nodes; the last test takes one of these away."""
    folder = tmp_path_factory.mktemp("swarm")
    name = f"app-server-test-{uuid.uuid4().hex[:8]}"
    images = {"first": f"{name}:1", "next": f"{name}:2", "proxy": build("app-server-nginx")}
    # It has nothing that the instances' command could start.
    images["bad"] = images["proxy"]
    apps = ROOT / "tests/container/apps"
    try:
        first = f"FROM {app_image}\nCOPY . /apps\n"
        docker("build", "--quiet", "--tag", images["first"], "--file", "-", apps, text=first)
        docker("build", "--quiet", "--tag", images["next"], "-", text=f"FROM {images['first']}\nENV RELEASE=2\n")
        with running_swarm([images["first"], images["next"], images["proxy"]]) as swarm:
            swarm.docker("secret", "create", "site-secret_key-1", "-", text=SECRET)
            made = Stack(swarm, folder, images)
            made.deploy("first")
            wait_until(made.is_up, "the stack is up", 120)
            yield made
    finally:
        docker("rmi", "--force", images["first"], images["next"], check=False)


@dataclass
class Visits:
    """What people have got: how many answers of each status (0: none), the slowest, and the containers that built."""

    seen: Counter[int] = field(default_factory=Counter)
    slowest_s: float = 0.0
    failures: list[str] = field(default_factory=list)


@contextmanager
def visitors(stack: Stack, *nodes: Node) -> Iterator[Visits]:
    """People who open pages all the time, by the proxy of each of these nodes."""
    visits = Visits()
    over = threading.Event()

    def visit(node: Node) -> None:
        site = stack.site(node)
        with stack.swarm.visiting():
            while not over.wait(PAUSE_S):
                begun_s = monotonic()
                try:
                    status = site.get("/who").status
                except OSError as error:
                    status = 0
                    visits.failures.append(f"{node.name}: {error!r}")
                visits.seen[status] += 1
                visits.slowest_s = max(visits.slowest_s, monotonic() - begun_s)

    threads = [threading.Thread(target=visit, args=(node,)) for node in nodes]
    for thread in threads:
        thread.start()
    try:
        yield visits
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_page_and_socket_meet_one_instance_by_any_nodes_proxy(stack: Stack) -> None:
    proxies = {task["Node"] for task in stack.tasks("site_proxy")}
    assert proxies == {"one", "two", "three"}
    met: Counter[str] = Counter()
    with stack.swarm.visiting():
        for number in range(18):
            by, other = (stack.swarm.nodes[(number + more) % 3] for more in (0, 1))
            route, container, answer = stack.page(by)
            # The page by one node, its socket by another one.
            with stack.site(other).client(f"/_i/{route}/who", answer.token) as client:
                assert client.value("where", "text") == container
            met[route] += 1
    assert set(met) == set(INSTANCES)


def test_containers_are_hardened_in_fact(stack: Stack) -> None:
    for container in stack.swarm.docker("ps", "--format", "{{.Names}}").split():
        status = stack.swarm.docker("exec", container, "cat", "/proc/1/status")
        assert "CapEff:\t0000000000000000" in status and "NoNewPrivs:\t1" in status
        assert "Uid:\t0" not in status
        known = json.loads(stack.swarm.docker("inspect", container))[0]["HostConfig"]
        assert known["ReadonlyRootfs"] and known["Memory"] > 0 and known["PidsLimit"] > 0 and known["Init"]
        stack.swarm.docker("exec", container, "sh", "-c", "touch /tmp/x && ! touch /x")


def test_secret_is_in_no_description(stack: Stack) -> None:
    task = stack.tasks("site_app-a1")[0]
    (node,) = [node for node in stack.swarm.nodes if node.name == task["Node"]]
    container = node.docker("ps", "--quiet", "--filter", "name=site_app-a1")
    assert node.docker("exec", container, "cat", "/run/secrets/secret_key") == SECRET
    told = [("service", "inspect", *SERVICES), ("secret", "inspect", "site-secret_key-1"), ("inspect", task["ID"])]
    assert SECRET not in "".join(stack.swarm.docker(*words) for words in told) + node.docker("inspect", container)
    assert SECRET not in "".join(path.read_text() for path in (stack.folder / "site").rglob("*") if path.is_file())


def test_update_costs_no_page_and_sessions_move(stack: Stack) -> None:
    one = stack.swarm.manager
    with visitors(stack, *stack.swarm.nodes) as visits, stack.swarm.visiting():
        before, page = stack.page_of(one, "a2")
        with stack.site(one).client("/_i/a2/who", page.token) as client:
            stack.deploy("next")
            # Asked to go elsewhere when it had its time.
            assert client.close_code(60) == 1012
        with stack.site(one).client("/_i/a2/who", page.token) as client:
            assert client.value("where", "text") != before
            client.set("slider", "value", 7)
            client.wait_value("text", "text", "7")
        wait_until(lambda: stack.updates() == {"completed"}, "the update is complete", 60)
    assert set(visits.seen) == {200}, visits
    assert {task["Image"] for task in stack.tasks()} == {stack.images["next"], stack.images["proxy"]}


def test_bad_image_takes_itself_back_and_costs_no_page(stack: Stack) -> None:
    with visitors(stack, *stack.swarm.nodes) as visits:
        stack.deploy("bad")
        wait_until(lambda: stack.updates() == {"rollback_completed"}, "the update was taken back", 60)
        wait_until(stack.is_up, "the stack is up", 60)
    assert set(visits.seen) == {200}, visits
    assert {task["Image"] for task in stack.tasks("site_app-a1")} == {stack.images["next"]}


def test_lost_node_costs_no_page_of_the_others_and_its_instance_comes_back_elsewhere(stack: Stack) -> None:
    one, two, three = stack.swarm.nodes
    instance = next(name for name in INSTANCES if stack.tasks(f"site_app-{name}")[0]["Node"] == "three")
    with visitors(stack, one, two) as visits, stack.swarm.visiting():
        before, page = stack.page_of(one, instance)
        with stack.site(one).client(f"/_i/{instance}/who", page.token) as client:
            three.lose(stack.swarm.hub)
            # The proxy has noticed; the page does so too, and comes again.
            assert client.close_code(30) is None
        with stack.site(one).client(f"/_i/{instance}/who", page.token) as client:
            assert client.value("where", "text") != before

        def is_back() -> bool:
            route, container, _ = stack.page(two)
            return route == instance and container != before

        wait_until(is_back, f"{instance} is reached again", 90)
    assert set(visits.seen) == {200}, visits
    # Less than what `proxy_next_upstream_timeout` leaves for another instance.
    assert visits.slowest_s < 10, visits
