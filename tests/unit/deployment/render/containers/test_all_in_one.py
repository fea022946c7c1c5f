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


def test_head_says_how_secrets_get_into_the_container(tmp_path: Path) -> None:
    text = (
        "service: {secrets: apps.env}\nsecrets: {secret_key: {file: /etc/x}, cookie_secret: {environment: KEY}, "
        "store: {environment: APP_SERVER_STORE}}\n"
    )
    plan = resolve_plan(loaded(tmp_path, MINIMAL + text), layout="compose")
    head = render("all-in-one", plan)["docker/all-in-one/site/supervisord.conf"].text.partition("[supervisord]")[0]
    assert head.splitlines()[-6:-1] == [
        "; Secrets are arguments of `docker run`; user 10001 must be able to read each FILE, which is yours:",
        ";   -v FILE:/run/secrets/secret_key:ro -e BOKEH_SECRET_KEY_FILE=/run/secrets/secret_key",
        ';   -e BOKEH_COOKIE_SECRET="$KEY"',
        ";   -e APP_SERVER_STORE",
        ";   -v FILE:/run/secrets/variables:ro -e APP_SERVER_ENV_FILE=/run/secrets/variables",
    ]


def test_another_proxy_is_refused(tmp_path: Path) -> None:
    plan = resolve_plan(loaded(tmp_path, MINIMAL + "proxy: apache\n"), layout="compose")
    with pytest.raises(OperatorError) as caught:
        render("all-in-one", plan)
    assert str(caught.value) == "proxy: the all-in-one image contains nginx. Set proxy: nginx."
