"""The instances of a deployment: their names, addresses, ports and start commands."""

from __future__ import annotations

import itertools
import posixpath
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from app_server.deployment.load import DEFAULT_NAME, LoadedSpec
from app_server.deployment.plan.console import with_consoles
from app_server.deployment.plan.defaults import CONTAINER_PORT, CONTAINER_SOCKETS, DIRECT_PORT, FIRST_PORT
from app_server.deployment.plan.flags import access_flags, common_flags, own_flags
from app_server.deployment.plan.store import resolve_store
from app_server.deployment.plan.values import App, Instance, Paths, Pool, SitePlan, TlsFiles
from app_server.deployment.spec import Application, Spec
from app_server.deployment.targets import Layout
from app_server.protocol.paths import canonical_route
from app_server.sources.routes import route_by_name


@dataclass(frozen=True, slots=True)
class _Slot:
    """An instance of a pool before it has a command."""

    name: str
    host: str
    """"" if the deployment names no hosts"""
    host_address: str
    port: int


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """Where the proxy connects to an instance, and the flags that have it listen there."""

    address: str
    port: int
    unix_socket: str | None
    flags: tuple[str, ...]


def resolve_pools(
    loaded: LoadedSpec, site: SitePlan, tls: TlsFiles | None, paths: Paths, layout: Layout
) -> tuple[Pool, ...]:
    """Every pool with its instances; exactly one of them is the main pool. OperatorErrors as for `common_flags`."""
    spec = loaded.spec
    common = common_flags(loaded, site, tls, layout, resolve_store(spec, paths, layout))
    first_port = spec.instances.port or (DIRECT_PORT if spec.proxy.kind == "none" else FIRST_PORT)
    free_ports: defaultdict[str, int] = defaultdict(lambda: first_port)
    indices = itertools.count()
    pools: list[Pool] = []
    for own, apps in _groups(spec):
        name = _pool_name(spec, own, apps)
        slots = list(_slots(spec, own, apps, free_ports))
        routes = {key: _route(app) or "/" for key, app in apps.items()}
        flags = (*common, *own_flags(spec, own, apps), *access_flags(spec, routes))
        # A cluster's own balancers go by routes, too.
        has_route = len(slots) > 1 and (spec.proxy.kind != "none" or layout == "cluster")
        instances = tuple(
            _instance(spec, paths, layout, slot, name, slot.name if has_route else None, next(indices), apps, flags)
            for slot in slots
        )
        planned = tuple(App(key, app.path, site.prefix + _route(app) or "/", name) for key, app in apps.items())
        upstream = name if spec.name == DEFAULT_NAME else f"{spec.name}-{name}"
        pools.append(Pool(name, upstream, planned, instances, is_main=False))
    main = _main_pool(pools, site)
    return with_consoles(spec, layout, tuple(replace(pool, is_main=pool is main) for pool in pools))


def _groups(spec: Spec) -> Iterator[tuple[str | None, dict[str, Application]]]:
    """First the applications that share instances, with None; then each that has its own, with its name."""
    shared = {name: app for name, app in spec.apps.items() if not app.stands_alone}
    if shared:
        yield None, shared
    for name, app in spec.apps.items():
        if app.stands_alone:
            yield name, {name: app}


def _pool_name(spec: Spec, own: str | None, apps: dict[str, Application]) -> str:
    """The name of its only application, or the deployment's; no other pool has the same."""
    if own is not None:
        return own
    name = next(iter(apps)) if len(apps) == 1 else spec.name
    return f"{spec.name}-shared" if name in spec.apps and spec.apps[name].stands_alone else name


def _main_pool(pools: list[Pool], site: SitePlan) -> Pool:
    """The pool of the application at the site's root, or the first one."""
    root = site.prefix or "/"
    return next((pool for pool in pools if any(app.url == root for app in pool.apps)), pools[0])


def _slots(
    spec: Spec, own: str | None, apps: dict[str, Application], free_ports: defaultdict[str, int]
) -> Iterator[_Slot]:
    """The slots of a pool; `own` is the application that has the pool to itself.

    `free_ports` holds each host's next free port, and is advanced.
    """
    wanted = apps[own].instances if own is not None else None
    count, stated = (wanted.count, wanted.port) if wanted else (None, None)
    begin = "" if own is None else f"{own.lower().replace('_', '-')}-"
    for letters, name, address, own_count in _hosts(spec):
        for number in range(count or own_count or spec.instances.count):
            port = stated + number if stated else free_ports[name]
            if not stated:
                free_ports[name] += 1
            yield _Slot(f"{begin}{letters}{number + 1}", name, address, port)


def _hosts(spec: Spec) -> Iterator[tuple[str, str, str, int | None]]:
    """Each host's letter in instances' names, its name, its address and its number of instances if it states one."""
    if not spec.instances.hosts:
        yield letter(0), "", "", None
    for index, host in enumerate(spec.instances.hosts):
        yield letter(index), host.name, host.address, host.count


def letter(number: int) -> str:
    """a, b ... z, aa, ab ... for 0, 1 ..."""
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("a") + rest) + text
    return text


def _route(app: Application) -> str:
    """The path of an application below the prefix, "" if it is the root."""
    return (canonical_route(app.route) if app.route is not None else route_by_name(app.path)).rstrip("/")


def _word(app: Application) -> str:
    """The application as the command line names it."""
    path = posixpath.normpath(app.path)
    return path if app.route is None or app.route == route_by_name(path) else f"{_route(app) or '/'}={path}"


def _instance(
    spec: Spec, paths: Paths, layout: Layout, slot: _Slot, pool: str, route: str | None, index: int,
    apps: dict[str, Application], flags: tuple[str, ...],
) -> Instance:  # fmt: skip
    endpoint = _endpoint(spec, layout, slot)
    names = tuple(_word(app) for app in apps.values())
    arguments = next((app.args for app in apps.values() if app.args), ())
    words = (
        *endpoint.flags,
        *(("--route", route) if route else ()),
        *flags,
        *(("--args", *arguments) if arguments else ()),
    )
    command = (*paths.command, "serve", *names, *words)
    return Instance(
        slot.name, route, pool, slot.host, index, endpoint.address, endpoint.port, endpoint.unix_socket, names, words,
        command,
    )  # fmt: skip


def _endpoint(spec: Spec, layout: Layout, slot: _Slot) -> _Endpoint:
    address = spec.instances.address or slot.host_address or "127.0.0.1"
    folder = _socket_folder(spec, layout)
    if folder is not None:
        socket = f"{folder}/{slot.name}.sock"
        return _Endpoint(address, slot.port, socket, ("--unix-socket", socket))
    if layout != "host":
        return _Endpoint(f"app-{slot.name}", CONTAINER_PORT, None, ("--port", str(CONTAINER_PORT)))
    # Without a proxy the server listens on all addresses unless the file names one.
    listen = spec.instances.address if spec.proxy.kind == "none" else address
    flags = (*(("--address", listen) if listen else ()), "--port", str(slot.port))
    return _Endpoint(address, slot.port, None, flags)


def _socket_folder(spec: Spec, layout: Layout) -> str | None:
    """The folder of the instances' Unix sockets; None if they listen on ports."""
    if layout == "compose" and spec.proxy.kind != "none":
        # A socket keeps its name when a container is replaced, and a dead one refuses at once: nginx before 1.27.3
        # resolves a name only when it starts.
        return CONTAINER_SOCKETS
    given = spec.instances.socket_dir
    return given.rstrip("/") if layout == "host" and given is not None else None
