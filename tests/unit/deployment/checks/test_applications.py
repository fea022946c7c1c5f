"""`--check` looks for the applications, for every target that starts them."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.deployment.checks import CHECKS
from app_server.deployment.checks.applications import check
from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.targets import TARGETS, Layout
from tests.unit.deployment.making import loaded

SPEC = "apps: {here: here.py, gone: sub/gone.py}\npaths: {apps: HOME}\n"


def findings(folder: Path, home: Path, layout: Layout = "host") -> list[str]:
    plan = resolve_plan(loaded(folder, SPEC.replace("HOME", str(home))), layout=layout)
    return [f"{each.level}: {each}".replace(str(folder), "FOLDER") for each in check(plan, {})]


def test_missing_application_is_a_fault_on_its_host(tmp_path: Path) -> None:
    (tmp_path / "here.py").touch()
    home = tmp_path / "home"
    home.mkdir()
    where = "apps.gone.path: sub/gone.py is not in FOLDER/home, FOLDER"
    assert findings(tmp_path, home) == [f"fault: {where}. Put it there, or correct the path."]


def test_missing_application_is_a_warning_away_from_its_host(tmp_path: Path) -> None:
    (tmp_path / "here.py").touch()
    where = "apps.gone.path: sub/gone.py is not in FOLDER/home, FOLDER"
    assert findings(tmp_path, tmp_path / "home") == [f"warning: {where}. Make sure that it is on the host."]


@pytest.mark.parametrize("layout", ["containers", "compose"])
def test_missing_application_is_a_fault_of_an_image(tmp_path: Path, layout: Layout) -> None:
    (tmp_path / "here.py").touch()
    [found] = findings(tmp_path, tmp_path / "home", layout)
    assert found.startswith("fault: apps.gone.path: sub/gone.py is not in ")


@pytest.mark.parametrize(
    ("containers", "looked_in"),
    [("", "FOLDER"), ("containers: {source: site}\n", "FOLDER/site")],
)
def test_image_is_made_of_the_folder_that_the_file_says(tmp_path: Path, containers: str, looked_in: str) -> None:
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps/here.py").touch()
    plan = resolve_plan(loaded(tmp_path, f"apps: {{here: here.py}}\n{containers}"), layout="compose")
    [found] = [str(each).replace(str(tmp_path), "FOLDER") for each in check(plan, {})]
    assert found == f"apps.here.path: here.py is not in {looked_in}. Put it there, or correct the path."


def test_every_target_that_starts_applications_is_checked() -> None:
    checked = {target for target, names in CHECKS.items() if "applications" in names}
    assert checked == set(TARGETS) - {"acme", "alerts", "grafana", "logrotate", "prometheus", "ssh"}
