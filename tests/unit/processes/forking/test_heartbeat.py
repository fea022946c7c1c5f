from __future__ import annotations

import os
import types

import pytest

from app_server.processes.forking import heartbeat
from app_server.processes.forking.forks import fork
from app_server.processes.forking.heartbeat import Heartbeat


def test_heartbeat_ages_until_the_next_beat_and_is_shared_with_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = types.SimpleNamespace(now_s=100.0)
    monkeypatch.setattr(heartbeat, "time", types.SimpleNamespace(monotonic=lambda: clock.now_s))
    shared = Heartbeat()
    clock.now_s = 103.0
    assert shared.age_s() == 3.0

    def work() -> int:
        clock.now_s = 110.0
        shared.beat()
        return 0

    os.waitpid(fork(work), 0)
    clock.now_s = 111.0
    assert shared.age_s() == 1.0
