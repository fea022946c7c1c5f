"""Tunnels in the words of OpenSSH; what its programs make of them is in tests/tunnel."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_server.cli import EXIT_USAGE, main
from app_server.deployment.tunnels.description import Form, Place, Tunnel, read_place, read_places
from app_server.deployment.tunnels.guide import server_command
from app_server.deployment.tunnels.keeper import LONGEST_WAIT_S, Pace, hint_for
from app_server.deployment.tunnels.ssh import authorized_key, command, command_line, config, gateway_snippet
from app_server.errors import OperatorError

REMOTE = Tunnel(name="remote", destination=Place("remote.host", "user"))
GATEWAY = Tunnel(name="gateway", destination=Place("gateway.host", "tunnel"), form=Form.REVERSE)
SAFE = "ssh -NT -o ExitOnForwardFailure=yes -o ServerAliveInterval=15 -o ServerAliveCountMax=3 -o ConnectTimeout=10"


def test_local_forward_is_one_line() -> None:
    assert command_line(REMOTE) == f"{SAFE} -L localhost:5006:localhost:5006 user@remote.host"


def test_reverse_forward_is_one_line() -> None:
    assert command_line(GATEWAY) == f"{SAFE} -R localhost:5006:localhost:5006 tunnel@gateway.host"


def test_ports_jump_hosts_and_keys_have_their_flags() -> None:
    tunnel = Tunnel(
        name="far",
        destination=Place("::1", None, 2222),
        listen_port=8000,
        target_port=5100,
        target_host="2001:db8::1",
        via=(Place("one", "me"), Place("2001:db8::2", None, 24)),
        identity="/keys/mine",
        known_hosts="/keys/known hosts",
    )
    assert command(tunnel)[10:] == [
        "-o", "IdentitiesOnly=yes", "-i", "/keys/mine", "-o", 'UserKnownHostsFile="/keys/known hosts"',
        "-J", "me@one,[2001:db8::2]:24", "-p", "2222", "-L", "localhost:8000:[2001:db8::1]:5100", "::1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("word", "place"),
    [
        ("host", Place("host")),
        ("user@host", Place("host", "user")),
        ("user@host:2222", Place("host", "user", 2222)),
        ("10.0.0.1:22", Place("10.0.0.1", None, 22)),
        ("me@2001:db8::1", Place("2001:db8::1", "me")),
        ("me@[2001:db8::1]:24", Place("2001:db8::1", "me", 24)),
    ],
)
def test_place_is_read_and_written(word: str, place: Place) -> None:
    assert read_place(word, "HOST") == place
    assert str(place) == word


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("-oProxyCommand=sh", "HOST: '-oProxyCommand=sh' is not the name of a host. Write USER@HOST."),
        ("a b@host", "HOST: 'a b' is not the name of a user. Write USER@HOST."),
        ("-l@host", "HOST: '-l' is not the name of a user. Write USER@HOST."),
        ("host:0", "HOST: '0' is not a port. Ports are numbers from 1 to 65535."),
        ("host:", "HOST: '' is not a port. Ports are numbers from 1 to 65535."),
        ("user@", "HOST: '' is not the name of a host. Write USER@HOST."),
        ("a@b\nProxyCommand sh", "HOST: 'b\\nProxyCommand sh' is not the name of a host. Write USER@HOST."),
    ],
)
def test_what_is_no_place_is_refused(word: str, error: str) -> None:
    with pytest.raises(OperatorError) as caught:
        read_place(word, "HOST")
    assert str(caught.value) == error


@given(st.text())
def test_no_place_is_more_than_one_word_or_an_option(word: str) -> None:
    try:
        places = read_places([word], "--via")
    except OperatorError:
        return
    for place in places:
        assert not str(place).startswith("-") and len(str(place).split()) == 1
        assert not set(str(place)) & set("\"'\\;#%$`\0\n")


def test_config_has_a_host_for_the_tunnel_and_each_jump_host() -> None:
    tunnel = Tunnel(name="far", destination=Place("remote", "me"), via=(Place("one"), Place("two", port=24)))
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


def test_server_allows_the_port_that_browsers_see() -> None:
    assert server_command(REMOTE, "a.py", 5006) == "app-server serve a.py --address localhost"
    assert server_command(REMOTE, "a.py", 80).endswith(" --allow-websocket-origin localhost:80")


def test_waits_double_up_to_a_limit() -> None:
    pace, waits = Pace(), []
    for _ in range(6):
        waits.append(pace.wait_s)
        pace = pace.next()
    assert waits == [0.5, 1, 2, 4, 5, LONGEST_WAIT_S]


def test_unknown_words_of_ssh_have_no_hint() -> None:
    assert hint_for("something new") is None


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "tunnel: no host. Say which one: app-server tunnel USER@HOST"),
        (["a@b", "--port", "x"], "--port: 'x' is not a port. Ports are numbers from 1 to 65535."),
        (["a@b", "--identity", "/no/such"], "--identity: /no/such is not a file. Look at the path."),
        (["a@b", "--alive-count", "0"], "--alive-count: expected a whole number from 1 to 9999, not '0'"),
        (["a@b", "--via", "b,-c"], "--via: '-c' is not the name of a host. Write USER@HOST."),
        (["a@b", "--show", "x"], "--show: 'x' is none of commands, config, unit, gateway"),
    ],
)
def test_wrong_words_are_one_line(words: list[str], error: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tunnel", *words], {}) == EXIT_USAGE
    assert capsys.readouterr().err == f"app-server: {error}\n"
