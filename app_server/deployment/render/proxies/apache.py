"""Apache's site, and what it needs of the whole server: modules, threads, long headers.

A session finds its instance by a sticky route that a rewrite rule takes from the address, so one balancer counts both
pages and WebSockets. An instance that drains or is full answers 503: Apache does not retry that by itself, but an
error document may be a request to the next instance.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from app_server.deployment.plan.values import Instance, Plan, Pool
from app_server.deployment.render import File, Files
from app_server.deployment.render.proxies.headers import security_headers
from app_server.deployment.render.proxies.pages import UNAVAILABLE_RETRY_S, small_page, unavailable_page
from app_server.deployment.render.proxies.places import places
from app_server.deployment.render.templates import Quoted, environment, header, settings
from app_server.deployment.render.unwritable import refused
from app_server.errors import OperatorError
from app_server.security.hostnames import bracketed

MODULES = (
    "authz_core", "headers", "setenvif", "unique_id", "rewrite", "alias", "slotmem_shm", "proxy", "proxy_http",
    "proxy_balancer", "lbmethod_byrequests", "lbmethod_bybusyness",
)  # fmt: skip
"""For every site; a balancer of one instance passes configtest without lbmethod_byrequests, and does not start."""

OLDEST = (2, 4, 47)
"""The first whose mod_proxy_http hands WebSockets on by itself, and whose ProxyErrorOverride takes statuses."""

ADDRESS_TTL_KNOWN = (2, 4, 65)
"""What our image has, and was tried: it finds an instance by its name that has another address than before."""

SESSIONS_AN_INSTANCE = 250
"""How many WebSockets an instance is expected to have where `sessions.max_sessions` does not say it."""

PAGES_AN_INSTANCE = 16
THREADS_A_PROCESS = 64
DEFAULT_PING_S = 37.0
AGAIN = "/_app-server/again"
"""Where Apache sends a request that one instance has refused; it cannot be requested from outside."""


def shown(version: tuple[int, ...]) -> str:
    """A version as people write it."""
    return ".".join(map(str, version))


def wanted(plan: Plan) -> bool:
    """Whether the deployment has an Apache."""
    return plan.spec.proxy.kind == "apache"


def quote(value: object) -> Quoted:
    """A value as one word of Apache's. OperatorError for control characters, and for ${ }, which cannot be escaped."""
    text = str(value)
    if not text or not text.isprintable() or "${" in text:
        raise refused(value, "Apache's configuration", ["${"])
    if re.fullmatch(r"[A-Za-z0-9_./:@+=~*-]+", text):
        return Quoted(text)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return Quoted(f'"{escaped}"')


def formatted(value: object) -> Quoted:
    """A value where Apache reads % as the beginning of a format."""
    return quote(str(value).replace("%", "%%"))


def literal(value: object) -> Quoted:
    """HTML as one word: what would be a variable or an expression is written as the character's number."""
    text = quote(str(value).replace("$", "&#36;").replace("%", "&#37;"))
    return text if text.startswith('"') else Quoted(f'"{text}"')


def pattern(value: object) -> Quoted:
    """Text within a quoted regular expression, standing for itself."""
    return Quoted(str(quote(f" {re.escape(str(value))}"))[2:-1])


def path(url: object) -> Quoted:
    """The path of an address as Apache compares it: decoded."""
    return quote(unquote(str(url)))


def duration(value: object) -> Quoted:
    """Seconds, as BalancerMember takes them."""
    seconds = float(str(value))
    return Quoted(f"{seconds:g}" if seconds == int(seconds) else f"{round(seconds * 1000)}ms")


FILTERS = {
    "q": quote,
    "format": formatted,
    "html": literal,
    "re": pattern,
    "path": path,
    "seconds": duration,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """Which balancer has the paths below an instance's id that match the pattern."""

    pattern: str
    balancer: str


def render(plan: Plan) -> Files:
    """The site, and what it needs of the server; in containers the main file instead of the latter."""
    _refuse_what_apache_has_not(plan)
    jinja = environment("apache", FILTERS)
    values = {**settings(plan), **_values(plan)}
    site = jinja.get_template("site.conf").render(values)
    files = {site_path(plan): File(site, install=f"{plan.paths.apache}/{plan.name}.conf")}
    if plan.layout != "host":
        main = jinja.get_template("apache2.conf").render(values)
        return {**files, "apache/apache2.conf": File(main, install="/etc/apache2/apache2.conf")}
    whole = jinja.get_template("global.conf").render(values)
    install = f"/etc/apache2/conf-available/{plan.name}-global.conf"
    return {**files, global_path(plan): File(whole, install=install)}


def site_path(plan: Plan) -> str:
    """The site, among the files."""
    return f"apache/{plan.name}.conf"


def global_path(plan: Plan) -> str:
    """What the site needs of the whole server, among the files."""
    return f"apache/{plan.name}-global.conf"


def workers(plan: Plan) -> int:
    """How many threads it takes: each WebSocket holds one, and pages need some too; a multiple of a process's."""
    sessions = (plan.spec.sessions.max_sessions or SESSIONS_AN_INSTANCE) + PAGES_AN_INSTANCE
    wanted_threads = sessions * len(plan.instances)
    return -(-wanted_threads // THREADS_A_PROCESS) * THREADS_A_PROCESS


def retry_s(plan: Plan) -> int:
    """How long to avoid an instance that did not answer, in seconds; with another host, it takes long to notice."""
    return 10 if plan.is_spread or plan.reaches_by_name else 1


def modules(plan: Plan) -> tuple[str, ...]:
    """The modules that this site needs, in an order in which they can be loaded."""
    spec, found = plan.spec, list(MODULES)
    if plan.tls is not None:
        found += ["socache_shmcb", "ssl"] + (["http2"] if spec.proxy.http2 else [])
    if spec.access.basic:
        found += ["authn_core", "authn_file", "authz_user", "auth_basic"]
    if spec.access.allow or spec.maintenance.allow:
        found += ["authz_host"]
    if spec.proxy.trusted_proxies:
        found += ["remoteip"]
    if spec.proxy.static:
        found += ["mime", "filter", "deflate"]
    return tuple(found)


def _refuse_what_apache_has_not(plan: Plan) -> None:
    if plan.proxy_version is not None and plan.proxy_version < OLDEST:
        what = f"Apache {shown(plan.proxy_version)} cannot forward WebSockets as the site requires"
        raise OperatorError(what, where="proxy.version", hint=f"Take {shown(OLDEST)} or newer.")


def _values(plan: Plan) -> Mapping[str, Any]:
    ping_s = plan.spec.sessions.ping_interval_s or DEFAULT_PING_S
    timeouts = plan.spec.proxy.timeouts
    return {
        "header": header(plan, "apache"),
        "prefix": plan.site.prefix,
        "again": Quoted(AGAIN),
        "security_headers": security_headers(plan),
        "tls_lines": _tls_lines(plan),
        "http": _listen(plan, plan.listen_http),
        "https": _listen(plan, plan.listen_https),
        "forwarded_host": _host_header(plan),
        "default_port": plan.site.port == (443 if plan.site.scheme == "https" else 80),
        "time": Quoted("%{%Y-%m-%dT%H:%M:%S}t.%{msec_frac}t%{%z}t"),
        "address_ttl": plan.reaches_by_name and (plan.proxy_version or OLDEST) >= ADDRESS_TTL_KNOWN,
        "retry_s": retry_s(plan),
        # One limit for pages and sockets: it has to outlast the pause between two pings.
        "silence_s": timeouts.page_s if timeouts.page_s > 2 * ping_s else timeouts.websocket_s,
        "balanced": lambda pool: len(pool.instances) > 1,
        "target": _target,
        "member": _member,
        "neighbours": _neighbours(plan),
        "places": places(plan),
        "rules": tuple(_rules(plan)),
        "has_balancers": any(len(pool.instances) > 1 for pool in plan.pools),
        "workers": workers(plan),
        # Twice as many as it needs: after a reload the old ones stay until their pages have gone.
        "processes": 2 * workers(plan) // THREADS_A_PROCESS,
        "threads": THREADS_A_PROCESS,
        "modules": modules(plan),
        "maintenance_file": plan.maintenance_file,
        "maintenance_page": small_page("Back soon", plan.spec.maintenance.message, plan.spec.maintenance.retry_after_s),
        "unavailable_page": unavailable_page(),
        "refresh_s": UNAVAILABLE_RETRY_S,
        "metrics_are_hidden": all(app.url != f"{plan.site.prefix}/metrics" for app in plan.apps),
        "own_listens": [port for port in _ports(plan) if port not in (80, 443)],
        "listens": _ports(plan),
    }  # fmt: skip


def _ports(plan: Plan) -> list[int]:
    return [plan.listen_http, *([plan.listen_https] if plan.tls is not None else [])]


def _tls_lines(plan: Plan) -> tuple[Quoted, ...]:
    if plan.tls is None:
        return ()
    from app_server.tls import Library, apache_directives

    return tuple(map(Quoted, apache_directives(plan.tls.profile, Library("OpenSSL", plan.tls.openssl))))


def _listen(plan: Plan, port: int) -> Quoted:
    """What a <VirtualHost> is for."""
    address = plan.spec.proxy.address or "*"
    return Quoted(f"{bracketed(address)}:{port}")


def _host_header(plan: Plan) -> Quoted:
    """What the instances take for the host: what the browser has asked for, with the port that it sees."""
    default = 443 if plan.site.scheme == "https" else 80
    return Quoted("%{SERVER_NAME}" if plan.site.port == default else f"%{{SERVER_NAME}}:{plan.site.port}")


def _target(pool: Pool) -> Quoted:
    """Where a pool's requests go: its balancer, or its only instance."""
    return Quoted(f"balancer://{pool.upstream}")


def _member(instance: Instance) -> Quoted:
    """An instance's address as BalancerMember takes it."""
    if instance.unix_socket:
        return quote(f"unix:{instance.unix_socket}|http://{instance.name}")
    return quote(f"http://{instance.server}")


def _neighbours(plan: Plan) -> tuple[tuple[Instance, Instance, Pool], ...]:
    """Each instance with a choice, and the one that is asked when it says 503."""
    return tuple(
        (instance, pool.instances[(place + 1) % len(pool.instances)], pool)
        for pool in plan.pools
        if len(pool.instances) > 1
        for place, instance in enumerate(pool.instances)
    )


def _rules(plan: Plan) -> Iterator[Rule]:
    """Which pool an address below /_i/ID/ belongs to; the main pool comes last and takes what is left."""
    begin = f"(?:{re.escape(plan.site.prefix)})?" if plan.site.prefix else ""
    for app, pool in places(plan):
        yield Rule(_below_id(begin, re.escape(unquote(app.mount))), pool.upstream)
    if len(plan.instances) > 1:
        yield Rule(_below_id(begin, ""), plan.main_pool.upstream)


def _below_id(begin: str, url: str) -> str:
    return f"^({begin}/_i/([A-Za-z0-9_-]{{1,32}}){url}(?:/.*)?)$"
