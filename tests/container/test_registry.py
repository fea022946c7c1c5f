"""Images on their way to a registry that wants a login, and from there into a deployment; engines reached by ssh."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client import Site
from tests.support.containers.by_ssh import engine_by_ssh
from tests.support.containers.engine import docker
from tests.support.containers.images import build
from tests.support.containers.registry import Registry, running_registry
from tests.support.containers.stack import app_server
from tests.support.ports import free_port

APP = "from bokeh.plotting import curdoc\n\ncurdoc().title = 'far away'\n"
DEPLOY = """
name: {name}
apps: {{far: far.py}}
public: {{hosts: [localhost, 127.0.0.1]}}
proxy: nginx
containers:
  images: {{app: "{image}", proxy: "{proxy}"}}
  publish: {{http: {port}, address: 127.0.0.1}}
"""


@pytest.fixture
def registry(engine: None, tmp_path: Path) -> Iterator[Registry]:
    """A registry of the test's own; the machine's engine forgets its images afterwards."""
    (tmp_path / "registry").mkdir()
    with running_registry(tmp_path / "registry") as running:
        yield running
    for image in docker("images", "--format", "{{.Repository}}:{{.Tag}}").split():
        if image.startswith(running.address):
            docker("rmi", "--force", image)


def test_image_is_pushed_with_dockers_login_and_deployed_from_there_by_ssh(
    app_image: str, registry: Registry, tmp_path: Path
) -> None:
    name, image = f"app-server-test-{uuid.uuid4().hex[:8]}", f"{registry.address}/team/far:1"
    (tmp_path / "far.py").write_text(APP, encoding="utf-8")
    words = ("image", "far.py", "--from", app_image, "--no-try", "--push")
    done = app_server(*words, "--tag", "far:1", cwd=tmp_path, env=registry.env)
    assert (done.returncode, done.stderr) == (1, (
        "app-server: far:1: does not name a registry. "
        "Choose one that does: --tag registry.example.org/team/far:1\n"
    ))  # fmt: skip
    done = app_server(*words, "--tag", image, cwd=tmp_path, env=registry.env)
    assert (done.returncode, done.stderr) == (1, (
        f"app-server: {image}: {registry.address} asks for a login. docker login {registry.address}\n"
    ))  # fmt: skip
    registry.log_in()
    done = app_server(*words, "--tag", image, cwd=tmp_path, env=registry.env)
    assert done.returncode == 0, done.stderr
    assert re.search(rf"^digest:  {registry.address}/team/far@sha256:[0-9a-f]{{64}}$", done.stdout, re.MULTILINE)
    docker("rmi", image)
    port = free_port()
    text = DEPLOY.format(name=name, image=image, proxy=build("app-server-nginx"), port=port)
    (tmp_path / "deploy.yaml").write_text(text, encoding="utf-8")
    try:
        with engine_by_ssh() as by_ssh:
            env = {**registry.env, **by_ssh}
            done = app_server("deploy", "compose", "--pull", cwd=tmp_path, env=env)
            assert done.returncode == 0, done.stdout + done.stderr
            assert f"the engine is at {by_ssh['DOCKER_HOST']}\n" in done.stdout
            assert f"  pulled {image} in " in done.stdout
            assert "<title>far away</title>" in Site(f"http://localhost:{port}").get("/far").text
            done = app_server("deploy", "status", "--json", cwd=tmp_path, env=env)
            assert (done.returncode, json.loads(done.stdout)["is_well"]) == (0, True)
        # Its sshd is gone.
        done = app_server("deploy", "status", cwd=tmp_path, env=env)
        assert done.returncode == 1 and done.stderr.startswith(
            f"app-server: {by_ssh['DOCKER_HOST']}: the container engine does not answer: "
        ), done.stderr
    finally:
        label = f"label=com.docker.compose.project={name}"
        for container in docker("ps", "--all", "--quiet", "--filter", label).split():
            docker("rm", "--force", "--volumes", container)
        for what in ("network", "volume"):
            for listed in docker(what, "ls", "--quiet", "--filter", label).split():
                docker(what, "rm", listed)
