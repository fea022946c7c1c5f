"""Connections are accepted as long as there are descriptors; a fake listener says when there are none."""

from __future__ import annotations

import errno
import itertools
import os
import resource
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tornado.ioloop import IOLoop

from app_server import system
from app_server.http import accepting
from app_server.http.accepting import Acceptor, raise_descriptor_limit
from tests.support.clock import SkippingLoop, skipping_loop


class Listener:
    """A listening socket that may fail before it accepts what waits."""

    def __init__(self) -> None:
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.sock.setblocking(False)
        self.faults: list[OSError] = []
        self.asked_s: list[float] = []
        self.loop: SkippingLoop

    def fileno(self) -> int:
        return self.sock.fileno()

    def accept(self) -> Any:
        self.asked_s.append(round(self.loop.time(), 3))
        if self.faults:
            raise self.faults.pop(0)
        return self.sock.accept()


@pytest.fixture
def loop() -> Iterator[SkippingLoop]:
    with skipping_loop() as made:
        yield made


@pytest.fixture
def listener(loop: SkippingLoop) -> Iterator[Listener]:
    made = Listener()
    made.loop = loop
    with made.sock:
        yield made


class Visitors(list[socket.socket]):
    """The connections that were accepted."""

    def take(self, connection: socket.socket, address: Any) -> None:
        """One more."""
        self.append(connection)


@pytest.fixture
def visitors() -> Iterator[Visitors]:
    made = Visitors()
    yield made
    for each in made:
        each.close()


def accepting_on(
    listener: Listener, visitors: Visitors, take: Callable[[socket.socket, Any], None] | None = None
) -> Acceptor:
    """What accepts from now on."""

    async def begin() -> Acceptor:
        return Acceptor(listener, take or visitors.take)  # type: ignore[arg-type]

    return listener.loop.run_until_complete(begin())


def come(listener: Listener, count: int = 1) -> list[socket.socket]:
    """So many clients."""
    return [socket.create_connection(listener.sock.getsockname()) for _ in range(count)]


def test_all_who_wait_are_accepted_a_part_at_a_time(
    listener: Listener, visitors: Visitors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepting, "_MOST_AT_ONCE", 3)
    clients = come(listener, 7)
    counts: list[int] = []

    def take(connection: socket.socket, address: Any) -> None:
        visitors.append(connection)
        listener.loop.call_soon(lambda: counts.append(len(visitors)))

    acceptor = accepting_on(listener, visitors, take)
    listener.loop.run_for(0.01)
    assert counts == [3, 3, 3, 6, 6, 6, 7], "others have their turn between"
    acceptor.stop()
    clients += come(listener)
    listener.loop.run_for(1)
    assert len(visitors) == 7 and listener.sock.fileno() > 0
    for client in clients:
        client.close()


def test_all_who_wait_are_taken_before_the_socket_is_closed(
    listener: Listener, visitors: Visitors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepting, "_MOST_AT_ONCE", 3)
    acceptor = accepting_on(listener, visitors)
    clients = come(listener, 7)
    acceptor.take_waiting()
    assert len(visitors) == 7
    acceptor.stop()
    for client in clients:
        client.close()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_without_descriptors_it_pauses_longer_and_longer_and_says_so_once_a_minute(
    listener: Listener, visitors: Visitors, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    (client,) = come(listener)
    listener.faults = [OSError(number, "none left") for _ in range(70)]
    acceptor = accepting_on(listener, visitors)
    listener.loop.run_for(5)
    assert listener.asked_s[:7] == [0, 0.05, 0.15, 0.35, 0.75, 1.55, 2.55]
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    line = (
        f"Out of file descriptors (none left; the limit is {soft}): new connections wait until others have ended. "
        "Raise the limit, with `ulimit -n` or LimitNOFILE= of the unit."
    )
    assert caplog.messages == [line]
    listener.loop.run_for(56)
    assert caplog.messages == [line] * 2
    listener.faults.clear()
    listener.loop.run_for(2)
    assert len(visitors) == 1
    listener.asked_s.clear()
    listener.faults = [OSError(number, "again")]
    client.close()
    (client,) = come(listener)
    listener.loop.run_for(0.06)
    assert len(visitors) == 2, "the pauses are short again"
    acceptor.stop()
    client.close()


def test_stop_ends_a_pause(listener: Listener, visitors: Visitors) -> None:
    (client,) = come(listener)
    listener.faults = [OSError(errno.EMFILE, "none left")]
    acceptor = accepting_on(listener, visitors)
    listener.loop.run_for(0.01)
    acceptor.stop()
    listener.loop.run_for(5)
    assert not visitors
    client.close()


def test_taking_a_connection_may_stop_it(listener: Listener, visitors: Visitors) -> None:
    clients = come(listener, 3)

    def take(connection: socket.socket, address: Any) -> None:
        visitors.append(connection)
        made[0].stop()

    async def begin() -> None:
        made.append(Acceptor(listener, take))  # type: ignore[arg-type]

    made: list[Acceptor] = []
    listener.loop.run_until_complete(begin())
    listener.loop.run_for(1)
    assert len(visitors) == 1
    for client in clients:
        client.close()


def test_client_that_went_while_it_waited_is_passed_over(listener: Listener, visitors: Visitors) -> None:
    (client,) = come(listener)
    listener.faults = [ConnectionAbortedError(errno.ECONNABORTED, "gone")]
    acceptor = accepting_on(listener, visitors)
    listener.loop.run_for(0.01)
    assert len(visitors) == 1
    acceptor.stop()
    client.close()


def test_last_descriptors_are_kept_for_others_than_visitors(
    listener: Listener, visitors: Visitors, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clients = come(listener, 2)
    lowest = os.dup(0)
    os.close(lowest)
    limit = next(limit for limit in itertools.count(lowest) if limit - min(64, limit // 8) >= lowest)
    monkeypatch.setattr(resource, "getrlimit", lambda which: (limit, limit))
    acceptor = accepting_on(listener, visitors)
    listener.loop.run_for(0.01)
    assert len(visitors) == 1 and caplog.messages[0].startswith("Out of file descriptors (few are left; the limit is ")
    acceptor.stop()
    for client in clients:
        client.close()


def test_no_more_are_accepted_than_a_process_of_windows_can_watch(
    listener: Listener, visitors: Visitors, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(system, "most_watched", lambda: 3)
    monkeypatch.setattr(system, "NAME", "Windows")
    clients = come(listener, 4)

    def take(connection: socket.socket, address: Any) -> None:
        visitors.append(connection)
        IOLoop.current().add_handler(connection, lambda sock, events: None, IOLoop.READ)

    acceptor = accepting_on(listener, visitors, take)
    listener.loop.run_for(5)
    assert len(visitors) == 2, "the listener is watched, too"
    assert caplog.messages == [
        "3 connections are open, as many as a process of Python can watch on Windows: new ones wait until others have"
        " ended."
    ]

    async def leave(*those: socket.socket) -> None:
        for each in those:
            IOLoop.current().remove_handler(each)

    listener.loop.run_until_complete(leave(visitors[0]))
    listener.loop.run_for(2)
    assert len(visitors) == 3
    acceptor.stop()
    listener.loop.run_until_complete(leave(*visitors))
    for client in clients:
        client.close()


@pytest.mark.parametrize(
    ("limits", "wanted"),
    [
        ((1024, 4096), (4096, 4096)),
        ((1024, 1_000_000), (65536, 1_000_000)),
        ((1024, resource.RLIM_INFINITY), (65536, resource.RLIM_INFINITY)),
        ((65536, 1_000_000), None),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), None),
    ],
)
def test_limit_is_raised_as_far_as_is_of_use(
    limits: tuple[int, int], wanted: tuple[int, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Any] = []
    monkeypatch.setattr(resource, "getrlimit", lambda which: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda which, values: found.append(values))
    raise_descriptor_limit()
    assert found == ([] if wanted is None else [wanted])


def test_without_a_limit_none_is_near(
    listener: Listener, visitors: Visitors, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    acceptor = accepting_on(listener, visitors)
    clients = come(listener, 3)
    acceptor.take_waiting()
    assert len(visitors) == 3 and not caplog.messages
    acceptor.stop()
    for client in clients:
        client.close()
