"""The check of Apache's site: what starts is good, what its own test lets pass and does not start is a fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.deployment.checks import check
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import render
from app_server.deployment.render.proxies import apache
from app_server.tls import installed_apache
from tests.unit.deployment.making import planned, with_applications

WITH_TLS = "apps: {myapp: myapp.py}\npublic: foo.com\ninstances: 3\ntls: development\n"


def findings(plan: Plan) -> list[str]:
    """What is found, without the version of the Apache that is here."""
    installed = installed_apache()
    assert installed is not None
    shown = f"Apache {apache.shown(installed.version)}"
    plan = with_applications(plan, Path(plan.source).parent)
    found = check("apache", plan, render("apache", plan))
    return [f"{each.level}: {each}".replace(shown, "Apache") for each in found if each.level != "note"]


def including(folder: Path, text: str) -> Plan:
    """A deployment with directives of the operator's own."""
    (folder / "own.conf").write_text(text)
    return planned(folder, WITH_TLS + f"proxy: {{kind: apache, include: {folder}/own.conf}}\n")


def test_site_that_starts_is_good(tmp_path: Path) -> None:
    everything = (
        "apps: {myapp: myapp.py, own: {path: my other.py, args: [x], instances: 2}}\n"
        "public: {hosts: [foo.com, www.foo.com], prefix: /tools}\ninstances: {count: 3, socket_dir: /run/app-server}\n"
        "proxy: {kind: apache, static: yes, trusted_proxies: 10.0.0.0/8}\ntls: {mode: acme, profile: modern}\n"
        "access: {basic: /etc/users, allow: [10.0.0.0/8, 'fd00::/8']}\nmaintenance: {allow: 10.0.0.0/8}\n"
        "embedding: https://www.example.org\nlogs: {format: combined}\nheaders: {extra: {X-Of-Ours: '100%'}}\n"
    )
    assert findings(planned(tmp_path, everything)) == ["good: apache: Apache accepts the site, and started with it"]


def test_what_its_own_test_lets_pass_and_does_not_start_is_a_fault(tmp_path: Path) -> None:
    [found] = findings(including(tmp_path, "SSLOpenSSLConfCmd Groups no-such-group\n"))
    assert found.startswith("fault: apache: Apache does not start: ")
    assert "AH02407" in found


def test_balancer_without_its_default_method_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apache, "MODULES", tuple(each for each in apache.MODULES if each != "lbmethod_byrequests"))
    [found] = findings(planned(tmp_path, "apps: {myapp: myapp.py}\nproxy: apache\n"))
    assert found.startswith("fault: apache: Apache does not start: ")
    assert "byrequests" in found


def test_what_it_does_not_understand_is_a_fault_with_its_line(tmp_path: Path) -> None:
    [found] = findings(including(tmp_path, "NoSuchThing on\n"))
    assert found == (
        "fault: apache: Apache refuses it: AH00526: Syntax error on line 1 of"
        f" {tmp_path}/own.conf: Invalid command 'NoSuchThing',"
        " perhaps misspelled or defined by a module not included in the server configuration"
    )
