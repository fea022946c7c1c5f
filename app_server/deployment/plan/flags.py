"""The flags of start commands: what the proxy, the public address and the settings require of each instance."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING

from app_server.deployment.load import LoadedSpec
from app_server.deployment.plan.store import resolve_drain_s, store_flags
from app_server.deployment.spec import Access, Application, ApplicationAccess, Spec
from app_server.errors import OperatorError, OperatorErrors, did_you_mean
from app_server.settings import Arity, Setting, all_settings, from_flags

if TYPE_CHECKING:
    from app_server.deployment.plan.values import PlannedStore, SitePlan, TlsFiles
    from app_server.deployment.targets import Layout

# On a command line these are not values. Negative numbers are.
_DASHED = re.compile(r"-(?![0-9.])")
# Settings that other keys of the file set, and settings that make no sense on a host.
_SET_BY = {
    "port": "instances.port", "address": "instances.address", "unix_socket": "instances.socket_dir",
    "prefix": "public.prefix", "route": "instances.count",
    "allow_websocket_origin": "public.hosts and embedding.origins",
    "use_xheaders": "proxy", "args": "apps.*.args", "session_ids": "sessions.ids",
    "session_token_expiration_s": "sessions.token_expiry_s", "max_sessions": "sessions.max_sessions",
    "max_sessions_per_address": "sessions.max_sessions_per_address",
    "max_sessions_per_user": "sessions.max_sessions_per_user",
    "unused_session_lifetime_ms": "sessions.unused_lifetime_s", "keep_alive_ms": "sessions.ping_interval_s",
    "isolation": "sessions.isolation", "session_memory_mb": "sessions.limits.session_memory_mb",
    "session_cpu_s": "sessions.limits.session_cpu_s", "callback_limit_s": "sessions.limits.callback_s",
    "num_procs": "instances.processes", "drain_s": "service.drain_s", "log_level": "logs.level",
    "store": "sessions.store", "store_ttl_s": "sessions.store_ttl_s", "store_max_bytes": "sessions.store_max_mb",
    "store_encrypt": "sessions.store_encrypt", "store_optional": "sessions.store_optional",
    "restore": "sessions.restore", "log_json": "logs.server",
    "access": "apps.*.access and access", "access_contact": "access.contact",
    "ssl_certfile": "tls.certificate", "ssl_keyfile": "tls.key", "console_peers": "console",
}  # fmt: skip
_NOT_IN_DEPLOYMENTS = {"show", "dev", "dev_watch", "glob", "use_config", "env_file", "log_file"}


@cache
def _by_name() -> dict[str, Setting]:
    return {setting.name: setting for setting in all_settings()}


@cache
def known_flags() -> frozenset[str]:
    """The flags that this version's `serve` takes."""
    return frozenset(setting.flag for setting in all_settings() if setting.flag)


def seconds(value: float) -> str:
    """30 for 30.0, 0.5 for 0.5."""
    return f"{value:g}" if value < 100_000 else str(round(value))


def milliseconds(value_s: float) -> str:
    """The same duration as flags in milliseconds take it."""
    return str(max(1, round(value_s * 1000)))


def common_flags(
    loaded: LoadedSpec, site: SitePlan, tls: TlsFiles | None, layout: Layout, store: PlannedStore
) -> tuple[str, ...]:
    """The flags that every instance gets, in an order that never changes."""
    spec = loaded.spec
    return (
        *_proxy_flags(spec, site, tls, layout),
        *_session_flags(spec, store),
        *store_flags(spec, store),
        *_server_flags(loaded),
    )


def _proxy_flags(spec: Spec, site: SitePlan, tls: TlsFiles | None, layout: Layout) -> Iterator[str]:
    if site.prefix:
        yield from ("--prefix", site.prefix)
    direct = spec.proxy.kind == "none"
    # Without a proxy, the server allows its own names anyway.
    if not (direct and site.hosts == ("localhost",) and len(site.origins) == 1):
        for origin in site.origins:
            yield from ("--allow-websocket-origin", origin)
    if not direct or layout == "cluster" or spec.public.scheme == "https" and tls is None:
        yield "--use-xheaders"
    if direct and tls is not None:
        yield from ("--ssl-certfile", tls.certificate)
        if tls.key != tls.certificate:
            yield from ("--ssl-keyfile", tls.key)
    if spec.access.external is not None:
        # The user that the proxy names; it removes what browsers send under this name.
        yield from ("--auth-header", spec.access.external.user_header)
        for network in _trusted(spec, layout):
            yield from ("--auth-header-from", network)
        if spec.access.external.groups_header is not None:
            yield from ("--auth-header-groups", spec.access.external.groups_header)
    if spec.access.contact is not None:
        yield from ("--access-contact", spec.access.contact)


def _trusted(spec: Spec, layout: Layout) -> list[str]:
    """Where requests come from whose header is trusted: the proxy's addresses or networks, or "unix"."""
    if layout == "compose" or layout == "host" and spec.instances.socket_dir:
        return ["unix"]
    if layout in ("containers", "cluster"):
        if spec.containers.subnet is None:
            what = "needs the network that the header is trusted from"
            hint = "Set containers.subnet to the network between proxy and instances."
            raise OperatorError(what, where="access.external", hint=hint)
        return [str(spec.containers.subnet)]
    if not spec.instances.hosts:
        return ["127.0.0.1/32"]
    return [host.address for host in spec.proxy.hosts] or [spec.instances.hosts[0].address]


def _session_flags(spec: Spec, store: PlannedStore) -> Iterator[str]:
    sessions = spec.sessions
    if sessions.ids is not None:
        yield from ("--session-ids", sessions.ids)
    if sessions.token_expiry_s is not None:
        yield from ("--session-token-expiration", str(sessions.token_expiry_s))
    if sessions.unused_lifetime_s is not None:
        yield from ("--unused-session-lifetime", milliseconds(sessions.unused_lifetime_s))
    if sessions.ping_interval_s is not None:
        yield from ("--keep-alive", milliseconds(sessions.ping_interval_s))
    if sessions.max_sessions is not None:
        yield from ("--max-sessions", str(sessions.max_sessions))
    if sessions.max_sessions_per_address is not None:
        yield from ("--max-sessions-per-address", str(sessions.max_sessions_per_address))
    if sessions.max_sessions_per_user is not None:
        yield from ("--max-sessions-per-user", str(sessions.max_sessions_per_user))
    if spec.instances.processes is not None:
        yield from ("--num-procs", str(spec.instances.processes))
    if "--drain" in known_flags():
        yield from ("--drain", seconds(resolve_drain_s(spec, store)))
    if spec.logs.level != "info":
        yield from ("--log-level", spec.logs.level)
    if spec.logs.server == "json":
        yield "--log-json"


def own_flags(spec: Spec, own: str | None, apps: dict[str, Application]) -> tuple[str, ...]:
    """The flags that limit sessions of these applications; `own` is the application with its own instances."""
    app = apps[own] if own is not None else None
    isolation = (app.isolation if app is not None else None) or spec.sessions.isolation
    limits = (app.limits if app is not None else None) or spec.sessions.limits
    words: list[str] = []
    if isolation is not None:
        words += ["--isolation", isolation]
    if limits.session_memory_mb is not None:
        words += ["--session-memory", str(limits.session_memory_mb)]
    if limits.session_cpu_s is not None:
        words += ["--session-cpu", seconds(limits.session_cpu_s)]
    if limits.callback_s is not None:
        words += ["--callback-limit", seconds(limits.callback_s)]
    return tuple(words)


def access_flags(spec: Spec, routes: Mapping[str, str]) -> tuple[str, ...]:
    """The flags that say who may open the applications of one instance; `routes` has them by their names."""
    words = list(_rules("*", spec.access)) if any(spec.apps[name].access is None for name in routes) else []
    for name, route in routes.items():
        own = spec.apps[name].access
        words += _rules(route, own) if own is not None else []
    return tuple(words)


def _rules(route: str, access: Access | ApplicationAccess) -> Iterator[str]:
    for kind, names in (("user", access.users), ("group", access.groups)):
        for name in names:
            yield from ("--access", f"{route}={kind}:{name}")


def _server_flags(loaded: LoadedSpec) -> list[str]:
    """The flags of the block `server`; OperatorErrors for unknown settings, and for those set elsewhere in the file."""
    words: list[str] = []
    faults: list[OperatorError] = []
    for name, values in loaded.spec.server.items():
        path = ("server", name)
        setting = _by_name().get(name)
        if setting is None:
            hint = did_you_mean(name, _by_name()) or "docs/settings.md lists them."
            faults.append(loaded.fault(path, "is not a setting of the server", hint))
        elif name in _SET_BY:
            faults.append(loaded.fault(path, f"is set by {_SET_BY[name]}", "Set it there."))
        elif setting.secret:
            hint = f"Name where it comes from below secrets.{name}."
            faults.append(loaded.fault(path, "is a secret, and must not be in this file", hint))
        elif name in _NOT_IN_DEPLOYMENTS or setting.flag is None:
            faults.append(loaded.fault(path, "cannot be set in a deployment", "Leave it out."))
        else:
            try:
                words += _flag_words(setting, values)
            except OperatorError as error:
                faults.append(loaded.fault(path, error.what, error.hint))
    if faults:
        raise OperatorErrors(faults)
    return words


def _flag_words(setting: Setting, values: tuple[str, ...]) -> list[str]:
    """A setting as flags, checked by the setting's own parser."""
    assert setting.flag is not None
    if setting.arity is Arity.SWITCH:
        try:
            meant = len(values) == 1 and setting.parse(values[0])
        except ValueError as error:
            raise OperatorError(f"expected {error}, not {values[0]!r}") from None
        return [setting.flag] if meant else []
    from_flags({setting.name: list(values)})
    for value in values:
        if _DASHED.match(value):
            raise OperatorError(f"must not begin with a dash, like a flag: {value!r}", hint="Write a path as ./NAME.")
    if setting.arity is Arity.REPEATED:
        return [word for value in values for word in (setting.flag, value)]
    return [setting.flag, *values]
