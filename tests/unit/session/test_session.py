from __future__ import annotations

import signal
import sys
from asyncio import CancelledError
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from bokeh.events import ConnectionLost
from bokeh.models import Column, ColumnDataSource, Div, GlyphRenderer

from app_server.document.callbacks import SessionCallback, Timing
from app_server.document.encoding import patch as patches
from app_server.document.encoding.document_encoder import REPULLED_BUFFERS_ARE_READ
from app_server.document.served import ServedDocument
from app_server.protocol import codec
from app_server.protocol.websocket import BINARY
from app_server.session.connection import Connection
from app_server.session.effects import Await, Effect, Role, Send
from app_server.session.limits import MessageLimits
from app_server.session.session import Session
from app_server.session.whole_document import Prepared
from tests.unit.session.making import Host, change, fill, make_session, message, plain, subscriber


def ok(reqid: str = "m1") -> dict[str, Any]:
    return {"msgtype": "OK", "reqid": reqid, "content": {}}


def error(text: str, reqid: str = "m1") -> dict[str, Any]:
    return {"msgtype": "ERROR", "reqid": reqid, "content": {"text": text, "traceback": None}}


def changed(session: Session, name: str, attr: str, new: object) -> dict[str, Any]:
    return {"kind": "ModelChanged", "model": {"id": model(session, name).id}, "attr": attr, "new": new}


def patch(*events: dict[str, Any]) -> dict[str, Any]:
    return {"msgtype": "PATCH-DOC", "content": {"events": list(events)}}


def model(session: Session, name: str) -> Any:
    found = session.document.get_model_by_name(name)
    assert found is not None
    return found


def test_client_that_joins_gets_an_ack() -> None:
    session = make_session()
    assert plain(session.join(Connection(1))) == [([1], {"msgtype": "ACK", "content": {}})]
    assert session.connection_count == 1


def test_pull_is_answered_with_the_document() -> None:
    session = make_session()
    client = Connection(1)
    session.join(client)
    [(receivers, reply)] = plain(session.receive(client, message("PULL-DOC-REQ")))
    doc = reply["content"]["doc"]
    assert (receivers, reply["msgtype"], reply["reqid"]) == ([1], "PULL-DOC-REPLY", "m1")
    assert (doc["title"], len(doc["roots"])) == ("Bokeh Application", 3)


def test_arrays_of_the_second_pull_are_inline_if_bokehjs_ignores_its_buffers() -> None:
    session = make_session(build=lambda document: document.add_root(ColumnDataSource({"x": np.zeros(2)})))
    client = Connection(1)
    session.join(client)
    first, second = (plain(session.receive(client, message("PULL-DOC-REQ")))[0][1] for _ in range(2))
    assert first["buffers"] == [bytes(16)]
    assert ("buffers" in second) == REPULLED_BUFFERS_ARE_READ


def test_arrays_are_inline_at_once_for_a_page_of_an_instance_that_is_no_more() -> None:
    session = make_session(build=lambda document: document.add_root(ColumnDataSource({"x": np.zeros(2)})))
    session.expect_returning_page()
    client = Connection(1)
    session.join(client)
    assert "buffers" not in plain(session.receive(client, message("PULL-DOC-REQ")))[0][1]


def test_change_goes_to_the_others_and_is_confirmed() -> None:
    session = make_session()
    one, _ = subscriber(session, 1), subscriber(session, 2)
    assert plain(session.receive(one, change(session, "slider", "value", 5))) == [
        ([2], patch(changed(session, "slider", "value", 5))),
        ([1], ok()),
    ]


def test_derived_changes_go_to_all_in_one_message_before_the_ok() -> None:
    session = make_session()
    one, _ = subscriber(session, 1), subscriber(session, 2)

    def derive(attr: str, old: object, new: object) -> None:
        model(session, "div").text = f"value {new}"
        session.document.title = "changed"

    model(session, "slider").on_change("value", derive)
    text = changed(session, "div", "text", "value 5")
    title = {"kind": "TitleChanged", "title": "changed"}
    assert plain(session.receive(one, change(session, "slider", "value", 5))) == [
        ([2], patch(changed(session, "slider", "value", 5), text, title)),
        ([1], patch(text, title)),
        ([1], ok()),
    ]


def test_client_that_has_not_pulled_is_told_nothing() -> None:
    session = make_session()
    one = subscriber(session, 1)
    session.join(Connection(2))
    assert plain(session.receive(one, change(session, "slider", "value", 5))) == [([1], ok())]


def test_hundred_changes_of_a_turn_are_one_message_for_all() -> None:
    session = make_session()
    for ident in range(1, 21):
        subscriber(session, ident)

    def change_much() -> None:
        for number in range(100):
            model(session, "div").text = str(number)

    [(receivers, sent)] = plain(session.turn(change_much, "a callback"))
    assert receivers == list(range(1, 21))
    assert [event["new"] for event in sent["content"]["events"]] == [str(number) for number in range(100)]


def test_children_that_change_again_in_a_turn_come_in_a_message_of_their_own() -> None:
    session = make_session(build=lambda document: document.add_root(Column(name="column")))
    for ident in (1, 2):
        subscriber(session, ident)
    column = model(session, "column")
    added = [Div() for _ in range(3)]

    def append() -> None:
        for div in added:
            column.children.append(div)
            column.width = 100 + len(column.children)

    sent = plain(session.turn(append, "a callback"))
    assert [receivers for receivers, _ in sent] == [[1, 2]] * 3
    events = [message["content"]["events"] for _, message in sent]
    assert [[event["attr"] for event in each] for each in events] == [["children", "width"]] * 3
    # What a message has defined, the next one only names.
    named = [{"id": div.id} for div in added]
    assert [each[0]["new"][:-1] for each in events] == [named[:0], named[:1], named[:2]]
    assert session.flush() == []


def test_turn_that_raises_sends_what_it_changed_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    session = make_session()
    subscriber(session)

    def fail() -> None:
        model(session, "div").text = "half"
        raise ValueError("no further")

    assert plain(session.turn(fail, "a timeout callback")) == [([1], patch(changed(session, "div", "text", "half")))]
    [record] = caplog.records
    what = "a timeout callback raised an exception; the session continues"
    assert record.getMessage() == f"/app session session-…: {what}"


def test_turn_that_exits_ends_nothing() -> None:
    session = make_session()
    client = subscriber(session)
    assert session.turn(lambda: sys.exit(1), "a callback") == []
    assert plain(session.receive(client, change(session, "slider", "value", 2))) == [([1], ok())]


@pytest.fixture
def interrupts_handled() -> Iterator[None]:
    """As under the server's commands: Python itself raises no KeyboardInterrupt."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts_handled")
@pytest.mark.parametrize("failure", [ValueError, SystemExit, CancelledError, GeneratorExit, KeyboardInterrupt])
def test_callback_of_a_change_that_raises_is_answered_without_its_traceback(failure: type[BaseException]) -> None:
    session = make_session()
    client = subscriber(session)

    def fail(attr: str, old: object, new: object) -> None:
        raise failure("secret")

    model(session, "slider").on_change("value", fail)
    assert plain(session.receive(client, change(session, "slider", "value", 5))) == [
        ([1], error("the application raised an exception; see the server's log"))
    ]
    assert model(session, "slider").value == 5


def test_control_c_in_a_callback_ends_the_program_whose_session_it_is() -> None:
    session = make_session()

    def interrupted() -> None:
        raise KeyboardInterrupt

    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt):
        session.turn(interrupted, "a callback")


def test_in_development_the_answer_has_the_traceback() -> None:
    session = make_session(show_tracebacks=True)
    client = subscriber(session)
    model(session, "slider").on_change("value", lambda attr, old, new: 1 / 0)
    [(_, reply)] = plain(session.receive(client, change(session, "slider", "value", 5)))
    assert reply["msgtype"] == "ERROR" and "ZeroDivisionError" in str(reply["content"])


def test_failing_change_does_not_keep_the_next_from_being_applied() -> None:
    session = make_session()
    client = subscriber(session)
    model(session, "slider").on_change("value", lambda attr, old, new: 1 / 0)
    events = [
        *change(session, "slider", "value", 5).content["events"],
        *change(session, "div", "text", "next").content["events"],
    ]
    session.receive(client, message("PATCH-DOC", {"events": events}))
    assert model(session, "div").text == "next"


def test_malformed_patch_is_answered_with_what_is_wrong() -> None:
    session = make_session()
    client = subscriber(session)
    assert plain(session.receive(client, message("PATCH-DOC", {}))) == [([1], error("a PATCH-DOC lacks its events"))]


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (
            {"kind": "ColumnsStreamed", "attr": "value", "data": {}, "rollover": None},
            "a ColumnsStreamed cannot",
        ),
        ({"kind": "ColumnsPatched", "attr": "data", "patches": {}}, "a ColumnsPatched cannot be carried out"),
        (
            {"kind": "ColumnDataChanged", "attr": "nope", "data": {}, "cols": None},
            "unexpected attribute 'nope'",
        ),
        (
            {"kind": "ModelChanged", "attr": "value", "new": "a\nb"},
            r"got a\nb of type str",
        ),
        ({"kind": "ModelChanged", "attr": "value", "new": "x" * 10**6}, "characters)"),
    ],
    ids=["streamed", "patched", "replaced", "text for a number", "a million letters"],
)
def test_event_that_cannot_be_carried_out_is_its_senders_fault(
    event: dict[str, object], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    session = make_session()
    client = subscriber(session)
    events = [
        {**event, "model": {"id": model(session, "slider").id}},
        *change(session, "div", "text", "x").content["events"],
    ]
    [(_, reply), *_] = plain(session.receive(client, message("PATCH-DOC", {"events": events})))
    assert words in str(reply["content"]["text"]) and len(str(reply)) < 1500
    assert "refused a change from a client" in caplog.text
    assert "Traceback" not in caplog.text and "a\nb" not in caplog.text
    assert model(session, "div").text == "x"


def test_document_that_cannot_be_written_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    session = make_session(build=lambda document: document.add_root(GlyphRenderer()))
    client = Connection(1)
    session.join(client)
    [(_, reply)] = plain(session.receive(client, message("PULL-DOC-REQ")))
    assert reply == error("the application raised an exception; see the server's log")
    assert "answering a PULL-DOC-REQ" in caplog.text


def test_discarded_message_is_confirmed() -> None:
    session = make_session()
    client = subscriber(session)
    sent = message("PATCH-DOC", {"events": []}, discarded=True)
    assert plain(session.receive(client, sent)) == [([1], ok())]


@pytest.mark.parametrize("msgtype", ["ACK", "PULL-DOC-REPLY", "SERVER-INFO-REPLY"])
def test_message_that_only_servers_send_ends_the_connection(msgtype: str) -> None:
    session = make_session()
    client = subscriber(session)
    assert plain(session.receive(client, message(msgtype))) == [("close", 1, 1002, f"a client may not send {msgtype}")]


@pytest.mark.parametrize("msgtype", ["OK", "ERROR"])
def test_answers_of_clients_are_taken_silently(msgtype: str) -> None:
    session = make_session()
    assert session.receive(subscriber(session), message(msgtype)) == []


def test_server_info_names_the_versions() -> None:
    session = make_session()
    [(_, reply)] = plain(session.receive(subscriber(session), message("SERVER-INFO-REQ")))
    assert reply["msgtype"] == "SERVER-INFO-REPLY"
    assert reply["content"]["version_info"].keys() == {"bokeh", "server"}


def test_client_that_leaves_runs_the_callbacks_for_it_and_the_others_hear() -> None:
    session = make_session()
    leaving, _ = subscriber(session, 1), subscriber(session, 2)
    session.document.on_event(ConnectionLost, lambda event: model(session, "div").update(text="lost"))
    assert plain(session.leave(leaving, 5.0)) == [([2], patch(changed(session, "div", "text", "lost")))]
    assert (session.connection_count, session.unused_since_s) == (1, 5.0)
    assert session.leave(leaving, 6.0) == []
    assert session.unused_since_s == 5.0


def test_asynchronous_callback_is_to_be_awaited_after_its_first_changes() -> None:
    session = make_session()
    subscriber(session)

    async def later() -> None:
        """Changes nothing."""

    def callback() -> Any:
        model(session, "div").text = "now"
        return later()

    for locked in (True, False):
        effects = session.run(SessionCallback("c", callback, Timing.TIMEOUT, 10, locked))
        assert plain(effects)[-1] == ("await", locked, "a timeout callback")
        for effect in effects:
            if isinstance(effect, Await):
                effect.awaitable.close()  # type: ignore[attr-defined]


def test_change_outside_of_a_turn_wakes_the_runtime_once() -> None:
    host = Host()
    session = make_session(host=host)
    subscriber(session)
    model(session, "div").text = "one"
    model(session, "div").text = "two"
    assert host.woken == 1
    assert plain(session.flush()) == [
        ([1], patch(changed(session, "div", "text", "one"), changed(session, "div", "text", "two")))
    ]
    assert session.flush() == []


def test_change_without_clients_is_not_noted() -> None:
    host = Host()
    session = make_session(host=host)
    model(session, "div").text = "unheard"
    assert session.flush() == [] and host.woken == 0


def test_new_model_is_whole_for_every_client_and_named_from_then_on() -> None:
    session = make_session()
    subscriber(session, 1), subscriber(session, 2)

    def add() -> None:
        session.document.add_root(Div(name="new", text="x"))

    [(receivers, sent)] = plain(session.turn(add, "a callback"))
    assert receivers == [1, 2]
    assert sent["content"]["events"][0]["model"]["attributes"] == {"name": "new", "text": "x"}
    [(_, sent)] = plain(session.turn(lambda: model(session, "div").update(tags=[model(session, "new")]), "a callback"))
    assert sent["content"]["events"][0]["new"] == [{"id": model(session, "new").id}]


def test_model_that_a_client_made_is_whole_for_the_other_and_not_sent_back() -> None:
    session = make_session()
    one, _ = subscriber(session, 1), subscriber(session, 2)
    event = {"kind": "RootAdded", "model": {"type": "object", "name": "Div", "id": "q", "attributes": {"text": "t"}}}
    [(receivers, sent), confirmed] = plain(session.receive(one, message("PATCH-DOC", {"events": [event]})))
    assert (receivers, sent["content"]["events"][0]["model"]) == ([2], event["model"])
    assert confirmed == ([1], ok())


def test_value_that_cannot_be_written_does_not_spoil_later_ones() -> None:
    session = make_session()
    subscriber(session)
    inner = Div()

    def unwritable() -> None:
        model(session, "div").tags = [inner, object()]

    session.turn(unwritable, "a callback")

    def writable() -> None:
        model(session, "div").tags = [inner]

    [(_, sent)] = plain(session.turn(writable, "a callback"))
    [event] = sent["content"]["events"]
    assert event["new"][0]["type"] == "object"


def test_pushed_document_is_not_sent_back_to_its_sender() -> None:
    session = make_session()
    one, _ = subscriber(session, 1), subscriber(session, 2)
    doc = {"title": "pushed", "roots": [{"type": "object", "name": "Div", "id": "p", "attributes": {"text": "t"}}]}
    effects = plain(session.receive(one, message("PUSH-DOC", {"doc": doc})))
    assert [receivers for receivers, _ in effects] == [[2], [1]]
    assert effects[-1] == ([1], ok())
    kinds = [event["kind"] for event in effects[0][1]["content"]["events"]]
    assert kinds == ["RootRemoved"] * 3 + ["RootAdded", "TitleChanged"]


def test_malformed_push_changes_nothing() -> None:
    session = make_session()
    client = subscriber(session)
    [(_, reply)] = plain(session.receive(client, message("PUSH-DOC", {"doc": {"title": "t", "roots": [1]}})))
    assert reply["msgtype"] == "ERROR"
    assert len(session.document.roots) == 3


def test_ended_session_says_goodbye_and_takes_nothing_more() -> None:
    session = make_session()
    client = subscriber(session)
    callback = SessionCallback("c", lambda: pytest.fail("ran"), Timing.PERIODIC, 1, True)
    session.begin_end()
    assert session.destroyed
    assert model(session, "div").text == "first"  # hooks may still read the document
    assert session.run(callback) == []
    assert plain(session.end()) == [("close", 1, 1001, "the session has ended")]
    assert plain(session.receive(client, message("PULL-DOC-REQ"))) == [("close", 1, 1001, "the session has ended")]
    assert session.leave(client, 1.0) == []


def test_roots_are_known_by_their_ids() -> None:
    session = make_session()
    assert session.is_root(model(session, "div").id)
    assert not session.is_root("other")
    session.begin_end()
    assert not session.is_root(model(session, "div").id)


def returned(session: Session, *, browser: bool = True) -> Connection:
    """A client that has come to a session whose last one may have been cut off."""
    session.leave(subscriber(session, 1, maybe_cut_off=True), 1.0)
    back = Connection(2, from_browser=browser)
    session.join(back)
    return back


def realigned(effects: list[Effect]) -> bool:
    """Whether a receiver is brought back by what is sent last."""
    last = effects[-1] if effects else None
    return isinstance(last, Send) and last.frames[-1] == (BINARY, b"")


def test_returning_browser_that_says_nothing_is_realigned_until_it_asks() -> None:
    session = make_session()
    back = returned(session)
    assert realigned(session.realign(back, 0)) and realigned(session.realign(back, 1))
    session.receive(back, message("PULL-DOC-REQ"))
    assert session.realign(back, 2) == []


def test_returning_browser_that_changes_what_it_has_not_asked_for_is_realigned_at_once() -> None:
    session = make_session()
    back = returned(session)
    effects = session.receive(back, change(session, "slider", "value", 5))
    assert realigned(effects) and plain(effects[:-1]) == [([2], ok())]
    assert model(session, "slider").value == 5
    again = session.receive(back, change(session, "slider", "value", 6, "m2"))
    assert plain(again) == [([2], ok("m2"))]
    assert realigned(session.realign(back, 0))


def test_program_that_patches_without_asking_is_served_as_it_is() -> None:
    session = make_session()
    back = returned(session, browser=False)
    assert plain(session.receive(back, change(session, "slider", "value", 5))) == [([2], ok())]
    assert session.realign(back, 0) == []


def test_page_of_a_session_that_is_no_more_may_have_been_cut_off() -> None:
    session = make_session()
    session.expect_returning_page()
    client = Connection(1, from_browser=True)
    session.join(client)
    assert realigned(session.realign(client, 0))


def test_realignment_allows_for_the_buffers_that_the_session_has_sent() -> None:
    session = make_session(build=lambda document: document.add_root(ColumnDataSource({"x": np.zeros(2)})))
    back = returned(session)
    sent = [effect for number in (0, 1) for effect in session.realign(back, number) if isinstance(effect, Send)]
    assert [effect.frames.count((BINARY, b"")) for effect in sent] == [2, 4]


@pytest.mark.parametrize("browser", [False, True])
def test_first_client_is_not_realigned(browser: bool) -> None:
    session = make_session()
    client = Connection(1, from_browser=browser)
    session.join(client)
    assert session.realign(client, 0) == []


def test_two_sessions_do_not_hear_of_each_other() -> None:
    one, two = make_session("one"), make_session("two")
    subscriber(one, 1), subscriber(two, 2)

    def change_both() -> None:
        model(one, "div").text = "mine"
        model(two, "div").text = "theirs"

    assert plain(one.turn(change_both, "a callback")) == [([1], patch(changed(one, "div", "text", "mine")))]
    assert plain(two.flush()) == [([2], patch(changed(two, "div", "text", "theirs")))]


def test_document_of_a_session_has_its_context() -> None:
    seen: list[Any] = []

    def build(document: ServedDocument) -> None:
        fill(document)
        seen.append(document.session_context.id)

    session = make_session("with-context", build)
    assert seen == ["with-context"]
    assert session.document.session_context is session.context


def test_change_that_a_callback_corrects_ends_with_the_correction_for_all() -> None:
    session = make_session()
    one, _ = subscriber(session, 1), subscriber(session, 2)

    def correct(attr: str, old: float, new: float) -> None:
        model(session, "slider").value = min(new, 4)

    model(session, "slider").on_change("value", correct)
    effects = plain(session.receive(one, change(session, "slider", "value", 9)))
    last = {receivers[0]: sent["content"]["events"][-1]["new"] for receivers, sent in effects[:2]}
    assert model(session, "slider").value == 4
    assert last == {1: 4, 2: 4}


def test_new_session_is_empty_and_alive() -> None:
    session = make_session(now_s=7.0)
    assert (session.connections, session.viewers, session.connection_count) == ([], [], 0)
    assert (session.unused_since_s, session.expiration_requested, session.expiration_blocked) == (7.0, False, False)
    assert session.is_new and not session.destroyed
    assert (session.name.application, session.name.session) == ("/app", "session-one")


def test_session_made_without_the_server_has_no_application_in_its_name() -> None:
    made = make_session()
    bare = Session("session-one", made.document, made.context, MessageLimits(100), Host())
    assert bare.name == " session session-…" and bare.name.application == ""


def test_session_is_not_new_any_more_when_a_client_has_the_document() -> None:
    session = make_session()
    client = Connection(1)
    session.join(client)
    assert session.is_new and session.viewers == []
    session.receive(client, message("PULL-DOC-REQ"))
    assert not session.is_new and session.viewers == [client]
    session.leave(client, 1.0)
    assert session.viewers == []


def test_expiration_is_blocked_until_as_many_have_unblocked_it() -> None:
    session = make_session()
    session.unblock_expiration()  # of nothing
    session.block_expiration()
    session.block_expiration()
    session.unblock_expiration()
    assert session.expiration_blocked
    session.unblock_expiration()
    assert not session.expiration_blocked


def test_client_that_pulls_twice_is_sent_each_change_once() -> None:
    session = make_session()
    client = subscriber(session)
    session.receive(client, message("PULL-DOC-REQ"))
    [(receivers, _)] = plain(session.turn(lambda: model(session, "div").update(text="x"), "a callback"))
    assert receivers == [1]


def test_client_that_has_gone_gets_no_changes_although_it_pulls() -> None:
    session = make_session()
    client = subscriber(session)
    session.leave(client, 1.0)
    session.receive(client, message("PULL-DOC-REQ"))
    assert session.viewers == []


def test_pull_holds_the_state_and_follows_the_changes_before_it() -> None:
    session = make_session()
    subscriber(session, 1)
    other = Connection(2)
    session.join(other)
    model(session, "div").text = "x"
    changes, reply = session.receive(other, message("PULL-DOC-REQ"))
    assert isinstance(changes, Send) and isinstance(reply, Send)
    assert ([c.ident for c in changes.connections], changes.role) == ([1], Role.CHANGES)
    assert ([c.ident for c in reply.connections], reply.role) == ([2], Role.STATE)


def test_callback_of_a_connection_lost_that_raises_is_named(caplog: pytest.LogCaptureFixture) -> None:
    session = make_session()
    leaving = subscriber(session)

    def fail(event: object) -> None:
        raise ValueError

    session.document.on_event(ConnectionLost, fail)
    session.leave(leaving, 5.0)
    assert caplog.messages == ["/app session session-…: ConnectionLost raised an exception; the session continues"]


def test_failure_is_reported_while_its_exception_is_at_hand(caplog: pytest.LogCaptureFixture) -> None:
    host = Host()
    session = make_session(host=host)
    session.turn(lambda: 1 / 0, "a callback")
    assert host.failures == [ZeroDivisionError]
    assert caplog.records[0].exc_info is not None


def test_turn_locks_the_document_unless_it_is_told_otherwise() -> None:
    session = make_session()

    async def later() -> None:
        """Changes nothing."""

    for options, locked in (({}, True), ({"locked": False}, False)):
        [effect] = session.turn(later, "a turn", **options)
        assert isinstance(effect, Await) and effect.locked is locked and effect.name == "a turn"
        effect.awaitable.close()  # type: ignore[attr-defined]


def test_change_in_a_turn_wakes_nobody_and_one_after_it_does() -> None:
    host = Host()
    session = make_session(host=host)
    client = subscriber(session)

    def changes(text: str) -> None:
        model(session, "div").text = text

    session.turn(lambda: changes("one"), "a callback")
    session.turn(lambda: 1 / 0, "a callback")
    model(session, "slider").on_change("value", lambda attr, old, new: changes(str(new)))
    session.receive(client, change(session, "slider", "value", 5))
    assert host.woken == 0
    changes("after")
    assert host.woken == 1


@pytest.mark.parametrize(("remote", "who"), [("192.0.2.1", "192.0.2.1"), ("", "a client")])
def test_refusal_is_logged_with_whose_it_is(remote: str, who: str, caplog: pytest.LogCaptureFixture) -> None:
    session = make_session()
    client = subscriber(session, remote=remote)
    session.receive(client, message("PATCH-DOC", {}))
    event = {"kind": "ColumnsStreamed", "model": {"id": "nope"}, "attr": "data", "data": {}, "rollover": None}
    [(_, reply)] = plain(session.receive(client, message("PATCH-DOC", {"events": [event]})))
    words = reply["content"]["text"]
    first, second = caplog.messages
    assert first == f"/app session session-…: refused a message from {who}: a PATCH-DOC lacks its events"
    assert second.startswith("/app session session-…: refused a ") and second.endswith(f" from {who}: {words}")


def test_refused_change_among_others_is_logged_with_whose_it_is(caplog: pytest.LogCaptureFixture) -> None:
    session = make_session()
    client = subscriber(session, remote="192.0.2.1")
    [(_, reply)] = plain(session.receive(client, change(session, "slider", "value", "text")))
    assert caplog.messages == [f"/app session session-…: refused a change from 192.0.2.1: {reply['content']['text']}"]


def test_failing_callback_of_a_change_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    session = make_session()
    client = subscriber(session)
    model(session, "slider").on_change("value", lambda attr, old, new: 1 / 0)
    session.receive(client, change(session, "slider", "value", 5))
    assert caplog.messages == [
        "/app session session-…: a change from the browser raised an exception; the session continues"
    ]


def test_first_of_several_failures_is_answered() -> None:
    session = make_session()
    client = subscriber(session)
    events = [
        *change(session, "slider", "value", "no number").content["events"],
        *change(session, "slider", "start", "none either").content["events"],
    ]
    [(_, reply)] = plain(session.receive(client, message("PATCH-DOC", {"events": events})))
    assert "no number" in reply["content"]["text"]
    model(session, "slider").on_change("value", lambda attr, old, new: 1 / 0)
    events = [*change(session, "slider", "value", 2).content["events"], *events]
    [(_, reply)] = plain(session.receive(client, message("PATCH-DOC", {"events": events})))
    assert reply["content"]["text"] == "the application raised an exception; see the server's log"


def test_answer_of_each_kind_names_its_message() -> None:
    session = make_session()
    client = subscriber(session)
    for sent in (
        message("SERVER-INFO-REQ", msgid="m7"),
        change(session, "slider", "value", 3, "m7"),
        message("PUSH-DOC", {"doc": {"title": "t", "roots": []}}, "m7"),
        message("PATCH-DOC", {}, "m7"),
        message("PULL-DOC-REQ", msgid="m7"),
    ):
        assert plain(session.receive(client, sent))[-1][1]["reqid"] == "m7"


def test_pushed_document_is_confirmed_as_the_state_behind_what_came_before() -> None:
    session = make_session()
    one, two = subscriber(session, 1), subscriber(session, 2)
    model(session, "div").text = "before"
    before = patch(changed(session, "div", "text", "before"))
    effects = session.receive(one, message("PUSH-DOC", {"doc": {"title": "pushed", "roots": []}}))
    assert [effect.role for effect in effects if isinstance(effect, Send)] == [Role.CHANGES, Role.CHANGES, Role.STATE]
    first, second, last = plain(effects)
    assert (first, second[0], last) == (([1, 2], before), [2], ([1], ok()))
    assert session.viewers == [two, one]


def test_push_that_fails_leaves_its_client_subscribed() -> None:
    session = make_session()
    client = subscriber(session)
    session.receive(client, message("PUSH-DOC", {"doc": {"title": "t", "roots": [1]}}))
    assert session.viewers == [client]


def test_limit_of_a_message_holds_for_patches_and_pushed_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[int] = []
    session = make_session()
    client = subscriber(session)
    real_read, real_replace = patches.read_events, patches.replace_document

    def read_events(*args: Any, max_bytes: int, **kwargs: Any) -> Any:
        limits.append(max_bytes)
        return real_read(*args, max_bytes=max_bytes, **kwargs)

    def replace_document(*args: Any, max_bytes: int) -> None:
        limits.append(max_bytes)
        real_replace(*args, max_bytes=max_bytes)

    monkeypatch.setattr(patches, "read_events", read_events)
    monkeypatch.setattr(patches, "replace_document", replace_document)
    session.receive(client, change(session, "slider", "value", 3))
    session.receive(client, message("PUSH-DOC", {"doc": {"title": "t", "roots": []}}))
    assert limits == [1_000_000] * 2


def test_ended_session_has_no_clients_and_no_changes() -> None:
    session = make_session()
    one = subscriber(session, 1)
    session.join(Connection(2))
    model(session, "div").text = "unheard"
    session.begin_end()
    assert plain(session.end()) == [
        ("close", 1, 1001, "the session has ended"), ("close", 2, 1001, "the session has ended"),
    ]  # fmt: skip
    assert (session.connections, session.viewers, session.destroyed) == ([], [], True)
    assert session.flush() == []
    assert session.leave(one, 1.0) == []


def test_client_that_leaves_an_ending_session_runs_no_callback() -> None:
    session = make_session()
    client = subscriber(session)
    session.document.on_event(ConnectionLost, lambda event: pytest.fail("ran"))
    session.begin_end()
    assert session.leave(client, 3.0) == []
    assert session.connections == [] and session.unused_since_s == 3.0


def test_notice_is_shown_to_a_browser_that_has_the_document_and_again_when_it_is_back() -> None:
    session = make_session()
    client = subscriber(session, from_browser=True)
    [(receivers, sent)] = plain(session.show_notice(client, "<b>over</b>"))
    [event] = sent["content"]["events"]
    assert (receivers, sent["msgtype"], event["kind"]) == ([1], "PATCH-DOC", "RootAdded")
    assert event["model"]["attributes"] == {"text": "<b>over</b>"}
    back = Connection(2, from_browser=True)
    session.join(back)
    (_, reply), (receivers, again) = plain(session.receive(back, message("PULL-DOC-REQ")))
    assert (reply["msgtype"], receivers) == ("PULL-DOC-REPLY", [2])
    assert again["content"]["events"][0]["model"]["attributes"] == {"text": "<b>over</b>"}
    assert len(plain(session.receive(back, message("PULL-DOC-REQ")))) == 1


def test_notice_for_a_browser_without_the_document_waits_until_it_asks() -> None:
    session = make_session()
    client = Connection(1, from_browser=True)
    session.join(client)
    assert session.show_notice(client, "over") == []
    program = Connection(2)
    session.join(program)
    assert len(plain(session.receive(program, message("PULL-DOC-REQ")))) == 1
    assert len(plain(session.receive(client, message("PULL-DOC-REQ")))) == 2


def test_notice_is_not_for_programs() -> None:
    session = make_session()
    program, browser = subscriber(session, 1), Connection(2, from_browser=True)
    session.join(browser)
    assert session.show_notice(program, "over") == []
    assert len(plain(session.receive(browser, message("PULL-DOC-REQ")))) == 1


@pytest.mark.parametrize(("returning", "inline", "taken"), [
    (False, False, True), (False, True, True), (True, True, True), (True, False, False),
])  # fmt: skip
def test_what_was_prepared_answers_the_first_pull(returning: bool, inline: bool, taken: bool) -> None:
    session = make_session(prepared=Prepared((), b'{"prepared":1}', [], inline))
    if returning:
        session.expect_returning_page()
    client = Connection(1)
    session.join(client)
    [(_, reply)] = plain(session.receive(client, message("PULL-DOC-REQ")))
    assert (reply["content"] == {"prepared": 1}) is taken
    assert session.prepared is None
    [(_, reply)] = plain(session.receive(client, message("PULL-DOC-REQ")))
    assert "doc" in reply["content"]


def test_buffers_of_what_was_prepared_are_sent_and_counted() -> None:
    session = make_session(prepared=Prepared((), b"{}", [("b0", b"x"), ("b1", b"yz")], False))
    client = Connection(1, from_browser=True, maybe_cut_off=True)
    session.join(client)
    [(_, reply)] = plain(session.receive(client, message("PULL-DOC-REQ")))
    assert reply["buffers"] == [b"x", b"yz"]
    session.leave(client, 1.0)
    back = Connection(2, from_browser=True)
    session.join(back)
    assert rounds(session, back) == [3, 6, 12]


def test_prepared_answer_is_dropped_when_the_document_changes() -> None:
    session = make_session(prepared=Prepared((), b"{}", [], False))
    model(session, "div").text = "other"
    assert session.prepared is None


def rounds(session: Session, connection: Connection) -> list[int]:
    """For how many buffers each round of realignment allows."""
    sent = [effect for number in range(3) for effect in session.realign(connection, number)]
    return [effect.frames.count((BINARY, b"")) for effect in sent if isinstance(effect, Send)]


def test_realignment_is_for_the_client_that_is_stuck_and_counts_its_rounds() -> None:
    session = make_session()
    back = returned(session)
    [effect] = session.realign(back)
    assert isinstance(effect, Send) and effect.connections == [back] and effect.role is Role.ANSWER
    assert effect.frames == codec.realignment(0, 0)
    [effect] = session.realign(back, 2)
    assert isinstance(effect, Send) and effect.frames == codec.realignment(2, 3)


def test_page_of_another_process_is_helped_for_32_buffers_first_and_4096_at_most() -> None:
    session = make_session()
    session.expect_returning_page()
    client = Connection(1, from_browser=True)
    session.join(client)
    assert rounds(session, client) == [33, 66, 132]
    [effect] = session.realign(client, 20)
    assert isinstance(effect, Send) and effect.frames.count((BINARY, b"")) == 4097


def test_realignment_allows_for_the_buffers_of_the_largest_message() -> None:
    session = make_session()
    cut_off = subscriber(session, 1, from_browser=True, maybe_cut_off=True)
    for columns in (3, 1):
        data = {str(number): np.zeros(2) for number in range(columns)}
        session.turn(lambda data=data: setattr(model(session, "source"), "data", data), "a callback")  # type: ignore[misc]
    session.leave(cut_off, 1.0)
    back = Connection(2, from_browser=True)
    session.join(back)
    assert rounds(session, back) == [4, 8, 16]


def test_client_that_has_gone_is_not_realigned() -> None:
    session = make_session()
    back = returned(session)
    session.leave(back, 2.0)
    assert session.realign(back) == []


def test_client_that_leaves_whole_does_not_undo_that_another_was_cut_off() -> None:
    session = make_session()
    session.leave(subscriber(session, 1, maybe_cut_off=True), 1.0)
    session.leave(subscriber(session, 2), 2.0)
    back = Connection(3, from_browser=True)
    session.join(back)
    assert realigned(session.realign(back))


def test_push_of_a_returning_browser_does_not_realign_it() -> None:
    session = make_session()
    back = returned(session)
    effects = session.receive(back, message("SERVER-INFO-REQ"))
    assert not realigned(effects) and not back.realigned


def test_traceback_of_development_is_pythons_own() -> None:
    session = make_session(show_tracebacks=True)
    client = subscriber(session)
    model(session, "slider").on_change("value", lambda attr, old, new: 1 / 0)
    [(_, reply)] = plain(session.receive(client, change(session, "slider", "value", 5)))
    lines = reply["content"]["text"].splitlines()
    assert (lines[0], lines[-1]) == ("Traceback (most recent call last):", "ZeroDivisionError: division by zero")
    assert lines[1].startswith('  File "')


@pytest.mark.parametrize("fails", [False, True])
def test_change_after_a_turn_wakes_the_runtime(fails: bool) -> None:
    host = Host()
    session = make_session(host=host)
    subscriber(session)
    session.turn((lambda: 1 / 0) if fails else (lambda: None), "a callback")
    model(session, "div").text = "after"
    assert host.woken == 1
