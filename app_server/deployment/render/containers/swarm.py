"""swarm.yaml for `docker stack deploy`: the proxy on every node, and a service of as many instances as a pool has.

An instance is a slot of its service: its number, and therefore its name and route, always stay the same. Engines (from
25 on) resolve a container's host name to its address as long as the container is healthy. The address changes whenever
the container is restarted, perhaps on another node. nginx resolves a name only when it starts, so it has a socket for
each instance, behind which the name is resolved for each connection (relays in nginx.conf); Apache's `addressttl` does
the same.

Secrets and the certificate are created outside of swarm.yaml; the proxy's configuration travels as configs.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from app_server.deployment.plan.site import published_port
from app_server.deployment.plan.values import Instance, Plan, PlannedSecret, Pool
from app_server.deployment.render import File, Files
from app_server.deployment.render import render as render_target
from app_server.deployment.render.containers.compose import (
    PROXY_LIMITS,
    TMP_MB,
    instance_lines,
    quote,
    seconds,
    variables,
)
from app_server.deployment.render.containers.valkey import valkey_words
from app_server.deployment.render.templates import environment, header, settings
from app_server.errors import OperatorError

FOLDER = "proxy"
"""Where the proxy's configuration lies beside swarm.yaml."""
SLOT = "{{.Task.Slot}}"
"""What the swarm replaces by the number of an instance in its service, from 1."""
# A proxy leaves its node's port at once when it is to be replaced: as long as it is there, no one is let in.
PROXY_DRAIN_S = 2.0
PROXY_GRACE_S = 10.0
# A connection whose other end has vanished is given up after 6 to 8 s, while `proxy_next_upstream_timeout` (10 s) lets
# another instance be asked: four repetitions of what was sent, or three probes where nothing was.
SYSCTLS = {
    "net.ipv4.tcp_retries2": 4,
    "net.ipv4.tcp_keepalive_time": 5,
    "net.ipv4.tcp_keepalive_intvl": 1,
    "net.ipv4.tcp_keepalive_probes": 3,
}


@dataclass(frozen=True, slots=True)
class Config:
    """A file of the proxy's: its key in swarm.yaml, its name in the swarm, and where it is here and there."""

    key: str
    name: str
    path: str
    target: str


@dataclass(frozen=True, slots=True)
class OutsideSecret:
    """A secret that the operator creates: its key in swarm.yaml, its name in the swarm, and what makes it."""

    key: str
    name: str
    command: str


def wanted(plan: Plan) -> bool:
    """`all` is for hosts; containers must be requested."""
    return False


def render(plan: Plan) -> Files:
    """swarm.yaml, and the proxy's configuration beside it."""
    _refuse(plan)
    plan = with_slots_names(plan)
    files = {f"{FOLDER}/{path.rpartition('/')[2]}": file for path, file in proxy_files(plan).items()}
    jinja = environment("swarm", {"y": quote, "seconds": seconds})
    text = jinja.get_template("swarm.yaml").render({**settings(plan), **_values(plan, files)})
    return {"swarm.yaml": File(text), **files}


def with_slots_names(plan: Plan) -> Plan:
    """The plan with instances that are called, reached and routed by their slots' numbers."""

    def slotted(pool: Pool) -> Pool:
        instances = (_slotted(pool, number, each) for number, each in enumerate(pool.instances, 1))
        return replace(pool, instances=tuple(instances))

    return replace(plan, pools=tuple(map(slotted, plan.pools)))


def _slotted(pool: Pool, number: int, instance: Instance) -> Instance:
    name = f"{_first_part(pool)}{number}"
    flags = list(instance.flags)
    if instance.route is None:
        return replace(instance, name=name, address=f"app-{name}")
    # All instances of a service have the same command: a variable says what differs.
    place = flags.index("--route")
    del flags[place : place + 2]
    return replace(instance, name=name, route=name, address=f"app-{name}", flags=tuple(flags))


def _first_part(pool: Pool) -> str:
    """What the names of a pool's instances begin with, as `a` and `sales-a` do."""
    return pool.instances[0].name.rstrip("0123456789")


def service_of(pool: Pool) -> str:
    """The name of a pool's service: `app`, or `app-sales` for an application that has instances of its own."""
    return f"app-{_first_part(pool)}".removesuffix("-a")


def _slot(pool: Pool) -> str:
    """The name of each of a pool's containers, as the swarm makes it."""
    return f"app-{_first_part(pool)}{SLOT}"


def _variables(plan: Plan, pool: Pool) -> tuple[tuple[str, str], ...]:
    route = (("APP_SERVER_ROUTE", f"{_first_part(pool)}{SLOT}"),) if len(pool.instances) > 1 else ()
    return (*route, *variables(plan))


def proxy_files(plan: Plan) -> Files:
    """The proxy's configuration, in which nginx reaches the instances by sockets of its own."""
    plan = replace(plan, proxy_drain_s=min(plan.proxy_drain_s, PROXY_DRAIN_S))
    return render_target(plan.spec.proxy.kind, with_relays(plan) if plan.spec.proxy.kind == "nginx" else plan)


def with_relays(plan: Plan) -> Plan:
    """The plan with instances that are reached by sockets in the proxy's own container."""

    def relayed(pool: Pool) -> Pool:
        return replace(
            pool, instances=tuple(replace(each, unix_socket=f"/tmp/{each.address}.sock") for each in pool.instances)
        )

    return replace(plan, pools=tuple(map(relayed, plan.pools)))


def _refuse(plan: Plan) -> None:
    """Raise OperatorError for what a swarm cannot have."""
    if not plan.has_proxy:
        hint = "Set proxy: nginx."
        raise OperatorError("the swarm's own balancer knows nothing of sessions", where="proxy", hint=hint)
    if plan.tls is not None and plan.tls.mode == "acme":
        hint = "Use tls.mode: files with what certbot has written on one of the hosts."
        raise OperatorError("a swarm's containers cannot get certificates by ACME", where="tls.mode", hint=hint)
    if plan.spec.containers.publish.address is not None:
        hint = "Leave it out, and close the nodes' other addresses with a firewall."
        where = "containers.publish.address"
        raise OperatorError("a swarm publishes ports on every address of a node", where=where, hint=hint)


def _values(plan: Plan, files: Mapping[str, File]) -> Mapping[str, Any]:
    containers = plan.spec.containers
    kind = plan.spec.proxy.kind
    return {
        "header": header(plan, "swarm"),
        "proxy_image": containers.images.proxy or f"app-server-{kind}:latest",
        "proxy_memory_mb": PROXY_LIMITS[kind][0],
        "proxy_pids": PROXY_LIMITS[kind][1],
        "proxy_grace_s": PROXY_GRACE_S,
        "grace_s": containers.grace_s or plan.stop_timeout_s,
        "monitor_s": containers.swarm.monitor_s,
        "restart_s": plan.spec.service.restart_s,
        "tmp_bytes": TMP_MB * 1024 * 1024,
        # An authenticator may have a name of elsewhere.
        "own_names_only": plan.spec.access.external is None,
        "sysctls": tuple(SYSCTLS.items()),
        "instances_on": containers.swarm.instances_on,
        "proxies_on": containers.swarm.proxies_on,
        "ports": tuple(_ports(plan)),
        "configs": tuple(_configs(plan, files)),
        "secrets": plan.secrets,
        "outside": tuple(outside_secrets(plan)),
        "valkey": valkey_words(plan) if plan.store.kind == "valkey" else (),
        "lines": partial(instance_lines, plan),
        "service": service_of,
        "slot": _slot,
        "environment": partial(_variables, plan),
    }


def _ports(plan: Plan) -> Iterator[tuple[int, int]]:
    """What each node publishes, and the container's port."""
    yield published_port(plan.spec, "http"), plan.listen_http
    if plan.tls is not None:
        yield published_port(plan.spec, "https"), plan.listen_https


def _configs(plan: Plan, files: Mapping[str, File]) -> Iterator[Config]:
    for path, file in files.items():
        key = path.rpartition("/")[2]
        digest = hashlib.sha256(file.text.encode()).hexdigest()[:12]
        # The main file includes only this deployment's site, whatever the image has besides.
        assert file.install is not None
        yield Config(key, f"{plan.name}-{key}-{digest}", f"./{path}", file.install)


def outside_secrets(plan: Plan) -> Iterator[OutsideSecret]:
    """The secrets that have to be in the swarm before the stack is deployed."""
    if plan.tls is not None:
        tls = plan.spec.tls
        yield _secret(plan, "certificate", _from_file(tls.certificate or "certificate.pem"))
        yield _secret(plan, "certificate_key", _from_file(tls.key or tls.certificate or "certificate.key"))
    for secret in plan.secrets:
        yield _secret(plan, secret.name, _source(secret))


def _secret(plan: Plan, key: str, source: tuple[str, str]) -> OutsideSecret:
    name = f"{plan.name}-{key}-{plan.spec.containers.swarm.secrets_version}"
    before, last = source
    return OutsideSecret(key, name, f"{before}docker secret create {name} {last}")


def _source(secret: PlannedSecret) -> tuple[str, str]:
    """What comes before and after the command that makes a secret."""
    return (f'printf %s "${secret.environment}" | ', "-") if secret.environment else _from_file(secret.file or "FILE")


def _from_file(path: str) -> tuple[str, str]:
    return "", shlex.quote(path)
