"""The console of each instance."""

from __future__ import annotations

from pathlib import Path

from tests.unit.deployment.making import planned


def test_instances_of_a_machine_have_consoles_that_know_each_other(tmp_path: Path) -> None:
    first, second = planned(tmp_path, "apps: {a: {path: a.py, args: [-x]}}\ninstances: 2\nconsole: 5300\n").instances
    assert first.flags[:4] == ("--console", "127.0.0.1:5300", "--console-peers", "127.0.0.1:5301")
    assert second.flags[:4] == ("--console", "127.0.0.1:5301", "--console-peers", "127.0.0.1:5300")
    assert first.command[1:5] == ("serve", "a.py", "--console", "127.0.0.1:5300")
    assert first.command[-2:] == ("--args", "-x")


def test_consoles_of_hosts_listen_where_the_others_reach_them(tmp_path: Path) -> None:
    text = """\
    apps: {a: a.py}
    instances: {count: 1, hosts: [{name: one, address: 10.0.0.1}, {name: two, address: '::2'}]}
    console: {port: 5300, auth: /etc/operators, audit: /var/log/audit}
    """
    one, two = planned(tmp_path, text).instances
    assert one.flags[:8] == (
        "--console", "10.0.0.1:5300", "--console-auth", "/etc/operators", "--console-audit", "/var/log/audit",
        "--console-peers", "[::2]:5300",
    )  # fmt: skip
    assert two.flags[1] == "[::2]:5300"


def test_all_other_consoles_are_one_word(tmp_path: Path) -> None:
    first = planned(tmp_path, "apps: {a: a.py}\ninstances: 3\nconsole: 5300\n").instances[0]
    assert first.flags[:4] == ("--console", "127.0.0.1:5300", "--console-peers", "127.0.0.1:5301,127.0.0.1:5302")


def test_without_a_port_there_is_no_console(tmp_path: Path) -> None:
    assert not any("--console" in instance.flags for instance in planned(tmp_path).instances)
