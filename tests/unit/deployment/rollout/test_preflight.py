"""The names of preflights."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.deployment.rollout.preflight import preflight_project
from app_server.errors import OperatorError
from tests.unit.deployment.making import MINIMAL, loaded


def test_no_deployment_can_have_the_name_of_a_preflight(tmp_path: Path) -> None:
    with pytest.raises(OperatorError):
        loaded(tmp_path, f"name: {preflight_project('tools')}\n{MINIMAL}")
