"""The engine that the tests bring up themselves."""

from __future__ import annotations

from tests.support.engine import docker
from tools.engine import up


def test_engine_runs_the_base_image(engine: None) -> None:
    assert docker("run", "--rm", "--network=none", "debian:trixie-slim", "cat", "/etc/debian_version").startswith("13")


def test_an_engine_that_answers_is_left_alone(engine: None) -> None:
    assert up() is False
