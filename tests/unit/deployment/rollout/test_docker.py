"""What is reported about an engine that cannot be used, and about commands that fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.deployment.rollout.docker import elsewhere, inspected, last_words, require, run
from app_server.errors import OperatorError


def docker_that_says(folder: Path, engine: str, compose: str) -> str:
    """A PATH whose `docker` prints these versions: old engines cannot be had for a test."""
    program = folder / "docker"
    program.write_text(f'#!/bin/sh\n[ "$1" = compose ] && {compose}\n{engine}\n', encoding="ascii")
    program.chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(
    ("engine", "compose", "message"),
    [
        ("exit 1", "exit 1", "no container engine answers. Start Docker: systemctl start docker."),
        (
            "echo 20.10.24; exit",
            "exit 1",
            "the container engine is 20.10.24, and 25.0 is needed. Install a newer one.",
        ),
        ("echo 26.1.5; exit", "exit 1", "docker's compose plugin is not installed. Install docker-compose-plugin."),
        (
            "echo 26.1.5; exit",
            "{ echo 2.5.0; exit; }",
            "docker compose is 2.5.0, and 2.20 is needed. Install a newer one.",
        ),
    ],
)
def test_engine_that_cannot_be_used_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str, compose: str, message: str
) -> None:
    monkeypatch.setenv("PATH", docker_that_says(tmp_path, engine, compose))
    with pytest.raises(OperatorError) as caught:
        require()
    assert str(caught.value) == message


def test_missing_docker_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OperatorError) as caught:
        require()
    assert str(caught.value) == "docker is not installed. Install Docker Engine and its compose plugin."


REMOVED = "Error response from daemon: No such container: 1"


@pytest.mark.parametrize(
    ("said", "is_left_out"),
    [
        (REMOVED, True),
        (f"Error: No such object: 1\n{REMOVED}\n", True),
        ("Error response from daemon: service 4711 not found", True),
        ("no such service: site_app", True),
        ("Error response from daemon: removal of container 4711 is already in progress", True),
        (f"{REMOVED}\nError response from daemon: context deadline exceeded", False),
        ("error during connect: Get http://x: dial tcp: lookup x: no such host", False),
        ("failed to connect to the docker API: connect: no such file or directory", False),
        ("", False),
    ],
)
def test_only_what_was_removed_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, is_left_out: bool
) -> None:
    words = f"{{ echo '[]'; echo '{said}' >&2; exit 1; }}"
    monkeypatch.setenv("PATH", f"{docker_that_says(tmp_path, words, words)}:/usr/bin:/bin")
    if is_left_out:
        assert inspected("container", ["1"]) == []
    else:
        with pytest.raises(OperatorError):
            inspected("container", ["1"])
    with pytest.raises(OperatorError):
        run("inspect", "1")


def test_progress_is_no_reason() -> None:
    said = (
        "#8 [proxy 2/5] RUN x\n Container a-1  Created\nError response from daemon: No such image: a:b.\n Network x\n"
    )
    assert last_words(said) == "No such image: a:b"
    assert last_words("") == "failed without a message"


CONTEXT = '[ "$1" = context ] && { echo HOST; exit; }\necho "error during connect: no route to host" >&2; exit 1'


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("unix:///var/run/docker.sock", "no container engine answers. Start Docker: systemctl start docker."),
        ("ssh://admin@one.example.org",
         "ssh://admin@one.example.org: the container engine does not answer: error during connect: no route to host. "
         "Check DOCKER_HOST, and the context that `docker context ls` shows."),
    ],
)  # fmt: skip
def test_engine_that_does_not_answer_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, message: str
) -> None:
    monkeypatch.setenv("PATH", docker_that_says(tmp_path, CONTEXT.replace("HOST", host), "exit 1"))
    with pytest.raises(OperatorError) as caught:
        require()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ("unix:///run/x.sock", None), ("", None), ("ssh://one", "ssh://one"), ("tcp://10.0.0.1:2376", "tcp://10.0.0.1:2376"),
    ],
)  # fmt: skip
def test_engine_of_another_machine_is_known_by_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, where: str | None
) -> None:
    monkeypatch.setenv("PATH", docker_that_says(tmp_path, f"echo {said}", "exit 1"))
    assert elsewhere() == where


def test_machine_without_docker_has_no_engine_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert elsewhere() is None
