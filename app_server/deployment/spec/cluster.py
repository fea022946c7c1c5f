"""Settings of a Kubernetes cluster: Ingress or Gateway, registries, monitoring, user ids."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from app_server.deployment.spec.base import Model
from app_server.deployment.spec.readers import LIST, Flag, choice, text, whole
from app_server.deployment.spec.words import Line

ObjectName = Annotated[
    str,
    text(
        "the name of a Kubernetes object: a-z, 0-9, '-' and '.', at most 253",
        r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?",
        also=lambda name: not re.search(r"\.[.-]|-\.", name),
    ),
]

NamespaceName = Annotated[str, text("the name of a Kubernetes namespace: a-z, 0-9 and '-', at most 63",
                     r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")]  # fmt: skip

AnnotationName = Annotated[
    str,
    text(
        "the name of an annotation, such as example.org/timeout",
        r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?",
    ),
]


class Ingress(Model):
    """An Ingress that forwards to the proxy."""

    short: ClassVar[str | None] = "class_name"

    class_name: ObjectName | None = None
    """the IngressClass; default: the cluster's"""
    tls_secret: ObjectName | None = None
    """the Secret with the Ingress's certificate; set `public.scheme: https` and `tls: off` with it"""
    annotations: dict[AnnotationName, Line] = Field(default_factory=dict)
    """settings for its controller, such as a longer timeout for WebSockets"""


class Gateway(Model):
    """A Gateway (Gateway API) to which an HTTPRoute attaches the proxy."""

    short: ClassVar[str | None] = "name"

    name: ObjectName
    """the Gateway's name"""
    namespace: NamespaceName | None = None
    """its namespace; default: the deployment's"""
    section: ObjectName | None = None
    """which of its listeners; default: all"""


class Autoscale(Model):
    """More instances if there are more sessions, by a HorizontalPodAutoscaler."""

    max: Annotated[int, whole(2, 1000)]
    """the most instances of a pool; the fewest are its `instances`"""
    sessions: Annotated[int, whole(1)]
    """how many sessions an instance is to have on average"""


class Kubernetes(Model):
    """For the target kubernetes."""

    ingress: Ingress | None = None
    """reach the proxy through an Ingress; a bare word is its class"""
    gateway: Gateway | None = None
    """reach the proxy through an HTTPRoute; a bare word is the Gateway's name"""
    callers: Annotated[tuple[NamespaceName, ...], LIST] = ()
    """the namespaces of the Ingress controller's or Gateway's pods; with `proxy: none`, only they reach instances"""
    image_pull_secrets: Annotated[tuple[ObjectName, ...], LIST] = ()
    """the Secrets for the images' registry"""
    spread: Flag = True
    """put instances on different nodes and zones, if there are several"""
    prometheus: NamespaceName | None = None
    """the namespace of Prometheus, which may then read /metrics of each instance; a monitor tells it where"""
    monitor: Annotated[Literal["pod", "service"], choice()] = "pod"
    """whether that is a PodMonitor or a ServiceMonitor of the Prometheus Operator"""
    autoscale: Autoscale | None = None
    """start and stop instances by the number of sessions; needs saved sessions and `prometheus`"""
    assigned_users: Flag = False
    """leave user and group ids to the cluster, as OpenShift requires"""
