"""What renderers read: every instance with its address and start command, every name, path and origin."""

from __future__ import annotations

import glob
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from app_server.deployment.contained import Contained
from app_server.deployment.plan.addresses import authority
from app_server.deployment.plan.defaults import APPLICATION_SECRETS, CONTAINER_CLOSED
from app_server.deployment.spec import Spec, Tunnel
from app_server.deployment.targets import Layout
from app_server.deployment.yaml_nodes import YamlEntry
from app_server.security.hostnames import bracketed
from app_server.sources.route_patterns import RoutePattern


@dataclass(frozen=True, slots=True)
class Paths:
    """Where things are on a host, all absolute."""

    command: tuple[str, ...]
    apps: str
    etc: str
    run: str
    log: str
    state: str
    static: str
    nginx: str = "/etc/nginx/conf.d"
    apache: str = "/etc/apache2/sites-available"


@dataclass(frozen=True, slots=True)
class App:
    """An application, and where browsers find it."""

    name: str
    path: str
    url: str
    """its path with the prefix, such as /tools/dash; "/" is never its end unless it is all"""
    pool: str

    @property
    def has_placeholders(self) -> bool:
        """Whether its address stands for many."""
        return "/{" in self.url

    @property
    def mount(self) -> str:
        """The path below which a proxy finds all of it: its url, or what of that comes before the first placeholder."""
        return self.url.partition("/{")[0]

    @property
    def sample(self) -> str:
        """A path at which it answers."""
        pattern = RoutePattern.read(self.url)
        return self.url if pattern is None else pattern.sample


@dataclass(frozen=True, slots=True)
class Instance:
    """One process, or one group of processes behind one address.

    `name` is unique in the deployment and names units and containers. `route` is the same where a balancer has to
    find the instance again, None if there is no choice. `address` and `port` are where the proxy reaches it, or
    `unix_socket` is.
    """

    name: str
    route: str | None
    pool: str
    host: str
    index: int
    """its place within the whole deployment, from 0"""
    address: str
    port: int
    unix_socket: str | None
    apps: tuple[str, ...]
    """the applications as its command names them, relative to `Paths.apps`"""
    flags: tuple[str, ...]
    """what follows them, such as --port 5100; `--args` and what belongs to it come last"""
    command: tuple[str, ...]
    """all the words that start it, in the folder `Paths.apps`"""

    @property
    def server(self) -> str:
        """HOST:PORT, or unix: and a path."""
        return f"unix:{self.unix_socket}" if self.unix_socket else f"{bracketed(self.address)}:{self.port}"


@dataclass(frozen=True, slots=True)
class Pool:
    """Instances that serve the same applications. `upstream` is its name in a proxy."""

    name: str
    upstream: str
    apps: tuple[App, ...]
    instances: tuple[Instance, ...]
    is_main: bool
    """whether it has the index page, and all that belongs to no application in particular"""
    spares: int = 0
    """how many of the last instances may be missing: an autoscaler starts them when they are needed"""


@dataclass(frozen=True, slots=True)
class SitePlan:
    """The public address. `hosts[0]` is where redirects lead to; `origins` as `--allow-websocket-origin` takes them."""

    hosts: tuple[str, ...]
    scheme: Literal["http", "https"]
    port: int
    prefix: str
    origins: tuple[str, ...]

    @property
    def authority(self) -> str:
        """HOST, or HOST:PORT where the port is not the scheme's own."""
        return authority(self.hosts[0], self.scheme, self.port)

    @property
    def url(self) -> str:
        """The address to open, with a slash at its end."""
        return f"{self.scheme}://{self.authority}{self.prefix}/"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The proxy's encryption: where certificate and key are. `profile` is Mozilla's."""

    mode: Literal["files", "acme", "development"]
    certificate: str
    key: str
    profile: Literal["intermediate", "modern"]
    openssl: tuple[int, ...] | None
    hsts: bool
    hsts_subdomains: bool
    redirect: bool
    webroot: str | None


@dataclass(frozen=True, slots=True)
class PlannedSecret:
    """A secret's variable, and the one of the three that says where it comes from."""

    name: str
    variable: str
    file: str | None
    environment: str | None
    credential: str | None
    source: str | None = None
    """where a roll-out finds the file, relative to the folder of deploy.yaml; None if it is where `file` says"""

    @property
    def key(self) -> str:
        """The key of deploy.yaml that describes it."""
        return "service.secrets" if self.is_of_applications else f"secrets.{self.name}"

    @property
    def is_of_applications(self) -> bool:
        """Whether it is the file with the applications' own secrets."""
        return self.name == APPLICATION_SECRETS


@dataclass(frozen=True, slots=True)
class PlannedStore:
    """Where the instances save sessions.

    `place` is what `--store` gets; None if sessions are not saved, or if a secret has the address. `mounted` is the
    host's folder that compose shows its containers at `place`; None for a volume.
    """

    kind: Literal["off", "folder", "redis", "valkey"]
    place: str | None = None
    mounted: str | None = None

    @property
    def folder(self) -> str | None:
        """The folder that instances share, as they see it."""
        return self.place if self.kind == "folder" else None


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine: what it is called, where the others reach it, how Ansible does, and what it runs."""

    name: str
    address: str
    ssh: str
    instances: tuple[Instance, ...]
    is_proxy: bool


@dataclass(frozen=True)
class Plan:
    """All that renderers need to know. `spec` has what needs no working out."""

    spec: Spec
    name: str
    layout: Layout
    site: SitePlan
    pools: tuple[Pool, ...]
    machines: tuple[Machine, ...]
    tls: TlsFiles | None
    paths: Paths
    secrets: tuple[PlannedSecret, ...]
    store: PlannedStore
    moves_sessions: bool
    """whether each instance goes on with the sessions of each other one"""
    user: str
    group: str
    drain_s: float
    proxy_drain_s: float
    """how long a proxy that is reloaded keeps its connections"""
    stop_timeout_s: float
    listen_http: int
    listen_https: int
    proxy_version: tuple[int, ...] | None
    """None: any version may come to read it"""
    regenerate: tuple[str, ...]
    """the words of the command line that made this, without the target"""
    source: str
    contained: Contained
    """what containers are made of"""
    tunnels: tuple[tuple[str, Tunnel], ...] = ()
    entry: YamlEntry | None = field(default=None, compare=False, repr=False)
    """where each value was written, for errors; two plans that differ only in this are the same"""

    @property
    def include(self) -> tuple[str, ...]:
        """The patterns of files that belong to the applications: those of `include`, and what the server reads itself.

        That is the file of `setup` and the folders of `static_dirs`, if they are in the applications' folder.
        """
        server = self.spec.server
        named = [*server.get("setup", ()), *(word.partition("=")[2] for word in server.get("static_dirs", ()))]
        own = (posixpath.normpath(path) for path in named if path and not path.startswith(("/", "~")))
        return (*self.spec.include, *(glob.escape(path) for path in own if not path.startswith("..")))

    @property
    def variables(self) -> Mapping[str, str]:
        """What services set in the environment; instances read no pyproject.toml that lies beside the applications."""
        return {"APP_SERVER_USE_CONFIG": "none", **self.spec.service.environment}

    @property
    def instances(self) -> tuple[Instance, ...]:
        """Every instance."""
        return tuple(instance for pool in self.pools for instance in pool.instances)

    @property
    def apps(self) -> tuple[App, ...]:
        """Every application."""
        return tuple(app for pool in self.pools for app in pool.apps)

    @property
    def main_pool(self) -> Pool:
        """The pool with the index page."""
        return next(pool for pool in self.pools if pool.is_main)

    @property
    def maintenance_file(self) -> str:
        """While this file exists, new pages get a notice."""
        if self.layout != "host":
            return f"{CONTAINER_CLOSED}/maintenance"
        return self.spec.maintenance.file or f"{self.paths.etc}/maintenance"

    @property
    def has_metrics(self) -> bool:
        """Whether every instance answers Prometheus."""
        return self.spec.kubernetes.prometheus is not None or all(
            "--metrics" in instance.flags for instance in self.instances
        )

    @property
    def reaches_by_name(self) -> bool:
        """Whether the proxy reaches each instance by the name of its container."""
        return self.layout in ("containers", "cluster")

    @property
    def is_spread(self) -> bool:
        """Whether the instances are on several machines, of which one can vanish without a word."""
        return len(self.spec.instances.hosts) > 1

    @property
    def has_proxy(self) -> bool:
        """Whether anything stands in front of the instances."""
        return self.spec.proxy.kind != "none"
