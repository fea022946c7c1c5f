"""The names, addresses, ports and start commands of instances."""

from __future__ import annotations

from pathlib import Path

from app_server.deployment.plan.instances import letter
from tests.unit.deployment.making import planned


def test_instances_have_names_ports_and_routes(tmp_path: Path) -> None:
    text = """\
    apps: {a: a.py, b: {path: b, args: ['-x', y z]}}
    instances: {count: 2, hosts: [{name: one, address: 10.0.0.1}, {name: two, address: '::2', count: 1}]}
    """
    plan = planned(tmp_path, text)
    assert [(i.name, i.route, i.server) for i in plan.instances] == [
        ("a1", "a1", "10.0.0.1:5100"),
        ("a2", "a2", "10.0.0.1:5101"),
        ("b1", "b1", "[::2]:5100"),
        ("b-a1", "b-a1", "10.0.0.1:5102"),
        ("b-a2", "b-a2", "10.0.0.1:5103"),
        ("b-b1", "b-b1", "[::2]:5101"),
    ]
    assert plan.instances[3].command[-3:] == ("--args", "-x", "y z")
    assert [pool.name for pool in plan.pools] == ["a", "b"]
    assert [(m.name, len(m.instances), m.is_proxy) for m in plan.machines] == [("one", 4, True), ("two", 2, False)]


def test_single_instance_needs_no_route(tmp_path: Path) -> None:
    (instance,) = planned(tmp_path).instances
    assert instance.command[:3] == ("/opt/app-server/bin/app-server", "serve", "myapp.py")
    assert instance.flags[:7] == (
        "--address", "127.0.0.1", "--port", "5100", "--allow-websocket-origin", "tools.example.org", "--use-xheaders",
    )  # fmt: skip
    assert "--route" not in instance.flags


def test_hosts_are_lettered() -> None:
    assert [letter(n) for n in (0, 25, 26, 27, 701, 702)] == ["a", "z", "aa", "ab", "zz", "aaa"]
