"""The proxy of a cluster, and the doors that lead to it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.plan.values import Plan
from app_server.deployment.render.kubernetes.front import CERTIFICATES, gateway, ingress, proxy
from tests.unit.deployment.making import MINIMAL, loaded

TLS = "tls: {certificate: /c.pem, key: /k.pem}\n"


def planned(folder: Path, more: str = "", public: str = "tools.example.org") -> Plan:
    text = MINIMAL.replace("public: tools.example.org", f"public: {public}")
    return resolve_plan(loaded(folder, f"name: tools\n{text}{more}"), layout="cluster")


def objects(folder: Path, more: str = "", public: str = "tools.example.org") -> dict[str, Any]:
    """The objects by their kinds."""
    plan = planned(folder, more, public)
    found = [*proxy(plan), *ingress(plan), *gateway(plan)]
    assert len({each["kind"] for each in found}) == len(found)
    return {each["kind"]: each for each in found}


def container(found: dict[str, Any]) -> Any:
    """The proxy's container."""
    (only,) = found["Deployment"]["spec"]["template"]["spec"]["containers"]
    return only


def offered(found: dict[str, Any]) -> list[tuple[str, int]]:
    """The ports of the Service."""
    return [(each["targetPort"], each["port"]) for each in found["Service"]["spec"]["ports"]]


def test_doors_are_there_where_they_are_wanted(tmp_path: Path) -> None:
    always = ["ConfigMap", "Deployment", "Service", "PodDisruptionBudget"]
    assert list(objects(tmp_path)) == always
    assert list(objects(tmp_path, "kubernetes: {ingress: {}, gateway: edge}\n")) == [*always, "Ingress", "HTTPRoute"]


@pytest.mark.parametrize(
    ("public", "more", "ports"),
    [
        ("a.org", "", [("http", 80)]),
        ("{hosts: a.org, port: 8080}", "", [("http", 8080)]),
        ("{hosts: a.org, scheme: https}", "", [("http", 80)]),
        ("{hosts: a.org, scheme: https, port: 8443}", "", [("http", 80)]),
        ("a.org", TLS, [("http", 80), ("https", 443)]),
        ("{hosts: a.org, port: 8443}", TLS, [("http", 80), ("https", 8443)]),
    ],
)
def test_ports_of_the_service(tmp_path: Path, public: str, more: str, ports: list[tuple[str, int]]) -> None:
    assert offered(objects(tmp_path, more, public)) == ports


def test_every_file_of_the_configuration_is_mounted(tmp_path: Path) -> None:
    found = objects(tmp_path)
    mounts = {each["subPath"] for each in container(found)["volumeMounts"] if each["name"] == "configuration"}
    assert mounts == set(found["ConfigMap"]["data"])


def test_certificate_is_mounted_and_read_again_only_with_tls(tmp_path: Path) -> None:
    plain, secure = container(objects(tmp_path)), container(objects(tmp_path, TLS))
    assert "command" not in plain
    assert not [each for each in plain["volumeMounts"] if each["name"] == "certificate"]
    assert [each["mountPath"] for each in secure["volumeMounts"] if each["name"] == "certificate"] == [CERTIFICATES]
    assert secure["command"][4:] == [CERTIFICATES, "QUIT", "HUP", "nginx", "-g", "daemon off;"]
    assert container(objects(tmp_path, f"{TLS}proxy: apache\n"))["command"][5:8] == ["WINCH", "USR1", "apache2"]


@pytest.mark.parametrize("kind", ["nginx", "apache"])
def test_program_that_reads_certificates_again_is_a_shells(tmp_path: Path, kind: str) -> None:
    script = container(objects(tmp_path, f"{TLS}proxy: {kind}\n"))["command"][2]
    # Kubernetes makes $ of $$.
    done = subprocess.run(["sh", "-n"], input=script.replace("$$", "$"), text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "$(" not in script.replace("$$", "")


@pytest.mark.parametrize(
    ("more", "image"),
    [("", "app-server-nginx:latest"), ("proxy: apache\n", "app-server-apache:latest"),
     ("containers: {images: {proxy: 'r.org/p:1'}}\n", "r.org/p:1")],
)  # fmt: skip
def test_image(tmp_path: Path, more: str, image: str) -> None:
    assert container(objects(tmp_path, more))["image"] == image


def test_ingress_leads_every_host_and_path_to_the_proxy(tmp_path: Path) -> None:
    wish = "kubernetes: {ingress: {class_name: nginx, tls_secret: web, annotations: {a/b: '60'}}}\n"
    found = objects(tmp_path, wish, "{hosts: [a.org, b.org], scheme: https, prefix: /x}")["Ingress"]
    backend = {"service": {"name": "tools-proxy", "port": {"name": "http"}}}
    paths = [{"path": path, "pathType": "Prefix", "backend": backend} for path in ("/x", "/_i/")]
    assert found["spec"] == {
        "rules": [{"host": host, "http": {"paths": paths}} for host in ("a.org", "b.org")],
        "ingressClassName": "nginx",
        "tls": [{"hosts": ["a.org", "b.org"], "secretName": "web"}],
    }
    assert found["metadata"]["annotations"] == {"a/b": "60"}


def test_ingress_says_nothing_of_what_is_the_clusters(tmp_path: Path) -> None:
    found = objects(tmp_path, "kubernetes: {ingress: {}}\n")["Ingress"]
    assert list(found["spec"]) == ["rules"]
    assert [path["path"] for path in found["spec"]["rules"][0]["http"]["paths"]] == ["/"]
    assert "annotations" not in found["metadata"]


def test_ingress_speaks_tls_to_a_proxy_that_does(tmp_path: Path) -> None:
    found = objects(tmp_path, f"{TLS}kubernetes: {{ingress: {{}}}}\n")["Ingress"]
    (path,) = found["spec"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"]["port"] == {"name": "https"}


def test_route_attaches_to_the_gateway(tmp_path: Path) -> None:
    wish = "kubernetes: {gateway: {name: edge, namespace: infra, section: web}}\n"
    found = objects(tmp_path, wish, "{hosts: a.org, prefix: /x}")["HTTPRoute"]["spec"]
    assert found == {
        "parentRefs": [{"name": "edge", "namespace": "infra", "sectionName": "web"}],
        "hostnames": ["a.org"],
        "rules": [{
            "matches": [{"path": {"type": "PathPrefix", "value": value}} for value in ("/x", "/_i/")],
            "backendRefs": [{"name": "tools-proxy", "port": 80}],
        }],
    }  # fmt: skip
    assert objects(tmp_path, "kubernetes: {gateway: edge}\n")["HTTPRoute"]["spec"]["parentRefs"] == [{"name": "edge"}]
