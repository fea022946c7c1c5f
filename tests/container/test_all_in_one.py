"""The image app-server-all-in-one: nginx and the instances in one container, under supervisor."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client import Site
from tests.support.containers.engine import docker, wait_for_state
from tests.support.containers.images import ROOT, build
from tests.support.containers.stack import app_server
from tests.support.ports import free_port
from tests.support.waiting import until

DEPLOY = """
apps: {who: who.py}
public: {hosts: localhost, port: PORT}
instances: 2
service: {drain_s: 2}
"""


@pytest.fixture
def served(app_image: str, name: str, tmp_path: Path) -> Iterator[Site]:
    """A container that serves two instances of one application."""
    port = free_port()
    (tmp_path / "deploy.yaml").write_text(DEPLOY.replace("PORT", str(port)), encoding="utf-8")
    done = app_server("config", "all-in-one", "-f", tmp_path / "deploy.yaml", "--output", tmp_path / "site")
    assert done.returncode == 0, done.stderr
    site = f"site={tmp_path}/site/docker/all-in-one/site"
    base = f"app-server:latest=docker-image://{app_image}"
    image = build("app-server-all-in-one", f"--build-context={site}", f"--build-context={base}")
    docker(
        "run", "--detach", "--init", "--name", name, "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL",
        "--health-start-interval=200ms",
        "--tmpfs=/run/app-server:mode=0770,uid=10001,gid=10001", "--security-opt=no-new-privileges",
        f"--publish=127.0.0.1:{port}:8080", f"--volume={ROOT}/tests/container/apps:/apps:ro", image,
    )  # fmt: skip
    wait_for_state(name, "healthy", patience_s=120)
    site = Site(f"http://localhost:{port}")
    for route in ("a1", "a2"):  # either of them is enough for its health
        until(lambda route=route: f"/_i/{route}/" in site.get(f"/_i/{route}/who").text, f"{route} serves pages", 60)
    yield site


def test_pages_are_shared_and_sockets_meet_their_pages(served: Site, name: str) -> None:
    routes = set()
    for _ in range(20):
        answer = served.get("/who")
        assert answer.status == 200
        found = re.search(r"/_i/(\w+)/", answer.text)
        assert found is not None
        with served.client(f"/_i/{found[1]}/who", answer.token) as client:
            client.set("slider", "value", 3)
            client.wait_value("text", "text", "3")
        routes.add(found[1])
    assert routes == {"a1", "a2"}
    uids = docker("exec", name, "sh", "-c", "cat /proc/[0-9]*/status | grep ^Uid").splitlines()
    assert {line.split()[1] for line in uids} == {"10001"}
    docker("exec", name, "touch", "/var/lib/app-server/maintenance")
    assert served.get("/who").status == 503
    docker("exec", name, "rm", "/var/lib/app-server/maintenance")
    assert served.get("/who").status == 200
    docker("stop", "--time=60", name)
    assert docker("inspect", "--format", "{{.State.ExitCode}}", name) == "0"
