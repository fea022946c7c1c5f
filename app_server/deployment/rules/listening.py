"""Ports, sockets and hosts: what listens where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app_server.deployment.plan.values import Plan
from app_server.deployment.rules.verdict import Path, Rule, RuleVerdict, fault

LONGEST_SOCKET_PATH_BYTES = 107


def ports_are_used_once(plan: Plan) -> Iterator[RuleVerdict]:
    """Two programs cannot listen on the same port of a machine."""
    taken: dict[tuple[str, int], str] = {}
    proxy_machines = [machine for machine in plan.machines if machine.is_proxy] if plan.layout == "host" else []
    for machine in proxy_machines:
        host = machine.instances[0].host if machine.instances else machine.name
        taken[host, plan.listen_http] = "the proxy"
        if plan.tls is not None:
            if plan.listen_https == plan.listen_http:
                yield fault(("proxy",), f"http and https would both listen on port {plan.listen_http}")
            taken[host, plan.listen_https] = "the proxy"
    for pool in plan.pools:
        own = pool.apps[0].name if plan.spec.apps[pool.apps[0].name].stands_alone else None
        path: Path = ("apps", own, "instances", "port") if own else ("instances", "port")
        for instance in pool.instances if plan.layout == "host" else ():
            if instance.unix_socket is not None:
                continue
            key = (instance.host, instance.port)
            if instance.port > 65535:
                yield fault(path, f"{instance.name} would listen on port {instance.port}", "Start with a lower port.")
            elif key in taken:
                what = f"{instance.name} would listen on port {instance.port}, which {taken[key]} uses"
                yield fault(path, what, "Choose another port.")
            taken.setdefault(key, instance.name)


def local_tunnels_have_ports_of_their_own(plan: Plan) -> Iterator[RuleVerdict]:
    """Two tunnels cannot listen on the same port of the same side."""
    taken: dict[tuple[str, str, int], str] = {}
    for name, tunnel in plan.tunnels:
        key = (tunnel.kind, tunnel.server if tunnel.kind == "reverse" else "", tunnel.listen)
        if key in taken:
            what = f"the tunnel {taken[key]} already uses port {tunnel.listen} on that side"
            yield fault(("tunnels", name, "listen"), what, "Choose another port.")
        taken.setdefault(key, name)


def hosts_have_names_of_their_own(plan: Plan) -> Iterator[RuleVerdict]:
    """A name or an address that two hosts share is a mistake in one of them."""
    for key, hosts in (("instances", plan.spec.instances.hosts), ("proxy", plan.spec.proxy.hosts)):
        for about in ("name", "address"):
            seen: set[str] = set()
            for number, host in enumerate(hosts):
                value = getattr(host, about)
                if value in seen:
                    yield fault((key, "hosts", number, about), f"{value} is used by another host too")
                seen.add(value)


def sockets_stay_on_their_machine(plan: Plan) -> Iterator[RuleVerdict]:
    """A Unix socket cannot be reached from another machine, and its path has a limit."""
    folder = plan.spec.instances.socket_dir
    if folder is None:
        return
    if plan.spec.instances.hosts or plan.spec.proxy.hosts:
        what = "Unix sockets cannot be reached from another host"
        yield fault(("instances", "socket_dir"), what, "Remove it, or remove the hosts.")
    if not plan.has_proxy:
        yield fault(("instances", "socket_dir"), "browsers cannot reach a Unix socket", "Use a proxy or a port.")
    longest = max((instance.unix_socket or "" for instance in plan.instances), key=len)
    if len(longest.encode()) > LONGEST_SOCKET_PATH_BYTES:
        yield fault(("instances", "socket_dir"), f"{longest} is longer than {LONGEST_SOCKET_PATH_BYTES} bytes")


RULES: Final[tuple[Rule, ...]] = (
    ports_are_used_once,
    local_tunnels_have_ports_of_their_own,
    hosts_have_names_of_their_own,
    sockets_stay_on_their_machine,
)
