"""`app-server tunnel`, from a file and without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.cli import EXIT_USAGE, main

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
        # The other side has a key of its own.
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
        (["--run"], "--run: can open only one tunnel. Name one of office, far."),
        (["far", "--port", "1"], "--port: has no meaning with -f. Leave it out, or leave out -f."),
    ],
)
def test_wrong_words_about_a_file_are_one_line(
    file: str, words: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tunnel", "-f", file, *words], {}) == EXIT_USAGE
    assert capsys.readouterr().err == f"app-server: {error.replace('FILE', file)}\n"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "tunnel: no host. For example: app-server tunnel USER@HOST"),
        (["a@b", "--port", "x"], "--port: 'x' is not a port. Ports are numbers from 1 to 65535."),
        (["a@b", "--identity", "/no/such"], "--identity: /no/such is not a file. Check the path."),
        (["a@b", "--alive-count", "0"], "--alive-count: expected a whole number from 1 to 9999, not '0'"),
        (["a@b", "--via", "b,-c"], "--via: '-c' is not the name of a host. Write USER@HOST."),
        (["a@b", "--show", "x"], "--show: expected one of commands, config, unit, gateway, not 'x'"),
    ],
)
def test_wrong_words_are_one_line(words: list[str], error: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tunnel", *words], {}) == EXIT_USAGE
    assert capsys.readouterr().err == f"app-server: {error}\n"
