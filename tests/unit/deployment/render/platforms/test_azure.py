"""The Container App of Azure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from app_server.deployment.render import render
from tests.unit.deployment.render.platforms.planning import TEXT, planned, served


def application(folder: Path, text: str = TEXT) -> Any:
    return yaml.safe_load(render("azure", planned(folder, text))["azure/containerapp.yaml"].text)["properties"]


def test_ingress_leads_to_where_the_server_listens(tmp_path: Path) -> None:
    found = application(tmp_path)
    ingress = found["configuration"]["ingress"]
    (container,) = found["template"]["containers"]
    assert served(container["args"])[1].port == ingress["targetPort"]
    assert {probe["httpGet"]["port"] for probe in container["probes"]} == {ingress["targetPort"]}
    assert ingress["stickySessions"] == {"affinity": "sticky"} and ingress["allowInsecure"] is False


def test_one_replica_stays(tmp_path: Path) -> None:
    assert application(tmp_path, f"{TEXT}instances: 5\n")["template"]["scale"] == {"minReplicas": 1, "maxReplicas": 5}


def test_replica_has_longer_than_the_drain(tmp_path: Path) -> None:
    text = TEXT.replace("service: {", "service: {drain_s: 40, ")
    template = application(tmp_path, text)["template"]
    assert template["terminationGracePeriodSeconds"] == 55
    assert served(template["containers"][0]["args"])[1].drain_s == 40


@pytest.mark.parametrize(
    ("containers", "cpu", "memory"),
    [("{}", 0.5, "1Gi"), ("{memory_mb: 1100}", 0.75, "1.5Gi"), ("{cpus: 1.5}", 1.5, "3Gi")],
)
def test_resources_are_of_a_size_that_there_is(tmp_path: Path, containers: str, cpu: float, memory: str) -> None:
    (container,) = application(tmp_path, f"{TEXT}containers: {containers}\n")["template"]["containers"]
    assert container["resources"] == {"cpu": cpu, "memory": memory}


def test_commands_for_secrets_are_in_the_head(tmp_path: Path) -> None:
    text = render("azure", planned(tmp_path))["azure/containerapp.yaml"].text
    assert '--secrets tools-secret-key="$(cat FILE)"' in text
    assert "--set-env-vars BOKEH_SECRET_KEY=secretref:tools-secret-key" in text
    assert "/etc/tools/secret" not in text
