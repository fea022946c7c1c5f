"""The console of each instance: where it listens, and which other consoles it shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from app_server.deployment.plan.values import Instance, Pool
from app_server.deployment.spec import Spec
from app_server.deployment.targets import Layout
from app_server.security.hostnames import bracketed


def console_ports(spec: Spec, instances: tuple[Instance, ...]) -> Mapping[str, int]:
    """The port of each instance's console, by the instance's name; empty without consoles."""
    first = spec.console.port
    if first is None:
        return {}
    begun: Counter[str] = Counter()
    ports: dict[str, int] = {}
    for instance in instances:
        ports[instance.name] = first + begun[instance.host]
        begun[instance.host] += 1
    return ports


def with_consoles(spec: Spec, layout: Layout, pools: tuple[Pool, ...]) -> tuple[Pool, ...]:
    """The pools, whose instances on hosts have consoles if the file asks for them."""
    instances = tuple(instance for pool in pools for instance in pool.instances)
    if layout != "host" or spec.console.port is None:
        return pools
    ports = console_ports(spec, instances)
    places = {instance.name: _place(instance, ports[instance.name]) for instance in instances}
    return tuple(
        replace(pool, instances=tuple(_with_console(spec, instance, places) for instance in pool.instances))
        for pool in pools
    )


def _place(instance: Instance, port: int) -> str:
    """Where other instances reach its console: on the same machine if the deployment names no hosts."""
    return f"{bracketed(instance.address)}:{port}" if instance.host else f"127.0.0.1:{port}"


def _with_console(spec: Spec, instance: Instance, places: Mapping[str, str]) -> Instance:
    console = spec.console
    words = ["--console", places[instance.name]]
    if console.auth is not None:
        words += ["--console-auth", console.auth]
    if console.audit is not None:
        words += ["--console-audit", console.audit]
    others = [place for name, place in places.items() if name != instance.name]
    if others:
        words += ["--console-peers", ",".join(others)]
    # In front of the others: --args takes all that follows.
    start = instance.command[: len(instance.command) - len(instance.flags)]
    flags = (*words, *instance.flags)
    return replace(instance, flags=flags, command=(*start, *flags))
