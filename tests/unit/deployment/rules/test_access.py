"""Who may open which application."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.deployment.rules import judge
from app_server.deployment.rules.access import groups_are_named, someone_may_open_each
from tests.unit.deployment.making import planned
from tests.unit.deployment.rules.tripping import Case, assert_tripped

OWN = "apps: {a: {path: a.py, access: {groups: [staff]}}}\n"
EXTERNAL = "access: {external: {url: 'http://127.0.0.1:4180/auth', groups_header: X-Groups}}\n"
CASES: list[Case] = [
    (
        "instances_know_who_asks",
        "access: {users: [ann]}\n",
        "access: {users: [ann], external: 'http://127.0.0.1:4180/auth'}\n",
        "deploy.yaml:2:1: access: the instances do not know who asks."
        " Set access.external, or a login of the server such as server.oidc_issuer.",
    ),
    (
        "instances_know_who_asks",
        "access: {users: [ann], basic: /etc/users}\n",
        "access: {users: [ann], basic: /etc/users}\nserver: {basic_auth: /etc/users}\n",
        "deploy.yaml:2:1: access: the instances do not know who asks."
        " Set server.basic_auth to the file of access.basic, too; instances read it as the proxy does.",
    ),
    (
        "groups_are_named",
        "access: {groups: [staff], external: 'http://127.0.0.1:4180/auth'}\n",
        "access: {groups: [staff], external: {url: 'http://127.0.0.1:4180/auth', groups_header: X-Groups}}\n",
        "deploy.yaml:2:10: access.groups: names groups, but no header says who is in them."
        " Set access.external.groups_header.",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{case[0]}-{number}" for number, case in enumerate(CASES)])
def test_rule_is_tripped_by_one_and_not_by_its_neighbour(case: Case, tmp_path: Path) -> None:
    assert_tripped(case, tmp_path)


@pytest.mark.parametrize(("access", "faults"), [("{}", 1), ("{users: []}", 1), ("{users: '*'}", 0)])
def test_block_that_names_no_one_is_a_fault(access: str, faults: int, tmp_path: Path) -> None:
    text = f"apps: {{a: {{path: a.py, access: {access}}}}}\n{EXTERNAL}"
    found = [each for each in judge(planned(tmp_path, text)) if each.path == ("apps", "a", "access")]
    assert [each.what for each in found] == ["does not say who may open the application"] * faults


def test_group_of_an_application_needs_a_header_too(tmp_path: Path) -> None:
    text = f"{OWN}access: {{external: 'http://127.0.0.1:4180/auth'}}\n"
    assert [each.path for each in groups_are_named(planned(tmp_path, text))] == [("apps", "a", "access", "groups")]
    assert not list(someone_may_open_each(planned(tmp_path, text)))
