"""Sessions of programs that wait in a thread, and servers that answer late, wrongly or not at all."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from bokeh.models import Div
from bokeh.plotting import figure

from app_server.client.errors import ClientError, ConnectionLost, NoAnswer, ProtocolViolation, RequestFailed
from app_server.client.session import ClientSession, pull_session, push_session, show_session
from app_server.document import remote
from tests.support.waiting import patience, until
from tests.unit.client.host import Host, hosted


@pytest.fixture
def host() -> Iterator[Host]:
    with hosted() as made:
        yield made


def pulled(host: Host, **options: Any) -> ClientSession:
    """A session whose document was pulled."""
    return pull_session("abcdefghij", host.url, timeout_s=patience(5), **options)


def named(session: ClientSession, name: str) -> Any:
    """The model of this name in the session's copy."""
    return session.document.get_model_by_name(name)


def test_pulled_document_is_the_servers_and_follows_it_in_calls_of_the_session(host: Host) -> None:
    with pulled(host) as session:
        assert session.connected and (session.id, session.url) == ("abcdefghij", host.url)
        assert repr(session) == f"<ClientSession abcdefgh… at {host.url}, connected>"
        assert session.document.title == "Board" and named(session, "slider").value == 1
        host.slide(7)
        assert session.request_server_info() == {"version_info": {"bokeh": "3.9", "server": "0.1"}}
        assert named(session, "slider").value == 7
        host.slide(8)
        session.run(until=lambda: named(session, "slider").value == 8, timeout_s=patience(5))
        host.slide(9)
        until(lambda: session._channel.waiting())  # type: ignore[union-attr]
        assert named(session, "slider").value == 8
        session.sync()
        assert named(session, "slider").value == 9
    assert repr(session) == f"<ClientSession abcdefgh… at {host.url}, not connected>"
    assert host.changes == []


def test_what_the_program_changes_is_sent_at_once(host: Host) -> None:
    with pulled(host) as session:
        named(session, "slider").value = 5
        session.send_message("word", {"a": 1})
        session.force_roundtrip()
    change, message = host.changes
    assert (change["model"], change["attr"], change["new"]) == ({"id": host.slider}, "value", 5)
    assert (message["kind"], message["msg_type"]) == ("MessageSent", "word")


def test_a_server_that_does_not_answer_a_pull_is_given_up(host: Host) -> None:
    host.silent = {"PULL-DOC-REQ"}
    timeout_s = patience(0.3)  # for the connection too
    with pytest.raises(NoAnswer) as caught:
        pull_session(None, host.url, timeout_s=timeout_s)
    assert str(caught.value) == (
        f"{host.url}: the server has not answered a PULL-DOC-REQ within {timeout_s:g} s. Wait longer with timeout_s."
    )
    assert host.ended.wait(patience(5)) and host.ends == [(1000, "closed")]


def test_an_answer_that_comes_after_it_was_given_up_is_dropped(host: Host) -> None:
    with pulled(host) as session:
        session._timeout_s = 0.02
        host.silent = {"SERVER-INFO-REQ"}
        with pytest.raises(NoAnswer):
            session.request_server_info()
        session._timeout_s = patience(5)
        host.silent = set()
        host.send("SERVER-INFO-REPLY", {"version_info": "late"}, "gone")
        assert session.request_server_info()["version_info"]["bokeh"] == "3.9"
        assert session.connected


def test_a_connection_that_breaks_off_is_lost_once_and_for_all(host: Host) -> None:
    session = pulled(host)
    host.drop()
    with pytest.raises(ConnectionLost) as caught:
        session.force_roundtrip()
    assert not session.connected
    for call in (session.pull, session.force_roundtrip, session.sync, session.run):
        with pytest.raises(ConnectionLost) as again:
            call()
        assert again.value is caught.value
    named(session, "slider").value = 3  # no one is notified
    assert named(session, "slider").value == 3
    session.close()


def test_run_without_a_goal_returns_at_the_end_of_the_connection_and_of_its_time(host: Host) -> None:
    with pulled(host) as session:
        session.run(timeout_s=0.01)
        with pytest.raises(NoAnswer, match=r"the condition was not met within 0\.01 s"):
            session.run(until=lambda: False, timeout_s=0.01)
        assert session.connected
        host.drop()
        session.run()
        assert not session.connected


def test_run_with_a_goal_raises_at_the_end_of_the_connection(host: Host) -> None:
    with pulled(host) as session:
        host.drop()
        with pytest.raises(ConnectionLost):
            session.run(until=lambda: False)


def test_a_patch_that_cannot_be_applied_ends_the_session(host: Host) -> None:
    with pulled(host) as session:
        host.slide({"type": "nonsense"})
        with pytest.raises(ProtocolViolation) as caught:
            session.force_roundtrip()
        assert host.ended.wait(patience(5)) and host.ends[0][1] == "a message could not be applied"
        with pytest.raises(ProtocolViolation) as again:
            session.sync()
        assert again.value is caught.value and not session.connected


def test_a_change_that_is_not_carried_out_is_raised_at_the_next_round_trip_and_once(host: Host) -> None:
    host.failing = {"PATCH-DOC"}
    with pulled(host) as session:
        named(session, "slider").value = 5
        named(session, "slider").value = 6
        with pytest.raises(RequestFailed) as caught:
            session.force_roundtrip()
        assert str(caught.value) == f"{host.url}: a change of the document was not carried out: it fails"
        assert caught.value.traceback == "line 1"
        session.force_roundtrip()


def test_a_change_that_fails_while_the_session_closes_is_in_the_log(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    host.failing = {"PATCH-DOC"}
    session = pulled(host)
    named(session, "slider").value = 5
    until(lambda: session._channel.waiting())  # type: ignore[union-attr]
    session.close()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == [
        f"{host.url}: a change of the document was not carried out: it fails"
    ]


def test_a_closed_session_keeps_its_document_and_takes_no_more_calls(host: Host) -> None:
    session = pulled(host)
    named(session, "slider").value = 5
    session.close("done")
    session.close()
    assert host.ended.wait(patience(5)) and host.ends == [(1000, "done")]
    assert len(host.changes) == 1 and named(session, "slider").value == 5
    for call in (session.pull, session.request_server_info, session.sync):
        with pytest.raises(ConnectionLost) as caught:
            call()
        assert str(caught.value) == f"{host.url}: the session is closed. Open another one."


def test_a_session_that_was_not_opened_says_what_to_call(host: Host) -> None:
    session = ClientSession("abcdefghij", host.url)
    assert not session.connected
    for ask in (lambda: session.document, lambda: session.send_message("a", 1)):
        with pytest.raises(ClientError) as caught:
            ask()
        assert str(caught.value) == f"{host.url}: the session has no document yet. Call pull() or push() first."
    with pytest.raises(ClientError) as caught:
        session.sync()
    assert str(caught.value) == f"{host.url}: the session is not connected. Call pull() or push() first."
    session.close()
    assert host.connection is None


def test_a_session_that_nobody_keeps_is_closed(host: Host) -> None:
    pulled(host)
    gc.collect()
    assert host.ended.wait(patience(5)) and host.ends == [(1000, "closed")]


def test_a_callback_may_ask_in_its_turn_and_what_comes_meanwhile_waits_for_its_end(host: Host) -> None:
    seen: list[object] = []
    with pulled(host) as session:

        def moved(attr: str, old: object, new: object) -> None:
            for call in (session.pull, session.push, session.run):
                with pytest.raises(ClientError, match=r"\(\) was called by a callback of the document"):
                    call()
            seen.append(("begins", new))
            if new == 7:
                host.before_answer = [host.moved(8)]
                session.request_server_info()
            seen.append(("ends", new))

        named(session, "slider").on_change("value", moved)
        host.slide(7)
        session.force_roundtrip()
        session.sync()
    assert seen == [("begins", 7), ("ends", 7), ("begins", 8), ("ends", 8)]


def test_callbacks_of_the_document_run_in_run_and_only_plain_ones(host: Host) -> None:
    runs: list[str] = []
    with pulled(host) as session:
        session.document.add_next_tick_callback(lambda: runs.append("tick"))
        beat = session.document.add_periodic_callback(lambda: runs.append("beat"), 1)
        session.force_roundtrip()
        assert runs == []
        session.run(until=lambda: runs.count("beat") == 3, timeout_s=patience(5))
        session.document.remove_periodic_callback(beat)
        assert runs[0] == "tick" and runs.count("tick") == 1

        async def later() -> None: ...

        session.document.add_next_tick_callback(later)
        with pytest.raises(ClientError) as caught:
            session.run(timeout_s=patience(1))
        assert str(caught.value) == (f"{host.url}: a next tick callback is asynchronous. Use open_session() for it.")


def test_a_document_that_is_pushed_follows_and_no_other_one_takes_its_place(host: Host) -> None:
    document = remote.empty_document()
    document.add_root(Div(text="mine"))
    with push_session(document, "abcdefghij", host.url, timeout_s=patience(5)) as session:
        assert session.document is document
        document.title = "other"
        session.push()
        session.force_roundtrip()
        with pytest.raises(ClientError) as caught:
            session.push(remote.empty_document())
        assert (
            str(caught.value)
            == f"{host.url}: the session has another document already. Push it by a session of its own."
        )
    assert [kind for kind, _ in host.got if kind != "SERVER-INFO-REQ"] == ["PUSH-DOC", "PATCH-DOC", "PUSH-DOC"]


def test_a_push_that_is_not_carried_out_is_raised_and_the_session_closed(host: Host) -> None:
    host.failing = {"PUSH-DOC"}
    with pytest.raises(RequestFailed) as caught:
        push_session(remote.empty_document(), url=host.url, timeout_s=patience(5))
    assert str(caught.value) == f"{host.url}: PUSH-DOC was not carried out: it fails"
    assert host.ended.wait(patience(5))


def test_show_opens_the_page_of_the_session(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, int]] = []
    monkeypatch.setattr("webbrowser.open", lambda url, new=0, autoraise=True: opened.append((url, new)))
    plot = figure()
    with pulled(host) as session:
        session.show(plot, new="window")
        session.show(plot)
        assert session.document.roots.count(plot) == 1
        show_session(session=session)
    show_session("one", host.url)
    page = f"{host.url}?bokeh-session-id="
    assert opened == [(f"{page}abcdefghij", 1), (f"{page}abcdefghij", 2), (f"{page}abcdefghij", 2), (f"{page}one", 2)]


def test_the_default_address_is_bokehs_and_a_token_names_its_session(host: Host) -> None:
    assert ClientSession().url == remote.default_server_url().rstrip("/") + "/"
    session = ClientSession("abcdefghij", host.url)
    again = ClientSession(url=host.url, token=session.token)
    assert again.id == "abcdefghij" and again.token == again.token != ""
