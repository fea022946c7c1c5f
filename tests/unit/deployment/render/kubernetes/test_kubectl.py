"""What kubectl makes of the manifests on this side of a cluster: it builds the overlays, reads every object, and makes
secrets. No cluster is asked for more than the names of its kinds."""

from __future__ import annotations

import base64
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from app_server.deployment.output_tree import write_tree
from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.render import render
from tests.support.deployments.discovery import discovery
from tests.support.deployments.yaml_texts import read_documents
from tests.support.missing import missing
from tests.support.waiting import patience
from tests.unit.deployment.making import loaded
from tests.unit.deployment.render.kubernetes.making import CLUSTER, CUSTOM, DEPLOYMENTS, manifests, of_kind

# The first version whose kustomize knows components.
OLDEST = (1, 21)
TEXTS = {**DEPLOYMENTS, "all of a cluster, scaled": CLUSTER}


@pytest.fixture(scope="module")
def program() -> str:
    """kubectl, new enough."""
    found = os.environ.get("APP_SERVER_TEST_KUBECTL") or shutil.which("kubectl")
    if found is None:
        missing("kubectl is not installed (Debian 13: apt install kubernetes-client)")
    said = subprocess.run([found, "version", "--client"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"v(\d+)\.(\d+)", said)
    if version is None or (int(version[1]), int(version[2])) < OLDEST:
        missing(f"kubectl is older than 1.21: {said.strip()}")
    return found


def run(program: str, home: Path, *words: str, text: str = "") -> str:
    """What kubectl prints; it knows no cluster, and keeps its cache in `home`."""
    with subprocess.Popen(
        [program, f"--cache-dir={home}/cache", *words], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={"HOME": str(home), "PATH": os.environ["PATH"], "KUBECONFIG": str(home / "none")},
    ) as process:  # fmt: skip
        try:
            printed, said = process.communicate(text, timeout=patience(30))
        except subprocess.TimeoutExpired:
            # A program in Go says then what each of its threads waits for.
            process.send_signal(signal.SIGQUIT)
            pytest.fail(f"kubectl {shlex.join(words)} hangs:\n{process.communicate()[1]}")
    assert process.returncode == 0, said
    return printed


def overlay(program: str, folder: Path, text: str, name: str) -> list[dict[str, Any]]:
    """The objects that kustomize builds from an overlay of this deploy.yaml."""
    plan = resolve_plan(loaded(folder, text), layout="cluster")
    write_tree(folder / "site", plan, render("kustomize", plan), force=False)
    built = run(program, folder, "kustomize", str(folder / "site" / "kustomize" / "overlays" / name))
    return read_documents(built)


def by_name(objects: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    found = {(each["kind"], each["metadata"]["name"]): each for each in objects}
    assert len(found) == len(objects)
    return found


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_overlay_of_the_site_is_what_the_target_kubernetes_writes(program: str, tmp_path: Path, text: str) -> None:
    assert by_name(overlay(program, tmp_path, text, "site")) == by_name(manifests(tmp_path, text))


@pytest.mark.parametrize("text", [DEPLOYMENTS["a Valkey"], CLUSTER], ids=["a Valkey", "all of a cluster"])
def test_overlay_for_a_desk_needs_neither_registry_nor_several_nodes(program: str, tmp_path: Path, text: str) -> None:
    import kubernetes_validate

    objects = overlay(program, tmp_path, text, "local")
    for each in objects:
        assert each["kind"] not in CUSTOM
        kubernetes_validate.validate(each, "1.33", strict=True)
    pods = of_kind("StatefulSet", objects) + of_kind("Deployment", objects)
    for each in pods:
        spec = each["spec"]["template"]["spec"]
        assert spec["containers"][0]["imagePullPolicy"] == "IfNotPresent"
        assert "topologySpreadConstraints" not in spec
    (proxy,) = [each for each in pods if each["metadata"]["name"].endswith("-proxy")]
    (service,) = [each for each in of_kind("Service", objects) if each["metadata"]["name"].endswith("-proxy")]
    assert (proxy["spec"]["replicas"], service["spec"]["type"]) == (1, "NodePort")


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address where kubectl learns which kinds there are."""
    with discovery() as address:
        yield address


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_client_side_of_apply_takes_every_object(program: str, tmp_path: Path, cluster: str, text: str) -> None:
    file = tmp_path / "kubernetes.yaml"
    file.write_text(yaml.safe_dump_all(manifests(tmp_path, text)), encoding="utf-8")
    words = ("apply", "--dry-run=client", "--validate=false", "-f", str(file))
    lines = run(program, tmp_path, f"--server={cluster}", *words).splitlines()
    assert [line for line in lines if not line.endswith(" created (dry run)")] == []
    assert len(lines) == len(manifests(tmp_path, text))


def test_commands_at_the_head_make_the_secrets_that_pods_mount(program: str, tmp_path: Path) -> None:
    text = DEPLOYMENTS["two pools, secrets, TLS"]
    plan = resolve_plan(loaded(tmp_path, text), layout="cluster")
    lines = render("kubernetes", plan)["kubernetes.yaml"].text.splitlines()
    commands = [shlex.split(line.removeprefix("#")) for line in lines if line.startswith("#   kubectl ")]
    secret = tmp_path / "FILE"
    secret.write_text("s3cret\n", encoding="utf-8")
    made = {}
    for command in commands:
        if "tls" in command:
            continue  # needs a key pair; what it makes has the keys tls.crt and tls.key by its type
        words = [word.replace("=FILE", f"={secret}") for word in command[1:]]
        each = yaml.safe_load(run(program, tmp_path, *words, "--dry-run=client", "-o", "yaml"))
        made[each["kind"]] = each
    assert made["Namespace"]["metadata"]["name"] == made["Secret"]["metadata"]["namespace"] == "tools"
    assert made["Secret"]["metadata"]["name"] == "site-secrets"
    assert base64.b64decode(made["Secret"]["data"]["secret_key"]) == b"s3cret\n"


def test_secret_goes_from_the_command_that_makes_it_to_the_cluster_without_a_file(program: str, tmp_path: Path) -> None:
    words = "create secret generic tools-secrets --from-file=secret_key=/dev/stdin --dry-run=client -o yaml"
    each = yaml.safe_load(run(program, tmp_path, *words.split(), text="s3cret\n"))
    assert base64.b64decode(each["data"]["secret_key"]) == b"s3cret\n"
