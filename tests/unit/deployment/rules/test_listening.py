"""Ports, sockets and hosts: what listens where."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.deployment.rules.tripping import HOSTS, Case, assert_tripped

CASES: list[Case] = [
    (
        "ports_are_used_once",
        "instances: {port: 78, count: 3}\n",
        "instances: {port: 81, count: 3}\n",
        "deploy.yaml:2:13: instances.port: a3 would listen on port 80, which the proxy uses. Choose another port.",
    ),
    (
        "ports_are_used_once",
        "instances: {port: 65530, count: 9}\n",
        "instances: {port: 65530, count: 6}\n",
        "deploy.yaml:2:13: instances.port: a7 would listen on port 65536. Start with a lower port.",
    ),
    (
        "ports_are_used_once",
        "tls: {certificate: /c}\npublic: {port: 80}\n",
        "tls: {certificate: /c}\npublic: {port: 8443}\n",
        "deploy.yaml:1:1: proxy: http and https would both listen on port 80",
    ),
    (
        "local_tunnels_have_ports_of_their_own",
        "tunnels: {x: {kind: local, server: a@b}, y: {kind: local, server: c@d, listen: 5006}}\n",
        "tunnels: {x: {kind: local, server: a@b}, y: {kind: reverse, server: c@d, listen: 5006}}\n",
        "deploy.yaml:2:72: tunnels.y.listen: the tunnel x already uses port 5006 on that side. Choose another port.",
    ),
    (
        "hosts_have_names_of_their_own",
        "instances: {hosts: [{name: one, address: 10.0.0.1}, {name: two, address: 10.0.0.1}]}\n",
        f"instances: {{{HOSTS}}}\n",
        "deploy.yaml:2:65: instances.hosts[1].address: 10.0.0.1 is used by another host too",
    ),
    (
        "sockets_stay_on_their_machine",
        f"instances: {{socket_dir: /run/x, {HOSTS}}}\n",
        "instances: {socket_dir: /run/x}\n",
        "deploy.yaml:2:13: instances.socket_dir: Unix sockets cannot be reached from another host.",
    ),
    (
        "sockets_stay_on_their_machine",
        f"instances: {{socket_dir: /{'x' * 100}}}\n",
        f"instances: {{socket_dir: /{'x' * 90}}}\n",
        f"deploy.yaml:2:13: instances.socket_dir: /{'x' * 100}/a1.sock is longer than 107 bytes",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{case[0]}-{number}" for number, case in enumerate(CASES)])
def test_rule_is_tripped_by_one_and_not_by_its_neighbour(case: Case, tmp_path: Path) -> None:
    assert_tripped(case, tmp_path)
