"""The grammar of deploy.yaml, as pydantic models. Their docstrings appear in the schema, the example and the manual.

Importing this imports pydantic: only commands that read a deployment do. The annotations are not strings
(no `from __future__ import annotations`): pydantic would compile each of them, which takes a third of the startup.
"""

from typing import Annotated, Any

from pydantic import Field

from app_server.deployment.spec.applications import (
    Application,
    ApplicationAccess,
    ApplicationLimits,
    Applications,
    Instances,
    OwnInstances,
    ServerHost,
)
from app_server.deployment.spec.base import Model, block
from app_server.deployment.spec.cluster import Autoscale, Gateway, Ingress, Kubernetes
from app_server.deployment.spec.front import (
    Access,
    Embedding,
    Headers,
    Maintenance,
    Proxy,
    Public,
    RateLimits,
    Tls,
)
from app_server.deployment.spec.image import Built
from app_server.deployment.spec.monitoring import Monitoring
from app_server.deployment.spec.readers import LIST
from app_server.deployment.spec.running import (
    Console,
    Containers,
    Logs,
    Paths,
    Service,
    Sessions,
    Tunnel,
)
from app_server.deployment.spec.secrets import Secret, Secrets
from app_server.deployment.spec.words import Line, Name, Word

__all__ = [
    "Access", "Application", "Autoscale", "Built", "Console", "Containers", "Embedding", "Gateway", "Headers",
    "Ingress", "Instances", "Kubernetes", "ApplicationAccess", "ApplicationLimits", "Logs", "Maintenance", "Monitoring",
    "OwnInstances", "Paths", "Proxy", "Public", "RateLimits", "Secret", "Secrets", "ServerHost", "Service", "Sessions",
    "Spec", "Tls", "Tunnel",
]  # fmt: skip


class Spec(Model):
    """A deployment: which applications are served, where, and by what. Only `apps` is required."""

    name: Name = "app-server"
    """the name of units, folders and images; a host may have several deployments of different names"""
    apps: Applications
    """the applications by name: each is a path, or a block"""
    include: Annotated[tuple[Line, ...], LIST] = ()
    """further files that the applications read, such as `data/*.csv`, for images and releases"""
    requirements: Annotated[tuple[Line, ...], LIST] = ()
    """requirements files that pip installs for the applications; default: each `requirements.txt` beside them"""
    public: Public = block(Public)
    """the address that people type; a bare value is its host"""
    instances: Instances = block(Instances)
    """the server's processes; a bare number is their count"""
    proxy: Proxy = block(Proxy)
    """the web server in front; a bare word is its kind"""
    tls: Tls = block(Tls)
    """encryption; a bare word is its mode"""
    embedding: Embedding = block(Embedding)
    """other sites that show the applications"""
    headers: Headers = block(Headers)
    """security headers"""
    rate_limits: RateLimits = block(RateLimits)
    """how much one address may request"""
    access: Access = block(Access)
    """who may connect"""
    maintenance: Maintenance = block(Maintenance)
    """the page that says "back soon\""""
    sessions: Sessions = block(Sessions)
    """sessions of every application"""
    secrets: Secrets = block(Secrets)
    """where secrets come from"""
    console: Console = block(Console)
    """a page for operators; a bare number is its port"""
    server: dict[str, Annotated[tuple[Word, ...], LIST]] = Field(default_factory=dict)
    """further settings of the server by their names in docs/settings.md, such as `keep_alive_ms: 20000`"""
    logs: Logs = block(Logs)
    """log files"""
    monitoring: Monitoring = block(Monitoring)
    """settings of the alert rules for Prometheus"""
    service: Service = block(Service)
    """the program that starts the instances; a bare word is its name"""
    image: Built = block(Built)
    """what the image of the applications is built on; a bare word is its base"""
    containers: Containers = block(Containers)
    """for container targets"""
    kubernetes: Kubernetes = block(Kubernetes)
    """settings of Kubernetes only"""
    tunnels: dict[Name, Tunnel] = Field(default_factory=dict)
    """tunnels through SSH by name"""
    paths: Paths = block(Paths)
    """where things are on a host"""
    environments: Annotated[dict[Name, Any], Field(default_factory=dict)]
    """what differs in other environments, by name: `-e staging` merges `environments.staging` into the rest"""
