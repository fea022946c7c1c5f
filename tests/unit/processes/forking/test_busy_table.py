"""Since when a process is busy, in memory that it shares with others."""

from __future__ import annotations

import os
import time

from app_server.processes.forking.busy_table import BusyEntry, BusyTable, TimedSelector
from app_server.processes.forking.proc import ProcessIdentity


def test_a_mark_tells_since_when_its_process_is_busy() -> None:
    mark = BusyTable(2).take()
    assert mark is not None
    assert mark.since_s is None
    before_s = time.monotonic()
    mark.busy()
    assert mark.since_s is not None
    assert before_s <= mark.since_s <= time.monotonic()
    mark.idle()
    assert mark.since_s is None


def test_a_mark_that_was_given_back_begins_idle() -> None:
    marks = BusyTable(1)
    mark = marks.take()
    assert mark is not None
    mark.busy()
    assert marks.take() is None
    marks.give_back(mark)
    again = marks.take()
    assert again is not None
    assert again.since_s is None


def test_another_process_sees_the_mark() -> None:
    mark = BusyTable(1).take()
    assert mark is not None
    pid = os.fork()
    if not pid:
        mark.busy()
        os._exit(0)
    os.waitpid(pid, 0)
    assert mark.since_s is not None


def test_a_loop_is_busy_when_it_does_not_wait() -> None:
    mark = BusyTable(1).take()
    assert mark is not None
    selector = TimedSelector(mark)
    selector.select(0)
    assert mark.since_s is not None
    selector.close()


def entry(pid: int, started: int = 1) -> BusyEntry:
    return BusyEntry(ProcessIdentity(pid, started), "s-abcdefghijklmnop", "/app session ü…")


def test_who_has_a_mark_is_known_until_it_is_cleared() -> None:
    marks = BusyTable(3)
    mark = marks.take()
    assert mark is not None and mark.entry is None
    mark.busy()
    mark.sign(entry(7))
    assert mark.entry == entry(7)
    assert mark.since_s is not None  # it is busy still
    assert [found.number for found in marks.signed()] == [mark.number]
    mark.resign()
    assert mark.entry is not None and mark.entry.socket_path == ""
    marks.give_back(mark)
    assert marks.signed() == []


def test_marks_are_orphaned_when_the_process_that_hands_them_out_has_ended() -> None:
    marks = BusyTable(2)
    assert not marks.orphaned  # nobody has begun
    mark = marks.take()
    assert mark is not None
    pid = os.fork()
    if not pid:
        marks.own()
        mark.sign(BusyEntry(ProcessIdentity.own(), "s-1", "gone too"))
        os._exit(0)
    os.waitpid(pid, 0)
    assert marks.orphaned and marks.done
    mark.sign(BusyEntry(ProcessIdentity.own(), "s-1", "alive"))
    assert marks.orphaned and not marks.done
    marks.own()
    assert not marks.orphaned and len(marks.signed()) == 1
