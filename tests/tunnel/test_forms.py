"""The commands that `app-server tunnel` prints, typed on hosts with a real sshd, carry a session."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack

from tests.support.server import REPOSITORY
from tests.tunnel.conftest import PORT, Net, session, started


def printed(*words: str) -> list[str]:
    """The command lines that `app-server tunnel` prints for ssh, in their order."""
    command = [sys.executable, "-m", "app_server", "tunnel", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    return [line for line in done.stdout.splitlines() if line.startswith("ssh ")]


def test_local_forward_carries_a_session(net: Net) -> None:
    (line,) = printed("remote-user@remote")
    with started(net.laptop, "sh", "-c", f"exec {line}"):
        net.laptop.wait_for_port(PORT)
        move_a_slider(net)


def test_local_forward_goes_through_a_jump_host(net: Net) -> None:
    (line,) = printed("remote-user@remote", "--via", "gateway-user@gateway", "--listen", "8123")
    net.laptop.pull_cable(net.remote)
    try:
        with started(net.laptop, "sh", "-c", f"exec {line}"):
            net.laptop.wait_for_port(8123)
            move_a_slider(net, 8123)
    finally:
        net.laptop.plug_cable(net.remote)


def test_reverse_tunnel_and_its_other_half_carry_a_session(net: Net) -> None:
    there, here = printed("--reverse", "gateway-user@gateway")
    with ExitStack() as stack:
        stack.enter_context(started(net.remote, "sh", "-c", f"exec {there}"))
        net.gateway.wait_for_port(PORT)
        stack.enter_context(started(net.laptop, "sh", "-c", f"exec {here}"))
        net.laptop.wait_for_port(PORT)
        move_a_slider(net)


def move_a_slider(net: Net, port: int = PORT) -> None:
    """Use a session from the laptop."""
    with session(net.laptop, port) as (client, _):
        client.set("slider", "value", 21)
        client.wait_value("double", "value", 42)
