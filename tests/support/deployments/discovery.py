"""What kubectl asks a cluster before it works by itself: which kinds of objects there are.

`kubectl apply --dry-run=client` reads and maps every object on this side, but it must know the kinds, and whether an
object is there already. This says so, and that none is. It stores nothing and checks nothing: it is not a cluster.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
CLUSTER_WIDE = ("namespaces",)
KINDS = {
    "v1": {"namespaces": "Namespace", "configmaps": "ConfigMap", "services": "Service", "secrets": "Secret"},
    "apps/v1": {"deployments": "Deployment", "statefulsets": "StatefulSet"},
    "policy/v1": {"poddisruptionbudgets": "PodDisruptionBudget"},
    "networking.k8s.io/v1": {"networkpolicies": "NetworkPolicy", "ingresses": "Ingress"},
    "autoscaling/v2": {"horizontalpodautoscalers": "HorizontalPodAutoscaler"},
    "gateway.networking.k8s.io/v1": {"httproutes": "HTTPRoute"},
    "monitoring.coreos.com/v1": {"podmonitors": "PodMonitor", "servicemonitors": "ServiceMonitor"},
}
"""The resources of each version of an API, and the kind of each."""


def _listed(*, core: bool) -> Mapping[str, Any]:
    """The list of groups, as the aggregated discovery has it (Kubernetes, apidiscovery.k8s.io/v2)."""
    groups: defaultdict[str, list[Any]] = defaultdict(list)
    for api, resources in KINDS.items():
        group, _, version = api.rpartition("/")
        if core == (group == ""):
            groups[group].append({"version": version, "resources": [
                {
                    "resource": resource, "singularResource": kind.lower(), "verbs": ["create", "get", "patch"],
                    "responseKind": {"group": group, "version": version, "kind": kind},
                    "scope": "Cluster" if resource in CLUSTER_WIDE else "Namespaced",
                }
                for resource, kind in resources.items()
            ]})  # fmt: skip
    items = [{"metadata": {"name": group}, "versions": versions} for group, versions in groups.items()]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


class _Discovery(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path in ("/api", "/apis"):
            self._answer(200, DISCOVERY, _listed(core=path == "/api"))
        else:
            gone = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
            self._answer(404, "application/json", gone)

    def _answer(self, status: int, kind: str, value: Mapping[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def discovery() -> Iterator[str]:
    """The address of a server that answers kubectl's questions while this lasts."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Discovery) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
