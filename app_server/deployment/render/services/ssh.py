"""SSH tunnels: ssh's configuration, a unit for each tunnel, and what the other side has to allow."""

from __future__ import annotations

import re
from collections.abc import Iterator

from app_server.deployment.plan.values import Plan
from app_server.deployment.render import File, Files
from app_server.deployment.render.services.systemd import FILTERS, FIRST_UNPRIVILEGED_PORT, UNITS, specified, word
from app_server.deployment.render.templates import Quoted, comments, environment, header
from app_server.deployment.render.unwritable import refused
from app_server.deployment.spec import Tunnel as TunnelSpec
from app_server.tunnels.description import Form, Tunnel, read_place, read_places
from app_server.tunnels.guide import KEY, local_half
from app_server.tunnels.ssh import GATEWAY_USER, authorized_key, config, gateway_snippet, unattended_command

SSH = "/usr/bin/ssh"

SERVICE_USER = "app-server"
CONFIG = "/etc/app-server/ssh_config"
"""Where a tunnel without a deployment is installed."""


def wanted(plan: Plan) -> bool:
    """Whether the deployment has tunnels."""
    return bool(plan.tunnels)


def tunnel_of(plan: Plan, name: str, spec: TunnelSpec) -> Tunnel:
    """A tunnel of deploy.yaml, worked out."""
    first = plan.instances[0]
    reverse = spec.kind == "reverse"
    # What is on the other side does not belong to this deployment, so it has no socket of ours.
    socket = first.unix_socket if reverse and spec.target_port is None else None
    return Tunnel(
        name=name,
        destination=read_place(spec.server, f"tunnels.{name}.server"),
        form=Form.REVERSE if reverse else Form.LOCAL,
        listen_port=spec.listen,
        target_host=spec.target_host,
        target_port=spec.target_port or first.port,
        target_socket=None if socket is None else _file(socket),
        via=read_places(spec.jump, f"tunnels.{name}.jump"),
        identity=_file(spec.identity or f"{plan.paths.etc}/tunnel_key"),
        known_hosts=_file(spec.known_hosts or f"{plan.paths.etc}/known_hosts"),
        alive_interval_s=spec.alive_interval_s,
        alive_count=spec.alive_count,
    )


def tunnels_of(plan: Plan) -> tuple[Tunnel, ...]:
    """All of them."""
    return tuple(tunnel_of(plan, name, spec) for name, spec in plan.tunnels)


def unit_of(plan: Plan, name: str) -> str:
    """The name of a tunnel's service."""
    return f"{plan.name}-tunnel-{name}.service"


def render(plan: Plan) -> Files:
    """One ssh_config, the units, and for each other side its keys and what its sshd allows."""
    head = comments(plan, "ssh")
    tunnels = tunnels_of(plan)
    if not tunnels:
        return {"ssh/config": File(f"{head}# The deployment has no tunnels.\n")}
    path = f"{plan.paths.etc}/ssh_config"
    files = {"ssh/config": File(f"{head}\n{config(tunnels)}", install=path)}
    for tunnel, (name, spec) in zip(tunnels, plan.tunnels, strict=True):
        unit = unit_of(plan, name)
        text = unit_text(tunnel, header(plan, "ssh"), plan.name, spec.user or plan.user, path)
        files[f"ssh/{unit}"] = File(text, install=f"{UNITS}/{unit}")
    for path, mine in _by_other_side(tunnels).items():
        files[path] = File(head + _other_side(mine))
    return files


def other_side_of(tunnel: Tunnel) -> str:
    """The path of the file for the sshd that a tunnel goes to."""
    host = re.sub(r"[^A-Za-z0-9.-]", "_", tunnel.destination.host)
    return f"ssh/other-side/{host}.conf"


def unit_text(tunnel: Tunnel, head: list[Quoted], deployment: str, user: str, path: str) -> str:
    """The unit that keeps a tunnel open, as this user, with the ssh_config at this path."""
    return (
        environment("ssh", FILTERS)
        .get_template("tunnel.service")
        .render(
            header=head,
            what=_what(deployment, tunnel),
            user=user,
            command=_command(tunnel, path),
            jumps=bool(tunnel.via),
            privileged_port=tunnel.form is Form.LOCAL and tunnel.listen_port < FIRST_UNPRIVILEGED_PORT,
            protect_home=_protect_home(tunnel),
        )
    )


def standalone_unit(tunnel: Tunnel) -> str:
    """The unit of a tunnel that belongs to no deployment, headed by where it is installed."""
    head = [f"For {UNITS}/{tunnel.name}.service. It runs as {SERVICE_USER}, with {CONFIG}, which",
            "--show config prints."]  # fmt: skip
    return unit_text(tunnel, [Quoted(line) for line in head], "app-server", SERVICE_USER, CONFIG).rstrip()


def _by_other_side(tunnels: tuple[Tunnel, ...]) -> dict[str, list[Tunnel]]:
    found: dict[str, list[Tunnel]] = {}
    for tunnel in tunnels:
        found.setdefault(other_side_of(tunnel), []).append(tunnel)
    return found


def _other_side(tunnels: list[Tunnel]) -> str:
    """A file for sshd_config.d, with the lines of authorized_keys as comments: the keys are not ours to know."""
    lines: list[str] = []
    for user, mine in _by_user(tunnels).items():
        halves = [half for tunnel in mine for half in _halves(tunnel)]
        lines += [
            f"# For /etc/ssh/sshd_config.d of {mine[0].destination.host}. The user {user} is only for tunnels; its",
            "# authorized_keys has, each with the public key of who may come:",
            *(f"#   {authorized_key(half, f'{KEY} {name}')}" for half, name in halves),
            "",
            gateway_snippet([half for half, _ in halves], user),
        ]
    return "\n".join(lines).rstrip() + "\n"


def _by_user(tunnels: list[Tunnel]) -> dict[str, list[Tunnel]]:
    found: dict[str, list[Tunnel]] = {}
    for tunnel in tunnels:
        found.setdefault(tunnel.destination.user or GATEWAY_USER, []).append(tunnel)
    return found


def _halves(tunnel: Tunnel) -> Iterator[tuple[Tunnel, str]]:
    yield tunnel, tunnel.name
    if tunnel.form is Form.REVERSE:
        half = local_half(tunnel)
        yield half, half.name


def _what(deployment: str, tunnel: Tunnel) -> str:
    listen = f"port {tunnel.listen_port} {'here' if tunnel.form is Form.LOCAL else f'of {tunnel.destination.host}'}"
    there = f" on {tunnel.destination.host}" if tunnel.form is Form.LOCAL else ""
    target = tunnel.target_socket or f"port {tunnel.target_port} of {tunnel.target_host}{there}"
    return f"{deployment}, SSH tunnel from {listen} to {target}".replace(":", " ")


def _command(tunnel: Tunnel, path: str) -> Quoted:
    words = [SSH, *unattended_command(tunnel, path)[1:]]
    return Quoted(" ".join(word(text) if text != path else specified(word(text)) for text in words))


def _protect_home(tunnel: Tunnel) -> Quoted:
    files = [path for path in (tunnel.identity, tunnel.known_hosts) if path is not None]
    return Quoted("read-only" if any(path.startswith(("/home/", "/root")) for path in files) else "yes")


_MEANINGFUL = "\"'\\%$#~"


def _file(path: str) -> str:
    """A path that ssh takes as it is. OperatorError for characters that it takes for something else."""
    if not path.isprintable() or set(path) & set(_MEANINGFUL):
        raise refused(path, "ssh's configuration", _MEANINGFUL)
    return path
