"""Kubernetes' manifests: valid by the published schemas, and restricted. No cluster is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.render import render
from app_server.deployment.render.kubernetes.objects import literal
from app_server.errors import OperatorError
from tests.unit.deployment.making import loaded
from tests.unit.deployment.render.kubernetes.making import CUSTOM, DEPLOYMENTS, manifests, of_kind

VERSIONS = ("1.31", "1.33")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("text", DEPLOYMENTS.values(), ids=list(DEPLOYMENTS))
def test_every_object_is_valid_by_the_published_schemas(tmp_path: Path, text: str, version: str) -> None:
    import kubernetes_validate  # compiles grammars for a second: not while workers look for tests

    for each in manifests(tmp_path, text):
        if each["kind"] in CUSTOM:
            continue
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


def test_only_instances_reach_the_valkey_of_saved_sessions(tmp_path: Path) -> None:
    objects = manifests(tmp_path, DEPLOYMENTS["a Valkey"])
    (policy,) = [each for each in of_kind("NetworkPolicy", objects) if each["metadata"]["name"] == "site-valkey"]
    sources = [each["podSelector"]["matchLabels"] for each in policy["spec"]["ingress"][0]["from"]]
    sets = of_kind("StatefulSet", objects)
    assert (
        sources == [each["spec"]["template"]["metadata"]["labels"] for each in sets] and policy["spec"]["egress"] == []
    )
    (service,) = [each for each in of_kind("Service", objects) if each["metadata"]["name"] == "site-valkey"]
    for pods in sets:
        words = pods["spec"]["template"]["spec"]["containers"][0]["args"]
        assert words[words.index("--store") + 1] == f"redis://site-valkey:{service['spec']['ports'][0]['port']}"
    (server,) = [each for each in of_kind("Deployment", objects) if each["metadata"]["name"] == "site-valkey"]
    assert (server["spec"]["replicas"], server["spec"]["strategy"]) == (1, {"type": "Recreate"})
    assert [
        each["metadata"]["name"] for each in manifests(tmp_path, DEPLOYMENTS["three"]) if "valkey" in str(each)
    ] == []


def test_address_of_a_store_is_a_secret_like_others(tmp_path: Path) -> None:
    text = DEPLOYMENTS["three"] + "secrets: {store: {file: /etc/store}}\n"
    plan = resolve_plan(loaded(tmp_path, text), layout="cluster")
    written = render("kubernetes", plan)["kubernetes.yaml"].text
    assert "create secret generic app-server-secrets --from-file=store=FILE" in written
    (pods,) = of_kind("StatefulSet", list(yaml.safe_load_all(written)))
    container = pods["spec"]["template"]["spec"]["containers"][0]
    assert {"name": "APP_SERVER_STORE_FILE", "value": "/run/secrets/app/store"} in container["env"]
    assert "--store" not in container["args"]


def test_what_looks_like_a_variable_is_none(tmp_path: Path) -> None:
    objects = manifests(tmp_path, DEPLOYMENTS["two pools, secrets, TLS"])
    words = of_kind("StatefulSet", objects)[1]["spec"]["template"]["spec"]["containers"][0]["args"]
    assert words[-2:] == ["x", "$$(HOME)"]


@given(st.text(alphabet="$()aB", max_size=12))
def test_any_text_arrives_as_it_is(text: str) -> None:
    assert expanded(literal(text)) == text


def expanded(text: str) -> str:
    """What the kubelet makes of an argument (Kubernetes, expansion/expand.go): `$$` is `$`, `$(NAME)` a variable."""
    found, at = "", 0
    while at < len(text):
        following = text[at + 1 : at + 2]
        if text[at] == "$" and following == "$":
            found, at = found + "$", at + 2
        elif text[at] == "$" and following == "(" and ")" in text[at:]:
            found, at = found + "VARIABLE", text.index(")", at) + 1
        else:
            found, at = found + text[at], at + 1
    return found


def test_people_use_the_usual_ports_and_so_do_origins(tmp_path: Path) -> None:
    objects = manifests(tmp_path, DEPLOYMENTS["two pools, secrets, TLS"])
    (service,) = [each for each in of_kind("Service", objects) if each["metadata"]["name"] == "site-proxy"]
    assert [(port["name"], port["port"]) for port in service["spec"]["ports"]] == [("http", 80), ("https", 443)]
    for pods in of_kind("StatefulSet", objects):
        words = pods["spec"]["template"]["spec"]["containers"][0]["args"]
        assert words[words.index("--allow-websocket-origin") + 1] == "tools.example.org"
    (data,) = [each["data"] for each in of_kind("ConfigMap", objects)]
    assert "https://tools.example.org$request_uri" in data["site.conf"]
    assert ":8443" not in data["site.conf"].replace("listen 8443", "")


def test_port_of_the_file_is_the_services(tmp_path: Path) -> None:
    public = "public: {hosts: a.org, port: 4443}"
    text = DEPLOYMENTS["two pools, secrets, TLS"].replace("public: tools.example.org", public)
    objects = manifests(tmp_path, text)
    (service,) = [each for each in of_kind("Service", objects) if each["metadata"]["name"] == "site-proxy"]
    assert [port["port"] for port in service["spec"]["ports"]] == [80, 4443]


def test_change_of_the_configuration_makes_new_proxies(tmp_path: Path) -> None:
    def digest(instances: int) -> str:
        objects = manifests(tmp_path, DEPLOYMENTS["three"].replace("instances: 3", f"instances: {instances}"))
        (proxy,) = of_kind("Deployment", objects)
        return str(proxy["spec"]["template"]["metadata"]["annotations"]["app-server/configuration"])

    assert digest(3) == digest(3) != digest(4)


def test_commands_for_what_is_secret_are_at_the_head(tmp_path: Path) -> None:
    plan = resolve_plan(loaded(tmp_path, DEPLOYMENTS["two pools, secrets, TLS"]), layout="cluster")
    lines = render("kubernetes", plan)["kubernetes.yaml"].text.splitlines()
    assert lines[2:6] == [
        "# Make these first; each FILE is yours:",
        "#   kubectl create namespace tools",
        "#   kubectl -n tools create secret generic site-secrets --from-file=secret_key=FILE",
        "#   kubectl -n tools create secret tls site-certificate --cert=FILE --key=FILE",
    ]


def test_cluster_gets_what_it_has_of_its_own(tmp_path: Path) -> None:
    objects = manifests(tmp_path, DEPLOYMENTS["all of a cluster"])
    (ingress,) = of_kind("Ingress", objects)
    assert ingress["metadata"]["annotations"] == {"a/b": "3600"}
    assert ingress["spec"]["ingressClassName"] == "nginx"
    assert ingress["spec"]["tls"] == [{"hosts": ["tools.example.org"], "secretName": "web"}]
    paths = ingress["spec"]["rules"][0]["http"]["paths"]
    assert [path["path"] for path in paths] == ["/x", "/_i/"]
    (route,) = of_kind("HTTPRoute", objects)
    assert route["spec"]["parentRefs"] == [{"name": "edge", "namespace": "infra", "sectionName": "https"}]
    (monitor,) = of_kind("PodMonitor", objects)
    (pods,) = of_kind("StatefulSet", objects)
    assert monitor["spec"]["selector"] == pods["spec"]["selector"]
    pod = pods["spec"]["template"]["spec"]
    assert "--metrics" in pod["containers"][0]["args"]
    assert pod["imagePullSecrets"] == [{"name": "regcred"}]
    assert "runAsUser" not in pod["securityContext"] and "fsGroup" not in pod["securityContext"]
    assert {each["topologyKey"] for each in pod["topologySpreadConstraints"]} == {
        "topology.kubernetes.io/zone", "kubernetes.io/hostname",
    }  # fmt: skip
    (policy,) = of_kind("NetworkPolicy", objects)
    _, prometheus = policy["spec"]["ingress"][0]["from"]
    assert prometheus == {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}


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
        (
            "apps: {a: a.py}\nkubernetes: {ingress: {tls_secret: web}}\n",
            "kubernetes.ingress.tls_secret: the Ingress ends TLS. Say public.scheme: https and tls: off.",
        ),
        (
            "apps: {a: a.py}\ntls: {certificate: /c.pem, key: /k.pem}\nkubernetes: {gateway: edge}\n",
            "kubernetes.gateway: the Gateway ends TLS, and would speak plain HTTP to a port with TLS. "
            "Say public.scheme: https and tls: off.",
        ),
    ],
)
def test_what_a_cluster_cannot_have_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(OperatorError) as caught:
        manifests(tmp_path, text)
    assert str(caught.value) == message


@pytest.mark.parametrize("kind", ["nginx", "apache"])
def test_map_that_may_be_missing_closes_the_site_for_maintenance(tmp_path: Path, kind: str) -> None:
    text = f"name: site\napps: {{a: a.py}}\npublic: tools.example.org\nproxy: {kind}\n"
    objects = manifests(tmp_path, text)
    (proxy,) = [each for each in of_kind("Deployment", objects) if each["metadata"]["name"] == "site-proxy"]
    pod = proxy["spec"]["template"]["spec"]
    (volume,) = [each for each in pod["volumes"] if each["name"] == "closed"]
    assert volume["configMap"] == {"name": "site-maintenance", "optional": True}
    (mount,) = [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "closed"]
    maps = "".join(text for each in of_kind("ConfigMap", objects) for text in each["data"].values())
    # A key of the map is a file in its folder.
    assert f"{mount['mountPath']}/maintenance" in maps and "site-maintenance" not in str(of_kind("ConfigMap", objects))


def test_example_of_all_keys_is_a_cluster(tmp_path: Path) -> None:
    text = (Path(__file__).parents[5] / "deploy" / "deploy.example.yaml").read_text(encoding="utf-8")
    objects = manifests(tmp_path, text)
    assert of_kind("StatefulSet", objects) and of_kind("Ingress", objects)


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("name: site", "name: my_site", "name: 'my_site' cannot be a name in a cluster. Use a-z, 0-9 and '-', with"),
        ("namespace: tools", "namespace: tools-", "containers.namespace: 'tools-' cannot be a name in a cluster. Use"),
        ("b: {path", "b_: {path", "apps: 'b-' cannot be a name in a cluster. Give the application, or the deployment,"),
        ("b: {path", "site-proxy: {path", "apps: two objects Service would be called site-proxy. Their applications'"),
        ("a: a.py", "a: a.py, B: {path: c.py, instances: 2}", "apps: two objects Service would be called b. Their"),
    ],
)
def test_names_that_a_cluster_does_not_take_are_refused(tmp_path: Path, old: str, new: str, error: str) -> None:
    text = DEPLOYMENTS["two pools, secrets, TLS"].replace("{path: b.py", "{path: b.py, instances: 2")
    manifests(tmp_path, text)
    with pytest.raises(OperatorError) as caught:
        manifests(tmp_path, text.replace(old, new))
    assert str(caught.value).startswith(error)
