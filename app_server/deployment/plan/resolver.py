"""A deployment file worked out to a plan.

A pure function of the file: the same file always gives the same plan, on whatever machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from app_server.deployment.contained import contained, seen_from
from app_server.deployment.load import LoadedSpec
from app_server.deployment.plan.defaults import (
    AFTER_DRAIN_S,
    APPLICATION_SECRETS,
    APPLICATION_SECRETS_VARIABLE,
    CONTAINER_HTTP_PORT,
    CONTAINER_HTTPS_PORT,
    CONTAINER_PROXIES,
    DRAIN_S,
    VARIABLES,
)
from app_server.deployment.plan.instances import resolve_pools
from app_server.deployment.plan.paths import container_paths, host_paths
from app_server.deployment.plan.site import resolve_site, resolve_tls, version_of
from app_server.deployment.plan.store import moves_sessions, resolve_drain_s, resolve_store
from app_server.deployment.plan.values import Machine, Paths, Plan, PlannedSecret, Pool, SitePlan, TlsFiles
from app_server.deployment.spec import Secret, Spec
from app_server.deployment.targets import Layout


def resolve_plan(
    loaded: LoadedSpec,
    *,
    layout: Layout = "host",
    regenerate: tuple[str, ...] = (),
    proxy_version: tuple[int, ...] | None = None,
    openssl: tuple[int, ...] | None = None,
    beside: str = ".",
) -> Plan:
    """The plan of a deployment in one of the layouts. `beside` leads from the generated files to deploy.yaml's folder.

    `proxy_version` and `openssl` are what this machine has; what the spec states takes precedence.
    OperatorErrors for what the spec asks for and the server does not have.
    """
    spec = loaded.spec
    in_containers = layout != "host"
    if in_containers and spec.proxy.static:
        # The proxy's image holds no BokehJS.
        spec = spec.model_copy(update={"proxy": spec.proxy.model_copy(update={"static": False})})
    tls = resolve_tls(spec, layout)
    if tls is not None and tls.openssl is None and not in_containers:
        tls = replace(tls, openssl=openssl)
    is_balanced = layout in ("cluster", "platform")
    site = resolve_site(spec, tls, publishes=layout in ("containers", "compose"), balanced=is_balanced)
    paths = container_paths() if in_containers else host_paths(spec)
    pools = resolve_pools(loaded, site, tls, paths, layout)
    found_version = CONTAINER_PROXIES.get(spec.proxy.kind) if in_containers else proxy_version
    listen_http, listen_https = _proxy_ports(spec, site, tls, in_containers)
    store = resolve_store(spec, paths, layout)
    drain_s = resolve_drain_s(spec, store)
    return Plan(
        spec=spec,
        name=spec.name,
        layout=layout,
        site=site,
        pools=pools,
        machines=tuple(_machines(spec, pools)),
        tls=tls,
        paths=paths,
        secrets=tuple(_secrets(spec, paths, layout, beside)),
        store=store,
        moves_sessions=moves_sessions(spec, store),
        user=spec.service.user or spec.name,
        group=spec.service.group or spec.service.user or spec.name,
        drain_s=drain_s,
        proxy_drain_s=drain_s or DRAIN_S,
        stop_timeout_s=spec.service.stop_timeout_s or drain_s + AFTER_DRAIN_S,
        listen_http=listen_http,
        listen_https=listen_https,
        proxy_version=version_of(spec.proxy.version) or found_version,
        regenerate=regenerate,
        source=loaded.file,
        contained=contained(loaded, beside),
        tunnels=tuple(spec.tunnels.items()),
        entry=loaded.entry,
    )


def _proxy_ports(spec: Spec, site: SitePlan, tls: TlsFiles | None, in_containers: bool) -> tuple[int, int]:
    """The proxy's ports for HTTP and HTTPS."""
    if in_containers:
        http, https = CONTAINER_HTTP_PORT, CONTAINER_HTTPS_PORT
    else:
        http = 80 if tls or site.scheme == "https" else site.port
        https = site.port if site.scheme == "https" else 443
    return spec.proxy.http_port or http, spec.proxy.https_port or https


def _secrets(spec: Spec, paths: Paths, layout: Layout, beside: str) -> Iterator[PlannedSecret]:
    for name, variable in VARIABLES.items():
        secret: Secret | None = getattr(spec.secrets, name)
        if secret is not None:
            yield PlannedSecret(name, variable, secret.file, secret.environment, secret.credential)
    if (own := spec.service.secrets) is not None:
        file, source = own.file, None
        if file is not None and not file.startswith("/"):
            file, source = seen_from(beside, file), file
            if layout == "host":
                file = f"{paths.etc}/{APPLICATION_SECRETS}.env"
        name, variable = APPLICATION_SECRETS, APPLICATION_SECRETS_VARIABLE
        yield PlannedSecret(name, variable, file, None, own.credential, source)


def _machines(spec: Spec, pools: tuple[Pool, ...]) -> Iterator[Machine]:
    """The hosts of instances, then those that only run the proxy."""
    instances = tuple(instance for pool in pools for instance in pool.instances)
    has_proxy = spec.proxy.kind != "none"
    hosts, proxies = spec.instances.hosts, {host.name for host in spec.proxy.hosts}
    for number, host in enumerate(hosts):
        own = tuple(instance for instance in instances if instance.host == host.name)
        is_proxy = has_proxy and (host.name in proxies if proxies else number == 0)
        yield Machine(host.name, host.address, host.ssh or host.address, own, is_proxy)
    if not hosts:
        public = spec.public.hosts[0]
        address = "127.0.0.1" if proxies else public
        yield Machine(spec.name, address, public, instances, has_proxy and not proxies)
    for proxy in spec.proxy.hosts:
        if proxy.name not in {host.name for host in hosts}:
            yield Machine(proxy.name, proxy.address, proxy.ssh or proxy.address, (), True)
