"""Sessions of programs that wait in an event loop, and servers that answer late, wrongly or not at all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from bokeh.models import Div

from app_server.client import link as links
from app_server.client.asynchronous import AsyncClientSession, open_session
from app_server.client.errors import ClientError, ConnectionLost, NoAnswer, ProtocolViolation, RequestFailed
from app_server.document import remote
from tests.support.waiting import patience
from tests.unit.client.host import Host, hosted

NEVER_S = 3600.0
"""A patience that a test does not live to see the end of: what waits so long hangs."""


@pytest.fixture
def host() -> Iterator[Host]:
    with hosted() as made:
        yield made


def named(session: AsyncClientSession, name: str) -> Any:
    """The model of this name in the session's copy."""
    return session.document.get_model_by_name(name)


async def ended(host: Host) -> tuple[int | None, str | None]:
    """How the connection ended, for the server."""
    assert await asyncio.to_thread(host.ended.wait, patience(5))
    return host.ends[-1]


def opening(host: Host, **options: Any) -> open_session:
    """A session that is about to be opened."""
    return open_session(host.url, "abcdefghij", timeout_s=patience(5), **options)


async def test_the_document_follows_the_server_by_itself_and_what_is_changed_is_sent(host: Host) -> None:
    async with opening(host) as session:
        assert session.connected and named(session, "slider").value == 1
        assert repr(session) == f"<AsyncClientSession abcdefgh… at {host.url}, connected>"
        host.slide(7)
        await session.wait_for(lambda: named(session, "slider").value == 7, patience(5))
        named(session, "slider").value = 9
        await session.force_roundtrip()
        assert [event["new"] for event in host.changes] == [9]
        assert (await session.request_server_info())["version_info"]["server"] == "0.1"
    assert not session.connected and await ended(host) == (1000, "closed")


async def test_a_pushed_document_can_be_awaited_too(host: Host) -> None:
    document = remote.empty_document()
    document.add_root(Div(text="mine"))
    session = await opening(host, document=document)
    document.title = "other"
    await session.push()
    await session.close("done")
    await session.close()
    assert await ended(host) == (1000, "done")
    assert [kind for kind, _ in host.got] == ["PUSH-DOC", "PATCH-DOC", "PUSH-DOC"]


async def test_a_server_that_does_not_answer_is_given_up_and_its_connection_closed(host: Host) -> None:
    host.silent = {"PULL-DOC-REQ"}
    timeout_s = patience(0.3)  # for the connection too
    with pytest.raises(NoAnswer) as caught:
        await open_session(host.url, timeout_s=timeout_s)
    assert str(caught.value) == (
        f"{host.url}: the server has not answered a PULL-DOC-REQ within {timeout_s:g} s. Wait longer with timeout_s."
    )
    assert await ended(host) == (1000, "closed")


async def test_what_is_waited_for_in_vain_leaves_the_session(host: Host) -> None:
    async with opening(host) as session:
        with pytest.raises(NoAnswer, match=r"the condition was not met within 0\.01 s"):
            await session.wait_for(lambda: False, 0.01)
        await session.force_roundtrip()


async def test_who_waits_hears_of_a_connection_that_breaks_off(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    async with opening(host) as session:
        waiting = [asyncio.ensure_future(work) for work in (session.wait_for(lambda: False), session.wait_closed())]
        await asyncio.sleep(0)
        host.drop()
        async with asyncio.timeout(patience(5)):
            with pytest.raises(ConnectionLost) as caught:
                await waiting[0]
            await waiting[1]
        for call in (session.pull, session.connect, session.force_roundtrip):
            with pytest.raises(ConnectionLost) as again:
                await call()
            assert again.value is caught.value
        assert caplog.messages == [str(caught.value)]


async def test_a_patch_that_cannot_be_applied_ends_the_session(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "_CLOSE_PATIENCE_S", NEVER_S)
    async with opening(host) as session:
        host.slide({"type": "nonsense"})
        with pytest.raises(ProtocolViolation):
            await session.wait_for(lambda: False, patience(5))
        assert (await ended(host))[0] == 1002 and not session.connected


async def test_a_change_that_is_not_carried_out_is_raised_at_the_next_round_trip(host: Host) -> None:
    host.failing = {"PATCH-DOC"}
    async with opening(host) as session:
        named(session, "slider").value = 5
        with pytest.raises(RequestFailed, match="a change of the document was not carried out: it fails"):
            await session.force_roundtrip()
        await session.force_roundtrip()


async def test_what_fails_in_callbacks_is_logged_and_the_session_goes_on(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    async with opening(host) as session:

        def fail(*changed: object) -> None:
            raise LookupError("of the program")

        async def fail_later() -> None:
            await asyncio.sleep(0)
            fail()

        named(session, "slider").on_change("value", lambda attr, old, new: fail())
        host.slide(7)
        await session.wait_for(lambda: named(session, "slider").value == 7 and len(caplog.records) == 1, patience(5))
        session.document.add_next_tick_callback(fail)
        session.document.add_timeout_callback(fail_later, 1)
        async with asyncio.timeout(patience(5)):
            while len(caplog.records) < 3:
                await asyncio.sleep(0.001)
        await session.force_roundtrip()
    assert sorted(caplog.messages) == [
        f"{host.url}: a callback of the document raised an exception; the session continues",
        f"{host.url}: a next tick callback raised an exception",
        f"{host.url}: a timeout callback raised an exception",
    ]


async def test_a_fault_of_the_clients_own_ends_the_session_and_is_said(
    host: Host, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opening(host) as session:
        wake_up = session._wake_up

        def broken() -> None:
            monkeypatch.setattr(session, "_wake_up", wake_up)
            raise RuntimeError

        monkeypatch.setattr(session, "_wake_up", broken)
        host.slide(7)
        with pytest.raises(ConnectionLost, match="the session failed; see the log"):
            await session.wait_for(lambda: False, patience(5))
        assert (await ended(host))[0] == 1011
    assert caplog.messages == [f"{host.url}: the session failed; this is a fault of the client"]


async def test_callbacks_run_in_the_loop_and_other_threads_may_ask_for_them(host: Host) -> None:
    runs: list[tuple[str, int]] = []
    async with opening(host) as session:
        beat = session.document.add_periodic_callback(lambda: runs.append(("beat", threading.get_ident())), 1)
        thread = threading.Thread(
            target=session.document.add_next_tick_callback, args=(lambda: runs.append(("tick", threading.get_ident())),)
        )
        thread.start()
        async with asyncio.timeout(patience(5)):
            while len(runs) < 4:
                await asyncio.sleep(0.001)
        session.document.remove_periodic_callback(beat)
        thread.join()
    assert {name for name, _ in runs} == {"beat", "tick"}
    assert {ident for _, ident in runs} == {threading.get_ident()}
    count = len(runs)
    await asyncio.sleep(0.005)
    assert len(runs) == count


async def test_changes_of_another_thread_are_sent_before_the_close(host: Host) -> None:
    async with opening(host) as session:
        slider = named(session, "slider")
        thread = threading.Thread(target=lambda: setattr(slider, "value", 11))
        thread.start()
        thread.join()  # the loop has no turn until the session is closed
    await ended(host)
    assert [event["new"] for event in host.changes] == [11]


async def test_a_session_that_was_not_opened_says_what_to_call(host: Host) -> None:
    session = AsyncClientSession("abcdefghij", host.url)
    with pytest.raises(ClientError) as caught:
        await session.request_server_info()
    assert str(caught.value) == f"{host.url}: the session is not connected. Call pull() or push() first."
    await session.close()
    assert host.connection is None
