"""Where instances save their sessions, and the flags that say so."""

from __future__ import annotations

from collections.abc import Iterator

from app_server.deployment.plan.defaults import CONTAINER_STORE, DRAIN_S, VALKEY_PORT
from app_server.deployment.plan.values import Paths, PlannedStore
from app_server.deployment.spec import Spec
from app_server.deployment.targets import Layout

_MB = 1024 * 1024


def resolve_store(spec: Spec, paths: Paths, layout: Layout) -> PlannedStore:
    """The store of all instances. What contradicts itself is for the rules to find."""
    stated = spec.sessions.store
    if stated is not None and "://" in stated:
        return PlannedStore("redis", stated)
    if stated is None and spec.secrets.store is not None:
        return PlannedStore("redis")
    if stated == "valkey":
        return PlannedStore("valkey", f"redis://{valkey_name(spec, layout)}:{VALKEY_PORT}")
    if stated == "off" or stated is None and layout in ("containers", "cluster", "platform"):
        # Containers on several machines share no folder.
        return PlannedStore("off")
    if layout == "compose":
        return PlannedStore("folder", CONTAINER_STORE, mounted=stated)
    return PlannedStore("folder", stated or f"{paths.state.rstrip('/')}/sessions")


def resolve_drain_s(spec: Spec, store: PlannedStore) -> float:
    """How long sessions go on after a stop is requested: only until they are saved, if they go on elsewhere."""
    if spec.service.drain_s is not None:
        return spec.service.drain_s
    return 0 if moves_sessions(spec, store) else DRAIN_S


def moves_sessions(spec: Spec, store: PlannedStore) -> bool:
    """Whether each instance goes on with the sessions of each other one: those of several hosts share no folder."""
    if store.kind == "off" or spec.sessions.restore == "off":
        return False
    return store.kind != "folder" or len(spec.instances.hosts) < 2


def valkey_name(spec: Spec, layout: Layout) -> str:
    """The name by which instances reach their Valkey: of a service of the stack, or of the cluster's namespace."""
    return f"{spec.name}-valkey" if layout == "cluster" else "valkey"


def store_flags(spec: Spec, store: PlannedStore) -> Iterator[str]:
    """The flags of saved sessions; none if they are not saved."""
    sessions = spec.sessions
    if store.kind == "off":
        return
    if store.place is not None:
        yield from ("--store", store.place)
    if sessions.store_ttl_s is not None:
        yield from ("--store-ttl", str(sessions.store_ttl_s))
    if sessions.store_max_mb is not None:
        yield from ("--store-max-bytes", str(sessions.store_max_mb * _MB))
    if sessions.store_encrypt:
        yield "--store-encrypt"
    if sessions.store_optional:
        yield "--store-optional"
    if sessions.restore is not None:
        yield from ("--restore", sessions.restore)
