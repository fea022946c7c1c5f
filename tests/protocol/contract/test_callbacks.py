"""When an application's callbacks run, which document they see, and who hears of their changes."""

from __future__ import annotations

import time

import pytest

from tests.protocol.conftest import Served
from tests.protocol.contract.test_known_faults import session_id
from tests.support.client import Client
from tests.support.waiting import until


def say(client: Client, command: str) -> None:
    assert client.set("command", "value", command).msgtype == "OK"


@pytest.mark.parametrize("command", ["tick", "async-tick", "timeout:1", "async-timeout:1"])
def test_callback_that_runs_once_runs_once(plain: Served, command: str) -> None:
    with plain.site.client("/beats") as client:
        say(client, command)
        client.wait_value("count", "text", "1")
        with pytest.raises(TimeoutError):
            client.receive(timeout_s=0.05)


@pytest.mark.parametrize("command", ["periodic:5", "async-periodic:5"])
def test_periodic_callback_runs_until_it_is_removed(plain: Served, command: str) -> None:
    with plain.site.client("/beats") as client:
        say(client, command)
        client.wait_for(lambda: int(client.value("count", "text")) >= 5)
        say(client, "stop")
        client.pushed.clear()
        with pytest.raises(TimeoutError):
            while True:
                client.receive(timeout_s=0.06)
        assert len(client.events()) <= 1  # an asynchronous one may have been under way


def test_removed_callbacks_do_not_run(plain: Served) -> None:
    with plain.site.client("/beats") as client:
        say(client, "removed")
        client.wait_value("word", "text", " kept")


def test_no_next_tick_callback_of_eight_threads_is_lost(plain: Served) -> None:
    with plain.site.client("/beats") as client:
        say(client, "threads")
        client.wait_value("count", "text", "8000", timeout_s=30)


def test_unlocked_callback_may_wait_for_an_executor_but_not_change_the_document(plain: Served) -> None:
    with plain.site.client("/beats") as client:
        say(client, "unlocked")
        say(client, "say:meanwhile")
        client.wait_value("word", "text", " meanwhile computed unlocked")


def test_each_of_two_interleaved_callbacks_sees_its_own_document_after_every_await(plain: Served) -> None:
    with plain.site.client("/beats") as one, plain.site.client("/beats") as other:
        for client in (one, other):
            client.send("PATCH-DOC", {"events": [client.change("command", "value", "who")]})
        for client in (one, other):
            client.wait_value("word", "text", "always me: {True}")


def test_document_can_be_locked_from_a_task_of_its_own(plain: Served) -> None:
    with plain.site.client("/beats") as client:
        say(client, "outside")
        client.wait_value("word", "text", " locked locked later finished")


def test_changes_between_awaits_are_sent_before_the_callback_ends(plain: Served) -> None:
    with plain.site.client("/beats") as client:

        def seen_apart() -> bool:
            began_s = time.monotonic()
            client.pushed.clear()
            say(client, f"steps:{began_s}")
            client.wait_value("word", "text", "step 0")
            first_s = time.monotonic()
            client.wait_value("word", "text", "done")
            assert time.monotonic() - began_s > 0.4
            said = [event["new"] for message in client.pushed for event in message.content["events"]]
            assert said == ["step 0", "step 1", "step 2", "done"] and len(client.pushed) == 4
            return time.monotonic() - first_s > 0.3  # unless this end was late itself

        until(seen_apart, "the first step is seen long before the last")


def test_asynchronous_callback_holds_the_document_until_it_ends(plain: Served) -> None:
    with plain.site.client("/beats") as client:
        say(client, "hold:0.1")
        client.send("PATCH-DOC", {"events": [client.change("command", "value", "say:after")]})
        client.wait_value("word", "text", " held after")


@pytest.mark.parametrize("command", ["fail", "async-fail"])
def test_callback_that_raises_is_logged_with_its_session_and_leaves_it_usable(plain: Served, command: str) -> None:
    start = plain.log_size()
    with plain.site.client("/beats") as client:
        say(client, command)
        client.wait_value("word", "text", "about to fail")
        say(client, "say:on")
        client.wait_value("word", "text", "about to fail on")
    log = plain.log_since(start)
    assert "ValueError: a beat fails" in log
    assert "/beats session " in log and "raised an exception; the session continues" in log


def test_callback_whose_awaited_work_is_cancelled_frees_the_document(plain: Served) -> None:
    with plain.site.client("/beats") as client:
        say(client, "cancelled")
        client.wait_value("word", "text", "cancelling")
        client.send("PATCH-DOC", {"events": [client.change("command", "value", "say:free")]})
        client.wait_value("word", "text", "cancelling free", timeout_s=3)


def test_periodic_callback_keeps_its_rate(plain: Served) -> None:
    with plain.site.client("/beats") as client:
        say(client, "rate")
        client.wait_for(lambda: bool(client.value("word", "text")))
        assert 38 <= int(client.value("word", "text")) <= 42


def test_callback_keeps_its_rate_beside_one_that_holds_the_document(plain: Served) -> None:
    with plain.site.client("/beats") as client:
        say(client, "beside")
        client.wait_for(lambda: bool(client.value("word", "text")))
        holding, counted = map(int, client.value("word", "text").split())
        assert 17 <= holding <= 21 and 17 <= counted <= 21


def test_callbacks_end_with_their_session(brief: Served) -> None:
    start, token = brief.log_size(), brief.site.token("/beats")
    with brief.site.client("/beats", token) as client:
        say(client, "async-periodic:5")
        say(client, "periodic:5")
        client.wait_for(lambda: int(client.value("count", "text")) >= 3)
    brief.process.wait_for_log(f"beats {session_id(token)} ended")
    time.sleep(0.05)  # ten more beats, if there were any
    assert "/beats session" not in brief.log_since(start)


def test_session_without_clients_ends_after_its_lifetime_and_its_hooks_run(brief: Served) -> None:
    start = brief.log_size()
    asked = {"bokeh-session-id": "short-life"}
    assert brief.site.get("/hooked", **asked).status == 200
    brief.process.wait_for_log("epilogue short-life")
    log = brief.log_since(start)
    wanted = ["creating short-life", "building short-life", "destroyed short-life, True", "farewell short-life"]
    places = [log.find(text) for text in [*wanted, "epilogue short-life"]]
    assert -1 not in places and places == sorted(places), log


def test_session_with_a_client_does_not_end(brief: Served) -> None:
    token = brief.site.token("/board")
    with brief.site.client("/board", token) as client:
        client.set("slider", "value", 42)
        with pytest.raises(TimeoutError):
            client.receive(timeout_s=1.3)
        assert client.set("slider", "value", 43).msgtype == "OK"


def test_application_may_ask_for_an_early_end(plain: Served) -> None:
    # The sessions of this server live for fifteen seconds, and are looked at every seventeen.
    token = plain.site.token("/board")
    with plain.site.client("/board", token) as client:
        assert client.set("command", "value", "expire:").msgtype == "OK"
        assert client.set("slider", "value", 5).msgtype == "OK"


def test_failing_hook_of_a_sessions_start_is_logged_and_the_session_is_built(plain: Served) -> None:
    start = plain.log_size()
    assert plain.site.get("/hooked", fail="yes").status == 200
    assert "RuntimeError: the hook fails" in plain.log_since(start)


def test_rebuilt_session_has_the_same_model_ids(brief: Served) -> None:
    asked = {"bokeh-session-id": "rebuilt"}
    seen = []
    for _ in range(2):
        start = brief.log_size()
        token = brief.site.token("/board", **asked)
        with brief.site.client("/board", token) as client:
            client.set("command", "value", "root:later")
            seen.append((dict(client.roots and enumerate(client.roots)), sorted(client.attributes)))
        while "board rebuilt ended" not in brief.log_since(start):
            time.sleep(0.01)
    assert seen[0] == seen[1]


def test_session_ends_although_a_callback_holds_its_document_for_ever(brief: Served) -> None:
    start = brief.log_size()
    assert brief.site.get("/grasping", **{"bokeh-session-id": "grasped"}).status == 200
    brief.process.wait_for_log("let go of grasped", timeout_s=5)
    log = brief.log_since(start)
    assert "last look: 1 roots" in log
    brief.process.wait_for_log("waited grasped", timeout_s=2)
    assert "never reached" not in log
