"""Clients that read more slowly than their application sends, at the end of a real line, and those beside them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np
import pytest

from bench.narrow import narrow_line
from tests.protocol.conftest import Served, apps, serving
from tests.support.client import Client, open_socket

MESSAGE_S = 0.096
"""How long a line of 1 MB/s takes for one message of the application."""


@pytest.fixture(scope="module")
def telling() -> Iterator[Served]:
    """The application that sends more than a narrow line carries."""
    with serving(*apps("telling.py")) as served:
        yield served


@dataclass
class Watcher:
    """Reads all that a client is sent, in a thread, and notes what it sees and how old that is."""

    url: str
    token: str
    duration_s: float
    ages_s: list[float] = field(default_factory=list)
    beats: list[int] = field(default_factory=list)
    rows: list[float] = field(default_factory=list)
    failure: BaseException | None = None

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def result(self) -> Watcher:
        """This, when it has seen everything."""
        self._thread.join(self.duration_s + 20)
        if self.failure is not None:
            raise self.failure
        return self

    def _run(self) -> None:
        try:
            with open_socket(self.url, "/telling", self.token) as opened:
                client = Client(opened)
                client.receive()
                client.pull()
                end_s = time.monotonic() + self.duration_s
                while time.monotonic() < end_s:
                    self._take(client)
        except BaseException as failure:
            self.failure = failure

    def _take(self, client: Client) -> None:
        message = client.receive()
        if message.msgtype != "PATCH-DOC":
            return
        number, made_s = client.value("made", "text").split()
        self.ages_s.append(time.time() - float(made_s))
        self.beats.append(int(number))
        if any(event["kind"] == "ColumnsStreamed" for event in message.content["events"]):
            self.rows += [float(np.frombuffer(payload)[0]) for _, payload in message.buffers[::2]]


def watch(served: Served, width: float, kind: str, duration_s: float, *, beside: bool) -> list[Watcher]:
    """What the client at the end of a line sees, and, `beside` it, one without a line."""
    token = served.site.token("/telling", kind=kind)
    with ExitStack() as stack:
        line = stack.enter_context(narrow_line(served.process.port, width))
        watchers = [Watcher(f"http://localhost:{line.port}", token, duration_s)]
        if beside:
            watchers.append(Watcher(served.site.url, token, duration_s))
        return [watcher.result() for watcher in watchers]


def test_only_client_sees_what_is_about_two_messages_old(telling: Served) -> None:
    start = telling.log_size()
    [slow] = watch(telling, 1e6, "values", 3.0, beside=False)
    settled = slow.ages_s[10:]
    assert max(settled) < 0.8 and sorted(settled)[len(settled) // 2] < 3 * MESSAGE_S
    assert len(slow.ages_s) > 18
    log = telling.log_since(start)
    assert log.count("reads more slowly than the application sends") == 1 and "connection ends" not in log


def test_client_beside_a_slow_one_keeps_the_full_rate(telling: Served) -> None:
    slow, quick = watch(telling, 1e6, "values", 3.0, beside=True)
    assert quick.beats == list(range(quick.beats[0], quick.beats[0] + len(quick.beats))), "it gets every one"
    assert len(quick.beats) > 48
    assert max(slow.ages_s[10:]) < 0.9 and len(slow.beats) > 18
    assert slow.beats == sorted(set(slow.beats))


def test_slow_client_beside_a_quick_one_gets_every_row_in_order(telling: Served) -> None:
    slow, quick = watch(telling, 1e6, "rows", 2.5, beside=True)
    for watcher in (slow, quick):
        first = int(watcher.rows[0])
        assert watcher.rows == [float(number) for number in range(first, first + len(watcher.rows))]
    assert len(quick.rows) > 38


def test_client_on_a_very_narrow_line_is_not_cut_off() -> None:
    # Silent connections end after 1.6 s here, and one message takes 0.8 s.
    with serving(*apps("telling.py"), "--keep-alive", "300") as served:
        [slow] = watch(served, 120e3, "values", 3.5, beside=False)
        assert len(slow.beats) >= 2
        assert "connection ends" not in served.process.log_text()
