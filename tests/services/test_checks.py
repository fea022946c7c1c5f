"""`app-server config --check`: the programs that read services and tunnels find what is wrong with them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app_server.deployment.checks import CheckFinding, check
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import Files, render
from tests.unit.deployment.making import planned, with_applications

SPEC = """\
apps:
  myapp: myapp.py
  dash: {path: dash, args: ["a b", "50%", "$HOME", "x;y"]}
public: tools.example.org
instances: 3
service: {manager: MANAGER, environment: {TITLE: "100 % \\"ours\\"; all, of it"}, workers: 2}
secrets: {secret_key: {file: /etc/app-server/secret_key}}
server: {metrics: yes}
tunnels:
  office: {kind: reverse, server: "tunnel@gateway.example.org:2222", jump: [me@first, "second:24"]}
  far: {kind: local, server: me@far.example.org, listen: 8000}
"""
TARGETS = ("alerts", "systemd", "supervisor", "gunicorn", "logrotate", "ssh", "inventory")


def found(plan: Plan, target: str, change: Callable[[str], str] = lambda text: text) -> list[CheckFinding]:
    """What the checks of a target say of its files, after a change of their texts."""
    plan = with_applications(plan, Path(plan.source).parent)
    files: Files = {path: replace(file, text=change(file.text)) for path, file in render(target, plan).items()}
    return list(check(target, plan, files))


def faults(findings: list[CheckFinding]) -> list[str]:
    """What keeps the deployment from working, or is worse than it should be."""
    return [str(finding) for finding in findings if finding.level in ("fault", "warning")]


@pytest.fixture(scope="module", autouse=True)
def sshd_is_set_up() -> None:
    """What starting Debian's service would do; sshd wants this folder even to read its configuration."""
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_rendered_is_taken_by_its_program(tmp_path: Path, target: str) -> None:
    spec = SPEC.replace("MANAGER", target if target in ("supervisor", "gunicorn") else "systemd")
    findings = found(planned(tmp_path, spec), target)
    assert faults(findings) == []
    assert "good" in {finding.level for finding in findings}


@pytest.mark.parametrize("manager", ["systemd", "gunicorn"])
def test_units_are_shut_off(tmp_path: Path, manager: str) -> None:
    # The check warns of more than 1.5; this is what is left, so a line that is lost is noticed.
    findings = found(planned(tmp_path, SPEC.replace("MANAGER", manager)), "systemd")
    assert [str(finding) for finding in findings if finding.level == "good"] == ["systemd: systemd reads the 3 units"]


@pytest.mark.parametrize(
    ("target", "old", "new", "complaint"),
    [
        ("alerts", "rate(", "rat(", "promtool: "),
        ("systemd", "KillMode=mixed", "KillMode=maybe", "Failed to parse kill mode"),
        ("systemd", "CapabilityBoundingSet=\n", "", "app-server@.service: systemd-analyze security says "),
        ("systemd", "WantedBy=", "WantedBye=", "Unknown key 'WantedBye' in section [Install]"),
        ("ssh", "BatchMode yes", "BatchMode no", "tunnels.office: ssh takes it for batchmode no"),
        ("ssh", "    RemoteForward ", "    # ", "tunnels.office: ssh takes it for no remoteforward"),
        ("ssh", "RequestTTY no", "RequestTeaTime no", "Bad configuration option: requestteatime"),
        ("ssh", "MaxSessions 0\n", "\n", "sshd takes it for maxsessions 10"),
        ("ssh", "PermitTunnel no", "PermitTunnel perhaps", "sshd refuses it"),
        ("logrotate", "rotate 14", "rotate often", "logrotate: error:"),
        ("inventory", "hosts:", "guests:", "Ansible finds other hosts than expected"),
    ],
)
def test_what_is_wrong_is_found(tmp_path: Path, target: str, old: str, new: str, complaint: str) -> None:
    plan = planned(tmp_path, SPEC.replace("MANAGER", "systemd"))
    assert any(old in file.text for file in render(target, plan).values())
    reported = faults(found(plan, target, lambda text: text.replace(old, new)))
    assert any(complaint in line for line in reported), reported


def test_gunicorn_says_what_it_cannot_load(tmp_path: Path) -> None:
    (tmp_path / "fine.py").write_text("")
    spec = f"apps: {{a: fine.py}}\nservice: gunicorn\npaths: {{apps: {tmp_path}}}\n"
    plan = planned(tmp_path, spec)
    wrong = found(plan, "gunicorn", lambda text: text.replace("use_xheaders=True", "use_xheader=True"))
    assert faults(wrong) == [
        "gunicorn/a1.conf.py: gunicorn refuses it: use_xheader: Server has no such keyword. Did you mean use_xheaders?"
    ]


def test_key_that_others_may_read_is_found(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("")
    spec = f"apps: {{a: a.py}}\ntunnels: {{t: {{kind: reverse, server: h, identity: {key}}}}}\n"
    for mode, expected in ((0o644, True), (0o600, False)):
        key.chmod(mode)
        reported = faults(found(planned(tmp_path, spec), "ssh"))
        assert any("other users may read the private key" in line for line in reported) == expected


def test_each_machine_has_a_supervisor_of_its_own(tmp_path: Path) -> None:
    spec = """\
        apps: {myapp: myapp.py}
        public: tools.example.org
        service: supervisor
        instances: {count: 2, hosts: [{name: one, address: 10.0.0.1}, {name: two, address: 10.0.0.2}]}
        """
    findings = found(planned(tmp_path, spec), "supervisor")
    assert [str(finding) for finding in findings] == ["supervisor: supervisord started with the 2 programs"] * 2


@pytest.mark.parametrize("target", ["systemd", "gunicorn", "supervisor"])
@pytest.mark.parametrize(
    "store",
    [
        "sessions: {store: '/data/100% of it', store_ttl_s: 60, store_max_mb: 8, restore: values}",
        "sessions: {store: 'rediss://redis.example.org/1?ssl_cert_reqs=none', store_encrypt: yes, store_optional: yes}",
        "sessions: {store: off}",
    ],
)
def test_every_place_for_sessions_is_taken_by_the_program(tmp_path: Path, store: str, target: str) -> None:
    if target == "supervisor":
        store = store.replace("100% of it", "sessions")
    plan = planned(tmp_path, SPEC.replace("MANAGER", target) + store + "\n")
    assert faults(found(plan, target)) == []


@pytest.mark.parametrize("target", ["systemd", "gunicorn", "supervisor"])
def test_secret_address_of_a_store_is_taken_by_the_program(tmp_path: Path, target: str) -> None:
    secrets = "secrets: {secret_key: {file: /etc/app-server/secret_key}, store: {file: /etc/app-server/store}}"
    spec = SPEC.replace("MANAGER", target)
    plan = planned(tmp_path, spec.replace("secrets: {secret_key: {file: /etc/app-server/secret_key}}", secrets))
    assert plan.store.kind == "redis" and faults(found(plan, target)) == []
