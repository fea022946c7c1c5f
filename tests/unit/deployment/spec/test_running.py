"""What runs a deployment: bare values of each block, its defaults, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from app_server.deployment.spec import running
from tests.unit.deployment.spec.reading import fault, read, said


@pytest.mark.parametrize(
    ("kind", "value", "meant"),
    [
        (running.Service, "supervisor", {"manager": "supervisor"}),
        (running.Service, "no", {"manager": "none"}),
        (running.Service, {"environment": {"A": True, "B": 5}}, {"environment": {"A": "yes", "B": "5"}}),
        (running.Paths, {"command": "/usr/bin/app-server"}, {"command": ("/usr/bin/app-server",)}),
        (running.Swarm, {"instances_on": "node.role == worker"}, {"instances_on": ("node.role == worker",)}),
        (running.Tunnel, {"kind": "local", "server": "me@there", "jump": "one"},
         {"kind": "local", "server": "me@there", "jump": ("one",)}),
    ],
)  # fmt: skip
def test_bare_values(kind: Any, value: object, meant: dict[str, Any]) -> None:
    assert said(kind, value) == meant


def test_what_holds_where_nothing_is_said() -> None:
    service, containers = read(running.Service, None), read(running.Containers, None)
    assert (service.manager, service.drain_s, service.watchdog_s, service.open_files) == ("systemd", None, 30, 65536)
    assert (containers.memory_mb, containers.pids, containers.cpus) == (1024, 512, None)
    tunnel = read(running.Tunnel, {"kind": "reverse", "server": "gate"})
    assert (tunnel.listen, tunnel.target_host, tunnel.alive_interval_s, tunnel.alive_count) == (
        5006,
        "localhost",
        15,
        3,
    )
    assert read(running.Paths, None).mode == "0640"
    rotation = read(running.Logs, None).rotation
    assert (rotation.every, rotation.keep, rotation.size_mb, rotation.compress) == ("daily", 14, None, True)


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (running.Sessions, {"ids": "no"}, "ids: expected one of unsigned, signed, external-signed, not 'no'"),
        (running.Sessions, {"max_sessions": "0"}, "max_sessions: expected a whole number, at least 1, not '0'"),
        (running.Sessions, {"unused_lifetime_s": "0"},
         "unused_lifetime_s: expected a number of seconds, at least 0.001, not '0'"),
        (running.Rotation, {"keep": "1001"}, "keep: expected a whole number from 0 to 1000, not '1001'"),
        (running.Logs, {"level": "warn"}, "level: expected one of debug, info, warning, error, not 'warn'"),
        (running.Service, "upstart", "manager: expected one of systemd, supervisor, gunicorn, none, not 'upstart'"),
        (running.Service, {"user": "Root"}, "user: expected the name of a system user, not 'Root'"),
        (running.Service, {"drain_s": "86401"}, "drain_s: expected a number of seconds from 0 to 86400, not '86401'"),
        (running.Service, {"open_files": "255"},
         "open_files: expected a whole number from 256 to 1048576, not '255'"),
        (running.Service, {"cpus": "0"}, "cpus: expected a number from 0.01 to 1024, not '0'"),
        (running.Service, {"environment": {"A": "a\nb"}},
         r"environment.A: expected text without line breaks and control characters, not 'a\nb'"),
        (running.Images, {"app": "App"},
         "app: expected the name of an image, such as registry.example.org/app:1.2, not 'App'"),
        (running.Swarm, {"proxies_on": ["node.role == manager", "x"]},
         "proxies_on.1: expected a constraint of Swarm's, such as `node.labels.apps == yes`, not 'x'"),
        (running.Swarm, {"secrets_version": "0"},
         "secrets_version: expected a whole number from 1 to 1000000, not '0'"),
        (running.Containers, {"pids": "15"}, "pids: expected a whole number from 16 to 1000000, not '15'"),
        (running.Containers, {"subnet": "10.0.0.1/8"},
         "subnet: expected an address or a network such as 10.0.0.0/8, not '10.0.0.1/8'"),
        (running.Tunnel, {"server": "x"}, "kind: Field required"),
        (running.Tunnel, {"kind": "local", "server": "x", "alive_count": "101"},
         "alive_count: expected a whole number from 1 to 100, not '101'"),
        (running.Paths, {"command": []}, "command: Tuple should have at least 1 item after validation, not 0"),
        (running.Paths, {"mode": "rw"}, "mode: expected permissions such as 0640, not 'rw'"),
    ],
)  # fmt: skip
def test_what_is_refused(kind: Any, value: object, message: str) -> None:
    assert fault(kind, value) == message
