"""A deployment worked out: every instance with its address and start command, every name, path and origin.

A `Plan` is what renderers read. It is a pure function of the spec, so that the same file always gives the same
output, on whatever machine.
"""

from __future__ import annotations

import ipaddress
import itertools
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from app_server.deployment.contained import Contained, contained
from app_server.deployment.flags import common_flags, own_flags
from app_server.deployment.load import DEFAULT_NAME, Loaded
from app_server.deployment.routes import route_for, segment_route
from app_server.deployment.spec import Application, Secret, Spec, Tunnel
from app_server.deployment.targets import Layout
from app_server.deployment.yaml_nodes import YamlEntry

FIRST_PORT = 5100
# Where Bokeh's users look for a server that nothing stands in front of.
DIRECT_PORT = 5006
# Inside containers: each instance's port, and the proxy's, which listens where it needs no privilege.
CONTAINER_PORT = 5006
CONTAINER_HTTP_PORT = 8080
CONTAINER_HTTPS_PORT = 8443
# What Debian 13 has, which our images are made of.
CONTAINER_PROXIES = {"nginx": (1, 26, 3), "apache": (2, 4, 65)}
CONTAINER_SOCKETS = "/run/app-server"
# The proxy's own volume: its root may be read-only, and the site stays closed when its container is replaced.
CONTAINER_CLOSED = "/var/lib/app-server"
# What a stop may take beyond the drain: hooks of sessions, threads of applications.
AFTER_DRAIN_S = 15
VARIABLES = {
    "secret_key": "BOKEH_SECRET_KEY",
    "cookie_secret": "BOKEH_COOKIE_SECRET",
    "oidc_client_secret": "APP_SERVER_OIDC_CLIENT_SECRET",
    "ssl_password": "BOKEH_SSL_PASSWORD",
}
"""The variables of the server's secrets; with _FILE at the end they name a file."""


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


@dataclass(frozen=True, slots=True)
class Instance:
    """One process, or one group of processes behind one address.

    `name` is unique in the deployment and names units and containers. `route` is the same where a balancer has to
    find the instance again, None where there is no choice. `address` and `port` are where the proxy reaches it, or
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
    user: str
    group: str
    drain_s: float
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


def bracketed(host: str) -> str:
    """A host as addresses spell it: an IPv6 address has brackets."""
    return f"[{host}]" if ":" in host else host


def is_address(host: str) -> bool:
    """Whether a host is named by its address, of which no certificate server is told (RFC 6066, section 3)."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def authority(host: str, scheme: str, port: int) -> str:
    """HOST or HOST:PORT, as browsers spell it."""
    return bracketed(host) + ("" if port == (443 if scheme == "https" else 80) else f":{port}")


def version_of(text: str | None) -> tuple[int, ...] | None:
    """(1, 26, 3) for "1.26.3", None where none is stated."""
    return None if text in (None, "detect") else tuple(int(part) for part in str(text).split("."))


def resolve_plan(
    loaded: Loaded,
    *,
    layout: Layout = "host",
    regenerate: tuple[str, ...] = (),
    proxy_version: tuple[int, ...] | None = None,
    openssl: tuple[int, ...] | None = None,
    beside: str = ".",
) -> Plan:
    """The plan of a deployment in one of the layouts. `beside` leads from the generated files to deploy.yaml's folder.

    `proxy_version` and `openssl` are what was found on this machine; what the spec states counts before it.
    OperatorErrors holds what the spec asks for and the server has not.
    """
    spec = loaded.spec
    in_containers = layout != "host"
    if in_containers and spec.proxy.static:
        # The proxy's image holds no BokehJS.
        spec = spec.model_copy(update={"proxy": spec.proxy.model_copy(update={"static": False})})
    tls = _tls(spec, in_containers)
    if tls is not None and tls.openssl is None and not in_containers:
        tls = replace(tls, openssl=openssl)
    site = _site(spec, tls, publishes=layout in ("containers", "compose"))
    paths = _container_paths() if in_containers else _paths(spec)
    pools = _pools(loaded, site, tls, paths, layout)
    user = spec.service.user or spec.name
    drain_s = spec.service.drain_s
    http = spec.proxy.http_port or (80 if tls or site.scheme == "https" else site.port)
    https = spec.proxy.https_port or (site.port if site.scheme == "https" else 443)
    if in_containers:
        http, https = spec.proxy.http_port or CONTAINER_HTTP_PORT, spec.proxy.https_port or CONTAINER_HTTPS_PORT
        proxy_version = CONTAINER_PROXIES.get(spec.proxy.kind)
    return Plan(
        spec=spec,
        name=spec.name,
        layout=layout,
        site=site,
        pools=pools,
        machines=tuple(_machines(spec, pools)),
        tls=tls,
        paths=paths,
        secrets=tuple(_secrets(spec)),
        user=user,
        group=spec.service.group or user,
        drain_s=drain_s,
        stop_timeout_s=spec.service.stop_timeout_s or drain_s + AFTER_DRAIN_S,
        listen_http=http,
        listen_https=https,
        proxy_version=version_of(spec.proxy.version) or proxy_version,
        regenerate=regenerate,
        source=loaded.file,
        contained=contained(loaded, beside),
        tunnels=tuple(spec.tunnels.items()),
        entry=loaded.entry,
    )


def _tls(spec: Spec, in_containers: bool) -> TlsFiles | None:
    tls = spec.tls
    mode = tls.mode or ("files" if tls.certificate else "off")
    if mode == "off":
        return None
    etc = spec.paths.etc or f"/etc/{spec.name}"
    stem = certificate_stem(spec.public.hosts[0])
    certificate, key = {
        "files": (tls.certificate or "", tls.key or tls.certificate or ""),
        # Not certbot's own: the proxy needs files before there is a certificate, and only what it takes gets there.
        "acme": (f"{etc}/tls/certificate.pem", f"{etc}/tls/certificate.key"),
        # The names that `app-server certificate --folder` gives them.
        "development": (tls.certificate or f"{etc}/tls/{stem}.pem", tls.key or f"{etc}/tls/{stem}.key"),
    }[mode]
    if in_containers:
        certificate, key = "/run/secrets/certificate", "/run/secrets/certificate_key"
    return TlsFiles(
        mode=mode,
        certificate=certificate,
        key=key,
        profile=tls.profile,
        openssl=version_of(tls.openssl),
        # A browser that was told to trust a name for two years by a throw-away certificate is hard to win back.
        hsts=tls.hsts and mode != "development",
        hsts_subdomains=tls.hsts_subdomains,
        redirect=tls.redirect,
        webroot=tls.acme.webroot if mode == "acme" else None,
    )


def certificate_stem(host: str) -> str:
    """The name of a host's files that `app-server certificate` makes, without their ends."""
    return re.sub(r"[^A-Za-z0-9.-]", "_", host)


def _site(spec: Spec, tls: TlsFiles | None, *, publishes: bool) -> SitePlan:
    public = spec.public
    scheme: Literal["http", "https"] = public.scheme or ("https" if tls else "http")
    if publishes and public.port is None and public.scheme is None:
        # What people type is the port that the host publishes, unless the file says that something is in front.
        port = published_port(spec, scheme)
    elif spec.proxy.kind == "none":
        port = public.port or spec.instances.port or DIRECT_PORT
    else:
        port = public.port or (443 if scheme == "https" else 80)
    origins = [authority(host, scheme, port) for host in public.hosts]
    # Whoever comes through a tunnel types localhost and the tunnel's port.
    origins += [f"localhost:{tunnel.listen}" for tunnel in spec.tunnels.values()]
    origins += [origin.partition("://")[2] for origin in spec.embedding.origins]
    prefix = "" if public.prefix in ("", "/") else public.prefix.rstrip("/")
    return SitePlan(public.hosts, scheme, port, prefix, tuple(dict.fromkeys(origins)))


def published_port(spec: Spec, scheme: str) -> int:
    """The host's port that leads to the proxy's container."""
    published = spec.containers.publish
    return (published.https or CONTAINER_HTTPS_PORT) if scheme == "https" else (published.http or CONTAINER_HTTP_PORT)


def _container_paths() -> Paths:
    """Where things are in our images, whatever the hosts have."""
    return Paths(
        command=("app-server",),
        apps="/apps",
        etc="/etc/app-server",
        run=CONTAINER_SOCKETS,
        log="/var/log/app-server",
        state="/tmp",
        static="/usr/share/app-server/static",
        apache="/etc/apache2/sites-enabled",
    )


def _paths(spec: Spec) -> Paths:
    given, name = spec.paths, spec.name
    return Paths(
        command=given.command or (f"/opt/{name}/bin/app-server",),
        apps=given.apps or f"/srv/{name}",
        etc=given.etc or f"/etc/{name}",
        run=given.run or f"/run/{name}",
        log=spec.logs.dir or f"/var/log/{name}",
        state=given.state or f"/var/lib/{name}",
        static=given.static or f"/usr/share/{name}/static",
    )


def _secrets(spec: Spec) -> Iterator[PlannedSecret]:
    for name, variable in VARIABLES.items():
        secret: Secret | None = getattr(spec.secrets, name)
        if secret is not None:
            yield PlannedSecret(name, variable, secret.file, secret.environment, secret.credential)


def letter(number: int) -> str:
    """a, b ... z, aa, ab ... for 0, 1 ...: the hosts in instances' names."""
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("a") + rest) + text
    return text


@dataclass(frozen=True)
class _Slot:
    """A place for an instance of a pool, before it has a command."""

    name: str
    host: str
    host_address: str
    number: int
    """its number on the host within the pool, from 0"""


def _slots(spec: Spec, own: str | None, count: int | None) -> Iterator[_Slot]:
    """The places of a pool's instances; `own` is the application that has them for itself."""
    begin = "" if own is None else f"{own.lower().replace('_', '-')}-"
    hosts = spec.instances.hosts
    if not hosts:
        for number in range(count or spec.instances.count):
            yield _Slot(f"{begin}a{number + 1}", "", "", number)
    for index, host in enumerate(hosts):
        for number in range(count or host.count or spec.instances.count):
            yield _Slot(f"{begin}{letter(index)}{number + 1}", host.name, host.address, number)


def _groups(spec: Spec) -> Iterator[tuple[str | None, dict[str, Application]]]:
    """The applications that share instances, and then each that has its own, with its name."""
    shared = {name: app for name, app in spec.apps.items() if not app.stands_alone}
    if shared:
        yield None, shared
    for name, app in spec.apps.items():
        if app.stands_alone:
            yield name, {name: app}


def _pools(loaded: Loaded, site: SitePlan, tls: TlsFiles | None, paths: Paths, layout: Layout) -> tuple[Pool, ...]:
    spec = loaded.spec
    pools: list[Pool] = []
    first_port = spec.instances.port or (DIRECT_PORT if spec.proxy.kind == "none" else FIRST_PORT)
    taken: dict[str, int] = {}
    indices = itertools.count()
    common = common_flags(loaded, site, tls, layout)
    for own, apps in _groups(spec):
        wanted = apps[own].instances if own is not None else None
        slots = list(_slots(spec, own, wanted.count if wanted else None))
        name = own or (next(iter(apps)) if len(spec.apps) == 1 or len(apps) == 1 else spec.name)
        if own is None and name in spec.apps and spec.apps[name].stands_alone:
            name = f"{spec.name}-shared"
        stated = wanted.port if wanted else None
        base = {slot.host: stated or taken.get(slot.host, first_port) for slot in slots}
        planned = tuple(App(key, app.path, site.prefix + _route(app) or "/", name) for key, app in apps.items())
        flags = (*common, *own_flags(spec, own, apps))
        instances: list[Instance] = []
        for slot in slots:
            port = base[slot.host] + slot.number
            if not stated:
                taken[slot.host] = port + 1
            route = slot.name if spec.proxy.kind != "none" and len(slots) > 1 else None
            instances.append(_instance(spec, paths, layout, slot, name, port, route, next(indices), apps, flags))
        upstream = name if spec.name == DEFAULT_NAME else f"{spec.name}-{name}"
        pools.append(Pool(name, upstream, planned, tuple(instances), is_main=False))
    root = site.prefix or "/"
    main = next((pool for pool in pools if any(app.url == root for app in pool.apps)), pools[0])
    return tuple(replace(pool, is_main=pool is main) for pool in pools)


def _route(app: Application) -> str:
    """The path of an application below the prefix, "" for one that is all of it."""
    return segment_route(app.route).rstrip("/") if app.route is not None else route_for(app.path).rstrip("/")


def _word(app: Application) -> str:
    """The application as the command line names it."""
    path = posixpath.normpath(app.path)
    return path if app.route is None or app.route == route_for(path) else f"{_route(app) or '/'}={path}"


def _instance(
    spec: Spec, paths: Paths, layout: Layout, slot: _Slot, pool: str, port: int, route: str | None, index: int,
    apps: dict[str, Application], flags: tuple[str, ...],
) -> Instance:  # fmt: skip
    socket = None
    address = spec.instances.address or slot.host_address or "127.0.0.1"
    listen: tuple[str, ...]
    if layout == "compose" and spec.proxy.kind != "none":
        # A socket keeps its name when a container is replaced, and a dead one refuses at once: nginx before 1.27.3 asks
        # for a name's address only when it starts.
        socket = f"{CONTAINER_SOCKETS}/{slot.name}.sock"
        listen = ("--unix-socket", socket)
    elif layout != "host":
        address, port = f"app-{slot.name}", CONTAINER_PORT
        listen = ("--port", str(port))
    elif spec.instances.socket_dir is not None:
        socket = f"{spec.instances.socket_dir.rstrip('/')}/{slot.name}.sock"
        listen = ("--unix-socket", socket)
    elif spec.proxy.kind == "none":
        bind = spec.instances.address
        listen = (*(("--address", bind) if bind else ()), "--port", str(port))
    else:
        listen = ("--address", address, "--port", str(port))
    names = tuple(_word(app) for app in apps.values())
    mine = (*listen, *(("--route", route) if route else ()), *flags)
    arguments = next((app.args for app in apps.values() if app.args), ())
    mine = (*mine, *(("--args", *arguments) if arguments else ()))
    command = (*paths.command, "serve", *names, *mine)
    return Instance(slot.name, route, pool, slot.host, index, address, port, socket, names, mine, command)


def _machines(spec: Spec, pools: tuple[Pool, ...]) -> Iterator[Machine]:
    instances = [instance for pool in pools for instance in pool.instances]
    proxies = {host.name: host for host in spec.proxy.hosts}
    hosts = spec.instances.hosts
    for number, host in enumerate(hosts):
        mine = tuple(instance for instance in instances if instance.host == host.name)
        is_proxy = host.name in proxies if proxies else number == 0
        yield Machine(host.name, host.address, host.ssh or host.address, mine, is_proxy and spec.proxy.kind != "none")
    if not hosts and not proxies:
        yield Machine(
            spec.name, spec.public.hosts[0], spec.public.hosts[0], tuple(instances), spec.proxy.kind != "none"
        )
    elif not hosts:
        yield Machine(spec.name, "127.0.0.1", spec.public.hosts[0], tuple(instances), False)
    for proxy in spec.proxy.hosts:
        if proxy.name not in {host.name for host in hosts}:
            yield Machine(proxy.name, proxy.address, proxy.ssh or proxy.address, (), True)
