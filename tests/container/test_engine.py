"""The engine that the tests bring up themselves."""

from __future__ import annotations

import subprocess
import sys
import uuid

import pytest

from app_server.deployment.daily.container_log import LOG, ContainerLog, has_gone
from app_server.deployment.daily.containers import Container, containers, revision_in
from app_server.deployment.daily.deployed import LogSource
from app_server.deployment.daily.following import follow
from app_server.deployment.rollout.docker import inspected, run
from app_server.errors import OperatorError
from tests.support.containers.engine import docker
from tests.support.containers.images import ROOT
from tools.engine import engine_version, up


def test_engine_runs_the_base_image(engine: None) -> None:
    assert docker("run", "--rm", "--network=none", "debian:trixie-slim", "cat", "/etc/debian_version").startswith("13")


def test_an_engine_that_answers_is_left_alone(engine: None) -> None:
    assert up() is False


def test_worker_that_is_done_leaves_the_engine_to_the_others(engine: None) -> None:
    program = "from tests.support.containers.engine import running_engine\nwith running_engine(): pass"
    others = [subprocess.Popen([sys.executable, "-c", program], cwd=ROOT) for _ in range(2)]
    assert [other.wait() for other in others] == [0, 0]
    assert engine_version() is not None


def test_what_is_removed_before_it_is_asked_for_is_left_out(
    engine: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, removed = (docker("create", "debian:trixie-slim", "true") for _ in range(2))
    try:
        docker("rm", removed)
        assert [each["Id"] for each in inspected("container", [removed, kept])] == [kept]
        assert inspected("container", [removed]) == inspected("container", []) == []
        assert inspected("image", ["app-server-test-no-such:1"]) == []
        assert revision_in("app-server-test-no-such:1") == ""
        for words in (("stop", removed), ("rm", removed)):
            assert run(*words, of_what_is_left=True) == ""
            with pytest.raises(OperatorError, match="No such container"):
                run(*words)
        logs = subprocess.run(["docker", "logs", removed], capture_output=True, text=True, check=False)
        assert logs.returncode != 0 and has_gone(logs.stderr), logs.stderr
    finally:
        docker("rm", kept)
    with pytest.raises(OperatorError, match="no-such-kind"):
        inspected("no-such-kind", [kept])
    for address in ("unix:///no/such/socket", "tcp://no-such-host.invalid:2375"):
        monkeypatch.setenv("DOCKER_HOST", address)
        with pytest.raises(OperatorError):
            inspected("container", [kept])


# It says which of its starts this is, and fails.
CRASHING = """
n=$(($(cat /n 2>/dev/null || echo 0) + 1)); echo $n >/n
test $n = 2 && printf "%040000d" 0 | tr 0 x
echo "$1 $n"; exit 1
"""


def test_log_of_an_instance_that_fails_again_and_again_has_every_start_once(engine: None) -> None:
    label = f"app-server.test.log={uuid.uuid4().hex}"

    def started(name: str) -> Container:
        words = ("--detach", "--restart", "always", "--network", "none", "--label", label, "debian:trixie-slim")
        docker("run", *words, "sh", "-c", CRASHING, "sh", name)
        return found()[0]

    def found() -> list[Container]:
        return containers(f"label={label}")

    seen: list[str] = []

    def write(name: str, text: str) -> None:
        seen.append(text.replace("x", ""))
        if text == "one 4":
            docker("rm", "--force", found()[0].id)
            started("other")
        elif text == "other 3":
            raise KeyboardInterrupt

    try:
        container = started("one")
        log = ContainerLog("a1", container, lambda: next(iter(found()), None))
        words = (*LOG, "--follow", container.id)
        with pytest.raises(KeyboardInterrupt):
            follow([LogSource("a1", words, log.line, log.after)], write, print)
    finally:
        for each in found():
            docker("rm", "--force", each.id)
    # One that was removed may have been started once more.
    assert [line for line in seen if line != "one 5"] == [
        "one 1", "one 2", "one 3", "one 4", "other 1", "other 2", "other 3",
    ]  # fmt: skip
