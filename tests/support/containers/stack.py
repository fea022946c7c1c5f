"""A stack of containers for tests: compose.yaml worked out of a deploy.yaml, brought up, looked at, and removed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.client import Answer, Site
from tests.support.containers.engine import docker, wait_for_state
from tests.support.containers.images import ROOT
from tests.support.ports import free_port
from tests.support.waiting import patience

UP_DEADLINE_S = 300.0
_ROUTE = re.compile(r"/_i/([A-Za-z0-9_-]+)/")


@dataclass(frozen=True)
class Stack:
    """Containers that are up. `folder` holds deploy.yaml and compose.yaml, `name` is the project's."""

    name: str
    port: int
    folder: Path

    @property
    def url(self) -> str:
        """The proxy's address."""
        return f"http://localhost:{self.port}"

    @property
    def site(self) -> Site:
        """The way in, for clients."""
        return Site(self.url)

    def compose(self, *words: str, check: bool = True) -> str:
        """What `docker compose WORDS` prints."""
        return docker("compose", "--file", self.folder / "compose.yaml", *words, check=check)

    def container(self, service: str) -> str:
        """The name of a service's container."""
        return f"{self.name}-{service}-1"

    def inspect(self, service: str) -> Any:
        """What the engine knows of a service's container."""
        return json.loads(docker("inspect", self.container(service)))[0]

    def run(self, service: str, *words: str, check: bool = True) -> str:
        """What a program prints that is run in a service's container."""
        return docker("exec", self.container(service), *words, check=check)

    def logs(self, service: str) -> str:
        """What a service's container has written to stdout and stderr."""
        words = ["docker", "logs", self.container(service)]
        return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True).stdout

    def wait_healthy(self, *services: str, timeout_s: float = 90.0) -> None:
        """Return when these services are healthy."""
        for service in services:
            name = self.container(service)
            wait_for_state(name, "healthy", patience_s=timeout_s)

    def server_process(self, service: str) -> int:
        """The process id, on this machine, of the server in a service's container: the first child of its init."""
        init = self.inspect(service)["State"]["Pid"]
        (child, *_) = Path(f"/proc/{init}/task/{init}/children").read_text(encoding="ascii").split()
        return int(child)

    def page(self, app: str = "/who") -> tuple[str, Answer]:
        """A new session's page, and the instance that has it."""
        answer = self.site.get(app)
        assert answer.status == 200, (answer.status, answer.text[:500])
        found = _ROUTE.search(answer.text)
        assert found is not None, answer.text[-3000:]
        return found[1], answer

    def page_of(self, instance: str, app: str = "/who") -> Answer:
        """A new session's page that this instance has."""
        for _ in range(60):
            route, answer = self.page(app)
            if route == instance:
                return answer
        raise AssertionError(f"none of 60 pages came from {instance}")


def app_server(*words: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> Any:
    """The finished process of an `app-server` command: returncode, stdout and stderr as text."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
    return subprocess.run(
        [sys.executable, "-m", "app_server", *map(str, words)],
        cwd=cwd, env=environ, capture_output=True, text=True, check=False, timeout=patience(UP_DEADLINE_S),
    )  # fmt: skip


def written_stack(folder: Path, deploy: str, *, port: int | None = None) -> Stack:
    """The files of a stack whose deploy.yaml is this text; {name}, {port} and {root} are filled in."""
    name = f"app-server-test-{uuid.uuid4().hex[:8]}"
    port = port or free_port()
    (folder / "deploy.yaml").write_text(
        deploy.replace("{name}", name).replace("{port}", str(port)).replace("{root}", str(ROOT)), encoding="utf-8"
    )
    target = folder / "stack"
    done = app_server("config", "compose", "-f", folder / "deploy.yaml", "--output", target)
    assert done.returncode == 0, done.stderr
    return Stack(name, port, target)


@contextmanager
def running_stack(folder: Path, deploy: str) -> Iterator[Stack]:
    """The same, up and healthy while this lasts; nothing of it remains, but for the images and the build cache."""
    stack = written_stack(folder, deploy)
    try:
        try:
            stack.compose("up", "--detach", "--wait", "--build")
        except AssertionError:
            print(stack.compose("logs", "--no-color", check=False))
            raise
        yield stack
    finally:
        removed(stack)


def removed(stack: Stack) -> None:
    """Remove what a stack has in the engine, but its images."""
    stack.compose("kill", check=False)
    stack.compose("down", "--volumes", "--remove-orphans", check=False)
