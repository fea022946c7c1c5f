"""A stack in a swarm of three nodes: people come in by any of them, and notice neither an update nor a lost node."""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import yaml

from app_server.deployment.rollout.docker import inspected, run
from tests.support.client import Answer, Site
from tests.support.containers.engine import docker
from tests.support.containers.images import ROOT, build
from tests.support.containers.stack import app_server
from tests.support.containers.swarm import Node, Swarm, running_swarm
from tests.support.waiting import until

DEPLOY = """
name: site
apps: {who: who.py}
public: {hosts: [198.51.100.1, 198.51.100.2, 198.51.100.3]}
proxy: KIND
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
APACHE_PORT = 8081
INSTANCES = ("a1", "a2", "a3")
NODES = ("one", "two", "three")
SERVICES = ("site_proxy", "site_app", "apache_proxy")
SECRET = "do-not-tell-anybody-0123456789abcdef"
# People who click, not machines that ask as fast as they can.
PAUSE_S = 0.1
_ROUTE = re.compile(r"/_i/([A-Za-z0-9_-]+)/")
_TITLE = re.compile(r"<title>app-([a-z0-9]+)</title>")


@dataclass
class Stack:
    """What was deployed, and where it is described."""

    swarm: Swarm
    folder: Path
    images: dict[str, str]

    def deploy(self, app: str) -> None:
        """Deploy with this one of the images; what happens then is not waited for."""
        self._deploy(self._written(app, "nginx"), "site")

    def deploy_apaches(self) -> None:
        """Deploy an Apache on each node too, in front of the same instances."""
        file = self._written("first", "apache")
        whole = yaml.safe_load(file.read_text(encoding="utf-8"))
        whole["services"] = {"proxy": whole["services"]["proxy"]}
        whole["services"]["proxy"]["ports"][0]["published"] = APACHE_PORT
        whole["networks"] = {"instances": {"external": True, "name": "site_instances"}}
        file.write_text(yaml.safe_dump(whole), encoding="utf-8")
        self._deploy(file, "apache")

    def _written(self, app: str, kind: str) -> Path:
        text = DEPLOY.replace("APP", self.images[app]).replace("PROXY", self.images[kind]).replace("KIND", kind)
        (self.folder / "deploy.yaml").write_text(text, encoding="utf-8")
        done = app_server("config", "swarm", "-f", "deploy.yaml", "--output", kind, cwd=self.folder)
        assert done.returncode == 0, done.stderr
        return self.folder / kind / "swarm.yaml"

    def verb(self, *words: str, app: str = "") -> tuple[int, str, str]:
        """Status, stdout and stderr of `app-server deploy WORDS` on the manager, for this image or what runs."""
        running = [name for name, known in self.images.items() if {known} == self.images_of("site_app")]
        self._written(app or running[0], "nginx")
        env = {"DOCKER_HOST": self.swarm.manager.socket}
        done = app_server("deploy", *words, cwd=self.folder, env=env)
        return done.returncode, done.stdout, done.stderr

    def _deploy(self, file: Path, name: str) -> None:
        self.swarm.docker("stack", "deploy", "--detach=true", "--resolve-image", "never", "-c", file, name)

    def site(self, node: Node, port: int = PORT) -> Site:
        """The way in by a node's proxy: nginx, or Apache at its port."""
        return Site(f"http://{node.address}:{port}")

    def page(self, node: Node, port: int = PORT, path: str = "/who") -> tuple[str, Answer]:
        """A new session's page by a node's proxy, and the instance that built it, which it leads back to."""
        answer = self.site(node, port).get(path)
        assert answer.status == 200, (answer.status, answer.text[:500])
        route, title = _ROUTE.search(answer.text), _TITLE.search(answer.text)
        assert route is not None and title is not None, answer.text[:500]
        assert route[1] == title[1]
        return route[1], answer

    def tasks(self, service: str) -> list[dict[str, Any]]:
        """What runs or shall run of a service, as the swarm tells it."""
        words = ("service", "ps", service, "--filter", "desired-state=running", "--format", "{{json .}}")
        return [json.loads(line) for line in self.swarm.docker(*words).splitlines()]

    def images_of(self, service: str) -> set[str]:
        """The images of what runs or shall run of a service."""
        return {task["Image"] for task in self.tasks(service)}

    def containers(self) -> list[list[str]]:
        """What runs on each node, in fact: the service of each container, those included that are still to end."""
        listed = [node.docker("ps", "--format", "{{.Names}}").split() for node in self.swarm.nodes]
        return [sorted(name.partition(".")[0] for name in names) for names in listed]

    def begin_again(self) -> None:
        """Bring the first release as if there had been none: an instance to each node, which each proxy knows."""
        self.swarm.docker("service", "scale", "--detach", "site_app=0")
        until(lambda: not any("site_app" in names for names in self.containers()), "all instances have ended", 60)
        self.deploy("first")
        self.wait_until_known()

    def wait_until_known(self) -> None:
        """Wait until everything is up, and each proxy has learnt of each instance."""
        until(self.is_up, "the stack is up", 120)
        with self.swarm.visiting():
            for node, port, name in product(self.swarm.nodes, (PORT, APACHE_PORT), INSTANCES):
                until(partial(self._leads_to, node, port, name), f"{node.name} leads to {name} at {port}", 60)

    def _leads_to(self, node: Node, port: int, name: str) -> bool:
        answer = self.site(node, port).get(f"/_i/{name}/who")
        return answer.status == 200 and f"<title>app-{name}</title>" in answer.text

    def is_up(self) -> bool:
        """Whether everything that shall run does, and is well."""
        listed = self.swarm.docker("service", "ls", "--format", "{{.Name}} {{.Replicas}}").splitlines()
        counts = dict(line.split() for line in listed)
        # Before a service of every node has looked at the nodes it wants none: 0/0.
        return set(counts) == set(SERVICES) and all(set(each.split("/")) == {"3"} for each in counts.values())

    def update(self) -> str:
        """How the update of the instances stands."""
        return self.swarm.docker("service", "inspect", "site_app", "--format", "{{.UpdateStatus.State}}")


class Stage:
    """The stack that tests share in whatever order they come, until one of them spends it."""

    def __init__(self, images: dict[str, str], folders: Callable[[], Path]) -> None:
        self._images = images
        self._folders = folders
        self._up = ExitStack()
        self._stack: Stack | None = None

    def stack(self) -> Stack:
        """The stack, all of it up; begun where there is none."""
        if self._stack is None:
            self._stack = self._up.enter_context(_running(self._images, self._folders()))
        return self._stack

    def spend(self) -> None:
        """Let the stack and its nodes go: what was done to them, or what failed, is nothing to begin with."""
        self._stack = None
        self._up.close()


@contextmanager
def _running(images: dict[str, str], folder: Path) -> Iterator[Stack]:
    """The first release on three nodes of their own, up."""
    with running_swarm([*images.values()], NODES) as swarm:
        swarm.docker("secret", "create", "site-secret_key-1", "-", text=SECRET)
        made = Stack(swarm, folder, images)
        made.deploy("first")
        made.deploy_apaches()
        made.wait_until_known()
        yield made


@pytest.fixture(scope="module")
def stage(engine: None, app_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """What the tests of this file share."""
    name = f"app-server-test-{uuid.uuid4().hex[:8]}"
    images = {"first": f"{name}:1", "next": f"{name}:2", "nginx": build("app-server-nginx")}
    images["apache"] = build("app-server-apache")
    # It has nothing that the instances' command could start.
    images["bad"] = f"{name}:bad"
    apps = ROOT / "tests/container/apps"
    made = Stage(images, lambda: tmp_path_factory.mktemp("swarm"))
    try:
        first = f"FROM {app_image}\nCOPY . /apps\n"
        docker("build", "--quiet", "--tag", images["first"], "--file", "-", apps, text=first)
        docker("build", "--quiet", "--tag", images["next"], "-", text=f"FROM {images['first']}\nENV RELEASE=2\n")
        docker("tag", images["nginx"], images["bad"])
        yield made
    finally:
        made.spend()
        docker("rmi", "--force", images["first"], images["next"], images["bad"], check=False)


@pytest.fixture
def stack(stage: Stage, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The stack, with one of the two good releases up on three nodes; a test that fails spends it."""
    failed = request.session.testsfailed
    yield stage.stack()
    if request.session.testsfailed > failed:
        stage.spend()


@pytest.fixture
def spread(stack: Stack) -> None:
    """An instance on each node, and no second one: after an update, two may be on one, and earlier ones still end."""
    if stack.containers() == [sorted(SERVICES)] * len(NODES):
        stack.wait_until_known()
    else:
        stack.begin_again()


@pytest.fixture
def before_update(stack: Stack) -> None:
    """The first release in all instances."""
    if stack.images_of("site_app") != {stack.images["first"]}:
        stack.begin_again()


@pytest.fixture
def ending(stack: Stack, stage: Stage) -> Iterator[None]:
    """No other test has the stack after this one."""
    yield
    stage.spend()


@dataclass
class Visits:
    """What people have got: how many answers of each status (0: none), the slowest, and the containers that built."""

    seen: Counter[int] = field(default_factory=Counter)
    slowest_s: float = 0.0
    failures: list[str] = field(default_factory=list)


@contextmanager
def visitors(stack: Stack, *nodes: Node) -> Iterator[Visits]:
    """People who open pages all the time, by both proxies of each of these nodes."""
    visits = Visits()
    over = threading.Event()

    def visit(node: Node, port: int) -> None:
        site = stack.site(node, port)
        with stack.swarm.visiting():
            while not over.wait(PAUSE_S):
                begun_s = monotonic()
                try:
                    status = site.get("/who").status
                except OSError as error:
                    status = 0
                    visits.failures.append(f"{site.url}: {error!r}")
                if status not in (0, 200):
                    visits.failures.append(f"{site.url}: {status} after {monotonic() - begun_s:.1f} s")
                visits.seen[status] += 1
                visits.slowest_s = max(visits.slowest_s, monotonic() - begun_s)

    threads = [threading.Thread(target=visit, args=(node, port)) for node in nodes for port in (PORT, APACHE_PORT)]
    for thread in threads:
        thread.start()
    try:
        yield visits
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.usefixtures("spread")
def test_page_and_socket_meet_one_instance_by_any_nodes_proxy(stack: Stack) -> None:
    for service in SERVICES:
        assert {task["Node"] for task in stack.tasks(service)} == set(NODES), service
    met: Counter[str] = Counter()
    with stack.swarm.visiting():
        for number in range(18):
            # The page by one node, its socket by another one; Apache's routes are nginx's.
            by, other = (stack.swarm.nodes[(number + more) % 3] for more in (0, 1))
            route, answer = stack.page(by, PORT if number % 2 else APACHE_PORT)
            with stack.site(other).client(f"/_i/{route}/who", answer.token) as client:
                assert client.value("where", "text") == f"app-{route}"
            met[route] += 1
    assert set(met) == set(INSTANCES)


@pytest.mark.usefixtures("spread")
def test_containers_are_hardened_in_fact(stack: Stack) -> None:
    containers = stack.swarm.docker("ps", "--format", "{{.Names}}").split()
    assert {name.partition(".")[0] for name in containers} == set(SERVICES)
    for container in containers:
        status = stack.swarm.docker("exec", container, "cat", "/proc/1/status")
        assert "CapEff:\t0000000000000000" in status and "NoNewPrivs:\t1" in status
        assert "Uid:\t0" not in status
        known = json.loads(stack.swarm.docker("inspect", container))[0]["HostConfig"]
        assert known["ReadonlyRootfs"] and known["Memory"] > 0 and known["PidsLimit"] > 0 and known["Init"]
        stack.swarm.docker("exec", container, "sh", "-c", "touch /tmp/x && ! touch /x")


@pytest.mark.usefixtures("spread")
def test_what_the_swarm_has_removed_before_it_is_inspected_is_left_out(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", stack.swarm.manager.socket)
    service = stack.swarm.docker("service", "inspect", "--format", "{{.ID}}", "site_app")
    listed = ("service", "ps", "--quiet", "--no-trunc")
    tasks = stack.swarm.docker(*listed, service).split()
    for kind, ids in (("service", [service]), ("task", tasks)):
        assert [each["ID"] for each in inspected(kind, ["x" * 25, *ids])] == ids
    assert run(*listed, "x" * 25, service, of_what_is_left=True).split() == tasks


@pytest.mark.usefixtures("spread")
def test_secret_is_in_no_description(stack: Stack) -> None:
    container = stack.swarm.docker("ps", "--quiet", "--filter", "name=site_app")
    assert stack.swarm.docker("exec", container, "cat", "/run/secrets/secret_key") == SECRET
    listed = [("service", "inspect", *SERVICES), ("secret", "inspect", "site-secret_key-1"), ("inspect", container)]
    assert SECRET not in "".join(stack.swarm.docker(*words) for words in listed)
    assert SECRET not in "".join(path.read_text() for path in (stack.folder / "nginx").rglob("*") if path.is_file())


@pytest.mark.usefixtures("spread")
def test_daily_verbs_reach_all_nodes(stack: Stack) -> None:
    # Nothing has changed, so nothing is replaced.
    before = stack.containers()
    status, said, complained = stack.verb("swarm", "--no-resolve")
    assert (status, complained) == (0, ""), said + complained
    assert "  the swarm has replaced what has changed in " in said
    number = int(said.split()[1])
    again = stack.verb("swarm", "--no-resolve", "--name", "again")[1]
    assert again.startswith(f"release {number + 1} (again) of site\n")
    status, said, complained = stack.verb("swarm", "--rollback", "--no-resolve")
    assert (status, complained) == (0, "") and said.startswith(f"site: from release {number + 1} back to {number}\n")
    listed = json.loads(stack.verb("swarm", "--list", "--json")[1])
    assert [(each["id"], each["name"], each["is_current"]) for each in listed[-2:]] == [
        (str(number), "", True), (str(number + 1), "again", False),
    ]  # fmt: skip
    assert stack.containers() == before
    status, said, complained = stack.verb("status")
    assert (status, complained) == (0, ""), said + complained
    lines = [line.split() for line in said.splitlines()]
    where = {"a" + task["Name"].rpartition(".")[2]: task["Node"] for task in stack.tasks("site_app")}
    assert [line[:3] for line in lines if line[:1] and line[0] in INSTANCES] == [
        [name, where[name], "healthy"] for name in INSTANCES
    ]
    assert [line[1] for line in lines if line[:1] == ["proxy"]] == sorted(NODES)
    assert ["maintenance:", "off"] in lines
    done = [(each["target"], each["action"]) for each in json.loads(stack.verb("history", "--json")[1])]
    assert done[-3:] == [("swarm", "deploy"), ("swarm", "deploy"), ("swarm", "rollback")]
    local = next(name for name, node in where.items() if node == NODES[0])
    other = next(name for name, node in where.items() if node == NODES[1])
    script = 'echo "$APP_SERVER_ROUTE"; exit 7'
    assert stack.verb("exec", local, "sh", "-c", script) == (7, f"{local}\n", "")
    status, said, complained = stack.verb("exec", other, "true")
    assert complained == (
        f"app-server: {other}: runs on two, and this engine is another node's."
        " Run the command there, or with DOCKER_HOST=ssh://two.\n"
    )
    status, said, complained = stack.verb("logs", "--lines", "3")
    assert (status, complained) == (0, ""), complained
    names = {line.partition(" ")[0] for line in said.splitlines()}
    assert {f"{name}@{node}" for name, node in where.items()} <= names, said
    assert {line.partition("@")[0] for line in stack.verb("logs", local)[1].splitlines()} == {local}


@pytest.mark.usefixtures("spread")
def test_maintenance_is_on_at_every_node_until_it_is_off(stack: Stack) -> None:
    def statuses() -> list[int]:
        with stack.swarm.visiting():
            return [stack.site(node).get("/who").status for node in stack.swarm.nodes]

    try:
        for _ in range(2):
            done = stack.verb("maintenance", "on", "--target", "swarm")
            assert done == (0, "maintenance is on: one, three, two\n", "")
        assert statuses() == [503, 503, 503]
        assert "\nmaintenance: on\n" in stack.verb("status", "--target", "swarm")[1]
    finally:
        done = stack.verb("maintenance", "off", "--target", "swarm")
    assert done == (0, "maintenance is off: one, three, two\n", "")
    assert statuses() == [200, 200, 200]
    assert "\nmaintenance: off\n" in stack.verb("status", "--target", "swarm")[1]


@pytest.mark.usefixtures("before_update")
def test_update_costs_no_page_and_sessions_move(stack: Stack) -> None:
    one = stack.swarm.manager
    with visitors(stack, *stack.swarm.nodes) as visits, stack.swarm.visiting():
        route, page = stack.page(one)
        with stack.site(one).client(f"/_i/{route}/who", page.token) as client:
            status, said, complained = stack.verb("swarm", "--no-resolve", app="next")
            assert (status, complained) == (0, ""), said + complained
            # Asked to go elsewhere when it had its time.
            assert client.close_code(90) == 1012
        with stack.site(one).client(f"/_i/{route}/who", page.token) as client:
            client.set("slider", "value", 7)
            client.wait_value("text", "text", "7")
        assert stack.update() == "completed"
    assert set(visits.seen) == {200}, visits
    assert stack.images_of("site_app") == {stack.images["next"]}


def test_bad_image_takes_itself_back_and_costs_no_page(stack: Stack) -> None:
    before = stack.images_of("site_app")
    assert before in ({stack.images["first"]}, {stack.images["next"]})
    with visitors(stack, *stack.swarm.nodes) as visits:
        status, said, complained = stack.verb("swarm", "--no-resolve", app="bad")
        assert status == 1 and complained.startswith("app-server: ") and complained.count("\n") == 1, said + complained
        assert "rolled back" in complained or "taken the update back" in complained, complained
        until(lambda: stack.update() == "rollback_completed", "the update was taken back", 120)
        until(stack.is_up, "the stack is up", 60)
    assert set(visits.seen) == {200}, visits
    assert stack.images_of("site_app") == before


# With two instances on the lost node, each Apache gives one visitor an error: it asks only one more by name.
@pytest.mark.usefixtures("spread", "ending")
def test_lost_node_costs_no_page_of_the_others_and_its_instance_comes_back_elsewhere(stack: Stack) -> None:
    one, two, three = stack.swarm.nodes
    here = {task["Node"]: "a" + task["Name"].rpartition(".")[2] for task in stack.tasks("site_app")}
    lost, other = (three, two) if "three" in here else (two, three)
    path = f"/_i/{here[lost.name]}/who"
    with visitors(stack, one, other) as visits, stack.swarm.visiting():
        route, page = stack.page(one, path=path)
        assert route == here[lost.name]
        with stack.site(one).client(path, page.token) as client:
            lost.lose(stack.swarm.hub)
            # The proxy has noticed; the page does so too, and comes again.
            assert client.close_code(30) is None
        # To another instance, or to its own, should that be elsewhere already.
        with stack.site(one).client(path, page.token) as client:
            served = str(client.value("where", "text")).removeprefix("app-")
        where = {"a" + task["Name"].rpartition(".")[2]: task["Node"] for task in stack.tasks("site_app")}
        assert where[served] != lost.name, where
        for port in (PORT, APACHE_PORT):
            until(lambda port=port: stack.page(other, port, path)[0] == route, f"{route} is back at {port}", 90)
    assert set(visits.seen) == {200}, visits
    # Less than what `proxy_next_upstream_timeout` leaves for another instance.
    assert visits.slowest_s < 10, visits
