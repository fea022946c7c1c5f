"""The container engine of a test run, and what tests ask of it.

The engine is one for the whole machine: a run that needs it starts it, and the last test run that uses an engine which
tests have started stops it. One that was there before stays. The build cache stays too.
"""

from __future__ import annotations

import contextlib
import fcntl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.waiting import patience, until
from tools import engine

COMMAND_DEADLINE_S = 300.0


@contextmanager
def running_engine() -> Iterator[None]:
    """An engine that answers while this lasts. Raises `tools.engine.EngineMissing` where there can be none."""
    engine.FOLDER.mkdir(parents=True, exist_ok=True)
    started_by_tests = engine.FOLDER / "started-by-tests"
    with (engine.FOLDER / "users").open("w", encoding="ascii") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        if engine.up():
            started_by_tests.touch()
        try:
            yield
        finally:
            if started_by_tests.exists():
                # Refused while another run holds its share; that one will come here after us.
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    started_by_tests.unlink(missing_ok=True)
                    engine.down()


@contextmanager
def one_at_a_time(name: str) -> Iterator[None]:
    """Wait until no other process on this machine is inside with this name."""
    engine.FOLDER.mkdir(parents=True, exist_ok=True)
    with (engine.FOLDER / name).open("w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def docker(*words: str | Path, check: bool = True, timeout_s: float = COMMAND_DEADLINE_S, text: str = "") -> str:
    """What `docker WORDS` prints on stdout; AssertionError with all that it said where it fails and `check` is set."""
    done = subprocess.run(
        ["docker", *map(str, words)],
        input=text, capture_output=True, text=True, timeout=patience(timeout_s), check=False,
    )  # fmt: skip
    if check and done.returncode != 0:
        raise AssertionError(f"docker {' '.join(map(str, words))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def container_state(name: str) -> str:
    """`healthy`, `starting`, `unhealthy` where the container has a health check, else `running`, `exited`, ..."""
    of_health = "{{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}"
    return docker("inspect", "--format", of_health, name)


def wait_for_state(name: str, *states: str, patience_s: float = 60.0) -> None:
    """Return when a container is in one of these states of `container_state`, and fail after `patience_s`.

    The engine itself looks twice a second at most whether a container that starts is healthy.
    """
    until(lambda: container_state(name) in states, f"{name} is {' or '.join(states)}", patience_s, pause_s=0.2)
