"""What can be rendered, and what is known of it elsewhere."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from app_server.deployment.checks import CHECKS
from app_server.deployment.render import render
from app_server.deployment.targets import TARGETS
from tests.unit.deployment.making import planned


@pytest.mark.parametrize("name", TARGETS)
def test_target_has_a_renderer(name: str) -> None:
    module = importlib.import_module(f"app_server.deployment.render.{TARGETS[name].module}")
    assert callable(module.render)


@pytest.mark.parametrize(("target", "check"), [(target, check) for target, all in CHECKS.items() for check in all])
def test_check_of_a_target_is_there(target: str, check: str) -> None:
    assert target in TARGETS
    assert callable(importlib.import_module(f"app_server.deployment.checks.{check}").check)


def test_what_is_said_of_a_target_fits_behind_its_name() -> None:
    for name, target in TARGETS.items():
        assert target.about and not target.about.endswith("."), name
        assert target.effect is None or target.effect.endswith("."), name


def test_target_is_rendered_once_for_a_plan(tmp_path: Path) -> None:
    plan, other = planned(tmp_path), planned(tmp_path)
    assert render("nginx", plan) is render("nginx", plan)
    assert plan == other
    assert render("nginx", plan) == render("nginx", other)
    assert render("nginx", plan) is not render("nginx", other)
    assert set(render("nginx", plan)).isdisjoint(render("systemd", plan))


def test_files_of_a_target_cannot_be_changed_for_those_who_ask_next(tmp_path: Path) -> None:
    files = render("nginx", planned(tmp_path))
    with pytest.raises(TypeError, match="does not support item deletion"):
        del files["nginx/app-server.conf"]  # type: ignore[attr-defined]
