"""An inventory for Ansible: the hosts, what each runs, and which of the other targets' files belong to it.

Roles install what was rendered: `app_server_files` of a host names each file in the tree that `app-server config all`
writes, and where it goes.
"""

from __future__ import annotations

import json
import math
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from app_server.deployment.plan.values import Instance, Machine, Plan
from app_server.deployment.render import File, Files
from app_server.deployment.render import render as render_target
from app_server.deployment.render.proxies import apache, nginx
from app_server.deployment.render.services.ssh import other_side_of, tunnels_of
from app_server.deployment.render.services.ssh import unit_of as tunnel_unit_of
from app_server.deployment.render.services.supervisor import program_of
from app_server.deployment.render.services.systemd import unit_of
from app_server.deployment.render.templates import comments
from app_server.deployment.targets import TARGETS
from app_server.tunnels.description import Form, read_place
from app_server.tunnels.guide import local_half
from app_server.tunnels.ssh import authorized_key

LOCAL = ("localhost", "127.0.0.1", "::1")
MANAGERS = {"systemd": ("systemd",), "supervisor": ("supervisor",), "gunicorn": ("gunicorn", "systemd"), "none": ()}


def render(plan: Plan) -> Files:
    """One file, for `ansible-playbook -i`."""
    head = comments(plan, "inventory")
    return {"inventory.yml": File(head + dump(inventory(plan)))}


def inventory(plan: Plan) -> Mapping[str, Any]:
    """The groups `app_servers`, `proxies`, `tunnels` and `gateways`, with variables of hosts and of all."""
    groups: dict[str, dict[str, Any]] = {"app_servers": {}, "proxies": {}, "tunnels": {}, "gateways": {}}
    for machine in plan.machines:
        if machine.instances:
            groups["app_servers"][machine.name] = {}
        if machine.is_proxy:
            groups["proxies"][machine.name] = {}
    tunnelled = _tunnel_machine(plan)
    rendered = _rendered(plan)
    hosts = {machine.name: _host(plan, machine, machine is tunnelled, rendered) for machine in plan.machines}
    if tunnelled is not None:
        groups["tunnels"][tunnelled.name] = {}
        gateways = dict(_gateways(plan))
        hosts |= gateways
        groups["gateways"] = {name: {} for name in gateways}
    return {
        "all": {
            "vars": _variables(plan),
            "hosts": hosts,
            "children": {name: {"hosts": hosts} for name, hosts in groups.items()},
        }
    }


def _variables(plan: Plan) -> Mapping[str, Any]:
    """What is the same for all hosts."""
    paths, spec, tls = plan.paths, plan.spec, plan.tls
    return {
        "app_server_name": plan.name,
        "app_server_user": plan.user,
        "app_server_group": plan.group,
        "app_server_manager": spec.service.manager,
        "app_server_command": list(paths.command),
        "app_server_venv": posixpath.dirname(posixpath.dirname(paths.command[0])),
        "app_server_paths": {
            "apps": paths.apps, "etc": paths.etc, "run": paths.run, "log": paths.log, "state": paths.state,
            "static": paths.static,
        },
        "app_server_apps": [{"name": app.name, "path": app.path, "url": app.url} for app in plan.apps],
        "app_server_secrets": [
            {
                "name": secret.name, "variable": secret.variable, "file": secret.file, "credential": secret.credential,
                **({"source": secret.source} if secret.source is not None else {}),
            }
            for secret in plan.secrets
        ],
        "app_server_store_folder": plan.store.folder,
        "app_server_drain_s": math.ceil(plan.drain_s),
        "app_server_stop_timeout_s": math.ceil(plan.stop_timeout_s),
        "app_server_settle_s": _settle_s(plan),
        "app_server_url": plan.site.url,
        "app_server_hosts": list(plan.site.hosts),
        "app_server_proxy": spec.proxy.kind,
        "app_server_ports": [plan.listen_http, *([plan.listen_https] if tls is not None else [])],
        "app_server_static": spec.proxy.static,
        "app_server_tls": {
            "mode": "off" if tls is None else tls.mode,
            "name": spec.tls.acme.name or plan.name,
            "certificate": tls.certificate if tls is not None else None,
            "key": tls.key if tls is not None else None,
            "webroot": tls.webroot if tls is not None else None,
            "email": spec.tls.acme.email,
            "directory": spec.tls.acme.directory,
        },
    }  # fmt: skip


def _settle_s(plan: Plan) -> int:
    """After how many seconds the proxy surely sends people to an instance again that was away."""
    if plan.spec.proxy.kind == "apache":
        return apache.retry_s(plan) + 1
    return nginx.FAIL_TIMEOUT_S + 1 if plan.spec.proxy.kind == "nginx" and nginx.spread(plan) else 0


def _host(plan: Plan, machine: Machine, has_tunnels: bool, rendered: Mapping[str, Files]) -> Mapping[str, Any]:
    return {
        **_connection(machine.ssh, f"instances.hosts.{machine.name}.ssh"),
        "app_server_instances": [_instance(plan, instance) for instance in machine.instances],
        "app_server_tunnels": _tunnels(plan) if has_tunnels else [],
        "app_server_files": list(_files(plan, machine, has_tunnels, rendered)),
    }


def _gateways(plan: Plan) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The hosts that tunnels go to, if deploy.yaml says how to log in there; named as the tunnels name them.

    `gateway_server` sets them apart from hosts of the deployment, one of which may be the same machine.
    """
    for name, spec in plan.tunnels:
        if spec.ssh is not None:
            server = read_place(spec.server, f"tunnels.{name}.server").host
            yield f"gateway-{server}", {"gateway_server": server, **_connection(spec.ssh, f"tunnels.{name}.ssh")}


def _connection(ssh: str, where: str) -> Mapping[str, Any]:
    """How Ansible reaches a host."""
    place = read_place(ssh, where)
    if place.host in LOCAL and place.user is None and place.port is None:
        return {"ansible_connection": "local"}
    found: dict[str, Any] = {"ansible_host": place.host}
    if place.user is not None:
        found["ansible_user"] = place.user
    if place.port is not None:
        found["ansible_port"] = place.port
    return found


def _instance(plan: Plan, instance: Instance) -> Mapping[str, Any]:
    """An instance; `service` is what the manager calls it, `ready` is asked when it has been started."""
    supervisor = plan.spec.service.manager == "supervisor"
    return {
        "name": instance.name,
        "pool": instance.pool,
        "service": program_of(plan, instance) if supervisor else unit_of(plan, instance),
        "address": instance.address,
        "port": instance.port,
        "unix_socket": instance.unix_socket,
        "ready": f"{plan.site.prefix}/readyz",
        "command": list(instance.command),
    }


def _tunnel_machine(plan: Plan) -> Machine | None:
    """The host that the tunnels run on: the one with the first instance, which they lead to by default."""
    with_instances = [machine for machine in plan.machines if machine.instances]
    return with_instances[0] if plan.tunnels and with_instances else None


def _tunnels(plan: Plan) -> list[Mapping[str, Any]]:
    """The tunnels.

    `key_options` is what stands before the key in authorized_keys on the other side, `visitor_options` before the keys
    of people who come through a reverse tunnel, `server_config` the rendered file for sshd_config.d there.
    """
    return [
        {
            "name": tunnel.name,
            "service": tunnel_unit_of(plan, tunnel.name),
            "user": spec.user or plan.user,
            "kind": spec.kind,
            "listen": tunnel.listen_port,
            "server": tunnel.destination.host,
            "server_user": tunnel.destination.user,
            "server_port": tunnel.destination.port,
            "identity": tunnel.identity,
            "known_hosts": tunnel.known_hosts,
            "key_options": authorized_key(tunnel, "").strip(),
            "visitor_options": authorized_key(local_half(tunnel), "").strip() if tunnel.form is Form.REVERSE else None,
            "server_config": other_side_of(tunnel),
        }
        for tunnel, (_, spec) in zip(tunnels_of(plan), plan.tunnels, strict=True)
    ]


def _has_acme(plan: Plan) -> bool:
    return plan.tls is not None and plan.tls.mode == "acme"


def _rendered(plan: Plan) -> Mapping[str, Files]:
    """The targets whose files are installed on hosts."""
    names = [*MANAGERS[plan.spec.service.manager], *([plan.spec.proxy.kind, "logrotate"] if plan.has_proxy else [])]
    names += [*(["acme"] if _has_acme(plan) else []), *(["ssh"] if plan.tunnels else [])]
    return {name: render_target(name, plan) for name in names if name in TARGETS}


def _files(
    plan: Plan, machine: Machine, has_tunnels: bool, rendered: Mapping[str, Files]
) -> Iterator[Mapping[str, Any]]:
    """What of the rendered tree is installed on a host."""
    names: list[str] = []
    if machine.instances:
        names += MANAGERS[plan.spec.service.manager]
    if machine.is_proxy:
        names += [plan.spec.proxy.kind, "logrotate", *(["acme"] if _has_acme(plan) else [])]
    if has_tunnels:
        names.append("ssh")
    for name in names:
        for path, file in rendered.get(name, {}).items():
            if file.install is not None and file.host in (None, machine.name):
                yield {"src": path, "dest": file.install, "mode": f"{file.mode:04o}", "owner": file.owner}


# What YAML 1.1 takes for something else than text, among words of this form.
_PLAIN = re.compile(r"(?!(?:y|n|yes|no|on|off|true|false|null)$)[A-Za-z/_][A-Za-z0-9/_.@+-]*", re.IGNORECASE)

_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")


def dump(value: object) -> str:
    """Mappings, lists and scalars as YAML, the way people write it; PyYAML takes ten times as long.

    Text with a brace is marked, so Ansible does not treat it as a template.
    """
    return "\n".join(_lines(value, "")) + "\n"


def _lines(value: object, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(item, Mapping | list | tuple) and item:
                yield f"{indent}{_scalar(key)}:"
                yield from _lines(item, indent + "  ")
            else:
                yield f"{indent}{_scalar(key)}: {_scalar(item)}"
    elif isinstance(value, list | tuple):
        for item in value:
            if isinstance(item, Mapping) and item:
                first, *others = _lines(item, indent + "  ")
                yield f"{indent}- {first.lstrip()}"
                yield from others
            else:
                yield f"{indent}- {_scalar(item)}"


def _scalar(value: object) -> str:
    if isinstance(value, str):
        if _PLAIN.fullmatch(value):
            return value
        # JSON's text is YAML's, too, but for characters that JSON writes as two.
        quoted = _PAIR.sub(lambda pair: f"\\U{ord(json.loads(f'{chr(34)}{pair[0]}{chr(34)}')):08x}", json.dumps(value))
        return f"{'!unsafe ' if '{' in value else ''}{quoted}"
    if isinstance(value, Mapping | list | tuple):
        return "{}" if isinstance(value, Mapping) else "[]"
    return json.dumps(value)
