"""`app-server tunnel --run` opens a tunnel again whenever it breaks, and the session in use goes on."""

from __future__ import annotations

import signal
import sys

import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.hosts.namespaces import Host
from tests.support.server import REPOSITORY
from tests.support.waiting import patience
from tests.tunnel.conftest import PORT, Net, Running, session, tunnel

QUICK = ("--alive-interval", "1", "--alive-count", "2")


def use_and_lose(net: Net, running: Running, lose: object) -> None:
    """Move a slider, lose the connection, come back: the session is the same one, with the slider where it was."""
    with session(net.laptop) as (client, token):
        client.set("slider", "value", 33)
        client.wait_value("double", "value", 66)
        opened = sum("open: " in line for line in running.said())
        lose()  # type: ignore[operator]
        with pytest.raises(ConnectionClosed):
            client.receive(timeout_s=patience(20))
    running.wait_for("open: ", opened + 1)
    net.laptop.wait_for_port(PORT)
    with session(net.laptop, token=token) as (client, _):
        assert (client.value("slider", "value"), client.value("double", "value")) == (33, 66)
        client.set("slider", "value", 34)
        client.wait_value("double", "value", 68)


def test_session_goes_on_after_the_connection_was_cut(net: Net) -> None:
    with tunnel(net.laptop, "remote-user@remote") as running:
        for _ in range(2):
            use_and_lose(net, running, lambda: net.remote.cut())


def test_session_goes_on_after_the_network_was_away(net: Net) -> None:
    with tunnel(net.laptop, "remote-user@remote", *QUICK) as running:

        def lose() -> None:
            net.laptop.pull_cable(net.remote)
            running.wait_for("the connection is gone")
            net.laptop.plug_cable(net.remote)

        use_and_lose(net, running, lose)


def test_session_goes_on_after_either_half_of_a_reverse_tunnel_was_cut(net: Net) -> None:
    with (
        tunnel(net.remote, "--reverse", "gateway-user@gateway") as there,
        tunnel(net.laptop, "gateway-user@gateway") as here,
    ):
        here.wait_for("the server answers")

        def lose() -> None:
            opened = sum("open: " in line for line in there.said())
            # Both halves end on the gateway.
            net.gateway.cut()
            there.wait_for("open: ", opened + 1)

        use_and_lose(net, here, lose)


def test_lines_say_what_happens(net: Net) -> None:
    with tunnel(net.laptop, "remote-user@remote") as running:
        running.wait_for("the server answers")
        net.remote.cut()
        running.wait_for("the server answers", 2)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(patience(10)) == 0
        said = running.said()
    assert [line for line in said if "gone" not in line] == [
        "tunnel: connecting to remote-user@remote",
        "tunnel: open: http://localhost:5006/ leads to localhost:5006 on remote",
        "tunnel: the server answers",
    ] * 2 + ["tunnel: stopped"]
    (gone,) = [line for line in said if "gone" in line]
    assert gone.startswith("tunnel: the connection is gone") and gone.endswith("next try in 0.5 s")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_signal_ends_the_tunnel_and_its_ssh(net: Net, number: int) -> None:
    with tunnel(net.laptop, "remote-user@remote") as running:
        running.process.send_signal(number)
        assert running.process.wait(patience(10)) == 0
        assert running.said()[-1] == "tunnel: stopped"
    assert not net.laptop.listens(PORT)


def test_signal_ends_the_wait_for_the_next_try(net: Net) -> None:
    with tunnel(net.laptop, "remote-user@remote") as running:
        running.wait_for("the server answers")
        net.remote.stop_sshd()
        try:
            net.remote.cut()
            running.wait_for("Connection refused); next try in ")
            running.process.send_signal(signal.SIGTERM)
            assert running.process.wait(patience(2)) == 0
        finally:
            net.remote.start_sshd()
        assert running.said()[-1] == "tunnel: stopped"


def test_server_that_is_not_there_is_said(net: Net) -> None:
    with tunnel(net.laptop, "remote-user@remote", "--port", "5999") as running:
        running.wait_for("the other end cannot reach localhost:5999: Connection refused")
        running.wait_for("no server answers at the other end yet")


def first_try(host: Host, *words: str) -> tuple[int, str]:
    """Exit status and last line of a tunnel that cannot be opened."""
    done = host.run(sys.executable, "-m", "app_server", "tunnel", *words, "--run", user="root", cwd=REPOSITORY)
    return done.returncode, done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        pytest.param(
            ("stranger@remote",),
            "stranger@remote: Permission denied (publickey). "
            "It does not accept your key: install that key there (ssh-copy-id), or use another one (--identity).",
            id="key that is not taken",
        ),
        pytest.param(
            ("remote-user@10.99.1.2",),
            "remote-user@10.99.1.2: Host key verification failed. "
            "Compare its key (ssh-keyscan prints it) with what its owner says, then add it to known_hosts.",
            id="host that is not known",
        ),
        pytest.param(
            ("remote-user@nowhere",),
            "remote-user@nowhere: Could not resolve hostname nowhere: Temporary failure in name resolution. "
            "Check the spelling of the host.",
            id="host that is not there",
        ),
        pytest.param(
            ("remote-user@remote:23",),
            "remote-user@remote:23: connect to host remote port 23: Connection refused. "
            "Is the host up, and its sshd on that port?",
            id="no sshd",
        ),
        pytest.param(
            ("remote-user@remote", "--listen", "22"),
            "remote-user@remote: Could not request local forwarding. "
            "Another program uses that port; choose another one with --listen.",
            id="port that is taken here",
        ),
        pytest.param(
            ("--reverse", "gateway-user@gateway", "--listen", "22"),
            "gateway-user@gateway: remote port forwarding failed for listen port 22. "
            "The gateway does not allow that port, or it is in use, perhaps by a dead connection.",
            id="port that is taken there",
        ),
    ],
)
def test_tunnel_that_never_opened_is_one_clear_line(net: Net, words: tuple[str, ...], line: str) -> None:
    assert first_try(net.laptop, *words) == (1, f"app-server: {line}")
