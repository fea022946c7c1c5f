"""All rules together."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.deployment.rules import RULES, enforce, judge
from app_server.errors import OperatorErrors
from tests.unit.deployment.making import loaded, planned
from tests.unit.deployment.rules.tripping import APP


def test_every_rule_has_a_case() -> None:
    cases = "".join(path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("test_*.py")))
    assert [rule.__name__ for rule in RULES if rule.__name__ not in cases] == []


def test_faults_are_raised_and_warnings_returned(tmp_path: Path) -> None:
    warned = APP + "rate_limits: {connections: 2}\n"
    assert [
        str(error).replace(f"{tmp_path}/", "") for error in enforce(loaded(tmp_path, warned), planned(tmp_path, warned))
    ] == ["deploy.yaml:2:15: rate_limits.connections: a single page may need 8 connections. Allow at least 8."]
    wrong = warned + "sessions: {ids: signed}\n"
    with pytest.raises(OperatorErrors) as caught:
        enforce(loaded(tmp_path, wrong), planned(tmp_path, wrong))
    assert [str(error).replace(f"{tmp_path}/", "") for error in caught.value.faults] == [
        "deploy.yaml:3:12: sessions.ids: signed sessions need a secret key. Set secrets.secret_key."
    ]


def test_a_plain_deployment_is_right(tmp_path: Path) -> None:
    assert judge(planned(tmp_path)) == []
