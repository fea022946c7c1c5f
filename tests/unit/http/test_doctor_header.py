"""What an instance says to the doctor: the same by all its addresses, another by those of others."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app_server.http import doctor_header
from app_server.protocol.doctor import HEADER, Seen, Sent
from tests.support.servers.inside import Inside, inside


def handler_on(sock: socket.socket | None) -> Any:
    """As much of a request as says on which socket it came."""
    stream = None if sock is None else SimpleNamespace(socket=sock)
    return SimpleNamespace(request=SimpleNamespace(connection=SimpleNamespace(stream=stream)))


def bound(address: str, port: int = 0) -> socket.socket:
    """A socket with this address."""
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, port))
    return sock


def test_instance_is_the_same_by_all_addresses_of_localhost_and_another_at_another_port() -> None:
    with closing(bound("127.0.0.1")) as first, closing(bound("127.0.0.2", first.getsockname()[1])) as second:
        ident = doctor_header._instance(handler_on(first))
        assert len(ident) == 8 and doctor_header._instance(handler_on(second)) == ident
        with closing(bound("127.0.0.1")) as other:
            assert doctor_header._instance(handler_on(other)) != ident


@pytest.mark.parametrize("address", ["::1", "0.0.0.0"])
def test_address_of_one_machine_is_told_from_that_of_another(address: str) -> None:
    with closing(bound("127.0.0.1")) as local:
        port = local.getsockname()[1]
        reached = SimpleNamespace(getsockname=lambda: (address, port))
        same = doctor_header._instance(handler_on(reached)) == doctor_header._instance(handler_on(local))  # type: ignore[arg-type]
        assert same == (address == "::1")


def test_unix_sockets_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    found = set()
    for name in ("a", "b"):
        with closing(socket.socket(socket.AF_UNIX)) as sock:
            sock.bind(str(tmp_path / name))
            found.add(doctor_header._instance(handler_on(sock)))
    assert len(found) == 2


def test_doctor_that_has_gone_is_no_fault() -> None:
    with closing(bound("127.0.0.1")) as sock:
        sock.close()
        assert len(doctor_header._instance(handler_on(sock))) == 8
    assert len(doctor_header._instance(handler_on(None))) == 8


@pytest.fixture
def machine() -> Iterator[None]:
    """The machine is looked at again by this test, and after it."""
    doctor_header._machine.cache_clear()
    yield
    doctor_header._machine.cache_clear()


def test_machine_without_a_boot_id_is_known_by_its_name(
    machine: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor_header, "_BOOT_ID", tmp_path / "missing")
    assert doctor_header._machine() == ("", socket.gethostname())


@pytest.fixture(scope="module")
def state() -> Iterator[Inside]:
    with inside({"/app": lambda document: None}) as served:
        yield served


def test_request_is_compared_with_what_the_doctor_says_it_sent(state: Inside) -> None:
    sent = Sent("http", f"127.0.0.1:{state.server.port}", "/app", "https://x", "198.51.100.1")
    answer = state.get("/app?x=1", headers={HEADER: sent.statement(), "Origin": "https://x"})
    seen = Seen.read(answer.headers[HEADER.lower()])
    assert seen is not None
    assert seen == Seen(seen.instance, origin="same")


@pytest.mark.parametrize("statement", [None, "nonsense", "x" * 5000])
def test_nobody_else_gets_the_header(state: Inside, statement: str | None) -> None:
    answer = state.get("/app", headers={} if statement is None else {HEADER: statement})
    assert HEADER.lower() not in answer.headers


def test_doctor_learns_why_it_was_refused(state: Inside) -> None:
    sent = Sent("http", f"127.0.0.1:{state.server.port}", "/app")
    answer = state.get("/app?bokeh-token=x", headers={HEADER: sent.statement()})
    seen = Seen.read(answer.headers[HEADER.lower()])
    assert answer.status == 403 and seen is not None and seen.refused == "token"
