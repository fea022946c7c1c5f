"""What an engine knows of containers, and how commands run in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app_server.deployment.daily.deployed import LogsWanted
from app_server.deployment.rollout import docker

SERVICE = "com.docker.compose.service"


@dataclass(frozen=True, slots=True)
class Container:
    """A container: what runs in it, since when, and how it is."""

    id: str
    image: str
    labels: Mapping[str, str]
    status: str
    """the engine's word: running, exited, restarting, paused ..."""
    health: str | None
    """healthy, starting or unhealthy; None without a health check"""
    started_s: float | None
    exit_code: int
    restarts: int


def containers(*filters: str) -> list[Container]:
    """The containers that have all of this, those that have ended included; the newest first."""
    wanted = [word for each in filters for word in ("--filter", each)]
    ids = docker.run("ps", "--all", "--quiet", "--no-trunc", *wanted).split()
    return [container_of(about) for about in docker.inspected("container", ids)]


def by_instance(listed: Iterable[Container]) -> dict[str, Container]:
    """The container of each instance; `listed` are those of a project of compose, the newest first.

    While one is replaced, an instance has two: it is that which runs, or else the newer one.
    """
    found: dict[str, Container] = {}
    for each in sorted(listed, key=lambda each: each.status == "running", reverse=True):
        service = each.labels.get(SERVICE, "")
        if re.fullmatch(r"[\w.-]+", service, re.ASCII):  # compose names no other
            found.setdefault(service.removeprefix("app-"), each)
    return found


def container_of(about: Mapping[str, Any]) -> Container:
    """What `docker inspect` says of one container."""
    state, config = about["State"], about["Config"]
    return Container(
        id=str(about["Id"]),
        image=str(config["Image"]),
        labels=config.get("Labels") or {},
        status=str(state["Status"]),
        health=(state.get("Health") or {}).get("Status"),
        started_s=moment(str(state["StartedAt"])),
        exit_code=int(state.get("ExitCode", 0)),
        restarts=int(about.get("RestartCount", 0)),
    )


def state_of(container: Container) -> str:
    """How a container is, in a word or two."""
    if container.status == "running":
        return container.health or "running"
    if container.status == "exited":
        return f"ended with {container.exit_code}"
    return container.status


def revision_in(image: str) -> str:
    """The revision of git that an image says it was built from; "" if it does not, or is not on this engine."""
    known = docker.inspected("image", [image])
    labels = known[0]["Config"].get("Labels") if known else None
    return str((labels or {}).get("org.opencontainers.image.revision", ""))


def moment(text: str) -> float | None:
    """A time as engines write it, in seconds since the epoch; None for one that never was."""
    try:
        # Nanoseconds are more than Python reads.
        found = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text.rstrip("Z")) + "+00:00")
    except ValueError:
        return None
    return found.timestamp() if found.year > 1 else None


def log_words(wanted: LogsWanted) -> list[str]:
    """The flags of docker for the wanted lines of a log."""
    words = ["--follow"] if wanted.follow else []
    if wanted.lines is not None:
        words += ["--tail", str(wanted.lines)]
    if wanted.since_s is not None:
        words += ["--since", str(wanted.since_s)]
    return words


def exec_words(container: str, words: Sequence[str], *, terminal: bool) -> list[str]:
    """The command that runs something in a container."""
    return ["docker", "exec", "--interactive", *(["--tty"] if terminal else []), container, *words]
