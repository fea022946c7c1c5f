"""The manual's pages about deployments, typed from top to bottom as they stand, on a bare Debian host.

What a page gives to type is taken from the page: it cannot say what does not work. What it takes for granted (an
application, a web server) is made ready here.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app_server.deployment.rollout.preflight import preflight_project
from tests.manual.reader import Reader, reader, write_applications
from tests.support.client import Site
from tests.support.containers.engine import docker
from tests.support.containers.images import ROOT
from tests.support.waiting import until

TIMEOUT_S = 900
CONTAINERS = ("examples", "all-in-one")
DEPLOYMENTS = ("app-server", "tools", "tools-staging", "app-server-staging")
PROJECTS = (*DEPLOYMENTS, *map(preflight_project, DEPLOYMENTS))
# What only a swarm or a cluster can do: tests/container/test_swarm.py has one.
OF_A_SWARM = "docker (secret|stack|swarm) "
# What needs a registry, and machines of several kinds.
OF_A_REGISTRY = r"docker (push|buildx|login) |app-server image .*--push"


@pytest.fixture
def typing(engine: None, wheel: Path, tmp_path: Path) -> Iterator[Reader]:
    """A reader with applications of their own, which require a package; what they start is removed.

    The pages choose the names of containers and projects. The test fails if one of them is in use, and removes nothing.
    """
    used = names_in_use()
    assert not used, f"this test starts {', '.join(used)}, which run already. Remove or rename them, then run it again."
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    with reader(tmp_path) as found:
        write_applications(tmp_path, "myapp", "dashboard")
        shutil.copy(wheel, tmp_path)
        try:
            yield found
        finally:
            docker("rm", "--force", "--volumes", *CONTAINERS, check=False)
            # Not what is new in the engine: other tests start containers at the same time.
            for project in PROJECTS:
                docker("compose", "--project-name", project, "kill", check=False)
                docker("compose", "--project-name", project, "down", "--volumes", check=False)


def names_in_use() -> list[str]:
    """The names of the pages' containers and projects that are in the engine, running or not."""
    containers = docker("ps", "--all", "--format", "{{.Names}}").split()
    projects = docker("compose", "ls", "--all", "--quiet").split()
    return [
        *(f"the container {name}" for name in CONTAINERS if name in containers),
        *(f"the project {name}" for name in PROJECTS if name in projects),
    ]


@pytest.mark.timeout(TIMEOUT_S)
def test_deployment_page(typing: Reader) -> None:
    typing.type("nginx")
    lines = [typed.line for typed in typing.read(ROOT / "docs/deployment.md")]
    assert len(lines) > 30


@pytest.mark.timeout(TIMEOUT_S)
def test_containers_page(typing: Reader, wheel: Path) -> None:
    typing.install(wheel)
    seen = []
    for typed in typing.read(ROOT / "docs/containers.md", leaving=f"{OF_A_SWARM}|{OF_A_REGISTRY}"):
        seen.append(typed.line)
        if " maintenance" in typed.line or typed.line.endswith("/maintenance"):
            assert Site("http://localhost:8080").get("/dashboard").status == (503 if " touch " in typed.line else 200)
    assert any("deploy compose" in line for line in seen)


@pytest.mark.timeout(TIMEOUT_S)
def test_every_step_that_init_names(typing: Reader, wheel: Path) -> None:
    typing.install(wheel)
    made = typing.type("mkdir -p tools/apps && cd tools && cp ../myapp.py ../requirements.txt ../*.whl apps/ "
                       "&& app-server init apps/myapp.py --yes --name tools")  # fmt: skip
    assert made.status == 0, made.said
    steps = [line.split("  ")[1] for line in made.said.splitlines() if line.startswith("  app-server ")]
    assert [step.split()[1] for step in steps] == ["config", "config", "deploy", "image"]
    for step in steps:
        typed = typing.type(f"cd tools && {step}")
        assert typed.status == 0, f"{step}: {typed.said}"
    assert Site("http://localhost:8080").get("/myapp").status == 200
    # And what it does not name: the same containers by hand, from elsewhere, and the other targets.
    by_hand = "docker compose -f tools/site/compose.yaml up --wait --wait-timeout 120"
    for step in ("app-server config compose -f tools/deploy.yaml --output tools/site", by_hand):
        typed = typing.type(step)
        assert typed.status == 0, f"{step}: {typed.said}"
    until(lambda: Site("http://localhost:8080").get("/myapp").status == 200, "the page is there", 60)
    for target in ("nginx", "systemd", "supervisor", "inventory", "swarm", "kubernetes", "all-in-one", "logrotate"):
        typed = typing.type(f"app-server config {target} -f tools/deploy.yaml")
        assert typed.status == 0 and typed.said, f"{target}: {typed.said}"
    # A second deployment beside the first.
    typing.type("printf 'environments:\\n  staging: {containers: {publish: {http: 8090}}}\\n' >>tools/deploy.yaml")
    typed = typing.type("app-server deploy compose -f tools/deploy.yaml -e staging")
    assert typed.status == 0, typed.said
    assert Site("http://localhost:8090").get("/myapp").status == 200
    assert Site("http://localhost:8080").get("/myapp").status == 200
