"""A tunnel in the words of OpenSSH: options, command lines, ssh_config, and what a gateway allows.

Read ssh_config(5), sshd(8) on authorized_keys, and sshd_config(5) beside this.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app_server.tunnels.description import Form, Tunnel, TunnelEnd

# sshd's own user for tunnels, in what we write for a gateway.
GATEWAY_USER = "tunnel"


@dataclass(frozen=True)
class Option:
    """One line of ssh_config, and why it is there."""

    keyword: str
    value: str
    reason: str


# For tunnels that run unattended.
UNATTENDED = (
    Option("BatchMode", "yes", "No one is there to answer questions."),
    Option("StrictHostKeyChecking", "yes", "A host with an unknown key is refused."),
)
# A shared connection would outlive the tunnel's own ssh, or end with another one.
OWN_CONNECTION = Option("ControlPath", "none", "A separate connection, which ends with the tunnel.")
# -N and -T in a file: only the forward is requested.
NOTHING_ELSE = (
    Option("SessionType", "none", "Only the forward: no shell, no terminal."),
    Option("RequestTTY", "no", ""),
)


def safe(tunnel: Tunnel) -> tuple[Option, ...]:
    """What every tunnel needs, typed by a person or not."""
    interval, count = tunnel.alive_interval_s, tunnel.alive_count
    return (
        Option("ExitOnForwardFailure", "yes", "A port in use ends ssh; by default it stays, without a tunnel."),
        Option(
            "ServerAliveInterval", str(interval), f"A dead connection ends after {count} x {interval} s, not hours."
        ),
        Option("ServerAliveCountMax", str(count), ""),
        Option("ConnectTimeout", "10", "Give up soon on an unreachable host, and try again soon."),
    )


def command(tunnel: Tunnel, options: Iterable[Option] | None = None) -> list[str]:
    """The words that open the tunnel without any file of ours, with these options or the safe ones."""
    flag = "-L" if tunnel.form is Form.LOCAL else "-R"
    words = ["ssh", "-NT"]
    for option in safe(tunnel) if options is None else options:
        words += ["-o", f"{option.keyword}={option.value}"]
    if tunnel.identity is not None:
        words += ["-o", "IdentitiesOnly=yes", "-i", tunnel.identity]
    if tunnel.known_hosts is not None:
        words += ["-o", f"UserKnownHostsFile={_quoted(tunnel.known_hosts)}"]
    if tunnel.via:
        words += ["-J", ",".join(map(str, tunnel.via))]
    if tunnel.destination.port is not None:
        words += ["-p", str(tunnel.destination.port)]
    return [*words, flag, ":".join(tunnel.forward), tunnel.destination.login]


def command_line(tunnel: Tunnel) -> str:
    """The same for a shell, on one line."""
    return shlex.join(command(tunnel))


def unattended_command(tunnel: Tunnel, config: str) -> list[str]:
    """The words that open the tunnel with what `config_block` has written into the file `config`."""
    return ["ssh", "-NT", "-F", config, tunnel.name]


def config(tunnels: Sequence[Tunnel]) -> str:
    """An ssh_config with a Host for each tunnel, for `ssh -NT -F`; nothing else of the machine's is read then."""
    return "\n".join(config_block(tunnel) for tunnel in tunnels)


def config_block(tunnel: Tunnel) -> str:
    """The Host of one tunnel, and one for each jump host that has to be known by the same means."""
    lines = [f"Host {tunnel.name}", f"    HostName {tunnel.destination.host}"]
    if tunnel.destination.user is not None:
        lines.append(f"    User {tunnel.destination.user}")
    if tunnel.destination.port is not None:
        lines.append(f"    Port {tunnel.destination.port}")
    listen, target = tunnel.forward
    if tunnel.form is Form.LOCAL:
        lines += [
            "    # The first is listened on here; the second is reached from there.",
            f"    LocalForward {listen} {target}",
        ]
    else:
        lines += [
            "    # The first is listened on there; the second is reached from here.",
            f"    RemoteForward {listen} {target}",
        ]
    names = [f"{tunnel.name}-via-{number}" for number in range(1, len(tunnel.via) + 1)]
    if names:
        lines.append(f"    ProxyJump {','.join(names)}")
    lines += _trust(tunnel)
    lines += _lines((*NOTHING_ELSE, OWN_CONNECTION, *safe(tunnel), *UNATTENDED))
    for name, place in zip(names, tunnel.via, strict=True):
        lines += ["", *_jump_block(name, place, tunnel)]
    return "\n".join(lines) + "\n"


def _jump_block(name: str, place: TunnelEnd, tunnel: Tunnel) -> list[str]:
    lines = [f"Host {name}", f"    HostName {place.host}"]
    if place.user is not None:
        lines.append(f"    User {place.user}")
    if place.port is not None:
        lines.append(f"    Port {place.port}")
    return [*lines, *_trust(tunnel), *_lines((*safe(tunnel)[1:], *UNATTENDED), reasons=False)]


def _trust(tunnel: Tunnel) -> list[str]:
    """The key to authenticate with, and the trusted keys."""
    lines = []
    if tunnel.identity is not None:
        lines += ["    IdentitiesOnly yes", f"    IdentityFile {_quoted(tunnel.identity)}"]
    if tunnel.known_hosts is not None:
        lines.append(f"    UserKnownHostsFile {_quoted(tunnel.known_hosts)}")
    return lines


def _lines(options: Iterable[Option], *, reasons: bool = True) -> list[str]:
    lines = []
    for option in options:
        if option.reason and reasons:
            lines.append(f"    # {option.reason}")
        lines.append(f"    {option.keyword} {option.value}")
    return lines


def authorized_key(tunnel: Tunnel, public_key: str) -> str:
    """The line of authorized_keys on the host that ssh connects to: this key only allows what the tunnel does.

    The direction that the tunnel does not use is restricted to port 1, where nothing listens: sshd has no "none" here,
    and without the option every port would be open. Names are compared as words: 127.0.0.1 is not localhost.
    """
    listen, target = tunnel.forward
    opens, listens = ("localhost:1", listen) if tunnel.form is Form.REVERSE else (target, "localhost:1")
    options = f'restrict,port-forwarding,permitlisten="{listens}",permitopen="{opens}",command="/bin/false"'
    return f"{options} {public_key}"


def gateway_snippet(tunnels: Sequence[Tunnel], user: str = GATEWAY_USER) -> str:
    """sshd_config.d of the host that ssh connects to, for `user`, whose keys are only for these tunnels."""
    listens = [tunnel.forward[0] for tunnel in tunnels if tunnel.form is Form.REVERSE]
    opens = [tunnel.forward[1] for tunnel in tunnels if tunnel.form is Form.LOCAL]
    direction = "yes" if listens and opens else "remote" if listens else "local"
    return "\n".join(
        [
            f"Match User {user}",
            "    # A dead connection keeps its port until sshd notices: after 3 x 15 s; by default, never.",
            "    ClientAliveInterval 15",
            "    ClientAliveCountMax 3",
            f"    AllowTcpForwarding {direction}",
            f"    PermitListen {' '.join(listens) or 'none'}",
            f"    PermitOpen {' '.join(opens) or 'none'}",
            "    # The forwarded port stays on the gateway's loopback.",
            "    GatewayPorts no",
            "    # No shell, no files, no other kind of forward.",
            "    MaxSessions 0",
            "    ForceCommand /bin/false",
            "    PermitTTY no",
            "    X11Forwarding no",
            "    AllowAgentForwarding no",
            "    AllowStreamLocalForwarding no",
            "    PermitTunnel no",
            "    PermitUserRC no",
            "    AuthenticationMethods publickey",
            "Match all",
            "",
        ]
    )


def _quoted(path: str) -> str:
    """A path as ssh_config takes it; callers never pass what cannot be quoted there."""
    return f'"{path}"' if " " in path else path
