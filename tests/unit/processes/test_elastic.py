"""Processes that come and go partition the slots; here they are objects of one process, with real sockets."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app_server.processes.elastic import ElasticWorkerGroup
from app_server.processes.ipc import Unreachable
from app_server.processes.partition import slot_of
from app_server.processes.runtime_dir import RuntimeDir

SLOTS = 12


class Company:
    """Those who have come, and the sessions that each has."""

    def __init__(self, runtime_dir: RuntimeDir) -> None:
        self.runtime_dir = runtime_dir
        self.members: list[ElasticWorkerGroup] = []
        self.sessions: dict[int, set[str]] = {}

    async def join(self) -> ElasticWorkerGroup:
        number = len(self.members)
        known = self.sessions[number] = set()
        workers = ElasticWorkerGroup(
            self.runtime_dir, number, SLOTS, known.__contains__, lambda message, sock: sock.close()
        )
        self.members.append(workers)
        await workers.open()
        return workers

    def holders(self) -> dict[int, int]:
        """How many slots each member holds, by their links."""
        names = {workers.socket_path.name: workers.slot for workers in self.members}
        found = [names[os.readlink(self.runtime_dir.slot(slot))] for slot in range(SLOTS)]
        return {number: found.count(number) for number in set(found)}


@pytest.fixture
async def company(tmp_path: Path) -> AsyncIterator[Company]:
    runtime_dir = RuntimeDir(tmp_path)
    company = Company(runtime_dir)
    yield company
    for workers in company.members:
        await workers.close()


def id_of(slot: int) -> str:
    return next(f"id-{number}" for number in range(10_000) if slot_of(f"id-{number}", SLOTS) == slot)


async def test_all_that_join_hold_equally_many_slots(company: Company) -> None:
    for _ in range(3):
        await company.join()
    assert company.holders() == {0: 4, 1: 4, 2: 4}


async def test_who_come_at_the_same_time_agree(company: Company) -> None:
    await asyncio.gather(*(company.join() for _ in range(4)))
    assert sum(company.holders().values()) == SLOTS
    for workers in company.members:
        assert all(company.runtime_dir.holder(slot) == workers.socket_path for slot in workers.held)


async def test_leaving_process_gives_its_slots_away_and_takes_nothing_new(company: Company) -> None:
    first, second = await company.join(), await company.join()
    first.leave()
    assert await first.relieve()
    assert company.holders() == {1: SLOTS}
    assert await first.owner(None) is not None
    assert await second.owner(None) is None


async def test_who_is_alone_has_nobody_to_give_to(company: Company) -> None:
    first = await company.join()
    first.leave()
    assert not await first.relieve()
    assert company.holders() == {0: SLOTS}


async def test_a_joining_process_relieves_all_who_leave(company: Company) -> None:
    first = await company.join()
    first.leave()
    await company.join()
    assert company.holders() == {1: SLOTS}
    assert first.superseded


async def test_a_session_stays_with_whoever_has_it_when_its_slot_moves(company: Company) -> None:
    first = await company.join()
    await first.owner(None)
    slot = SLOTS - 1  # the first that is given away
    session_id = id_of(slot)
    company.sessions[0].add(session_id)
    for _ in range(3):
        await company.join()
    holder = next(workers for workers in company.members if workers.socket_path == company.runtime_dir.holder(slot))
    assert holder is not first
    for workers in company.members[1:]:
        expected = first.socket_path if workers is holder else company.runtime_dir.slot(slot)
        assert await workers.owner(session_id) == expected
    assert await first.owner(session_id) is None
    company.sessions[0].clear()
    assert await holder.owner(session_id) is None  # it has ended, and is built again where its slot is now


async def test_slots_of_a_crashed_process_go_to_the_next(company: Company) -> None:
    first = await company.join()
    await company.join()
    first._server.stop()  # its socket is left behind, and does not answer
    await company.join()
    assert company.holders() == {1: 6, 2: 6}


async def test_one_at_a_time_may_leave_by_itself(company: Company) -> None:
    first, second = await company.join(), await company.join()
    assert await first.may_leave() == 1
    assert await second.may_leave() == -1


async def test_a_session_is_not_built_twice_because_a_predecessor_is_busy(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app_server.processes.worker_group._PATIENCE_S", 0.05)
    first = await company.join()
    await first.owner(None)
    second = await company.join()
    assert first._server._accepting is not None
    first._server._accepting.cancel()  # it accepts connections, and does not answer for now
    slot = next(iter(second.held))
    with pytest.raises(Unreachable):
        await second.owner(id_of(slot))
    await asyncio.sleep(0)
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(first.socket_path))
