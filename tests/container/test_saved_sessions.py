"""Sessions that outlive their containers: in a volume of compose, and in the Valkey of a swarm."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client import Site
from tests.support.containers.engine import docker
from tests.support.containers.images import ROOT, TAG, build
from tests.support.containers.stack import app_server, running_stack
from tests.support.containers.swarm import Swarm, running_swarm
from tests.support.waiting import until

COMPOSE = """
name: {name}
apps: {who: who.py}
public: {hosts: [localhost, 127.0.0.1]}
instances: 2
paths: {apps: "{root}/tests/container/apps"}
containers:
  build_context: "{root}"
  images: {app: "app-server:TAG", proxy: "app-server-nginx-saved:TAG"}
  publish: {http: {port}, address: 127.0.0.1}
"""
SWARM = """
name: site
apps: {who: who.py}
public: {hosts: [198.51.100.1]}
instances: 2
service: {restart_s: 1}
sessions: {store: valkey}
containers:
  images: {app: "APP", proxy: "PROXY"}
  valkey: "VALKEY"
  memory_mb: 256
"""
# Debian's Valkey, as the swarm's user may run it.
VALKEY = """\
FROM debian:trixie-slim
RUN apt-get update \\
 && apt-get install --yes --no-install-recommends valkey-server \\
 && rm -rf /var/lib/apt/lists/* \\
 && install -d -o 999 -g 999 /data
"""


def shows(site: Site, token: str, value: int) -> bool:
    """Whether the session of this token has the slider and the text at this value; False while it is not reached."""
    try:
        with site.client("/who", token) as client:
            return bool((client.value("slider", "value"), client.value("text", "text")) == (value, str(value)))
    except Exception:
        return False


def use(site: Site, value: int) -> str:
    """A session whose slider was moved to this value; its token."""
    token = site.token("/who")
    with site.client("/who", token) as client:
        client.set("slider", "value", value)
        client.wait_value("text", "text", str(value))
    return token


def test_session_goes_on_in_another_container_of_the_same_volume(engine: None, tmp_path: Path) -> None:
    with running_stack(tmp_path, COMPOSE.replace("TAG", TAG)) as stack:
        token = use(stack.site, 4)
        folder = stack.run("app-a1", "stat", "--format", "%a %u", "/var/lib/app-server/sessions").split()
        assert folder == ["700", "10001"]
        # All of them are new; the volume stays.
        stack.compose("up", "--detach", "--wait", "--force-recreate", "app-a1", "app-a2")
        until(lambda: shows(stack.site, token, 4), "the session is as it was", 60)


@pytest.fixture
def swarm(engine: None, app_image: str, tmp_path: Path) -> Iterator[Swarm]:
    """One node with two instances and their Valkey."""
    name = f"app-server-test-{uuid.uuid4().hex[:8]}"
    images = {"APP": f"{name}:app", "VALKEY": f"{name}:valkey", "PROXY": build("app-server-nginx")}
    try:
        text = f"FROM {app_image}\nCOPY . /apps\n"
        docker("build", "--quiet", "--tag", images["APP"], "--file", "-", ROOT / "tests/container/apps", text=text)
        docker("build", "--quiet", "--tag", images["VALKEY"], "-", text=VALKEY, timeout_s=300)
        written = re.sub("APP|PROXY|VALKEY", lambda found: images[found[0]], SWARM)
        (tmp_path / "deploy.yaml").write_text(written, encoding="utf-8")
        done = app_server("config", "swarm", "-f", tmp_path / "deploy.yaml", "--output", tmp_path / "out")
        assert (done.returncode, done.stderr) == (0, "")
        with running_swarm([*images.values()], ("one",)) as swarm:
            words = ("stack", "deploy", "--detach=true", "--resolve-image", "never", "-c")
            swarm.docker(*words, tmp_path / "out" / "swarm.yaml", "site")
            until(lambda: replicas(swarm) == {"site_proxy": "1/1", "site_app": "2/2", "site_valkey": "1/1"}, "up", 120)
            yield swarm
    finally:
        docker("rmi", "--force", images["APP"], images["VALKEY"], check=False)


def replicas(swarm: Swarm) -> dict[str, str]:
    """How many containers of each service run, and should."""
    listed = swarm.docker("service", "ls", "--format", "{{.Name}} {{.Replicas}}").splitlines()
    return dict(line.split(maxsplit=1) for line in listed)


def containers(swarm: Swarm, service: str) -> list[str]:
    return swarm.docker("ps", "--quiet", "--filter", f"name={service}").split()


def test_session_outlives_all_instances_of_a_swarm_and_a_restart_of_their_valkey(swarm: Swarm) -> None:
    site = Site(f"http://{swarm.manager.address}:8080")
    with swarm.visiting():
        token = use(site, 6)
        swarm.docker("service", "scale", "--detach", "site_app=0")
        until(lambda: not containers(swarm, "site_app"), "all instances have ended", 60)
        (before,) = containers(swarm, "site_valkey")
        swarm.docker("kill", before)
        until(lambda: containers(swarm, "site_valkey") not in ([], [before]), "Valkey is started again", 60)
        swarm.docker("service", "scale", "--detach", "site_app=2")
        until(lambda: shows(site, token, 6), "the session is as it was", 120)
