"""What `app-server tunnel` prints: what to type on which host, in order."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from app_server.tunnels.description import PORT, Form, Tunnel, TunnelEnd
from app_server.tunnels.ssh import GATEWAY_USER, authorized_key, command_line, config_block, gateway_snippet

KEY = "ssh-ed25519 AAAA..."
"""A placeholder for a public key."""


def guide(tunnel: Tunnel, application: str = "myapp.py") -> str:
    """The steps from a server to a browser through this tunnel, as shell commands with comments."""
    steps = _reverse(tunnel, application) if tunnel.form is Form.REVERSE else _local(tunnel, application)
    return "\n".join(steps)


def server_command(tunnel: Tunnel, application: str, browser_port: int) -> str:
    """How to start the server for the tunnel only, with its pages allowed to connect."""
    words = ["app-server", "serve", application, "--address", "localhost"]
    if tunnel.target_port != PORT:
        words += ["--port", str(tunnel.target_port)]
    if browser_port != tunnel.target_port:
        words += ["--allow-websocket-origin", f"localhost:{browser_port}"]
    return shlex.join(words)


def local_half(tunnel: Tunnel) -> Tunnel:
    """The tunnel from a user's machine to the port that a reverse tunnel offers on its gateway.

    The key, the known hosts and the jump hosts are those of that machine, which are not known here.
    """
    return Tunnel(
        name=f"{tunnel.name}-visitor",
        destination=tunnel.destination,
        listen_port=tunnel.listen_port,
        target_port=tunnel.listen_port,
        alive_interval_s=tunnel.alive_interval_s,
        alive_count=tunnel.alive_count,
    )


def _local(tunnel: Tunnel, application: str) -> Iterator[str]:
    host = tunnel.destination.host
    yield f"# On {host}: the server, only for its own host"
    yield server_command(tunnel, application, tunnel.listen_port)
    yield ""
    yield "# On your machine: the tunnel, until Ctrl-C"
    yield command_line(tunnel)
    yield ""
    yield f"# Then open {tunnel.url} there. With --run this command opens the tunnel itself, and opens it"
    yield "# again whenever it breaks. --show config and --show unit print what keeps it open permanently."


def _reverse(tunnel: Tunnel, application: str) -> Iterator[str]:
    gateway = tunnel.destination
    half = local_half(tunnel)
    yield "# On the server's host: the server, only for its own host, and the tunnel to the gateway"
    yield server_command(tunnel, application, half.listen_port)
    yield command_line(tunnel)
    yield ""
    yield f"# On your machine: the other half of the tunnel, until Ctrl-C; then open {half.url} there"
    yield command_line(half)
    yield ""
    yield f"# On {gateway.host}: keys that allow only this, in {_keys_of(gateway)}"
    yield f"# {authorized_key(tunnel, f'{KEY} the server')}"
    yield f"# {authorized_key(half, f'{KEY} your machine')}"
    yield ""
    yield "# --show gateway prints sshd's configuration there. With --run, on the server's host, this command keeps"
    yield "# the tunnel to the gateway open; --show config and --show unit print what keeps it open permanently."


def _keys_of(place: TunnelEnd) -> str:
    return "~/.ssh/authorized_keys" if place.user is None else f"~{place.user}/.ssh/authorized_keys"


def config_file(tunnel: Tunnel) -> str:
    """The ssh_config of a tunnel that is to stay, headed by how it is used."""
    return f"# For ssh -NT -F FILE {tunnel.name}\n\n{config_block(tunnel)}".rstrip()


def gateway_file(tunnel: Tunnel) -> str:
    """What the host at the other end of the tunnel needs: a user, its authorized keys and a snippet for sshd."""
    halves = [tunnel] if tunnel.form is Form.LOCAL else [tunnel, local_half(tunnel)]
    user = tunnel.destination.user or GATEWAY_USER
    lines = [
        f"# On {tunnel.destination.host}. The user {user} is only for tunnels:",
        f"#   useradd --system --create-home --shell /usr/sbin/nologin {user}",
        f"# {_keys_of(tunnel.destination)}, with the public keys of those who may come:",
        *(f"#   {authorized_key(half, KEY)}" for half in halves),
        "# /etc/ssh/sshd_config.d/app-server-tunnel.conf:",
        gateway_snippet(halves, user),
        "# Then: sshd -t && systemctl reload ssh",
    ]
    return "\n".join(lines)
