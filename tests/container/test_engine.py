"""The engine that the tests bring up themselves."""

from __future__ import annotations

import subprocess
import sys

import pytest

from app_server.deployment.daily.containers import has_gone
from app_server.deployment.rollout.docker import inspected
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


def test_container_that_is_removed_before_it_is_inspected_is_left_out(engine: None) -> None:
    kept, removed = (docker("create", "debian:trixie-slim", "true") for _ in range(2))
    try:
        docker("rm", removed)
        assert [each["Id"] for each in inspected("container", [removed, kept])] == [kept]
        assert inspected("container", [removed]) == inspected("container", []) == []
        logs = subprocess.run(["docker", "logs", removed], capture_output=True, text=True, check=False)
        assert logs.returncode != 0 and has_gone(logs.stderr), logs.stderr
    finally:
        docker("rm", kept)
    with pytest.raises(OperatorError, match="no-such-kind"):
        inspected("no-such-kind", [kept])
