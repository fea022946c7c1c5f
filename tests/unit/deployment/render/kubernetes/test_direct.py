"""An Ingress or a Gateway in front of the instances themselves: pages and sockets meet by the paths of the rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.rules import judge
from app_server.deployment.targets import Layout
from app_server.errors import OperatorError
from tests.unit.deployment.making import loaded
from tests.unit.deployment.render.kubernetes.making import manifests, of_kind

HEAD = "name: site\napps: {a: a.py, b: {path: b.py, instances: 2}}\ninstances: 3\nproxy: none\n"
PUBLIC = "public: {hosts: tools.example.org, scheme: https}\n"
CLUSTER = "kubernetes: {gateway: {name: edge, namespace: infra}, ingress: {tls_secret: web}, callers: edge}\n"


def leads(objects: list[dict[str, Any]]) -> dict[str, str]:
    """The Service of each path, as all HTTPRoutes together say."""
    found: dict[str, str] = {}
    for route in of_kind("HTTPRoute", objects):
        for rule in route["spec"]["rules"]:
            (match,), (backend,) = rule["matches"], rule["backendRefs"]
            assert match["path"]["type"] == "PathPrefix" and match["path"]["value"] not in found
            found[match["path"]["value"]] = backend["name"]
    return found


def service_of(path: str, found: dict[str, str]) -> str:
    """Where a request goes: a prefix matches whole parts of a path, and the longest one applies (Gateway API)."""
    fits = [prefix for prefix in found if f"{path}/".startswith(f"{prefix.rstrip('/')}/")]
    return found[max(fits, key=len)]


def test_page_and_its_socket_meet_the_same_pod(tmp_path: Path) -> None:
    objects = manifests(tmp_path, HEAD + PUBLIC + CLUSTER)
    found = leads(objects)
    for path in ("/", "/a", "/static/js/bokeh.min.js"):
        assert service_of(path, found) == "a-pages"
    assert service_of("/b", found) == "b-pages"
    for number in range(3):
        assert service_of(f"/_i/a-{number}/a/ws", found) == f"a-{number}"
    assert service_of("/_i/b-1/b/ws", found) == "b-1"
    # An instance that the deployment no longer has: whichever is there makes the session again.
    assert service_of("/_i/a-7/a/ws", found) == "a-pages"
    services = {each["metadata"]["name"]: each["spec"] for each in of_kind("Service", objects)}
    assert set(found.values()) <= set(services)
    # New pages only go to pods that are ready; sessions of one that drains are still reached.
    assert "publishNotReadyAddresses" not in services["a-pages"] and services["a-0"]["publishNotReadyAddresses"]


def test_ingress_has_the_same_rules(tmp_path: Path) -> None:
    objects = manifests(tmp_path, HEAD + PUBLIC + CLUSTER)
    (ingress,) = of_kind("Ingress", objects)
    paths = ingress["spec"]["rules"][0]["http"]["paths"]
    assert {each["path"]: each["backend"]["service"]["name"] for each in paths} == leads(objects)
    assert {each["backend"]["service"]["port"]["name"] for each in paths} == {"http"}


def test_instances_know_what_is_in_front(tmp_path: Path) -> None:
    objects = manifests(tmp_path, HEAD + PUBLIC + CLUSTER)
    for pods in of_kind("StatefulSet", objects):
        words = pods["spec"]["template"]["spec"]["containers"][0]["args"]
        assert "--use-xheaders" in words and words[words.index("--route") + 1] == "$(POD_NAME)"
        assert words[words.index("--allow-websocket-origin") + 1] == "tools.example.org"
    for policy in of_kind("NetworkPolicy", objects):
        (source,) = policy["spec"]["ingress"][0]["from"]
        assert source["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "edge"}
    assert of_kind("Deployment", objects) == of_kind("ConfigMap", objects) == []


@pytest.mark.parametrize("layout", ["cluster", "platform"])
def test_rules_know_that_others_balance(tmp_path: Path, layout: Layout) -> None:
    plan = resolve_plan(loaded(tmp_path, HEAD + PUBLIC + CLUSTER), layout=layout)
    assert [verdict.path for verdict in judge(plan) if verdict.path != ("sessions", "store")] == []


def test_prefix_of_the_site_is_no_part_of_a_route(tmp_path: Path) -> None:
    text = HEAD + PUBLIC.replace("scheme: https", "scheme: https, prefix: /x") + CLUSTER
    found = leads(manifests(tmp_path, text))
    assert service_of("/x/a", found) == "a-pages" and service_of("/x/b/static/f.js", found) == "b-pages"
    assert service_of("/_i/b-0/x/b/ws", found) == "b-0" and "/" not in found


def test_rules_are_spread_over_as_many_routes_as_they_need(tmp_path: Path) -> None:
    text = HEAD.replace("instances: 3", "instances: 40") + PUBLIC + CLUSTER
    objects = manifests(tmp_path, text)
    routes = of_kind("HTTPRoute", objects)
    assert [each["metadata"]["name"] for each in routes] == ["site-1", "site-2", "site-3"]
    assert max(len(each["spec"]["rules"]) for each in routes) == 16
    assert service_of("/_i/a-39/a/ws", leads(objects)) == "a-39"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            PUBLIC + CLUSTER.replace(", callers: edge", ""),
            "kubernetes.callers: only these may reach instances without a proxy. "
            "Name the namespace of the Ingress controller's or Gateway's pods.",
        ),
        (
            CLUSTER.replace("ingress: {tls_secret: web}, ", "") + "tls: {certificate: /c.pem, key: /k.pem}\n",
            "tls: without a proxy, the Ingress or Gateway ends TLS. Say public.scheme: https and tls: off.",
        ),
        (
            PUBLIC + CLUSTER.replace("callers: edge", "callers: edge, autoscale: {max: 9, sessions: 9}"),
            "kubernetes.autoscale: a page whose instance has been stopped finds another one only through the proxy. "
            "Say proxy: nginx.",
        ),
    ],
)
def test_what_needs_the_proxy_is_refused(tmp_path: Path, more: str, message: str) -> None:
    with pytest.raises(OperatorError) as caught:
        manifests(tmp_path, HEAD + more)
    assert str(caught.value) == message
