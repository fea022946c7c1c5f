"""Containers that behave as those of hosting platforms: their users, ports, homes, roots and signals.

No platform is asked. The words are those that `app-server config` writes for it, the image is the one that all share,
and no init process stands between the engine and the server.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from app_server.deployment.load import from_values
from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.render import Files, render
from app_server.deployment.targets import TARGETS
from tests.support.client import Site
from tests.support.containers.engine import container_state, docker, wait_for_state
from tests.support.containers.images import ROOT
from tests.support.ports import free_port

DEPLOYMENT = {
    "name": "site",
    "apps": {"who": "who.py"},
    "kubernetes": {"assigned_users": True},
    "service": {"drain_s": 1},
}
CLOSED = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges")


@dataclass(frozen=True)
class Alike:
    """How to start a container as a platform does: what of its file is the command, and the engine's options."""

    target: str
    words: Callable[[Files], list[str]]
    options: tuple[str, ...]
    port: int
    user: str
    grace_s: int


def of_procfile(files: Files) -> list[str]:
    """Heroku has a shell run the line."""
    (line,) = [line for line in files["heroku/Procfile"].text.splitlines() if line.startswith("web: ")]
    return ["sh", "-c", line.removeprefix("web: ")]


def of_cloud_run(files: Files) -> list[str]:
    whole = yaml.safe_load(files["cloud-run/service.yaml"].text)
    return list(whole["spec"]["template"]["spec"]["containers"][0]["args"])


def of_dockerfile(files: Files) -> list[str]:
    (line,) = [line for line in files["spaces/Dockerfile"].text.splitlines() if line.startswith("CMD ")]
    return list(json.loads(line.removeprefix("CMD ")))


def of_azure(files: Files) -> list[str]:
    template = yaml.safe_load(files["azure/containerapp.yaml"].text)["properties"]["template"]
    return list(template["containers"][0]["args"])


def of_cluster(files: Files) -> list[str]:
    """OpenShift gives the pod's name, and no home."""
    (pods,) = [each for each in yaml.safe_load_all(files["kubernetes.yaml"].text) if each["kind"] == "StatefulSet"]
    container = pods["spec"]["template"]["spec"]["containers"][0]
    return ["-u", "HOME", "start", *(word.replace("$(POD_NAME)", "site-0") for word in container["args"])]


PLATFORMS = {
    "Heroku": Alike("heroku", of_procfile, ("--user=31337:31337", "--env=PORT=43210", "--env=HOME=/app"), 43210,
                    "31337:31337", 30),
    "Cloud Run": Alike("cloud-run", of_cloud_run, ("--env=PORT=8080", "--env=K_SERVICE=site"), 8080, "10001:10001", 10),
    "Hugging Face": Alike("spaces", of_dockerfile, ("--user=1000", "--env=HOME=/home/user"), 5006, "1000:0", 10),
    "Azure Container Apps": Alike("azure", of_azure, (), 5006, "10001:10001", 16),
    # It has no file of its own: the image, and the port in a setting that becomes a variable.
    "Azure App Service": Alike("azure", of_azure, ("--env=PORT=8000", "--env=WEBSITES_PORT=8000", "--env=HOME=/home"),
                               8000, "10001:10001", 10),
    "OpenShift": Alike("kubernetes", of_cluster, ("--user=1000650000:0", *CLOSED, "--entrypoint=env"), 5006,
                       "1000650000:0", 30),
}  # fmt: skip


@dataclass(frozen=True)
class Running:
    """A container that answers as one of a platform."""

    name: str
    site: Site
    alike: Alike


@pytest.fixture(scope="module")
def started(app_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Running]]:
    """A container for each platform, all of them at once."""
    apps = ROOT / "tests" / "container" / "apps"
    found: dict[str, Running] = {}
    try:
        for platform, alike in PLATFORMS.items():
            port = free_port()
            loaded = from_values(DEPLOYMENT, "deploy.yaml")
            files = render(alike.target, resolve_plan(loaded, layout=TARGETS[alike.target].layout))
            name = docker(
                "run", "--detach", "--health-start-interval=200ms", f"--publish=127.0.0.1:{port}:{alike.port}",
                f"--volume={apps}:/apps:ro", *alike.options, app_image, *alike.words(files),
            )  # fmt: skip
            found[platform] = Running(name, Site(f"http://localhost:{port}"), alike)
        yield found
    finally:
        for running in found.values():
            docker("rm", "--force", "--volumes", running.name)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_page_and_socket_meet_and_sigterm_ends_the_server_in_time(started: dict[str, Running], platform: str) -> None:
    running = started[platform]
    # The image's own check asks the port that the server has chosen.
    wait_for_state(running.name, "healthy", "exited")
    assert container_state(running.name) == "healthy", docker("logs", running.name)
    user = docker("exec", running.name, "sh", "-c", "echo $(id -u):$(id -g)")
    assert user == running.alike.user
    with running.site.client("/who") as visitor:
        visitor.set("slider", "value", 7)
        visitor.wait_value("text", "text", "7")
        # A page is open, so the server drains.
        docker("stop", f"--time={running.alike.grace_s}", running.name)
    state: Any = json.loads(docker("inspect", "--format", "{{json .State}}", running.name))
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
