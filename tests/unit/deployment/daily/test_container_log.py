"""What reads the log of an instance on when its container has ended, was started again, or is another one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from app_server.deployment.daily.container_log import LOG, ContainerLog, has_gone
from app_server.deployment.daily.containers import Container
from app_server.errors import OperatorError

RUNNING = Container("1", "site:1", {}, "running", None, 100.0, 0, 0)
ENDED = replace(RUNNING, status="exited", exit_code=1)
FOLLOWING = (*LOG, "--follow")
STAMP = "2026-11-29T13:00:00.999999999Z "
AFTER_IT = ("--since", "1795957201.000000000")


def log_over(*seen: Container | None, lines: bool = True) -> ContainerLog:
    """The log of a container that runs, and of what is seen of it afterwards, look by look."""
    looks: Iterator[Container | None] = iter(seen)
    log = ContainerLog("a1", RUNNING, lambda: next(looks))
    if lines:
        log.line(STAMP + "Serving")
    return log


def test_another_container_is_read_from_its_beginning_also_if_it_has_ended_already() -> None:
    created = replace(RUNNING, id="2", status="created", started_s=None)
    other = replace(ENDED, id="2")
    log = log_over(None, created, other, other, replace(other, started_s=120.0))
    assert [log.after(None) for _ in range(5)] == [
        None, None, (*FOLLOWING, "2"), None, (*FOLLOWING, "--since", "99.000000000", "2"),
    ]  # fmt: skip


@pytest.mark.parametrize("status", ["running", "restarting", "exited"])
def test_container_that_starts_again_is_read_from_the_last_line(status: str) -> None:
    again = replace(RUNNING, started_s=121.0, status=status)
    log = log_over(ENDED, again, again)
    assert [log.after(None) for _ in range(2)] == [None, (*FOLLOWING, *AFTER_IT, "1")]
    # It may have said nothing so far, and started several times.
    assert log_over(again, lines=False).after(None) == (*FOLLOWING, "--since", "99.000000000", "1")
    wanted = ContainerLog("a1", RUNNING, lambda: again, since_s=110)
    assert wanted.after(None) == (*FOLLOWING, "--since", "110.000000000", "1")


def test_container_that_runs_on_is_read_from_where_its_log_broke_off() -> None:
    log = log_over(RUNNING, RUNNING, RUNNING)
    assert [log.after(None) for _ in range(2)] == [None, (*FOLLOWING, *AFTER_IT, "1")]
    # One that is being removed is not asked for all the time.
    assert log.after("can not get logs from container which is dead or marked for removal") is None


def test_container_that_ended_for_good_is_not_read_again() -> None:
    log = log_over(ENDED, ENDED, ENDED)
    assert [log.after(None) for _ in range(3)] == [None] * 3


def test_log_that_cannot_be_read_is_the_end() -> None:
    with pytest.raises(OperatorError, match=r"^configured logging driver does not support reading$"):
        log_over(RUNNING, lines=False).after("configured logging driver does not support reading")

    def lost() -> None:
        raise OperatorError("no container engine answers")

    with pytest.raises(OperatorError, match="no container engine answers"):
        ContainerLog("a1", RUNNING, lost).after("unexpected EOF")


def test_only_what_has_a_time_is_a_line() -> None:
    log = log_over()
    assert log.line(f"{STAMP}{STAMP}of its own") == ("a1", f"{STAMP}of its own")
    assert log.line("2026-11-29T15:00:00.000000001+02:00 ") == ("a1", "")
    for complaint in ("unexpected EOF", "Error response from daemon: No such container: 4711", ""):
        assert log.line(complaint) is None
    assert has_gone("Error response from daemon: No such container: 4711")
    assert has_gone("can not get logs from container which is dead or marked for removal")
    assert not has_gone("permission denied")


def test_long_line_is_put_together_from_its_pieces() -> None:
    pieces = ["x" * 16384, "2016-12-31T23:59:60.000000000Z " + "ü" * 8192, "2099-11-29T13:00:00.000000001Z end"]
    assert log_over().line("".join(STAMP + piece for piece in pieces)) == ("a1", "".join(pieces))
    halves = [half.decode(errors="surrogateescape") for half in (b"x" * 16383 + b"\xc3", b"\xa4")]
    assert log_over().line("".join(STAMP + half for half in halves)) == ("a1", "".join(halves))
    # Bytes that are none of UTF-8 make no line long.
    stamped = "\udcff" * 6000 + STAMP
    assert log_over().line(STAMP + stamped) == ("a1", stamped)


def test_log_is_read_on_after_the_latest_line_whatever_the_lines_say() -> None:
    again = replace(RUNNING, started_s=121.0)
    log = log_over(again, again, again)
    log.line("2026-11-29T13:00:00.000000001Z of the other stream")
    assert log.line("2016-12-31T23:59:60.000000000Z there is no such second") is None
    assert log.after(None) == (*FOLLOWING, *AFTER_IT, "1")
    # In microseconds, as journald has it.
    log.line("2026-11-29T13:00:01.000001000Z Serving")
    assert log.after(None) is None
    assert log.after(None) == (*FOLLOWING, "--since", "1795957201.000002000", "1")


def test_log_that_was_broken_off_goes_on_unless_nothing_was_read() -> None:
    again = replace(RUNNING, started_s=121.0)
    log = log_over(again, replace(RUNNING, started_s=122.0))
    assert log.after("unexpected EOF") == (*FOLLOWING, *AFTER_IT, "1")
    with pytest.raises(OperatorError, match="unexpected EOF"):
        log.after("unexpected EOF")
