"""Tunnels in the words of OpenSSH; what its programs make of them is in tests/tunnel."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app_server.cli import EXIT_USAGE, main
from app_server.deployment.render import render
from app_server.deployment.tunnels.description import Form, Place, Tunnel, read_place, read_places
from app_server.deployment.tunnels.guide import server_command
from app_server.deployment.tunnels.keeper import LONGEST_WAIT_S, Pace, hint_for
from app_server.deployment.tunnels.ssh import authorized_key, command, command_line, config, gateway_snippet
from app_server.errors import OperatorError
from tests.unit.deployment.making import planned

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


FILE = """\
apps: {myapp: myapp.py}
proxy: none
instances: {port: 5100, address: localhost}
tunnels:
  office: {kind: reverse, server: "tunnel@gateway.host:2222", listen: 8000, identity: /keys/office}
  far: {kind: local, server: me@far.host, jump: [me@one, two], alive_interval_s: 5}
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A deployment with two tunnels."""
    path = tmp_path / "deploy.yaml"
    path.write_text(FILE, encoding="utf-8")
    return str(path)


def test_tunnels_of_a_file_are_printed(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tunnel", "-f", file], {}) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("ssh ")]
    assert [line.partition(" -o ConnectTimeout=10 ")[2] for line in lines] == [
        "-o IdentitiesOnly=yes -i /keys/office -o UserKnownHostsFile=/etc/app-server/known_hosts -p 2222 "
        "-R localhost:8000:localhost:5100 tunnel@gateway.host",
        # The other half is somebody else's, with a key of theirs.
        "-p 2222 -L localhost:8000:localhost:8000 tunnel@gateway.host",
        "-o IdentitiesOnly=yes -i /etc/app-server/tunnel_key -o UserKnownHostsFile=/etc/app-server/known_hosts "
        "-J me@one,two -L localhost:5006:localhost:5100 me@far.host",
    ]
    assert "ServerAliveInterval=5" in lines[2]


def test_one_tunnel_of_a_file_can_be_named(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tunnel", "-f", file, "far", "--show", "unit"], {}) == 0
    printed = capsys.readouterr().out
    assert "ExecStart=/usr/bin/ssh -NT -F /etc/app-server/ssh_config far\n" in printed
    # A service's user may have no shell, and ssh starts its jump host's ssh with one.
    assert "Environment=SHELL=/bin/sh\n" in printed


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["near"], "FILE: has no tunnel 'near'. There are office, far."),
        (["--run"], "--run: runs one tunnel. Say which of office, far."),
        (["far", "--port", "1"], "--port: is told by the file. Leave it out, or leave out -f."),
    ],
)
def test_wrong_words_about_a_file_are_one_line(
    file: str, words: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tunnel", "-f", file, *words], {}) == EXIT_USAGE
    assert capsys.readouterr().err == f"app-server: {error.replace('FILE', file)}\n"


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs", "Cc")), min_size=1, max_size=30))
def test_no_file_of_a_tunnel_makes_a_line_of_its_own(tmp_path: Path, name: str) -> None:
    quoted = yaml.safe_dump(f"/k{name}", default_style='"', width=1000).strip()
    spec = FILE.replace("/keys/office", quoted)
    try:
        files = render("ssh", planned(tmp_path, spec))
    except OperatorError:
        return
    expected = render("ssh", planned(tmp_path, FILE))
    assert {path: file.text.count("\n") for path, file in files.items()} == {
        path: file.text.count("\n") for path, file in expected.items()
    }


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
