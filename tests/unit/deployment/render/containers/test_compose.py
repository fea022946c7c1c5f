"""compose.yaml: what it says for a deployment, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import render
from app_server.errors import OperatorError
from tests.support.tools import tool
from tests.unit.deployment.making import loaded

ROOT = Path(__file__).resolve().parents[5]
THREE = "apps: {a: a.py}\ninstances: 3\ncontainers: {build_context: ., source: ./examples}\n"


def planned(folder: Path, text: str) -> Plan:
    return resolve_plan(loaded(folder, text), layout="compose")


def composed(folder: Path, text: str) -> Any:
    """compose.yaml of a deploy.yaml with this text, parsed."""
    return yaml.safe_load(render("compose", planned(folder, text))["compose.yaml"].text)


def test_files_at_the_root_are_what_the_examples_give() -> None:
    written = tool("compose_files").files()
    assert {"compose.yaml", "docker/nginx/site/app-server.conf", "docker/nginx/site/nginx.conf"} <= set(written)
    for path, text in written.items():
        assert (ROOT / path).read_text(encoding="utf-8") == text, f"{path} is out of date: run make docs"


def test_every_container_is_hardened(tmp_path: Path) -> None:
    services = composed(tmp_path, THREE)["services"]
    assert list(services) == ["proxy", "app-a1", "app-a2", "app-a3"]
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["user"] in ("10001:10001", "10002:10001")
        assert service["mem_limit"] == service["memswap_limit"]
        assert service["pids_limit"] > 0
        assert service["restart"] == "unless-stopped"
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
        assert service["healthcheck"]["start_interval"] == "500ms"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "save their sessions, which go on at another one."),
        ("service: {drain_s: 9}\n", "let sessions go on for 9s, and then have some more time to end."),
        ("sessions: {store: off}\nservice: {drain_s: 0}\n", "end their sessions."),
        ("sessions: {restore: off}\nservice: {drain_s: 0}\n", "end their sessions."),
    ],
)
def test_file_says_what_a_stop_does_to_sessions(tmp_path: Path, text: str, said: str) -> None:
    written = render("compose", planned(tmp_path, THREE + text))["compose.yaml"].text
    assert f"# Shared by the instances. When stopped, they {said}\n" in written


def test_stop_takes_longer_than_the_drain(tmp_path: Path) -> None:
    services = composed(tmp_path, THREE + "service: {drain_s: 100}\n")["services"]
    assert {service["stop_grace_period"] for service in services.values()} == {"115s"}


def test_instances_are_reached_by_sockets_alone(tmp_path: Path) -> None:
    plan = planned(tmp_path, THREE)
    services = composed(tmp_path, THREE)["services"]
    assert "ports" not in services["app-a1"]
    assert services["proxy"]["networks"] != services["app-a1"]["networks"]
    assert [instance.server for instance in plan.instances] == [f"unix:/run/app-server/a{n}.sock" for n in (1, 2, 3)]
    site = render("compose", plan)["docker/nginx/site/app-server.conf"].text
    assert "server unix:/run/app-server/a3.sock max_fails=0;" in site


def test_published_port_is_the_one_that_pages_may_come_from(tmp_path: Path) -> None:
    text = "apps: {a: a.py}\npublic: tools.example.org\ncontainers: {publish: {address: 127.0.0.1, http: 8000}}\n"
    services = composed(tmp_path, text)["services"]
    assert services["proxy"]["ports"] == ["127.0.0.1:8000:8080"]
    command = services["app-a1"]["command"]
    assert command[command.index("--allow-websocket-origin") + 1] == "tools.example.org:8000"


def test_port_of_what_stands_in_front_counts_for_pages(tmp_path: Path) -> None:
    text = "apps: {a: a.py}\npublic: {hosts: tools.example.org, scheme: https}\n"
    services = composed(tmp_path, text)["services"]
    assert services["proxy"]["ports"] == ["8080:8080"]
    command = services["app-a1"]["command"]
    assert command[command.index("--allow-websocket-origin") + 1] == "tools.example.org"


def test_applications_are_mounted_where_the_image_has_none(tmp_path: Path) -> None:
    (mount,) = [
        v
        for v in composed(tmp_path, "apps: {a: a.py}\npaths: {apps: /srv/x}\n")["services"]["app-a1"]["volumes"]
        if isinstance(v, dict)
    ]
    assert (mount["source"], mount["target"], mount["read_only"]) == ("/srv/x", "/apps", True)


def test_image_that_holds_the_applications_has_none_mounted(tmp_path: Path) -> None:
    service = composed(tmp_path, "apps: {a: a.py}\ncontainers: {source: ./apps}\n")["services"]["app-a1"]
    assert [volume for volume in service["volumes"] if ":/apps" in volume] == [] and "build" not in service
    assert service["volumes"] == ["sockets:/run/app-server", "sessions:/var/lib/app-server/sessions"]


def test_one_service_builds_the_image_that_all_share(tmp_path: Path) -> None:
    services = composed(tmp_path, THREE)["services"]
    assert services["app-a1"]["build"]["additional_contexts"] == {"apps": "./examples"}
    assert "build" not in services["app-a2"] and services["app-a2"]["pull_policy"] == "never"
    assert "build" not in composed(tmp_path, "apps: {a: a.py}\n")["services"]["app-a1"]


def test_secrets_are_files_and_never_variables(tmp_path: Path) -> None:
    text = "apps: {a: a.py}\nsecrets: {secret_key: {file: /etc/key}, cookie_secret: {environment: COOKIES}}\n"
    document = composed(tmp_path, text)
    assert document["secrets"] == {"secret_key": {"file": "/etc/key"}, "cookie_secret": {"environment": "COOKIES"}}
    app = document["services"]["app-a1"]
    assert app["secrets"] == ["secret_key", "cookie_secret"]
    assert app["environment"]["BOKEH_SECRET_KEY_FILE"] == "/run/secrets/secret_key"
    assert app["environment"]["BOKEH_COOKIE_SECRET_FILE"] == "/run/secrets/cookie_secret"
    assert "BOKEH_COOKIE_SECRET" not in app["environment"]


def test_certificate_is_a_secret_of_the_proxy(tmp_path: Path) -> None:
    document = composed(tmp_path, "apps: {a: a.py}\npublic: a.org\ntls: {certificate: /c.pem, key: /k.pem}\n")
    assert document["secrets"] == {"certificate": {"file": "/c.pem"}, "certificate_key": {"file": "/k.pem"}}
    assert document["services"]["proxy"]["ports"] == ["8080:8080", "8443:8443"]
    plan = planned(tmp_path, "apps: {a: a.py}\npublic: a.org\ntls: {certificate: /c.pem, key: /k.pem}\n")
    site = render("compose", plan)["docker/nginx/site/app-server.conf"].text
    assert "ssl_certificate /run/secrets/certificate;" in site
    assert "return 301 https://a.org:8443$request_uri;" in site


def test_value_with_a_dollar_stays_what_it_is(tmp_path: Path) -> None:
    text = "apps: {a: a.py}\nservice: {environment: {PRICE: '5 ${HOME} \"x\"', SWITCH: 'no'}}\n"
    environment = composed(tmp_path, text)["services"]["app-a1"]["environment"]
    assert (environment["PRICE"], environment["SWITCH"]) == ('5 $${HOME} "x"', "no")


def test_instances_are_under_gunicorn_where_the_deployment_says_so(tmp_path: Path) -> None:
    text = "apps: {a: a.py}\nservice: {manager: gunicorn, workers: 2}\n"
    assert composed(tmp_path, text)["services"]["app-a1"]["command"][:4] == ["gunicorn", "--num-procs", "2", "a.py"]


def test_without_a_proxy_the_instance_is_published(tmp_path: Path) -> None:
    services = composed(tmp_path, "apps: {a: a.py}\nproxy: none\n")["services"]
    assert list(services) == ["app-a1"]
    assert services["app-a1"]["ports"] == ["127.0.0.1:8080:5006"]
    assert services["app-a1"]["environment"]["APP_SERVER_LISTEN"] == "5006"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "apps: {a: a.py}\nproxy: none\ntls: acme\n",
            "tls.mode: a certificate by ACME needs a proxy. Set proxy: nginx.",
        ),
        (
            "apps: {a: a.py}\nsecrets: {secret_key: {credential: key}}\n",
            "secrets.secret_key: containers have no systemd credentials. Use a file or a variable.",
        ),
        (
            "apps: {a: a.py}\nproxy: none\ninstances: 2\n",
            "proxy: several instances cannot share one port. Use a proxy, or instances: 1.",
        ),
    ],
)
def test_what_containers_cannot_have_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(OperatorError) as caught:
        render("compose", planned(tmp_path, text))
    assert str(caught.value) == message


def test_instances_save_their_sessions_in_a_volume_that_they_share(tmp_path: Path) -> None:
    whole = composed(tmp_path, THREE)
    assert "sessions" in whole["volumes"]
    for name in ("app-a1", "app-a2", "app-a3"):
        service = whole["services"][name]
        place = service["command"][service["command"].index("--store") + 1]
        assert f"sessions:{place}" in service["volumes"]
    assert not [volume for volume in whole["services"]["proxy"]["volumes"] if "sessions" in volume]


def test_instance_without_a_proxy_saves_its_sessions_too(tmp_path: Path) -> None:
    whole = composed(tmp_path, "apps: {a: a.py}\nproxy: none\n")
    assert whole["services"]["app-a1"]["volumes"] == ["sessions:/var/lib/app-server/sessions"]
    assert list(whole["volumes"]) == ["sessions"]


def test_folder_of_the_host_is_mounted_and_must_exist(tmp_path: Path) -> None:
    whole = composed(tmp_path, THREE + "sessions: {store: /data/saved}\n")
    (mount,) = [v for v in whole["services"]["app-a1"]["volumes"] if isinstance(v, dict)]
    assert mount == {
        "type": "bind", "source": "/data/saved", "target": "/var/lib/app-server/sessions",
        "bind": {"create_host_path": False},
    }  # fmt: skip
    assert "sessions" not in whole["volumes"]


@pytest.mark.parametrize("store", ["off", "redis://redis.example.org"])
def test_sessions_that_are_in_no_folder_need_no_volume(tmp_path: Path, store: str) -> None:
    whole = composed(tmp_path, f"apps: {{a: a.py}}\nproxy: none\nsessions: {{store: '{store}'}}\n")
    assert "volumes" not in whole and "volumes" not in whole["services"]["app-a1"]
    assert ("--store" in whole["services"]["app-a1"]["command"]) == (store != "off")
