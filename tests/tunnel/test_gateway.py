"""What `app-server tunnel --show gateway` prints lets keys do what the tunnel does, and nothing else."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.hosts.namespaces import Host
from tests.support.server import REPOSITORY
from tests.tunnel.conftest import PORT, Net, session, started, tunnel

USER = "tunnel"
TO_GATEWAY = f"{USER}@gateway"
SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5")


def printed() -> tuple[list[str], str]:
    """The two lines for authorized_keys, without the key, and the text for sshd."""
    command = [sys.executable, "-m", "app_server", "tunnel", "--reverse", TO_GATEWAY, "--show", "gateway"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout
    keys = [line.removeprefix("#   ") for line in text.splitlines() if "restrict," in line]
    snippet = text[text.index("Match User") :].rpartition("# Then")[0]
    return [line.partition(" ssh-ed25519 ")[0] for line in keys], snippet


@pytest.fixture(scope="module", params=["keys alone", "sshd alone"])
def guarded(net: Net, request: pytest.FixtureRequest) -> Iterator[Net]:
    """The gateway with half of what is printed: either half has to do, but for Unix sockets."""
    keys, snippet = printed()
    path = net.gateway.etc / "ssh" / "authorized_keys" / USER
    for options, host in zip(keys, (net.remote, net.laptop), strict=True):
        allowed = f"{options} {host.public_key}" if "keys" in request.param else host.public_key
        net.gateway.authorize(allowed, USER)
    if "sshd" in request.param:
        net.gateway.configure_sshd("app-server-tunnel.conf", snippet)
    yield net
    path.unlink()
    (net.gateway.etc / "ssh" / "sshd_config.d" / "app-server-tunnel.conf").unlink(missing_ok=True)
    net.gateway.stop_sshd()
    net.gateway.start_sshd()


def test_both_halves_carry_a_session(guarded: Net) -> None:
    with tunnel(guarded.remote, "--reverse", TO_GATEWAY), tunnel(guarded.laptop, TO_GATEWAY) as here:
        here.wait_for("the server answers")
        with session(guarded.laptop) as (client, _):
            client.set("slider", "value", 8)
            client.wait_value("double", "value", 16)
        # The gateway's loopback listens, its network does not.
        with guarded.laptop.entered(), pytest.raises(ConnectionRefusedError):
            socket.create_connection((guarded.laptop.addresses["gateway"], PORT), timeout=5)


def refused(host: Host, *attempts: tuple[str, ...]) -> list[str]:
    """What ssh says of each of these words, all of which have to fail without a word from the other side."""

    def attempt(words: tuple[str, ...]) -> str:
        done = host.run(*SSH, *words)
        assert done.returncode != 0 and done.stdout == "", (words, done.stdout)
        return done.stderr

    with ThreadPoolExecutor() as pool:
        return list(pool.map(attempt, attempts))


@pytest.mark.parametrize("name", ["laptop", "remote"])
def test_no_one_gets_a_shell_or_files(guarded: Net, name: str) -> None:
    refused(getattr(guarded, name), (TO_GATEWAY, "id"), ("-tt", TO_GATEWAY), ("-s", TO_GATEWAY, "sftp"))


def test_server_gets_only_its_own_port(guarded: Net) -> None:
    ports = ["localhost:5007:localhost:5006", "127.0.0.1:5006:localhost:5006", "*:5006:localhost:5006"]
    words = [("-NT", "-o", "ExitOnForwardFailure=yes", "-R", port, TO_GATEWAY) for port in ports]
    assert all("remote port forwarding failed" in said for said in refused(guarded.remote, *words))


@pytest.mark.parametrize("name", ["laptop", "remote"])
def test_no_one_reaches_another_port_through_the_gateway(guarded: Net, name: str) -> None:
    words = [("-W", target, TO_GATEWAY) for target in ("localhost:22", "remote:22", "127.0.0.1:5006")]
    assert all("open failed" in said for said in refused(getattr(guarded, name), *words))


@pytest.mark.parametrize("guarded", ["sshd alone"], indirect=True)
def test_no_one_gets_a_unix_socket(guarded: Net) -> None:
    # This takes the lines for sshd: no option of authorized_keys tells ports and Unix sockets apart.
    words = ("-NT", "-o", "ExitOnForwardFailure=yes", "-R", f"{guarded.gateway.home}/socket:localhost:5006", TO_GATEWAY)
    (said,) = refused(guarded.remote, words)
    assert "forward" in said


def test_dead_connection_gives_the_port_back(net: Net) -> None:
    _, snippet = printed()
    assert "ClientAliveInterval 15\n" in snippet and "ClientAliveCountMax 3\n" in snippet
    quick = snippet.replace("ClientAliveInterval 15", "ClientAliveInterval 1").replace("CountMax 3", "CountMax 2")
    net.gateway.configure_sshd("quick.conf", quick.replace(f"Match User {USER}", f"Match User {net.gateway.user}"))
    try:
        with started(net.remote, "ssh", "-NT", "-R", f"localhost:{PORT}:localhost:{PORT}", "gateway-user@gateway"):
            net.gateway.wait_for_port(PORT)
            net.remote.pull_cable(net.gateway)
            while net.gateway.listens(PORT):
                pass
    finally:
        net.remote.plug_cable(net.gateway)
        (net.gateway.etc / "ssh" / "sshd_config.d" / "quick.conf").unlink()
        net.gateway.stop_sshd()
        net.gateway.start_sshd()
