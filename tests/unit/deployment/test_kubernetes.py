"""Kubernetes' manifests: valid by the published schemas, and restricted. No cluster is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from app_server.deployment.plan import resolve
from app_server.deployment.render import render
from app_server.errors import OperatorError
from tests.unit.deployment.making import loaded

DEPLOYMENTS = {
    "three": "apps: {a: a.py}\npublic: tools.example.org\ninstances: 3\n",
    "two pools, secrets, TLS": "name: site\napps: {a: a.py, b: {path: b.py, args: [x, '$(HOME)']}}\ninstances: 2\n"
    "public: tools.example.org\ntls: {certificate: /c.pem, key: /k.pem}\nsessions: {ids: signed}\n"
    "secrets: {secret_key: {environment: KEY}}\ncontainers: {cpus: 1.5, namespace: tools}\n",
}
VERSIONS = ("1.31", "1.33")


def manifests(folder: Path, text: str) -> list[dict[str, Any]]:
    """The objects of a deploy.yaml with this text."""
    plan = resolve(loaded(folder, text), layout="containers")
    return list(yaml.safe_load_all(render("kubernetes", plan)["kubernetes.yaml"].text))


def of_kind(kind: str, objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in objects if each["kind"] == kind]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("text", DEPLOYMENTS.values(), ids=list(DEPLOYMENTS))
def test_every_object_is_valid_by_the_published_schemas(tmp_path: Path, text: str, version: str) -> None:
    for each in manifests(tmp_path, text):
        kubernetes_validate.validate(each, version, strict=True)


@pytest.mark.parametrize("text", DEPLOYMENTS.values(), ids=list(DEPLOYMENTS))
def test_every_pod_is_restricted(tmp_path: Path, text: str) -> None:
    objects = manifests(tmp_path, text)
    for each in of_kind("StatefulSet", objects) + of_kind("Deployment", objects):
        pod = each["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            }


def test_every_instance_has_an_address_that_stays(tmp_path: Path) -> None:
    objects = manifests(tmp_path, DEPLOYMENTS["three"])
    names = {each["metadata"]["name"] for each in of_kind("Service", objects)}
    assert {"a", "a-0", "a-1", "a-2", "app-server-proxy"} == names
    (site,) = [each["data"]["app-server.conf"] for each in of_kind("ConfigMap", objects)]
    assert "server a-2:5006 max_fails=0;" in site and "location ^~ /_i/a-2/" in site
    (pods,) = of_kind("StatefulSet", objects)
    arguments = pods["spec"]["template"]["spec"]["containers"][0]["args"]
    assert arguments[arguments.index("--route") + 1] == "$(POD_NAME)"
    assert pods["spec"]["replicas"] == 3 and pods["spec"]["serviceName"] == "a"


def test_instances_are_under_gunicorn_where_the_deployment_says_so(tmp_path: Path) -> None:
    text = DEPLOYMENTS["three"] + "service: {manager: gunicorn, workers: 2}\n"
    (pods,) = of_kind("StatefulSet", manifests(tmp_path, text))
    arguments = pods["spec"]["template"]["spec"]["containers"][0]["args"]
    assert arguments[:3] == ["gunicorn", "--num-procs", "2"]


def test_pod_has_longer_than_the_drain(tmp_path: Path) -> None:
    (pods,) = of_kind("StatefulSet", manifests(tmp_path, DEPLOYMENTS["three"] + "service: {drain_s: 100}\n"))
    assert pods["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 118
    container = pods["spec"]["template"]["spec"]["containers"][0]
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_only_the_proxy_reaches_instances_and_one_may_be_missing(tmp_path: Path) -> None:
    objects = manifests(tmp_path, DEPLOYMENTS["three"])
    (policy,) = of_kind("NetworkPolicy", objects)
    (source,) = policy["spec"]["ingress"][0]["from"]
    assert source["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == "app-server-proxy"
    assert {each["spec"]["maxUnavailable"] for each in of_kind("PodDisruptionBudget", objects)} == {1}


def test_secrets_are_named_and_not_there(tmp_path: Path) -> None:
    objects = manifests(tmp_path, DEPLOYMENTS["two pools, secrets, TLS"])
    assert of_kind("Secret", objects) == []
    pod = of_kind("StatefulSet", objects)[0]["spec"]["template"]["spec"]
    assert {"name": "secrets", "secret": {"secretName": "site-secrets"}} in pod["volumes"]
    variables = {each["name"]: each.get("value") for each in pod["containers"][0]["env"]}
    assert variables["BOKEH_SECRET_KEY_FILE"] == "/run/secrets/app/secret_key"


def test_what_looks_like_a_variable_is_none(tmp_path: Path) -> None:
    objects = manifests(tmp_path, DEPLOYMENTS["two pools, secrets, TLS"])
    words = of_kind("StatefulSet", objects)[1]["spec"]["template"]["spec"]["containers"][0]["args"]
    assert words[-2:] == ["x", "$$(HOME)"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "apps: {a: a.py}\nproxy: none\n",
            "proxy: the cluster's own balancers know nothing of sessions. "
            "Say proxy: nginx; an Ingress in front of it is welcome.",
        ),
        (
            "apps: {a: a.py}\ntls: acme\n",
            "tls.mode: pods get no certificates by acme. Say tls: off and let an Ingress do it, or tls.mode: files.",
        ),
    ],
)
def test_what_a_cluster_cannot_have_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(OperatorError) as caught:
        manifests(tmp_path, text)
    assert str(caught.value) == message
