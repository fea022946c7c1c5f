"""A tunnel that is kept open: its pace, and what is logged about an ssh that does what the test says."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from app_server.errors import OperatorError
from app_server.tunnels import keeper as module
from app_server.tunnels.description import Form, Tunnel, TunnelEnd
from app_server.tunnels.keeper import LONGEST_WAIT_S, RetryPace, TunnelKeeper, hint_for
from tests.support.servers.inside import inside
from tests.support.waiting import PATIENCE_S, patience


def test_waits_double_up_to_a_limit() -> None:
    pace, waits = RetryPace(), []
    for _ in range(6):
        waits.append(pace.wait_s)
        pace = pace.next()
    assert waits == [0.5, 1, 2, 4, 5, LONGEST_WAIT_S]


def test_unknown_words_of_ssh_have_no_hint() -> None:
    assert hint_for("something new") is None


REMOTE = Tunnel(name="remote", destination=TunnelEnd("remote.host", "user"), listen_port=1)
GATEWAY = Tunnel(name="gateway", destination=TunnelEnd("gateway.host"), form=Form.REVERSE, listen_port=8000)
UP = "echo debug1: Entering interactive session. >&2; "
REVERSED = "echo debug1: remote forward success for: listen >&2"


def kept(script: str, tunnel: Tunnel = REMOTE, until: str | None = None, times: int = 1) -> list[str]:
    """The log of a tunnel whose ssh is this script, until a number of lines contain `until`; then it is stopped."""
    lines: list[str] = []

    def tell(line: str) -> None:
        lines.append(line)
        if until is not None and sum(until in each for each in lines) == times:
            keeper.stop()

    keeper = TunnelKeeper(tunnel, tell, interactive=False, words=["sh", "-c", script])
    assert keeper.run() == 0
    return lines


def test_open_tunnel_says_where_it_leads_and_that_nobody_answers_there() -> None:
    assert kept(f"{UP} exec sleep 60", until="no server") == [
        "connecting to user@remote.host",
        "open: http://localhost:1/ leads to localhost:5006 on remote.host",
        "no server answers at the other end yet",
        "stopped",
    ]


def test_server_that_answers_is_said() -> None:
    with inside({"/board": lambda document: None}) as site:
        tunnel = replace(REMOTE, listen_port=site.server.port)
        assert "the server answers" in kept(f"{UP} exec sleep 60", tunnel, until="the server answers")


def test_reverse_tunnel_says_whose_port_leads_here() -> None:
    said = kept(f"{REVERSED}; exec sleep 60", GATEWAY, until="open: ")
    assert said[1] == "open: port 8000 of gateway.host leads to localhost:5006 here"


def test_tunnel_that_ends_is_opened_again(tmp_path: Path) -> None:
    first = f"touch {tmp_path}/first; echo 'ssh: Connection reset.' >&2; sleep 0.05"
    said = kept(f"{UP} [ -e {tmp_path}/first ] && exec sleep 60; {first}", until="open: ", times=2)
    assert [line for line in said if "server" not in line] == [
        "connecting to user@remote.host",
        "open: http://localhost:1/ leads to localhost:5006 on remote.host",
        "the connection is gone (Connection reset); next try in 0.5 s",
        "connecting to user@remote.host",
        "open: http://localhost:1/ leads to localhost:5006 on remote.host",
        "stopped",
    ]


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("echo 'user@remote.host: Permission denied (publickey).' >&2",
         "user@remote.host: Permission denied (publickey). It does not accept your key: install that key there"
         " (ssh-copy-id), or use another one (--identity)."),
        ("exit 1", "user@remote.host: ssh ended without a message"),
        (f"{UP} echo Host key verification failed. >&2",
         "user@remote.host: Host key verification failed. Compare its key (ssh-keyscan prints it) with what its owner"
         " says, then add it to known_hosts."),
    ],
)  # fmt: skip
def test_what_no_further_try_mends_is_an_error(script: str, error: str) -> None:
    with pytest.raises(OperatorError) as caught:
        kept(script)
    assert str(caught.value) == error


def test_port_that_nobody_listens_on_there_is_said() -> None:
    failed = "echo channel 2: open failed: connect failed: Connection refused >&2"
    said = kept(f"{UP} {failed}; exec sleep 60", until="cannot")
    assert "the other end cannot reach localhost:5006: Connection refused" in said


def test_ssh_that_is_not_installed_is_said() -> None:
    keeper = TunnelKeeper(REMOTE, lambda line: None, interactive=False, words=["no-such-ssh"])
    with pytest.raises(OperatorError) as caught:
        keeper.run()
    assert str(caught.value) == (
        "no-such-ssh: there is no such program. Install OpenSSH's client (on Debian: apt-get install openssh-client)."
    )


def test_ssh_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STOP_DEADLINE_S", 0.05)
    said = kept(f"trap '' TERM; {UP} while :; do sleep 0.01; done", until="open: ")
    assert said[-1] == "stopped"


def test_signal_that_came_just_before_a_wait_ends_it() -> None:
    def tell(line: str) -> None:
        said.append(line)
        if line.startswith("open: "):
            keeper.stopping = True  # its handler has run, and has woken up nobody

    said: list[str] = []
    keeper = TunnelKeeper(GATEWAY, tell, interactive=False, words=["sh", "-c", f"{REVERSED}; exec sleep 60"])
    assert keeper.run() == 0
    assert said[-1] == "stopped"


def test_nobody_is_asked_for_a_password_where_nobody_sits() -> None:
    words = {
        interactive: TunnelKeeper(REMOTE, lambda line: None, interactive=interactive).words
        for interactive in (True, False)
    }
    assert "BatchMode=yes" in words[False] and "BatchMode=yes" not in words[True]


@pytest.mark.parametrize("script", ["exec sleep 60", "sleep 0.05"], ids=["open", "before the next try"])
def test_who_stops_it_wakes_it_up(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_S", 600.0)
    monkeypatch.setattr(module, "RetryPace", lambda wait_s=600.0: RetryPace(wait_s))
    waits = threading.Event()

    def tell(line: str) -> None:
        if "next try" in line or (line.startswith("open: ") and script.startswith("exec")):
            waits.set()

    def stop() -> None:
        assert waits.wait(patience(PATIENCE_S))
        keeper.stop()

    keeper = TunnelKeeper(GATEWAY, tell, interactive=False, words=["sh", "-c", f"{REVERSED}; {script}"])
    stopping = threading.Thread(target=stop)
    stopping.start()
    begun_s = time.monotonic()
    assert keeper.run() == 0
    assert time.monotonic() - begun_s < 100
    stopping.join()
