"""The manual's two scenes with SSH, by the files that are generated for them."""

from __future__ import annotations

import configparser
import shlex
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from app_server.deployment.plan.values import Plan
from tests.support.deployments.scenes import moved, write
from tests.support.hosts.namespaces import Host
from tests.tunnel.conftest import PORT, Net, Running, session, started, tunnel


def set_up(host: Host, scene: str, name: str, server: str, kind: str) -> tuple[Plan, Path]:
    """Write a scene's files for SSH on a host, with its key and the keys of the hosts that it knows."""
    folder = host.folder / scene
    plan = moved(scene, folder, {"tunnels": {name: {"server": server, "kind": kind}}})
    write(folder, "ssh", plan=plan)
    key = (host.home / ".ssh" / "id_ed25519").read_text()
    (folder / "tunnel_key").write_text(key)
    (folder / "tunnel_key").chmod(0o600)
    (folder / "known_hosts").write_text((host.etc / "ssh" / "ssh_known_hosts").read_text())
    return plan, folder


@contextmanager
def unit(host: Host, path: Path, config: Path) -> Iterator[Running]:
    """What systemd would run for a unit, and again when it ends."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(path)
    command = shlex.split(parser["Service"]["ExecStart"])
    # The file is where it was written, and not yet installed.
    command[command.index("-F") + 1] = str(config)
    again = f"trap 'kill $child; exit' TERM; while :; do {shlex.join(command)} & child=$!; wait; sleep 0.5; done"
    with started(host, "sh", "-c", again) as running:
        yield running


def use(net: Net, value: int) -> str:
    """Use a session from the laptop; its token."""
    net.laptop.wait_for_port(PORT)
    with session(net.laptop) as (client, token):
        client.set("slider", "value", value)
        client.wait_value("double", "value", 2 * value)
    return token


def test_ssh_tunnel_of_the_scene_comes_back(net: Net) -> None:
    plan, folder = set_up(net.laptop, "ssh-tunnel", "remote", "remote-user@remote", "local")
    with unit(net.laptop, folder / "ssh" / f"{plan.name}-tunnel-remote.service", folder / "ssh" / "config"):
        token = use(net, 5)
        ended = set(net.remote.connections())
        net.remote.cut()
        # Those that were ended are seen for a moment yet.
        while ended.issuperset(net.remote.connections()):
            time.sleep(0.01)
        net.laptop.wait_for_port(PORT)
        with session(net.laptop, token=token) as (client, _):
            assert client.value("double", "value") == 10


def test_gateway_of_the_scene_lets_its_tunnel_in(net: Net) -> None:
    plan, folder = set_up(net.remote, "ssh-gateway", "gateway", "tunnel@gateway", "reverse")
    other_side = (folder / "ssh" / "other-side" / "gateway.conf").read_text()
    keys = [line.removeprefix("#   ") for line in other_side.splitlines() if "restrict," in line]
    path = net.gateway.etc / "ssh" / "authorized_keys" / "tunnel"
    for line, host in zip(keys, (net.remote, net.laptop), strict=True):
        net.gateway.authorize(f"{line.partition(' ssh-ed25519 ')[0]} {host.public_key}", "tunnel")
    try:
        net.gateway.configure_sshd("tunnel.conf", other_side)
        with ExitStack() as stack:
            service = folder / "ssh" / f"{plan.name}-tunnel-gateway.service"
            stack.enter_context(unit(net.remote, service, folder / "ssh" / "config"))
            net.gateway.wait_for_port(PORT)
            stack.enter_context(tunnel(net.laptop, "tunnel@gateway"))
            use(net, 6)
    finally:
        path.unlink()
        (net.gateway.etc / "ssh" / "sshd_config.d" / "tunnel.conf").unlink()
        net.gateway.stop_sshd()
        net.gateway.start_sshd()
