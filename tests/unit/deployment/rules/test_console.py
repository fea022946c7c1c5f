"""Consoles for operators: where they can be, and what they need."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.rules.console import consoles_are_on_hosts
from tests.unit.deployment.making import loaded
from tests.unit.deployment.rules.tripping import HOSTS, Case, assert_tripped

KEY = "secrets: {secret_key: {file: /k}}\n"
CASES: list[Case] = [
    (
        "consoles_are_on_hosts",
        "console: {auth: /operators}\n",
        "console: {port: 5300, auth: /operators}\n",
        "deploy.yaml:2:11: console.auth: has no meaning without console.port. Set console.port.",
    ),
    (
        "consoles_are_on_hosts",
        "console: 5300\nservice: gunicorn\n",
        "console: 5300\nservice: supervisor\n",
        "deploy.yaml:2:1: console: gunicorn starts no console. "
        "Remove it, or let systemd or supervisor start the server.",
    ),
    (
        "consoles_have_a_login_on_a_network",
        f"console: 5300\ninstances: {{{HOSTS}}}\n",
        f"console: {{port: 5300, auth: /operators}}\ninstances: {{{HOSTS}}}\n",
        "deploy.yaml:2:1: console: consoles on several hosts need a login. "
        "Set console.auth to a file that `app-server passwd` has written on each host.",
    ),
    (
        "consoles_share_a_key",
        "console: 5300\ninstances: 2\n",
        f"console: 5300\ninstances: 2\n{KEY}",
        "deploy.yaml:2:1: console: consoles of several instances know each other by a secret key. "
        "Set secrets.secret_key.",
    ),
    (
        "consoles_have_ports_of_their_own",
        "console: 5100\n",
        "console: 5101\n",
        "deploy.yaml:2:1: console: the console of a1 would listen on port 5100, which a1 uses. "
        "Choose another port.",
    ),
    (
        "consoles_have_ports_of_their_own",
        "console: 65535\ninstances: 2\n",
        "console: 65534\ninstances: 2\n",
        "deploy.yaml:2:1: console: the console of a2 would listen on port 65536. Start with a lower port.",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{case[0]}-{number}" for number, case in enumerate(CASES)])
def test_rule_is_tripped_by_one_and_not_by_its_neighbour(case: Case, tmp_path: Path) -> None:
    assert_tripped(case, tmp_path)


def test_containers_get_a_warning(tmp_path: Path) -> None:
    plan = resolve_plan(loaded(tmp_path, "apps: {a: a.py}\nconsole: 5300\n"), layout="compose")
    (found,) = consoles_are_on_hosts(plan)
    assert (found.level, found.what) == ("warning", "instances in containers get no console from this block")
