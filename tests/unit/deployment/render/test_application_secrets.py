"""The applications' secrets in every target: each names the file, and none has what is in it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import render
from app_server.deployment.targets import TARGETS, Layout
from tests.unit.deployment.making import MINIMAL, line, loaded

SECRET = "hunter2"


def planned(folder: Path, target: str, secrets: str = "apps.env", service: str = "") -> Plan:
    """The plan of a deployment that is not in the folder of the generated files, with a file of secrets beside it."""
    (folder / "apps.env").write_text(f"DB_PASSWORD='{SECRET}'\n", encoding="utf-8")
    text = f"{MINIMAL}server: {{metrics: yes}}\nservice: {{secrets: {secrets}{service}}}\n"
    layout: Layout = TARGETS[target].layout
    return resolve_plan(loaded(folder, text), layout=layout, beside="..")


@pytest.mark.parametrize("target", [name for name in TARGETS if name not in ("acme", "apache", "ssh")])
def test_no_target_has_a_value(tmp_path: Path, target: str) -> None:
    for path, file in render(target, planned(tmp_path, target)).items():
        assert SECRET not in file.text and "DB_PASSWORD" not in file.text, path


@pytest.mark.parametrize(
    ("secrets", "where"),
    [("apps.env", "/etc/app-server/variables.env"), ("/etc/site.env", "/etc/site.env"),
     ("{file: ../a b.env}", "/etc/app-server/variables.env")],
)  # fmt: skip
def test_services_of_hosts_read_the_file_there(tmp_path: Path, secrets: str, where: str) -> None:
    unit = render("systemd", planned(tmp_path, "systemd", secrets))["systemd/app-server@.service"].text
    assert line(unit, "LoadCredential=") == f"variables:{where}"
    assert "Environment=APP_SERVER_ENV_FILE=%d/variables" in unit.splitlines()
    programs = render("supervisor", planned(tmp_path, "supervisor", secrets, ", manager: supervisor"))
    assert f'APP_SERVER_ENV_FILE="{where}"' in programs["supervisor/app-server.conf"].text
    script = render("commands", planned(tmp_path, "commands", secrets))["commands/start.sh"].text
    assert line(script, "export APP_SERVER_ENV_FILE=") == where


def test_gunicorns_unit_has_the_credential(tmp_path: Path) -> None:
    plan = planned(tmp_path, "systemd", "{credential: apps}", ", manager: gunicorn")
    unit = render("systemd", plan)["systemd/app-server@.service"].text
    assert line(unit, "LoadCredentialEncrypted=") == "apps"
    assert "Environment=APP_SERVER_ENV_FILE=%d/apps" in unit.splitlines()
    assert "APP_SERVER_ENV" not in render("gunicorn", plan)["gunicorn/a1.conf.py"].text


@pytest.mark.parametrize(("secrets", "source"), [("apps.env", "../apps.env"), ("/etc/site.env", "/etc/site.env")])
def test_containers_get_it_as_a_mounted_secret(tmp_path: Path, secrets: str, source: str) -> None:
    compose = yaml.safe_load(render("compose", planned(tmp_path, "compose", secrets))["compose.yaml"].text)
    assert compose["secrets"] == {"variables": {"file": source}}
    (instance,) = (each for name, each in compose["services"].items() if name != "proxy")
    assert instance["secrets"] == ["variables"]
    assert instance["environment"]["APP_SERVER_ENV_FILE"] == "/run/secrets/variables"
    text = render("swarm", planned(tmp_path, "swarm", secrets))["swarm.yaml"].text
    assert f"#   docker secret create app-server-variables-1 {source}\n" in text
    assert yaml.safe_load(text)["secrets"] == {"variables": {"external": True, "name": "app-server-variables-1"}}


def test_pods_get_it_from_a_secret_of_the_cluster(tmp_path: Path) -> None:
    text = render("kubernetes", planned(tmp_path, "kubernetes"))["kubernetes.yaml"].text
    assert "create secret generic app-server-secrets --from-file=variables=" in text
    (instances,) = (each for each in yaml.safe_load_all(text) if each["kind"] == "StatefulSet")
    (container,) = instances["spec"]["template"]["spec"]["containers"]
    assert {"name": "APP_SERVER_ENV_FILE", "value": "/run/secrets/app/variables"} in container["env"]


def test_inventory_says_where_the_playbooks_find_it(tmp_path: Path) -> None:
    def secrets(stated: str) -> list[dict[str, str]]:
        text = render("inventory", planned(tmp_path, "inventory", stated))["inventory.yml"].text
        found: list[dict[str, str]] = yaml.safe_load(text.replace("!unsafe ", ""))["all"]["vars"]["app_server_secrets"]
        return found

    common = {"name": "variables", "variable": "APP_SERVER_ENV", "credential": None}
    assert secrets("apps.env") == [{**common, "file": "/etc/app-server/variables.env", "source": "apps.env"}]
    assert secrets("/etc/site.env") == [{**common, "file": "/etc/site.env"}]


def test_no_release_and_no_image_has_the_file(tmp_path: Path) -> None:
    made = planned(tmp_path, "compose", "keys/apps.env").contained
    assert "**/apps.env" in made.never and str(tmp_path / "keys/apps.env") in made.secrets


def test_services_read_no_file_beside_the_applications(tmp_path: Path) -> None:
    plan = planned(tmp_path, "systemd")
    unit = render("systemd", plan)["systemd/app-server@.service"].text
    assert "Environment=APP_SERVER_USE_CONFIG=none" in unit.splitlines()
    stated = {"APP_SERVER_USE_CONFIG": "/etc/site.yaml"}
    service = plan.spec.service.model_copy(update={"environment": stated})
    plan = replace(plan, spec=plan.spec.model_copy(update={"service": service}))
    assert plan.variables == stated, json.dumps(dict(plan.variables))
