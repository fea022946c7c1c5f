"""The manifests of the target kubernetes as a base, components and overlays for kustomize.

The base is what every cluster has. What needs something that a cluster may lack, such as the Gateway API or the
Prometheus Operator, is a component. The overlay `site` has all of what the deployment asks for, and `local` is for a
cluster on a desk. Overlays of one's own lie beside the generated folder and name one of these as their resource.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import yaml

from app_server.deployment.image_names import ImageName
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import File, Files
from app_server.deployment.render.kubernetes.manifests import dumped, made_before, parts
from app_server.deployment.render.kubernetes.objects import Object, proxy_name
from app_server.deployment.render.kubernetes.scaling import ADAPTER_RULE
from app_server.deployment.render.templates import comments

TARGET: Final = "kustomize"
COMPONENTS: Final = ("monitoring", "autoscaling", "ingress", "gateway")
_API: Final = "kustomize.config.k8s.io"


def wanted(plan: Plan) -> bool:
    """`all` is for hosts; containers must be requested."""
    return False


def render(plan: Plan) -> Files:
    """The folders for `kubectl apply -k`."""
    found = parts(plan)
    base = {part: objects for part, objects in found.items() if part not in COMPONENTS}
    components = {part: objects for part, objects in found.items() if part in COMPONENTS}
    files = dict(_folder(plan, "base", base, made_before(plan)))
    for part, objects in components.items():
        files.update(_folder(plan, f"components/{part}", {part: objects}))
    if "autoscaling" in components:
        files["kustomize/components/autoscaling/prometheus-adapter.values.yaml"] = File(ADAPTER_RULE)
    files["kustomize/overlays/site/kustomization.yaml"] = _kustomization(plan, {
        "resources": ["../../base"],
        **({"components": [f"../../components/{part}" for part in components]} if components else {}),
        "images": list(_images(found)),
    }, "  kubectl apply -k overlays/site")  # fmt: skip
    files["kustomize/overlays/local/kustomization.yaml"] = _kustomization(plan, {
        "resources": ["../../base"],
        **({"replicas": [{"name": proxy_name(plan), "count": 1}]} if plan.has_proxy else {}),
        "patches": list(_local_patches(plan, found)),
    }, "For a cluster on a desk, such as kind or minikube: images that are loaded into it, and one proxy.")  # fmt: skip
    return files


def _folder(
    plan: Plan, folder: str, found: Mapping[str, Sequence[Object]], more: Iterable[str] = ()
) -> Iterator[tuple[str, File]]:
    """A file for each part, and the kustomization that names them."""
    for part, objects in found.items():
        yield f"kustomize/{folder}/{part}.yaml", File(comments(plan, TARGET) + dumped(objects))
    about = {"resources": [f"{part}.yaml" for part in found]}
    is_component = folder != "base"
    yield f"kustomize/{folder}/kustomization.yaml", _kustomization(plan, about, *more, component=is_component)


def _kustomization(plan: Plan, about: Mapping[str, Any], *more: str, component: bool = False) -> File:
    kind = ("v1alpha1", "Component") if component else ("v1beta1", "Kustomization")
    whole = {"apiVersion": f"{_API}/{kind[0]}", "kind": kind[1], **about}
    return File(comments(plan, TARGET, *more) + dumped([whole]))


def _images(found: Mapping[str, Sequence[Object]]) -> Iterator[dict[str, str]]:
    """Every image with its tag or digest, where `kustomize edit set image` finds it."""
    images = [pod["containers"][0]["image"] for pod in _pods(found)]
    for image in dict.fromkeys(images):
        name = ImageName.of(image)
        which = {"digest": name.digest} if name.digest else {"newTag": name.tag or "latest"}
        yield {"name": name.repository, **which}


def _pods(found: Mapping[str, Sequence[Object]]) -> Iterator[Object]:
    """The spec of every pod."""
    for objects in found.values():
        yield from (each["spec"]["template"]["spec"] for each in objects if "template" in each.get("spec", {}))


def _local_patches(plan: Plan, found: Mapping[str, Sequence[Object]]) -> Iterator[Object]:
    """JSON patches (RFC 6902): a port on the node, and images that no registry has."""
    if plan.has_proxy:
        reachable = {"op": "add", "path": "/spec/type", "value": "NodePort"}
        yield _patch({"kind": "Service", "name": proxy_name(plan)}, reachable)
    for kind in ("StatefulSet", "Deployment"):
        # Without it, an image with the tag `latest` is pulled.
        path = "/spec/template/spec/containers/0/imagePullPolicy"
        yield _patch({"kind": kind}, {"op": "add", "path": path, "value": "IfNotPresent"})
    if any("topologySpreadConstraints" in pod for pod in _pods(found)):
        path = "/spec/template/spec/topologySpreadConstraints"
        for kind in ("StatefulSet", "Deployment"):
            yield _patch({"kind": kind}, {"op": "remove", "path": path})


def _patch(target: Mapping[str, str], *operations: Object) -> Object:
    return {"target": dict(target), "patch": yaml.safe_dump(list(operations), sort_keys=False)}
