"""swarm.yaml: what it says for a deployment, what stays the same, and what it refuses."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import render
from app_server.errors import OperatorError
from tests.support.deployments.scenes import GOLDEN, UPDATE
from tests.unit.deployment.making import loaded

THREE = "apps: {a: a.py}\npublic: tools.example.org\ninstances: 3\n"
ALL = """\
name: tools
apps: {sales: sales.py, maps: {path: maps, instances: 2}}
public: tools.example.org
instances: 3
tls: {certificate: /etc/ssl/tools.pem, key: /etc/ssl/tools.key}
secrets: {secret_key: {file: /etc/tools/secret}, cookie_secret: {environment: COOKIES}}
sessions: {ids: signed}
service: {drain_s: 100, environment: {PRICE: '5 $'}}
containers:
  images: {app: "registry.example.org/tools:42", proxy: "registry.example.org/nginx:7"}
  publish: {http: 80, https: 443}
  cpus: 1.5
  subnet: 10.20.0.0/24
  swarm: {secrets_version: 3, instances_on: ["node.labels.apps == yes"], proxies_on: ["node.role==worker"]}
"""


def planned(folder: Path, text: str) -> Plan:
    return resolve_plan(loaded(folder, text), layout="containers", regenerate=("app-server", "config"))


def stack(folder: Path, text: str) -> Any:
    """swarm.yaml of a deploy.yaml with this text, parsed."""
    return yaml.safe_load(render("swarm", planned(folder, text))["swarm.yaml"].text)


def test_files_are_as_they_were_looked_at(tmp_path: Path) -> None:
    files = render("swarm", planned(tmp_path, ALL))
    assert set(files) == {"swarm.yaml", "proxy/tools.conf", "proxy/nginx.conf"}
    for name in ("swarm.yaml", "proxy/nginx.conf"):
        golden = GOLDEN / "swarm" / name
        # What is in the proxy's files is the concern of tests of their own.
        text = re.sub(r"(\.conf-)[0-9a-f]{12}", r"\1DIGEST", files[name].text)
        if os.environ.get(UPDATE):
            golden.parent.mkdir(parents=True, exist_ok=True)
            golden.write_text(text, encoding="utf-8")
        assert golden.read_text(encoding="utf-8") == text, f"{golden}; {UPDATE}=1 writes it again"


def test_proxy_finds_its_site_where_its_main_file_looks(tmp_path: Path) -> None:
    for kind, folder in (("nginx", "/etc/nginx/conf.d"), ("apache", "/etc/apache2/sites-enabled")):
        text = "name: tools\n" + THREE + f"proxy: {kind}\n"
        places = {each["source"]: each["target"] for each in stack(tmp_path, text)["services"]["proxy"]["configs"]}
        [main] = [
            file.text for path, file in render("swarm", planned(tmp_path, text)).items()
            if path in ("proxy/nginx.conf", "proxy/apache2.conf")
        ]  # fmt: skip
        assert places["tools.conf"] == f"{folder}/tools.conf"
        assert re.search(rf"(?i)\binclude \"?{folder}/tools\.conf", main)


def test_every_container_is_hardened(tmp_path: Path) -> None:
    services = stack(tmp_path, THREE)["services"]
    assert list(services) == ["proxy", "app"]
    for service in services.values():
        assert service["read_only"] is True and service["cap_drop"] == ["ALL"] and service["init"] is True
        assert service["user"] in ("10001:10001", "10002:10001")
        assert service["volumes"][0] == {"type": "tmpfs", "target": "/tmp", "tmpfs": {"size": 64 * 1024 * 1024}}
        assert set(service["deploy"]["resources"]["limits"]) == {"memory", "pids"}
        assert service["deploy"]["endpoint_mode"] == "dnsrr"
        assert service["healthcheck"]["start_interval"] == "500ms"
    assert len(services["app"]["volumes"]) == 1
    assert services["proxy"]["volumes"][1]["target"] == "/var/lib/app-server"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sessions: {store: valkey}\n", "save their sessions, which go on at another one."),
        ("service: {drain_s: 9}\n", "let sessions go on for 9s, and then have some more time to end."),
        ("sessions: {store: off}\nservice: {drain_s: 0}\n", "end their sessions."),
        ("sessions: {restore: off, store: valkey}\nservice: {drain_s: 0}\n", "end their sessions."),
    ],
)
def test_file_says_what_a_stop_does_to_sessions(tmp_path: Path, text: str, said: str) -> None:
    written = render("swarm", planned(tmp_path, THREE + text))["swarm.yaml"].text
    assert f"# Shared by the instances. When stopped, they {said}\n" in written


def test_instances_are_replaced_before_they_go_and_proxies_after_they_went(tmp_path: Path) -> None:
    services = stack(tmp_path, THREE + "service: {drain_s: 100}\n")["services"]
    instance, proxy = services["app"], services["proxy"]
    assert instance["deploy"]["replicas"] == 3 and instance["deploy"]["update_config"]["parallelism"] == 1
    assert instance["deploy"]["update_config"]["order"] == "start-first"
    assert instance["stop_grace_period"] == "115s"
    # Two cannot have the same port of a node, so that one that goes must not linger.
    assert proxy["deploy"]["update_config"]["order"] == "stop-first" and proxy["deploy"]["mode"] == "global"
    assert proxy["stop_grace_period"] == "10s"
    assert "worker_shutdown_timeout 2s;" in render("swarm", planned(tmp_path, THREE))["proxy/nginx.conf"].text
    for service in (instance, proxy):
        assert service["deploy"]["update_config"]["failure_action"] == "rollback"


def test_nginx_reaches_each_instance_by_a_socket_that_asks_for_its_address(tmp_path: Path) -> None:
    files = render("swarm", planned(tmp_path, THREE))
    assert "server unix:/tmp/app-a2.sock max_fails=3 fail_timeout=10s;" in files["proxy/app-server.conf"].text
    # A connection that was kept would lead to a container that drains.
    assert "keepalive 16;" not in files["proxy/app-server.conf"].text
    main = files["proxy/nginx.conf"].text
    assert "listen unix:/tmp/app-a2.sock;" in main and "set $instance app-a2:5006;" in main
    # The image has a site of its own, which must not be served too.
    assert "include /etc/nginx/conf.d/app-server.conf;" in main
    service = stack(tmp_path, THREE)["services"]["app"]
    assert service["hostname"] == "app-a{{.Task.Slot}}"
    assert service["environment"]["APP_SERVER_ROUTE"] == "a{{.Task.Slot}}"
    command = service["command"]
    assert command[command.index("--port") + 1] == "5006" and "--route" not in command


def test_application_with_instances_of_its_own_is_a_service_of_its_own(tmp_path: Path) -> None:
    files = render("swarm", planned(tmp_path, ALL))
    service = yaml.safe_load(files["swarm.yaml"].text)["services"]["app-maps"]
    assert service["deploy"]["replicas"] == 2 and service["hostname"] == "app-maps-a{{.Task.Slot}}"
    assert service["environment"]["APP_SERVER_ROUTE"] == "maps-a{{.Task.Slot}}"
    assert "location ^~ /_i/maps-a2/" in files["proxy/tools.conf"].text
    assert "set $instance app-maps-a2:5006;" in files["proxy/nginx.conf"].text


def test_instances_are_numbered_whatever_hosts_the_file_names(tmp_path: Path) -> None:
    hosts = "{hosts: [{name: x, address: 10.0.0.1}, {name: y, address: 10.0.0.2}]}"
    text = f"apps: {{a: a.py}}\npublic: a.org\ninstances: {hosts}\n"
    site = render("swarm", planned(tmp_path, text))["proxy/app-server.conf"].text
    assert "location ^~ /_i/a2/" in site and "/_i/b1/" not in site


def test_apache_asks_for_addresses_anew(tmp_path: Path) -> None:
    files = render("swarm", planned(tmp_path, THREE + "proxy: apache\n"))
    site = files["proxy/app-server.conf"].text
    assert "BalancerMember http://app-a2:5006 route=a2 upgrade=websocket addressttl=1 retry=10" in site
    assert "GracefulShutdownTimeout 2" in files["proxy/apache2.conf"].text


def test_configuration_has_another_name_when_it_says_something_else(tmp_path: Path) -> None:
    one, other = (stack(tmp_path, text)["configs"] for text in (THREE, THREE + "proxy: {timeouts: {page_s: 77}}\n"))
    assert one["nginx.conf"] == other["nginx.conf"]
    assert one["app-server.conf"]["name"] != other["app-server.conf"]["name"]
    assert one["app-server.conf"]["file"] == "./proxy/app-server.conf"


def test_secrets_are_named_with_their_version_and_not_there(tmp_path: Path) -> None:
    document = stack(tmp_path, ALL)
    assert document["secrets"] == {
        key: {"external": True, "name": f"tools-{key}-3"}
        for key in ("certificate", "certificate_key", "secret_key", "cookie_secret")
    }
    instance = document["services"]["app"]
    assert instance["environment"]["BOKEH_SECRET_KEY_FILE"] == "/run/secrets/secret_key"
    assert {each["source"] for each in instance["secrets"]} == {"secret_key", "cookie_secret"}
    assert {each["source"] for each in document["services"]["proxy"]["secrets"]} == {"certificate", "certificate_key"}
    assert {each["mode"] for each in instance["secrets"]} == {0o400}


def test_value_with_a_dollar_stays_what_it_is(tmp_path: Path) -> None:
    assert stack(tmp_path, ALL)["services"]["app"]["environment"]["PRICE"] == "5 $$"


def test_nodes_are_chosen_by_constraints(tmp_path: Path) -> None:
    services = stack(tmp_path, ALL)["services"]
    assert services["app-maps"]["deploy"]["placement"] == {"constraints": ["node.labels.apps == yes"]}
    assert services["proxy"]["deploy"]["placement"] == {"constraints": ["node.role==worker"]}
    assert "placement" not in stack(tmp_path, THREE)["services"]["proxy"]["deploy"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "apps: {a: a.py}\nproxy: none\n",
            "proxy: the swarm's own balancer knows nothing of sessions. Set proxy: nginx.",
        ),
        (
            "apps: {a: a.py}\ntls: acme\n",
            "tls.mode: a swarm's containers cannot get certificates by ACME. "
            "Use tls.mode: files with what certbot has written on one of the hosts.",
        ),
        (
            "apps: {a: a.py}\ncontainers: {publish: {address: 127.0.0.1}}\n",
            "containers.publish.address: a swarm publishes ports on every address of a node. "
            "Leave it out, and close the nodes' other addresses with a firewall.",
        ),
    ],
)
def test_what_a_swarm_cannot_have_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(OperatorError) as caught:
        render("swarm", planned(tmp_path, text))
    assert str(caught.value) == message


def test_valkey_keeps_the_sessions_of_all_nodes(tmp_path: Path) -> None:
    text = ALL.replace("{ids: signed}", "{ids: signed, store: valkey}").replace(
        "cpus: 1.5", "valkey: {image: v:9, memory_mb: 1000}"
    )
    whole = stack(tmp_path, text)
    valkey = whole["services"]["valkey"]
    assert valkey["image"] == "v:9" and "ports" not in valkey and valkey["networks"] == ["instances"]
    assert valkey["read_only"] is True and valkey["cap_drop"] == ["ALL"] and valkey["user"] == "999:999"
    assert valkey["command"][:3] == ["valkey-server", "--protected-mode", "no"] and "600mb" in valkey["command"]
    assert valkey["deploy"]["update_config"]["order"] == "stop-first"
    assert valkey["deploy"]["placement"] == {"constraints": ["node.labels.apps == yes"]}
    assert {"type": "volume", "source": "sessions", "target": "/data"} in valkey["volumes"]
    assert set(whole["volumes"]) == {"closed", "sessions"}
    for name in ("app", "app-maps"):
        command = whole["services"][name]["command"]
        assert command[command.index("--store") + 1] == "redis://valkey:6379"


def test_stack_has_no_valkey_unless_it_is_asked_for(tmp_path: Path) -> None:
    whole = stack(tmp_path, THREE)
    assert list(whole["services"]) == ["proxy", "app"] and list(whole["volumes"]) == ["closed"]
    assert "--store" not in whole["services"]["app"]["command"]


def test_address_of_a_store_is_a_secret_of_the_swarm(tmp_path: Path) -> None:
    text = THREE + "secrets: {store: {file: /etc/store}}\n"
    written = render("swarm", planned(tmp_path, text))["swarm.yaml"].text
    assert "#   docker secret create app-server-store-1 /etc/store\n" in written
    assert yaml.safe_load(written)["services"]["app"]["environment"]["APP_SERVER_STORE_FILE"] == "/run/secrets/store"
