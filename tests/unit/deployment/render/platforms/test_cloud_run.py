"""The service of Cloud Run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from app_server.deployment.render import render
from tests.unit.deployment.render.platforms.planning import TEXT, planned, served


def service(folder: Path, text: str = TEXT) -> Any:
    return yaml.safe_load(render("cloud-run", planned(folder, text))["cloud-run/service.yaml"].text)["spec"]["template"]


def test_page_may_be_open_for_as_long_as_the_platform_allows(tmp_path: Path) -> None:
    template = service(tmp_path, f"{TEXT}instances: 4\n")
    assert template["spec"]["timeoutSeconds"] == 3600
    notes = template["metadata"]["annotations"]
    assert notes["run.googleapis.com/sessionAffinity"] == "true" and notes["autoscaling.knative.dev/maxScale"] == "4"


@pytest.mark.parametrize(("most", "requests"), [("max_sessions: 50, ", 70), ("max_sessions: 5000, ", 1000), ("", 1000)])
def test_each_open_page_is_a_request(tmp_path: Path, most: str, requests: int) -> None:
    text = TEXT.replace("max_sessions: 50, ", most)
    assert service(tmp_path, text)["spec"]["containerConcurrency"] == requests


def test_container_is_asked_where_it_listens(tmp_path: Path) -> None:
    (container,) = service(tmp_path, TEXT.replace("scheme: https", "scheme: https, prefix: /x"))["spec"]["containers"]
    port = str(container["ports"][0]["containerPort"])
    assert served(container["args"], {"PORT": port})[1].port == int(port)
    assert container["startupProbe"]["httpGet"]["path"] == "/x/healthz"
    assert container["image"] == "tools:latest"


def test_secrets_are_named(tmp_path: Path) -> None:
    (container,) = service(tmp_path)["spec"]["containers"]
    assert container["env"] == [
        {"name": "REGION", "value": "north"},
        {"name": "BOKEH_SECRET_KEY", "valueFrom": {"secretKeyRef": {"name": "tools-secret-key", "key": "latest"}}},
    ]
    text = render("cloud-run", planned(tmp_path))["cloud-run/service.yaml"].text
    assert "#   gcloud secrets create tools-secret-key --data-file=FILE\n" in text


def test_file_of_the_applications_variables_is_mounted_where_it_is_read(tmp_path: Path) -> None:
    spec = service(tmp_path, TEXT.replace("service: {", "service: {secrets: {file: app.env}, "))["spec"]
    (container,), (volume,) = spec["containers"], spec["volumes"]
    (mount,) = container["volumeMounts"]
    (item,) = volume["secret"]["items"]
    assert mount["name"] == volume["name"] and volume["secret"]["secretName"] == "tools-variables"
    named = {each["name"]: each.get("value") for each in container["env"]}
    assert named["APP_SERVER_ENV_FILE"] == f"{mount['mountPath']}/{item['path']}"
