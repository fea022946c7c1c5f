"""nginx's site: one file for the http context, which Debian's nginx.conf reads from conf.d.

From 1.29.6 on a session finds its instance by `sticky route`, so least_conn counts WebSockets too. Before that
each instance has a group of its own, in which all others are backups.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any
from urllib.parse import unquote, urlsplit

from app_server.deployment.plan.addresses import is_address
from app_server.deployment.plan.values import Instance, Plan, Pool
from app_server.deployment.render import File, Files
from app_server.deployment.render.proxies.headers import security_headers
from app_server.deployment.render.proxies.pages import small_page, unavailable_page
from app_server.deployment.render.proxies.places import places
from app_server.deployment.render.templates import Quoted, environment, header, settings
from app_server.deployment.render.unwritable import refused
from app_server.security.hostnames import bracketed

STICKY_ROUTE_SINCE = (1, 29, 6)
HTTP2_DIRECTIVE_SINCE = (1, 25, 1)
REPLACED_WEIGHT = 1000
"""How many times rather a page goes to an instance that a roll-out has replaced before, than to one that is to come."""
FAIL_TIMEOUT_S = 10
"""How long nginx avoids an instance on another machine that has failed three times within that time."""
# What nginx takes for itself in an unquoted word is left out, and the comma with it for regularity.
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+=~*\[\]-]+")


def wanted(plan: Plan) -> bool:
    """Whether the deployment has an nginx."""
    return plan.spec.proxy.kind == "nginx"


def quote(value: object) -> Quoted:
    """A value as one word of nginx's. OperatorError for control characters, and for $, which cannot be escaped."""
    text = str(value)
    if not text or not text.isprintable() or "$" in text:
        raise refused(value, "nginx's configuration", "$")
    if _PLAIN.fullmatch(text):
        return Quoted(text)
    escaped = text.replace("\\", "\\\\")
    if "'" not in text:
        return Quoted(f"'{escaped}'")
    escaped = escaped.replace('"', '\\"')
    return Quoted(f'"{escaped}"')


def path(url: object) -> Quoted:
    """The path of an address as nginx compares it: decoded."""
    return quote(unquote(str(url)))


def literal(value: object) -> Quoted:
    """HTML as one word: what would be a variable is written as the character's number."""
    return quote(str(value).replace("$", "&#36;"))


def identifier(value: object) -> Quoted:
    """A name as it may stand in variables and zones."""
    return Quoted(re.sub(r"[^A-Za-z0-9]", "_", str(value)))


def duration(value: object) -> Quoted:
    """Seconds as nginx writes them."""
    seconds = float(str(value))
    return Quoted(f"{seconds:g}s" if seconds == int(seconds) else f"{round(seconds * 1000)}ms")


def rate(value: object) -> Quoted:
    """Requests per second, or per minute where it is not a whole number of them."""
    per_second = float(str(value))
    return Quoted(f"{per_second:g}r/s" if per_second == int(per_second) else f"{max(1, round(per_second * 60))}r/m")


FILTERS = {
    "q": quote,
    "path": path,
    "html": literal,
    "id": identifier,
    "seconds": duration,
    "rate": rate,
}


def render(plan: Plan) -> Files:
    """The site, and in containers the main file too."""
    jinja = environment("nginx", FILTERS)
    values = {**settings(plan), **_values(plan)}
    site = jinja.get_template("site.conf").render(values)
    name = f"nginx/{plan.name}.conf"
    files = {name: File(site, install=f"{plan.paths.nginx}/{plan.name}.conf")}
    if plan.layout != "host":
        files["nginx/nginx.conf"] = File(
            jinja.get_template("nginx.conf").render(values), install="/etc/nginx/nginx.conf"
        )
    return files


def _values(plan: Plan) -> Mapping[str, Any]:
    version = plan.proxy_version
    http2 = plan.spec.proxy.http2 and plan.tls is not None
    return {
        "header": header(plan, "nginx"),
        "prefix": plan.site.prefix,
        "sticky": version is not None and version >= STICKY_ROUTE_SINCE,
        "http2_directive": http2 and version is not None and version >= HTTP2_DIRECTIVE_SINCE,
        "http2_option": http2 and (version is None or version < HTTP2_DIRECTIVE_SINCE),
        "security_headers": security_headers(plan),
        "tls_lines": _tls_lines(plan),
        "http_listens": _listens(plan, plan.listen_http),
        "https_listens": _listens(plan, plan.listen_https),
        "host_header": _host_header(plan),
        # A proxy in front that takes care of TLS speaks plain http to this one.
        "forwarded_proto": Quoted("$scheme" if plan.tls is not None else plan.site.scheme),
        "relays": relays(plan),
        "spread": spread(plan),
        "relay_timeout_s": max(plan.spec.proxy.timeouts.page_s, plan.spec.proxy.timeouts.websocket_s) + 60,
        # Where a whole machine has vanished, one instance after another does not answer.
        "tries": max(3, _most_at_once(plan) + 1),
        "asking_s": max(10, plan.spec.proxy.timeouts.connect_s * _most_at_once(plan) + 1),
        # Of several nodes one can vanish without a word.
        "max_fails": Quoted(f"max_fails=3 fail_timeout={FAIL_TIMEOUT_S}s" if spread(plan) else "max_fails=0"),
        "zone_size": _zone_size,
        "balanced": lambda pool: len(pool.instances) > 1,
        "others": _others,
        "replaced_weight": REPLACED_WEIGHT,
        "group": _group,
        "places": places(plan),
        "unrouted": tuple(_unrouted(plan)),
        "socket_patterns": tuple(_socket_patterns(plan)),
        "health_paths": health_paths(plan),
        "file_paths": tuple(_file_paths(plan)),
        "maintenance_file": plan.maintenance_file,
        "maintenance_page": small_page("Back soon", plan.spec.maintenance.message, plan.spec.maintenance.retry_after_s),
        "unavailable_page": unavailable_page(),
        "external_origin": _origin(plan),
        "named_by_address": any(map(is_address, plan.site.hosts)),
        "metrics_are_hidden": all(app.url != f"{plan.site.prefix}/metrics" for app in plan.apps),
    }  # fmt: skip


def _most_at_once(plan: Plan) -> int:
    """How many instances of one pool are lost with one of several machines, or not started by an autoscaler."""
    places = (Counter(instance.host for instance in pool.instances) for pool in plan.pools)
    lost = max(count for place in places for count in place.values()) if plan.is_spread else 0
    return max(lost, *(pool.spares for pool in plan.pools))


def relays(plan: Plan) -> tuple[Instance, ...]:
    """The instances that nginx reaches by a socket of its own, behind which it asks for their address each time."""
    return tuple(each for each in plan.instances if plan.reaches_by_name and each.unix_socket)


def spread(plan: Plan) -> bool:
    """Whether some instances may be missing: on other machines, as those of a swarm, or until they are needed."""
    return plan.is_spread or bool(relays(plan)) or any(pool.spares for pool in plan.pools)


def _tls_lines(plan: Plan) -> tuple[Quoted, ...]:
    if plan.tls is None:
        return ()
    from app_server.tls import Library, nginx_directives

    library = Library("OpenSSL", plan.tls.openssl)
    return tuple(map(Quoted, nginx_directives(plan.tls.profile, library, plan.proxy_version)))


def _listens(plan: Plan, port: int) -> tuple[Quoted, ...]:
    """What a `listen` has before its options."""
    address = plan.spec.proxy.address
    if address is not None:
        return (quote(f"{bracketed(address)}:{port}"),)
    # Containers mostly have no IPv6, and nginx would not start.
    return (Quoted(port),) if plan.layout != "host" else (Quoted(port), Quoted(f"[::]:{port}"))


def _host_header(plan: Plan) -> Quoted:
    default = 443 if plan.site.scheme == "https" else 80
    return Quoted("$host" if plan.site.port == default else f"$host:{plan.site.port}")


def _zone_size(pool: Pool) -> Quoted:
    """A server takes less than a kilobyte of the zone that workers share; 64k is the least that makes sense."""
    return Quoted(f"{max(64, 32 + 2 * len(pool.instances))}k")


def _others(pool: Pool, instance: Instance) -> list[Instance]:
    """The instances of a pool that replace one, the next one first, so they share its sessions."""
    place = pool.instances.index(instance)
    return [*pool.instances[place + 1 :], *pool.instances[:place]]


def _group(pool: Pool, instance: Instance) -> str:
    """The name of the group that one instance leads."""
    return f"{pool.upstream}-{instance.name.rpartition('-')[2]}"


def _unrouted(plan: Plan) -> Iterator[tuple[Pool, Quoted]]:
    """Expressions of the paths below an id that no instance has (any more): nginx takes the first that fits."""
    for _, group in groupby(places(plan), key=lambda place: place[1].name):
        found = tuple(group)
        urls = "|".join(re.escape(unquote(app.mount)) for app, _ in found)
        yield found[0][1], Quoted(f'"^/_i/[A-Za-z0-9_-]+({urls})(/|$)"')


def _socket_patterns(plan: Plan) -> Iterator[tuple[Quoted, str]]:
    """Expressions of the sockets below addresses with placeholders, the longest first: nginx takes the first."""
    found = {app.mount: pool.upstream for pool in plan.pools for app in pool.apps if app.has_placeholders}
    for mount, upstream in sorted(found.items(), key=lambda item: -len(item[0])):
        yield Quoted(f'"^{re.escape(unquote(mount))}/.+/ws$"'), upstream


def health_paths(plan: Plan) -> tuple[str, ...]:
    """Where monitors ask whether an instance is there; not where an application has the address."""
    taken = {app.url for app in plan.apps}
    paths = (f"{plan.site.prefix}/healthz", f"{plan.site.prefix}/readyz")
    return tuple(path for path in paths if path not in taken)


def _file_paths(plan: Plan) -> Iterator[tuple[str, str]]:
    """The folders of files that pages load, and the upstream of each; BokehJS may be the proxy's own."""
    found = {} if plan.spec.proxy.static else {f"{plan.site.prefix}/static/": plan.main_pool.upstream}
    for pool in plan.pools:
        for app in pool.apps:
            if app.url.rstrip("/") != plan.site.prefix and not app.has_placeholders:
                found[f"{app.url}/static/"] = pool.upstream
    yield from found.items()


def _origin(plan: Plan) -> str:
    """The authenticator's address without a path."""
    external = plan.spec.access.external
    if external is None:
        return ""
    parts = urlsplit(external.url)
    return f"{parts.scheme}://{parts.netloc}"
