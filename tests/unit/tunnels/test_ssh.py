"""Tunnels in the words of OpenSSH; what its programs do with them is in tests/tunnel."""

from __future__ import annotations

import pytest

from app_server.tunnels.description import Form, Tunnel, TunnelEnd
from app_server.tunnels.ssh import authorized_key, command, command_line, config, gateway_snippet

REMOTE = Tunnel(name="remote", destination=TunnelEnd("remote.host", "user"))
GATEWAY = Tunnel(name="gateway", destination=TunnelEnd("gateway.host", "tunnel"), form=Form.REVERSE)
SAFE = "ssh -NT -o ExitOnForwardFailure=yes -o ServerAliveInterval=15 -o ServerAliveCountMax=3 -o ConnectTimeout=10"


def test_local_forward_is_one_line() -> None:
    assert command_line(REMOTE) == f"{SAFE} -L localhost:5006:localhost:5006 user@remote.host"


def test_reverse_forward_is_one_line() -> None:
    assert command_line(GATEWAY) == f"{SAFE} -R localhost:5006:localhost:5006 tunnel@gateway.host"


def test_ports_jump_hosts_and_keys_have_their_flags() -> None:
    tunnel = Tunnel(
        name="far",
        destination=TunnelEnd("::1", None, 2222),
        listen_port=8000,
        target_port=5100,
        target_host="2001:db8::1",
        via=(TunnelEnd("one", "me"), TunnelEnd("2001:db8::2", None, 24)),
        identity="/keys/mine",
        known_hosts="/keys/known hosts",
    )
    assert command(tunnel)[10:] == [
        "-o", "IdentitiesOnly=yes", "-i", "/keys/mine", "-o", 'UserKnownHostsFile="/keys/known hosts"',
        "-J", "me@one,[2001:db8::2]:24", "-p", "2222", "-L", "localhost:8000:[2001:db8::1]:5100", "::1",
    ]  # fmt: skip


def test_config_has_a_host_for_the_tunnel_and_each_jump_host() -> None:
    tunnel = Tunnel(
        name="far", destination=TunnelEnd("remote", "me"), via=(TunnelEnd("one"), TunnelEnd("two", port=24))
    )
    text = config([tunnel, GATEWAY])
    hosts = [line.removeprefix("Host ") for line in text.splitlines() if line.startswith("Host ")]
    assert hosts == ["far", "far-via-1", "far-via-2", "gateway"]
    assert "    ProxyJump far-via-1,far-via-2\n" in text


def test_key_for_a_reverse_tunnel_listens_on_its_port_and_opens_none() -> None:
    assert authorized_key(GATEWAY, "ssh-ed25519 AAAA") == (
        'restrict,port-forwarding,permitlisten="localhost:5006",permitopen="localhost:1",command="/bin/false" '
        "ssh-ed25519 AAAA"
    )


def test_key_for_a_local_tunnel_opens_its_port_and_listens_on_none() -> None:
    assert authorized_key(REMOTE, "ssh-ed25519 AAAA") == (
        'restrict,port-forwarding,permitlisten="localhost:1",permitopen="localhost:5006",command="/bin/false" '
        "ssh-ed25519 AAAA"
    )


@pytest.mark.parametrize(
    ("tunnels", "lines"),
    [
        ([GATEWAY], ["AllowTcpForwarding remote", "PermitListen localhost:5006", "PermitOpen none"]),
        ([REMOTE], ["AllowTcpForwarding local", "PermitListen none", "PermitOpen localhost:5006"]),
        ([GATEWAY, REMOTE], ["AllowTcpForwarding yes", "PermitListen localhost:5006", "PermitOpen localhost:5006"]),
    ],
)
def test_sshd_allows_the_directions_that_are_used(tunnels: list[Tunnel], lines: list[str]) -> None:
    said = [line.strip() for line in gateway_snippet(tunnels).splitlines()]
    assert [line for line in said if line.startswith(("AllowTcp", "PermitListen", "PermitOpen"))] == lines
