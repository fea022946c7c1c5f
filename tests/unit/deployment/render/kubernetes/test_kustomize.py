"""The folders for kustomize, as they are written; test_kubectl.py has them built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.render import Files, render
from app_server.deployment.render.kubernetes.manifests import parts
from tests.support.deployments.yaml_texts import read_documents
from tests.unit.deployment.making import loaded
from tests.unit.deployment.render.kubernetes.making import CLUSTER, DEPLOYMENTS

ALL = "two pools, secrets, TLS"


def written(folder: Path, text: str) -> Files:
    return render("kustomize", resolve_plan(loaded(folder, text), layout="cluster"))


def read(files: Files, path: str) -> Any:
    return yaml.safe_load(files[f"kustomize/{path}/kustomization.yaml"].text)


def test_base_has_only_what_every_cluster_takes(tmp_path: Path) -> None:
    files = written(tmp_path, CLUSTER)
    base = "".join(file.text for path, file in files.items() if path.startswith("kustomize/base/"))
    for kind in ("HTTPRoute", "PodMonitor", "HorizontalPodAutoscaler", "Ingress"):
        assert f"kind: {kind}\n" not in base
    assert read(files, "base")["resources"] == ["namespace.yaml", "valkey.yaml", "instances.yaml", "proxy.yaml"]


def test_overlay_of_the_site_has_every_component(tmp_path: Path) -> None:
    files = written(tmp_path, CLUSTER)
    found = read(files, "overlays/site")
    names = ["monitoring", "autoscaling", "ingress", "gateway"]
    assert found["components"] == [f"../../components/{name}" for name in names]
    for name in names:
        assert read(files, f"components/{name}")["kind"] == "Component"
    assert "components" not in read(written(tmp_path, DEPLOYMENTS["three"]), "overlays/site")


@pytest.mark.parametrize("text", [*DEPLOYMENTS.values(), CLUSTER])
def test_every_file_is_named_once(tmp_path: Path, text: str) -> None:
    files = written(tmp_path, text)
    for path in files:
        folder, _, name = path.rpartition("/")
        if name not in ("kustomization.yaml", "prometheus-adapter.values.yaml"):
            assert read(files, folder.removeprefix("kustomize/"))["resources"].count(name) == 1


@pytest.mark.parametrize(
    ("image", "entry"),
    [
        ("registry.example.org:5000/tools/site:42", {"name": "registry.example.org:5000/tools/site", "newTag": "42"}),
        ("tools", {"name": "tools", "newTag": "latest"}),
        (f"tools@sha256:{'a' * 64}", {"name": "tools", "digest": f"sha256:{'a' * 64}"}),
    ],
)
def test_images_can_be_set_in_the_overlay(tmp_path: Path, image: str, entry: dict[str, str]) -> None:
    text = DEPLOYMENTS["three"] + f"containers: {{images: {{app: '{image}'}}}}\n"
    assert read(written(tmp_path, text), "overlays/site")["images"][0] == entry


def test_commands_for_secrets_are_at_the_head_of_the_base_and_no_secret_is_in_a_file(tmp_path: Path) -> None:
    files = written(tmp_path, DEPLOYMENTS[ALL])
    head = files["kustomize/base/kustomization.yaml"].text
    assert "#   kubectl -n tools create secret generic site-secrets --from-file=secret_key=FILE\n" in head
    assert "kind: Secret\n" not in "".join(file.text for file in files.values())


def test_rule_for_the_adapter_is_beside_the_autoscaler_and_is_no_resource(tmp_path: Path) -> None:
    files = written(tmp_path, CLUSTER)
    assert "kustomize/components/autoscaling/prometheus-adapter.values.yaml" in files
    assert read(files, "components/autoscaling")["resources"] == ["autoscaling.yaml"]


def test_objects_are_those_of_the_target_kubernetes(tmp_path: Path) -> None:
    plan = resolve_plan(loaded(tmp_path, CLUSTER), layout="cluster")
    files = render("kustomize", plan)
    for part, objects in parts(plan).items():
        (path,) = [path for path in files if path.endswith(f"/{part}.yaml")]
        assert read_documents(files[path].text) == list(objects)
