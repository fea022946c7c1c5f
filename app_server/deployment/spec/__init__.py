"""The grammar of deploy.yaml, as pydantic models. Their docstrings are the schema's, the example's and the manual's.

Importing this brings pydantic along: only commands that read a deployment do. The annotations are no strings here
(no `from __future__ import annotations`): pydantic would compile each of them, which takes a third of the start.
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
    """A deployment: what is served, where, and by what. Only `apps` is required."""

    name: Name = "app-server"
    """what units, folders and images are named after; a host may have several deployments of different names"""
    apps: Applications
    """the applications, each by a name of its own: its path, or a block"""
    include: Annotated[tuple[Line, ...], LIST] = ()
    """further files beside the applications that they read, such as `data/*.csv`, for images and releases"""
    requirements: Annotated[tuple[Line, ...], LIST] = ()
    """what pip installs for the applications, as files; else each `requirements.txt` beside them"""
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
    """how much one address may ask for"""
    access: Access = Field(default_factory=Access)
    """who is let in"""
    maintenance: Maintenance = Field(default_factory=Maintenance)
    """the page that says "back soon\""""
    sessions: Sessions = Field(default_factory=Sessions)
    """sessions of every application"""
    secrets: Secrets = Field(default_factory=Secrets)
    """where secrets come from"""
    server: dict[str, Annotated[tuple[Word, ...], LIST]] = Field(default_factory=dict)
    """further settings of the server by their names in docs/settings.md, such as `keep_alive_ms: 20000`"""
    logs: Logs = Field(default_factory=Logs)
    """what is written down"""
    service: Service = Field(default_factory=Service)
    """what starts the instances; a bare word is the manager"""
    containers: Containers = Field(default_factory=Containers)
    """for container targets"""
    kubernetes: Kubernetes = Field(default_factory=Kubernetes)
    """what only a Kubernetes cluster has"""
    tunnels: dict[Name, Tunnel] = Field(default_factory=dict)
    """ways through SSH, each by a name of its own"""
    paths: Paths = Field(default_factory=Paths)
    """where things are on a host"""
    environments: Annotated[dict[Name, Any], Field(default_factory=dict)]
    """what differs elsewhere, by name: `-e staging` lays `environments.staging` over the rest"""
