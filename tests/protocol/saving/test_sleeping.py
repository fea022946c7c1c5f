"""A session that no one looks at is saved and leaves the memory; its page wakes it, however much later."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.protocol.conftest import Served
from tests.protocol.saving.conftest import MODES, Place, expire, go_on, sessions_of, work_on
from tests.support.ports import free_port
from tests.support.waiting import until

SOON = (
    "--unused-session-lifetime", "1000", "--check-unused-sessions", "50", "--session-token-expiration", "1",
    "--metrics",
)  # fmt: skip


def sleeps(served: Served, place: Place) -> bool:
    """Whether the only session is saved, and no process of the server has it."""
    main = psutil.Process(served.process.process.pid)
    try:
        there = [file.path for each in [main, *main.children(recursive=True)] for file in each.open_files()]
    except psutil.NoSuchProcess:  # it has ended between
        return False
    owned = any(Path(path).parent == place.folder for path in there)
    return len(place.sessions) == 1 and not owned and sessions_of(served) == 0


@pytest.mark.parametrize("flags", MODES, ids=" ".join)
def test_session_without_clients_leaves_the_memory_and_its_page_wakes_it_long_after(
    place: Place, flags: tuple[str, ...]
) -> None:
    served = place.start(*SOON, *flags)
    token = served.site.token("/kept")
    with served.site.client("/kept", token) as client:
        work_on(client, 81)
    until(lambda: sleeps(served, place), "the session sleeps")
    assert place.has("done add 1")
    expire(token)
    with served.site.client("/kept", token) as client:
        go_on(client, 81)
    until(lambda: sleeps(served, place), "the session sleeps again")
    assert place.has("done add 2")
    assert "Traceback" not in served.process.log_text()


def test_session_is_given_to_another_process_while_it_sleeps(place: Place) -> None:
    one, other = place.start(*SOON), place.start(*SOON, port=free_port())
    token = one.site.token("/kept")
    with one.site.client("/kept", token) as client:
        work_on(client, 82)
    until(lambda: sleeps(one, place), "the session sleeps")
    with other.site.client("/kept", token) as client:
        go_on(client, 82)


def test_session_on_which_nothing_was_done_sleeps_as_well(place: Place) -> None:
    served = place.start(*SOON)
    token = served.site.token("/kept")
    with served.site.client("/kept", token):
        pass
    until(lambda: sleeps(served, place), "the session sleeps")
    expire(token)
    with served.site.client("/kept", token) as client:
        work_on(client, 83, runs=2)
