"""What only a Kubernetes cluster has: its own front doors, registries, monitoring, and who may choose user ids."""

from typing import Annotated, ClassVar

from pydantic import Field

from app_server.deployment.spec.base import Model
from app_server.deployment.spec.readers import LIST, Flag, text
from app_server.deployment.spec.words import Line

ObjectName = Annotated[str, text("the name of a Kubernetes object: a-z, 0-9, '-' and '.', at most 253",
                  r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")]  # fmt: skip


class Ingress(Model):
    """An Ingress that leads to the proxy."""

    short: ClassVar[str | None] = "class_name"

    class_name: ObjectName | None = None
    """the IngressClass; else the cluster's default"""
    tls_secret: ObjectName | None = None
    """the Secret with the Ingress's own certificate; then say `public.scheme: https` and `tls: off`"""
    annotations: dict[str, Line] = Field(default_factory=dict)
    """what its controller wants to know, such as a longer timeout for WebSockets"""


class Gateway(Model):
    """A Gateway (Gateway API) to which an HTTPRoute attaches the proxy."""

    short: ClassVar[str | None] = "name"

    name: ObjectName
    """the Gateway's name"""
    namespace: ObjectName | None = None
    """its namespace; else the deployment's own"""
    section: ObjectName | None = None
    """which of its listeners; else all"""


class Kubernetes(Model):
    """For the target kubernetes."""

    ingress: Ingress | None = None
    """lead people to the proxy by an Ingress; a bare word is its class"""
    gateway: Gateway | None = None
    """lead people to the proxy by an HTTPRoute; a bare word is the Gateway's name"""
    image_pull_secrets: Annotated[tuple[ObjectName, ...], LIST] = ()
    """the Secrets that open the images' registry"""
    spread: Flag = True
    """put instances on different nodes and zones, where there are several"""
    prometheus: ObjectName | None = None
    """the namespace of Prometheus, which may then ask each instance for /metrics; a PodMonitor says where"""
    assigned_users: Flag = False
    """leave user and group ids to the cluster, as OpenShift wants it"""
