"""What an engine knows of containers, and how their logs and commands are asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app_server.deployment.daily.containers import (
    Container,
    by_instance,
    container_of,
    exec_words,
    log_words,
    moment,
    revision_in,
    state_of,
)
from app_server.deployment.daily.deployed import LogsWanted

INSPECTED = {
    "Id": "4711",
    "RestartCount": 2,
    "Config": {"Image": "site:4f2a", "Labels": {"com.docker.compose.service": "app-a1"}},
    "State": {"Status": "running", "StartedAt": "2026-11-29T13:00:00.123456789Z", "ExitCode": 0,
              "Health": {"Status": "starting"}},
}  # fmt: skip


def test_container_is_what_inspect_says() -> None:
    found = container_of(INSPECTED)
    assert (found.id, found.image, found.status, found.health, found.restarts) == (
        "4711", "site:4f2a", "running", "starting", 2,
    )  # fmt: skip
    assert found.started_s == moment("2026-11-29T13:00:00.123456Z") == 1795957200.123456
    assert state_of(found) == "starting" and state_of(replace(found, health=None)) == "running"
    assert state_of(replace(found, status="exited", exit_code=137)) == "ended with 137"
    assert state_of(replace(found, status="paused")) == "paused"
    plain = container_of(
        {"Id": "1", "Config": {"Image": "x"}, "State": {"Status": "created", "StartedAt": "0001-01-01T00:00:00Z"}}
    )
    assert plain.started_s is None and plain.health is None and moment("never") is None


def test_instance_that_is_replaced_has_the_container_that_runs_or_the_newer_one() -> None:
    old = container_of(INSPECTED)
    created = replace(old, id="2", status="created")
    ended = replace(old, status="exited")

    def ours(service: str) -> Container:
        return replace(old, id="3", labels={"com.docker.compose.service": service}, status="exited")

    proxy = ours("proxy")
    assert by_instance([created, old, proxy, replace(old, labels={}), ours("\n")]) == {"a1": old, "proxy": proxy}
    assert by_instance([created, ended]) == {"a1": created}


def test_logs_and_commands_are_asked_for_with_dockers_flags() -> None:
    assert log_words(LogsWanted()) == []
    assert log_words(LogsWanted(follow=True, lines=5, since_s=1700000000)) == [
        "--follow", "--tail", "5", "--since", "1700000000",
    ]  # fmt: skip
    assert exec_words("4711", ["ls", "-l"], terminal=False) == ["docker", "exec", "--interactive", "4711", "ls", "-l"]
    assert "--tty" in exec_words("4711", ["sh"], terminal=True)


@pytest.mark.parametrize(
    ("labels", "revision"), [('{"org.opencontainers.image.revision": "4f2a-dirty"}', "4f2a-dirty"), ("null", "")]
)
def test_image_says_its_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, labels: str, revision: str
) -> None:
    script = f"""#!/bin/sh
[ "$3" = --format ] && {{ [ "$5" = here ] && echo sha256:1; exit; }}
echo '[{{"Config": {{"Labels": {labels}}}}}]'
"""
    (tmp_path / "docker").write_text(script, encoding="ascii")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert revision_in("here") == revision
