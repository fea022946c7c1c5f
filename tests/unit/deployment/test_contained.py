"""What containers are made of: the images' names, and where paths lead."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from app_server.deployment.contained import is_base, seen_from
from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import render
from app_server.deployment.rollout.contents import for_volume
from tests.unit.deployment.making import loaded


def planned(folder: Path, text: str, environment: str | None = None, beside: str = ".") -> Plan:
    return resolve_plan(loaded(folder, f"apps: {{a: a.py}}\n{text}\n", environment), layout="compose", beside=beside)


@pytest.mark.parametrize(
    ("text", "app", "proxy"),
    [
        ("name: sales", "sales:latest", "app-server-nginx:latest"),
        ("name: sales\ncontainers: {build_context: .}", "sales:latest", "sales:nginx"),
        ("containers: {build_context: .}", "app-server-apps:latest", "app-server-apps:nginx"),
        ("name: sales-nginx\ncontainers: {build_context: .}", "sales-nginx:latest", "sales-nginx:nginx"),
        ("name: a--b_-c-\nproxy: apache\ncontainers: {build_context: .}", "a-b-c:latest", "a-b-c:apache"),
        ("containers: {images: {app: 'x:1', proxy: 'y:2'}}", "x:1", "y:2"),
        # What is mounted is in no image: this is the base itself.
        ("name: sales\npaths: {apps: /srv/x}", "app-server:latest", "app-server-nginx:latest"),
        ("name: sales\npaths: {apps: /srv/x}\nimage: team/base:2", "team/base:2", "app-server-nginx:latest"),
    ],
)
def test_images_are_called_after_the_deployment(tmp_path: Path, text: str, app: str, proxy: str) -> None:
    made = planned(tmp_path, text).contained
    assert (made.app, made.proxy) == (app, proxy)


def test_environments_share_neither_project_nor_image(tmp_path: Path) -> None:
    text = "name: sales\ncontainers: {build_context: .}\nenvironments: {staging: {}}"
    for environment, name in ((None, "sales"), ("staging", "sales-staging")):
        document = yaml.safe_load(render("compose", planned(tmp_path, text, environment))["compose.yaml"].text)
        images = {service["image"] for service in document["services"].values()}
        assert (document["name"], images) == (name, {f"{name}:latest", f"{name}:nginx"})


def test_named_base_takes_the_place_of_the_one_that_would_be_built(tmp_path: Path) -> None:
    text = "name: sales\ncontainers: {build_context: .}\nimage: {base: 'registry.example.org/app-server:2'}"
    plan = planned(tmp_path, text)
    document = yaml.safe_load(render("compose", plan)["compose.yaml"].text)
    build = document["services"]["app-a1"]["build"]
    assert build["additional_contexts"] == {
        "apps": ".", "app-server": "docker-image://registry.example.org/app-server:2"
    }  # fmt: skip
    assert (plan.contained.base, plan.contained.builds_app) == ("registry.example.org/app-server:2", True)


def test_base_with_mounted_applications_is_run_as_it_is(tmp_path: Path) -> None:
    text = "paths: {apps: /srv/x}\ncontainers: {build_context: .}\nimage: team/base:2"
    service = yaml.safe_load(render("compose", planned(tmp_path, text))["compose.yaml"].text)["services"]["app-a1"]
    assert service["image"] == "team/base:2" and "build" not in service and "pull_policy" not in service


@pytest.mark.parametrize(
    ("containers", "environment", "images"),
    [
        ("build_context: ., images: {app: 'x:1', proxy: r/y}", "{}", ("x:1-staging", "r/y:latest-staging")),
        ("build_context: ., images: {app: 'x:1'}", "{containers: {images: {app: 'x:2'}}}",
         ("x:2", "sales-staging:nginx")),
        ("build_context: ., images: {app: 'x:1'}", "{name: sales}", ("x:1", "sales:nginx")),
        # One that was built elsewhere is the same everywhere.
        ("images: {app: 'x:1', proxy: y}", "{}", ("x:1", "y")),
    ],
)  # fmt: skip
def test_environment_that_builds_has_images_of_its_own(
    tmp_path: Path, containers: str, environment: str, images: tuple[str, str]
) -> None:
    text = f"name: sales\ncontainers: {{{containers}}}\nenvironments: {{staging: {environment}}}"
    made = planned(tmp_path, text, "staging").contained
    assert (made.app, made.proxy) == images


@pytest.mark.parametrize(
    ("image", "verdict"),
    [
        ("app-server", True), ("app-server:latest", True), ("app-server:2", True), ("app-server-nginx:x", True),
        ("app-server-apps:latest", False), ("team/app-server", False), ("localhost:5000/app-server:1", False),
    ],
)  # fmt: skip
def test_base_is_known_by_its_name(image: str, verdict: bool) -> None:
    assert is_base(image) is verdict


@pytest.mark.parametrize(
    ("beside", "path", "seen"),
    [
        (".", ".", "."), (".", "apps", "./apps"), (".", "./apps", "./apps"), ("..", ".", ".."),
        ("..", "apps", "../apps"),
        ("deploy", "..", "."), ("deploy", "../examples", "./examples"), ("..", "/srv/x", "/srv/x"),
        ("..", "..", "../.."),
    ],
)  # fmt: skip
def test_paths_begin_where_deploy_yaml_is(beside: str, path: str, seen: str) -> None:
    assert seen_from(beside, path) == seen


def test_generated_files_find_what_they_name_from_their_folder(tmp_path: Path) -> None:
    text = "containers: {build_context: ../clone, source: site}\ntls: development"
    document = yaml.safe_load(render("compose", planned(tmp_path, text, beside=".."))["compose.yaml"].text)
    build = document["services"]["app-a1"]["build"]
    assert (build["context"], build["additional_contexts"]) == ("../../clone", {"apps": "../site"})
    assert document["secrets"]["certificate"] == {"file": "../certificates/localhost.pem"}


def test_proxy_of_an_image_that_was_not_built_reads_its_configuration_from_beside(tmp_path: Path) -> None:
    plan = planned(tmp_path, "name: sales")

    def mounts(plan: Plan) -> dict[str, str]:
        service = yaml.safe_load(render("compose", plan)["compose.yaml"].text)["services"]["proxy"]
        return {each["target"]: each["source"] for each in service["volumes"] if isinstance(each, dict)}

    assert mounts(plan) == {
        "/etc/nginx/conf.d/app-server.conf": "./docker/nginx/site/sales.conf",
        "/etc/nginx/nginx.conf": "./docker/nginx/site/nginx.conf",
    }
    assert mounts(for_volume(plan)) == {}


@pytest.mark.parametrize(
    ("public", "ports"),
    [
        ("localhost", ["127.0.0.1:8080:8080"]),
        ("['127.0.0.1', localhost]", ["127.0.0.1:8080:8080"]),
        ("[localhost, tools.example.org]", ["8080:8080"]),
    ],
)
def test_site_that_is_called_localhost_is_published_there_only(tmp_path: Path, public: str, ports: list[str]) -> None:
    document = yaml.safe_load(render("compose", planned(tmp_path, f"public: {public}"))["compose.yaml"].text)
    assert document["services"]["proxy"]["ports"] == ports


def test_maintenance_has_a_place_that_a_container_can_write(tmp_path: Path) -> None:
    for kind in ("nginx", "apache"):
        plan = planned(tmp_path, f"proxy: {kind}\nmaintenance: {{file: /etc/x/closed}}")
        files = render("compose", plan)
        assert any("/var/lib/app-server/maintenance" in file.text for file in files.values())
        assert not any("/etc/x/closed" in file.text for file in files.values())
        proxy = yaml.safe_load(files["compose.yaml"].text)["services"]["proxy"]
        assert "closed:/var/lib/app-server" in proxy["volumes"]
