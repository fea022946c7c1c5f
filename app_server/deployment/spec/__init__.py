"""The grammar of deploy.yaml, as pydantic models. Their docstrings appear in the schema, the example and the manual.

Importing this imports pydantic: only commands that read a deployment do. The annotations are not strings
(no `from __future__ import annotations`): pydantic would compile each of them, which takes a third of the startup.
"""

from typing import Annotated, Any

from pydantic import Field

from app_server.deployment.spec.applications import (
    Application,
    ApplicationLimits,
    Applications,
    Instances,
    OwnInstances,
    ServerHost,
)
from app_server.deployment.spec.base import Model
from app_server.deployment.spec.cluster import Gateway, Ingress, Kubernetes
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
from app_server.deployment.spec.readers import LIST
from app_server.deployment.spec.running import (
    Containers,
    Logs,
    Paths,
    Secret,
    Secrets,
    Service,
    Sessions,
    Tunnel,
)
from app_server.deployment.spec.words import Line, Name, Word

__all__ = [
    "Access", "Application", "Containers", "Embedding", "Gateway", "Headers", "Ingress", "Instances", "Kubernetes",
    "ApplicationLimits", "Logs", "Maintenance",
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
    public: Public = Field(default_factory=Public)
    """the address that people type; a bare value is its host"""
    instances: Instances = Field(default_factory=Instances)
    """the server's processes; a bare number is their count"""
    proxy: Proxy = Field(default_factory=Proxy)
    """the web server in front; a bare word is its kind"""
    tls: Tls = Field(default_factory=Tls)
    """encryption; a bare word is its mode"""
    embedding: Embedding = Field(default_factory=Embedding)
    """other sites that show the applications"""
    headers: Headers = Field(default_factory=Headers)
    """security headers"""
    rate_limits: RateLimits = Field(default_factory=RateLimits)
    """how much one address may request"""
    access: Access = Field(default_factory=Access)
    """who may connect"""
    maintenance: Maintenance = Field(default_factory=Maintenance)
    """the page that says "back soon\""""
    sessions: Sessions = Field(default_factory=Sessions)
    """sessions of every application"""
    secrets: Secrets = Field(default_factory=Secrets)
    """where secrets come from"""
    server: dict[str, Annotated[tuple[Word, ...], LIST]] = Field(default_factory=dict)
    """further settings of the server by their names in docs/settings.md, such as `keep_alive_ms: 20000`"""
    logs: Logs = Field(default_factory=Logs)
    """log files"""
    service: Service = Field(default_factory=Service)
    """the program that starts the instances; a bare word is its name"""
    containers: Containers = Field(default_factory=Containers)
    """for container targets"""
    kubernetes: Kubernetes = Field(default_factory=Kubernetes)
    """settings of Kubernetes only"""
    tunnels: dict[Name, Tunnel] = Field(default_factory=dict)
    """tunnels through SSH by name"""
    paths: Paths = Field(default_factory=Paths)
    """where things are on a host"""
    environments: Annotated[dict[Name, Any], Field(default_factory=dict)]
    """what differs in other environments, by name: `-e staging` merges `environments.staging` into the rest"""
