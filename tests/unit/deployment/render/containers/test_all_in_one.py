"""What the image with everything in it is built with."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest

from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.render import is_wanted, render
from app_server.errors import OperatorError
from tests.unit.deployment.making import MINIMAL, loaded


def test_supervisor_starts_each_instance_behind_nginx(tmp_path: Path) -> None:
    plan = resolve_plan(loaded(tmp_path, MINIMAL + "instances: 2\n"), layout="compose")
    files = render("all-in-one", plan)
    assert {Path(path).parent.name for path in files} >= {"site", "nginx"}
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read_string(files["docker/all-in-one/site/supervisord.conf"].text)
    commands = [parser[section]["command"] for section in parser.sections() if section.startswith("program:")]
    assert sum("serve myapp.py" in command for command in commands) == 2
    assert any("nginx" in command for command in commands)


def test_it_is_made_only_for_whoever_asks_for_it(tmp_path: Path) -> None:
    assert not is_wanted("all-in-one", resolve_plan(loaded(tmp_path), layout="compose"))


def test_another_proxy_is_refused(tmp_path: Path) -> None:
    plan = resolve_plan(loaded(tmp_path, MINIMAL + "proxy: apache\n"), layout="compose")
    with pytest.raises(OperatorError) as caught:
        render("all-in-one", plan)
    assert str(caught.value) == "proxy: the all-in-one image contains nginx. Set proxy: nginx."
