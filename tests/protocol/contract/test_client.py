"""Sessions of Python programs: our client with our server and with the stock one, the stock client with ours."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bokeh
import bokeh.client
import numpy as np
import pytest
import trustme
from bokeh.document import Document
from bokeh.embed import server_session
from bokeh.events import ButtonClick
from bokeh.models import ColumnDataSource, Div, Slider
from bokeh.util.token import generate_session_id

from app_server import __version__
from app_server.client import (
    AsyncClientSession,
    CannotConnect,
    ClientError,
    ClientSession,
    ConnectionLost,
    NoAnswer,
    Refused,
    RequestFailed,
    open_session,
    pull_session,
    push_session,
    show_session,
)
from app_server.client.opening import TIMEOUT_S
from tests.protocol.conftest import SECRET, apps
from tests.support import waiting
from tests.support.ports import free_port
from tests.support.server import RunningServer, running_server
from tests.support.waiting import patience

PATIENCE_S = 20.0
"""For what should come at once, on a machine that does other work too."""


@pytest.fixture(scope="module")
def ours() -> Iterator[RunningServer]:
    """Our server."""
    with running_server(*apps("board.py", "asking.py", "faulty.py", "beats.py"), server="ours") as running:
        yield running


@pytest.fixture(scope="module")
def stock() -> Iterator[RunningServer]:
    """The stock server with the same applications."""
    with running_server(*apps("board.py", "asking.py", "faulty.py", "beats.py"), server="stock") as running:
        yield running


@pytest.fixture(params=["ours", "stock"])
def server(request: pytest.FixtureRequest) -> RunningServer:
    """One server after the other."""
    running: RunningServer = request.getfixturevalue(request.param)
    return running


@pytest.fixture
def board(server: RunningServer) -> str:
    """The address of an application that does as it is asked."""
    return f"{server.url}/board"


def model(session: ClientSession | AsyncClientSession, name: str) -> Any:
    found = session.document.get_model_by_name(name)
    assert found is not None, name
    return found


def command(session: ClientSession | AsyncClientSession, words: str) -> None:
    model(session, "command").value = words


def values(source: Any) -> dict[str, list[Any]]:
    return {name: list(column) for name, column in source.data.items()}


# Pulling and changing


def test_pulled_document_is_that_of_the_application(board: str) -> None:
    with pull_session(url=board) as session:
        assert session.connected
        assert session.document.title == "Board"
        assert model(session, "slider").value == 1
        source = model(session, "source")
        assert (source.data["x"].dtype, source.data["y"].dtype) == (np.dtype("f8"), np.dtype("i4"))
        assert values(source) == {"x": [0, 1, 2, 3, 4], "y": [0, 1, 2, 3, 4]}
    assert not session.connected


def test_change_reaches_the_server_and_its_answer_comes_back(board: str) -> None:
    with pull_session(url=board) as session:
        seen: list[Any] = []
        model(session, "double").on_change("value", lambda attr, old, new: seen.append((attr, old, new)))
        model(session, "slider").value = 21
        session.force_roundtrip()
        assert seen == [("value", 2, 42)]


def test_change_is_not_sent_back_to_who_made_it(board: str) -> None:
    with pull_session(url=board) as session:
        seen: list[Any] = []
        model(session, "slider").on_change("value", lambda attr, old, new: seen.append(new))
        model(session, "slider").value = 5
        session.force_roundtrip()
        session.force_roundtrip()
        assert seen == [5]


def test_document_changes_only_in_calls_of_the_session(board: str) -> None:
    with pull_session(url=board) as session:
        command(session, "answer:here")
        time.sleep(0.3)
        assert model(session, "answer").text == ""
        waiting.until(lambda: session.sync() or model(session, "answer").text == "here", "a call of it does")


def test_titles_go_both_ways(board: str) -> None:
    with pull_session(url=board) as session, pull_session(session.id, board) as other:
        session.document.title = "from a client"
        session.force_roundtrip()
        other.force_roundtrip()
        assert other.document.title == "from a client"
        command(session, "title:from the server")
        session.force_roundtrip()
        assert session.document.title == "from the server"


def test_columns_are_streamed_patched_and_replaced_both_ways(board: str) -> None:
    with pull_session(url=board) as session, pull_session(session.id, board) as other:
        here, there = model(session, "source"), model(other, "source")
        here.stream({"x": np.array([5.0]), "y": np.array([5])})
        here.patch({"x": [(0, 10.0), (slice(1, 3), [11.0, 12.0])]})
        command(session, "stream:7")
        command(session, "patch:-1")
        session.force_roundtrip()
        other.force_roundtrip()
        expected = {"x": [-1, 11, 12, 3, 4, 5, 7, 8], "y": [0, 1, 2, 3, 4, 5, 1, 2]}
        assert values(here) == expected and values(there) == expected
        command(session, "data:3")
        session.force_roundtrip()
        assert values(here) == {"x": [3, 3, 3], "y": [0, 0, 0]}
        big = np.random.default_rng(1).random((100_000,))
        here.data = {"x": big, "y": np.arange(100_000)}
        session.force_roundtrip()
        other.force_roundtrip()
        assert np.array_equal(there.data["x"], big)


def test_change_of_one_column_leaves_the_others_everywhere(ours: RunningServer) -> None:
    board = f"{ours.url}/board"
    with pull_session(url=board) as session, pull_session(session.id, board) as other:
        here, there = model(session, "source"), model(other, "source")
        here.data["y"] = np.array([9, 8, 7, 6, 5])
        session.force_roundtrip()
        other.force_roundtrip()
        with pull_session(session.id, board) as late:
            for source in (here, there, model(late, "source")):
                assert values(source) == {"x": [0, 1, 2, 3, 4], "y": [9, 8, 7, 6, 5]}


def test_arrays_of_any_shape_and_type_survive(board: str) -> None:
    columns = {
        "image": np.arange(12, dtype=np.uint8).reshape(3, 4),
        "float": np.array([1.5, np.nan, np.inf], dtype=np.float32),
        "empty": np.array([]),
        "words": ["a", "ä", "\U0001f600"],
        "mixed": [np.arange(2), np.arange(3)],
    }
    with pull_session(url=board) as session, pytest.warns(UserWarning, match="must be of the same length"):
        session.document.add_root(ColumnDataSource(columns, name="columns"))
        session.force_roundtrip()
        with pull_session(session.id, board) as other:
            data = model(other, "columns").data
    assert data["image"].tolist() == columns["image"].tolist() and data["image"].dtype == np.uint8
    assert np.array_equal(data["float"], columns["float"], equal_nan=True)
    assert len(data["empty"]) == 0
    assert data["words"] == columns["words"]
    assert [list(part) for part in data["mixed"]] == [[0, 1], [0, 1, 2]]


def test_roots_come_and_go_both_ways(board: str) -> None:
    with pull_session(url=board) as session:
        command(session, "root:theirs")
        mine = Div(name="mine", text="a")
        session.document.add_root(mine)
        session.force_roundtrip()
        assert model(session, "theirs").text == "new"
        with pull_session(session.id, board) as other:
            model(other, "mine").text = "b"
            other.force_roundtrip()
            session.force_roundtrip()
            assert mine.text == "b"
            command(session, "unroot:theirs")
            session.document.remove_root(mine)
            session.force_roundtrip()
            other.force_roundtrip()
            for each in (session, other):
                assert each.document.get_model_by_name("theirs") is None
                assert each.document.get_model_by_name("mine") is None


def test_other_client_of_our_server_receives_new_roots_in_full(ours: RunningServer) -> None:
    url = f"{ours.url}/board"
    with pull_session(url=url) as session, pull_session(session.id, url) as other:
        command(session, "root:theirs")
        session.document.add_root(Div(name="mine", text="a"))
        session.force_roundtrip()
        other.force_roundtrip()
        assert (model(other, "theirs").text, model(other, "mine").text) == ("new", "a")


def test_what_the_stock_server_leaves_out_does_not_end_a_session(stock: RunningServer) -> None:
    url = f"{stock.url}/board"
    with pull_session(url=url) as session, pull_session(session.id, url) as other:
        command(session, "root:theirs")
        session.force_roundtrip()
        other.force_roundtrip()
        other.pull()
        assert model(other, "theirs").text == "new"


def test_new_models_never_take_the_ids_of_the_servers(board: str) -> None:
    with pull_session(url=board) as session:
        ids = {each.id for each in session.document.models}
        added = [Div(name=f"added {number}") for number in range(30)]
        assert not ids & {each.id for each in added}
        for each in added:
            session.document.add_root(each)
        session.force_roundtrip()
        with pull_session(session.id, board) as other:
            assert len(other.document.roots) == len(session.document.roots)


def test_messages_of_ones_own_and_events_of_a_visitor_arrive(board: str) -> None:
    with pull_session(url=board) as session:
        session.send_message("echo", {"n": [1, 2]})
        session.force_roundtrip()
        assert model(session, "answer").text == "heard {'n': [1, 2]}"
        session.send_message("bokeh_event", ButtonClick(model(session, "button")))
        session.force_roundtrip()
        assert model(session, "answer").text == "clicked"


def test_hundred_changes_of_one_callback_arrive_together(board: str) -> None:
    with pull_session(url=board) as session:
        command(session, "hundred:x")
        session.force_roundtrip()
        assert {model(session, f"many-{number}").text for number in range(100)} == {"x"}


def test_second_pull_takes_the_place_of_the_first(board: str) -> None:
    with pull_session(url=board) as session:
        document = session.document
        model(session, "slider").value = 9
        session.pull()
        assert session.document is document
        assert model(session, "slider").value == 9
        model(session, "slider").value = 10
        session.force_roundtrip()
        assert model(session, "double").value == 20


def test_callback_may_ask_the_server_in_its_turn(board: str) -> None:
    with pull_session(url=board) as session:
        seen: list[Any] = []

        def follow(attr: str, old: Any, new: Any) -> None:
            model(session, "command").value = "answer:asked"
            session.force_roundtrip()
            seen.append(new)

        model(session, "double").on_change("value", follow)
        model(session, "slider").value = 4
        session.force_roundtrip()
        session.sync()
        assert (seen, model(session, "answer").text) == ([8], "asked")


def test_exception_of_a_callback_comes_out_of_the_call_that_waits(board: str) -> None:
    with pull_session(url=board) as session:

        def fail(attr: str, old: Any, new: Any) -> None:
            raise LookupError(f"got {new}")

        model(session, "double").on_change("value", fail)
        model(session, "slider").value = 4
        with pytest.raises(LookupError, match="got 8"):
            session.force_roundtrip()
        session.force_roundtrip()
        assert model(session, "double").value == 8


def test_twenty_sessions_do_not_mix(server: RunningServer) -> None:
    sessions = [pull_session(url=f"{server.url}/beats") for _ in range(20)]
    for number, session in enumerate(sessions):
        command(session, f"say:{number}")
    for session in sessions:
        session.force_roundtrip()
    assert [model(session, "word").text for session in sessions] == [f" {number}" for number in range(20)]
    assert len({session.id for session in sessions}) == 20
    for session in sessions:
        session.close()
    assert not any(thread.name == "app-server client" for thread in threading.enumerate())


def test_sessions_of_many_threads_do_not_mix(board: str) -> None:
    results: dict[int, Any] = {}

    def work(number: int) -> None:
        # Six sessions at once: the stock server builds them one after another, and greets the last one after all.
        with pull_session(url=board, timeout_s=patience(TIMEOUT_S)) as session:
            model(session, "slider").value = number
            session.force_roundtrip()
            results[number] = model(session, "double").value

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2, 8)]
    for thread in threads:
        thread.start()
    waiting.until(lambda: not any(thread.is_alive() for thread in threads), "all threads have ended", TIMEOUT_S)
    assert results == {number: 2 * number for number in range(2, 8)}


# Pushing


def test_pushed_document_lives_on_the_server(board: str) -> None:
    document = Document()
    document.title = "Pushed"
    slider, source = (
        Slider(name="slider", start=0, end=9, value=3),
        ColumnDataSource({"x": np.arange(3.0)}, name="source"),
    )
    document.add_root(slider)
    document.add_root(source)
    with push_session(document, url=board) as session:
        assert session.document is document
        with pull_session(session.id, board) as other:
            assert other.document.title == "Pushed"
            assert values(model(other, "source")) == {"x": [0, 1, 2]}
            assert len(other.document.roots) == 2
            seen: list[Any] = []
            slider.on_change("value", lambda attr, old, new: seen.append(new))
            model(other, "slider").value = 4
            other.force_roundtrip()
            session.force_roundtrip()
            assert seen == [4]
            source.stream({"x": [9.0]})
            session.force_roundtrip()
            other.force_roundtrip()
            assert values(model(other, "source")) == {"x": [0, 1, 2, 9]}


def test_document_can_be_pushed_again_and_no_other_one(board: str) -> None:
    document = Document()
    document.add_root(Div(name="a", text="1"))
    with push_session(document, url=board) as session:
        document.clear()
        document.add_root(Div(name="b", text="2"))
        session.push()
        with pull_session(session.id, board) as other:
            assert [root.name for root in other.document.roots] == ["b"]
        with pytest.raises(ClientError, match="the session has another document already"):
            session.push(Document())


# Identity


def test_application_sees_arguments_headers_and_cookies(server: RunningServer) -> None:
    with pull_session(
        url=f"{server.url}/asking?a=1",
        arguments={"b": "2", "c": ["3", "4"]},
        headers={"X-Who": "me"},
        cookies={"taste": "sweet"},
    ) as session:
        seen = json.loads(model(session, "seen").text)
    assert seen["arguments"] == {"a": ["1"], "b": ["2"], "c": ["3", "4"]}
    assert seen["headers"]["x-who"] == "me"
    assert "sweet" in seen["cookies"]["taste"]
    assert seen["id"] == session.id


def test_client_learns_the_versions_of_the_server(ours: RunningServer, stock: RunningServer) -> None:
    with pull_session(url=f"{ours.url}/board") as session:
        assert session.request_server_info() == {"version_info": {"bokeh": bokeh.__version__, "server": __version__}}
    with pull_session(url=f"{stock.url}/board") as session:
        assert session.request_server_info()["version_info"]["bokeh"] == bokeh.__version__


def test_session_can_be_embedded_by_its_id_and_address(board: str) -> None:
    with pull_session(url=board) as session:
        script = server_session(session_id=session.id, url=session.url)
        assert session.id in script and f"{board}/autoload.js" in script


def test_token_opens_the_same_session(board: str) -> None:
    with pull_session(url=board) as session:
        model(session, "slider").value = 8
        session.force_roundtrip()
        with pull_session(url=board, token=session.token) as other:
            assert (other.id, model(other, "slider").value) == (session.id, 8)


def test_default_address_is_bokehs() -> None:
    assert ClientSession().url == "http://localhost:5006/"


def test_show_opens_the_page_of_the_session(board: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, int]] = []
    monkeypatch.setattr("webbrowser.open", lambda url, new=0, autoraise=True: opened.append((url, new)))
    with pull_session(url=board) as session:
        div = Div(text="shown")
        session.show(div, new="window")
        assert div in session.document.roots
        show_session(session=session)
    show_session("abc", board)
    page = f"{board}?bokeh-session-id="
    assert opened == [(page + session.id, 1), (page + session.id, 2), (page + "abc", 2)]


# What runs meanwhile


def test_run_applies_what_comes_until_it_is_stopped(board: str) -> None:
    with pull_session(url=board) as session, pull_session(session.id, board) as other:
        command(other, "answer:now")
        session.run(lambda: bool(model(session, "answer").text == "now"), patience(PATIENCE_S))
        with pytest.raises(NoAnswer) as late:
            session.run(lambda: False, 0.05)
        assert str(late.value) == (f"{board}: the condition was not met within 0.05 s. Wait longer with timeout_s.")
        assert isinstance(late.value, TimeoutError) and session.connected


def test_callbacks_of_the_document_run_in_run(board: str) -> None:
    with pull_session(url=board) as session:
        document, slider, names = session.document, model(session, "slider"), []
        document.add_next_tick_callback(lambda: names.append("tick"))
        document.add_timeout_callback(lambda: names.append("timeout"), 30)
        beat = document.add_periodic_callback(lambda: slider.update(value=slider.value + 1), 10)
        session.force_roundtrip()
        assert names == []
        session.run(lambda: slider.value >= 6, patience(PATIENCE_S))
        document.remove_periodic_callback(beat)
        session.run(timeout_s=0.1)
        session.run(lambda: model(session, "double").value == 2 * slider.value, patience(PATIENCE_S))
        assert names == ["tick", "timeout"]
        assert model(session, "double").value == 2 * slider.value


def test_another_thread_may_ask_for_a_callback(board: str) -> None:
    with pull_session(url=board) as session:
        threads: list[int] = []
        add = session.document.add_next_tick_callback
        thread = threading.Thread(target=lambda: add(lambda: threads.append(threading.get_ident())))
        timer = threading.Timer(0.1, thread.start)
        timer.start()
        session.run(lambda: bool(threads), patience(PATIENCE_S))
        assert threads == [threading.get_ident()]


def test_asynchronous_callback_needs_a_session_in_a_loop(board: str) -> None:
    async def later() -> None: ...

    with pull_session(url=board) as session:
        session.document.add_next_tick_callback(later)
        with pytest.raises(ClientError, match=r"a next tick callback is asynchronous\. Use open_session\(\) for it\."):
            session.run(timeout_s=patience(PATIENCE_S))


async def test_session_of_a_thread_works_inside_a_running_loop(board: str) -> None:
    with pull_session(url=board) as session:
        model(session, "slider").value = 3
        session.force_roundtrip()
        assert model(session, "double").value == 6


# Ends


def test_what_was_changed_before_the_close_arrives(board: str) -> None:
    with pull_session(url=board) as keeper:
        with pull_session(keeper.id, board) as session:
            for number in range(50):
                model(session, "slider").value = number
            model(session, "source").data = {"x": np.ones(200_000), "y": np.ones(200_000, dtype=np.int32)}
        keeper.run(lambda: len(model(keeper, "source").data["x"]) == 200_000, patience(PATIENCE_S))
        assert model(keeper, "slider").value == 49


def test_closed_session_leaves_its_document_and_takes_no_more_calls(board: str) -> None:
    session = pull_session(url=board)
    slider = model(session, "slider")
    session.close()
    session.close()
    slider.value = 50
    assert session.document.get_model_by_name("slider").value == 50
    for call in (session.force_roundtrip, session.pull, session.sync, session.run, session.connect):
        with pytest.raises(ConnectionLost) as closed:
            call()
        assert str(closed.value) == f"{board}: the session is closed. Open another one."


def test_session_without_references_is_closed(board: str) -> None:
    pull_session(url=board)
    gc.collect()
    deadline = time.monotonic() + patience(PATIENCE_S)
    while any(thread.name == "app-server client" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_change_that_the_server_does_not_carry_out_is_raised_at_the_next_roundtrip(
    board: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pull_session(url=board) as session:
        command(session, "fail:board")
        with pytest.raises(RequestFailed, match="a change of the document was not carried out: ") as failed:
            session.force_roundtrip()
        assert isinstance(failed.value, RuntimeError)
        assert "was not carried out" in caplog.text
        session.force_roundtrip()
        command(session, "fail:again")
    assert caplog.text.count("was not carried out") == 2, "logged even if no one waits any more"


def test_end_of_the_server_is_reported() -> None:
    with running_server(*apps("board.py"), server="ours") as server:
        with pull_session(url=f"{server.url}/board") as session:
            server.stop()
            with pytest.raises(ConnectionLost) as lost:
                session.run(lambda: False, patience(PATIENCE_S))
            assert lost.value.close_code in (1001, 1012) and isinstance(lost.value, OSError)
            assert not session.connected
            with pytest.raises(ConnectionLost):
                session.force_roundtrip()
            model(session, "slider").value = 5


def test_server_that_is_killed_is_noticed() -> None:
    with running_server(*apps("board.py"), server="ours") as server:
        with pull_session(url=f"{server.url}/board") as session:
            server.process.kill()
            with pytest.raises(ConnectionLost) as lost:
                session.force_roundtrip()
        assert lost.value.close_code is None
        assert str(lost.value).startswith(f"{server.url}/board: the connection was lost. The server, or a proxy")


def test_run_without_a_goal_returns_at_the_end_of_the_connection() -> None:
    with running_server(*apps("board.py"), server="ours") as server:
        with pull_session(url=f"{server.url}/board") as session:
            threading.Timer(0.2, server.stop).start()
            session.run(timeout_s=patience(PATIENCE_S))
            assert not session.connected


def test_missing_application_is_refused(server: RunningServer) -> None:
    with pytest.raises(Refused) as refused:
        pull_session(url=f"{server.url}/absent")
    assert refused.value.status == 404
    assert str(refused.value) == (
        f"{server.url}/absent: the server refused the session with 404 Not Found."
        " Check the application's path; the server's own page lists its applications."
    )


def test_missing_server_is_an_os_error() -> None:
    with pytest.raises(CannotConnect) as refused:
        pull_session(url=f"http://localhost:{free_port()}/board")
    assert isinstance(refused.value, OSError)
    assert not any(thread.name == "app-server client" and thread.is_alive() for thread in _ending_threads())


def _ending_threads() -> list[threading.Thread]:
    """The clients' threads that are still there after they had time to end."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        threads = [thread for thread in threading.enumerate() if thread.name == "app-server client"]
        if not threads:
            return []
        time.sleep(0.01)
    return threads


def test_foreign_origin_is_refused(server: RunningServer) -> None:
    with pytest.raises(Refused) as refused:
        pull_session(url=f"{server.url}/board", headers={"Origin": "http://elsewhere.example"})
    assert refused.value.status == 403


def test_application_that_fails_to_start_is_refused(ours: RunningServer) -> None:
    with pytest.raises(Refused) as refused:
        pull_session(url=f"{ours.url}/faulty", arguments={"fail": "raise"})
    assert refused.value.close_code in (1008, 1011), refused.value


@pytest.mark.parametrize("kind", ["ours", "stock"])
def test_signed_sessions_need_the_secret(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"BOKEH_SECRET_KEY": SECRET, "BOKEH_SIGN_SESSIONS": "yes"}
    with running_server(*apps("board.py"), server=kind, env=environment) as server:
        with pytest.raises((Refused, ConnectionLost)):
            pull_session(url=f"{server.url}/board")
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with pull_session(url=f"{server.url}/board") as session:
            token = session.token
        signed = str(generate_session_id(secret_key=SECRET.encode(), signed=True))
        with pull_session(signed, url=f"{server.url}/board") as session:
            assert session.id == signed
        monkeypatch.undo()
        with pull_session(url=f"{server.url}/board", token=token) as session:
            assert session.document.title == "Board"


def test_message_that_is_too_large_says_which_limit_it_met(ours: RunningServer) -> None:
    with running_server(*apps("board.py"), "--websocket-max-message-size", "20000", server="ours") as server:
        with pull_session(url=f"{server.url}/board") as session:
            model(session, "source").data = {"x": np.ones(50_000), "y": np.ones(50_000)}
            with pytest.raises(ConnectionLost, match="--websocket-max-message-size") as lost:
                session.force_roundtrip()
            assert lost.value.close_code == 1009
    with pytest.raises(ConnectionLost, match="max_message_size of 2000 bytes"):
        pull_session(url=f"{ours.url}/board", max_message_size=2000)


# Other ways to the server


def test_tls_is_checked_against_the_given_authority(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    chain, key, trusted = (tmp_path / name for name in ("chain.pem", "key.pem", "authority.pem"))
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    authority.cert_pem.write_to_path(trusted)
    flags = ("--ssl-certfile", chain, "--ssl-keyfile", key)
    with running_server(*apps("board.py"), *flags, server="ours") as server:
        url = f"{server.url}/board"
        with pytest.raises(CannotConnect) as refused:
            pull_session(url=url)
        assert str(refused.value) == (
            f"{url}: TLS failed: CERTIFICATE_VERIFY_FAILED."
            " Give verify= the file of the authority that signed the server's certificate."
        )
        for verify in (str(trusted), False):
            with pull_session(url=url, verify=verify) as session:
                model(session, "slider").value = 2
                session.force_roundtrip()
                assert model(session, "double").value == 4


def answers(path: Path) -> bool:
    """Whether a server takes connections at this Unix socket, which is there a moment earlier."""
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(str(path)) == 0


def test_unix_socket_is_another_way_in(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    command_line = [
        sys.executable,
        "-m",
        "app_server",
        "serve",
        *map(str, apps("board.py")),
        "--unix-socket",
        str(path),
    ]
    process = subprocess.Popen(command_line, stderr=subprocess.DEVNULL)
    try:
        waiting.until(lambda: answers(path), "the server takes connections")
        with pull_session(url="http://localhost/board", unix_socket=str(path)) as session:
            model(session, "slider").value = 2
            session.force_roundtrip()
            assert model(session, "double").value == 4
    finally:
        process.terminate()
        process.wait(patience(PATIENCE_S))
    with pytest.raises(CannotConnect, match="no server answers"):
        pull_session(url="http://localhost/board", unix_socket=str(path))


# In an event loop


async def test_session_in_a_loop_follows_the_server_by_itself(board: str) -> None:
    async with open_session(board) as session:
        seen: list[Any] = []
        model(session, "double").on_change("value", lambda attr, old, new: seen.append(new))
        model(session, "slider").value = 21
        await session.wait_for(lambda: seen == [42], patience(PATIENCE_S))
        assert (await session.request_server_info())["version_info"]["bokeh"] == bokeh.__version__
        assert session.connected
    assert not session.connected
    with pytest.raises(ConnectionLost, match="the session is closed"):
        await session.force_roundtrip()


async def test_session_in_a_loop_pushes_and_pulls_arrays(board: str) -> None:
    document = Document()
    source = ColumnDataSource({"x": np.arange(1000.0)}, name="source")
    document.add_root(source)
    async with open_session(board, document=document) as session, open_session(board, session.id) as other:
        assert session.document is document
        assert np.array_equal(model(other, "source").data["x"], np.arange(1000.0))
        source.stream({"x": [5.0]}, rollover=3)
        await session.force_roundtrip()
        await other.wait_for(lambda: values(model(other, "source")) == {"x": [998, 999, 5]}, patience(PATIENCE_S))
        await other.pull()
        assert values(model(other, "source")) == {"x": [998, 999, 5]}


async def test_twenty_sessions_share_a_loop(server: RunningServer) -> None:
    async def work(number: int) -> Any:
        async with open_session(f"{server.url}/beats") as session:
            command(session, f"say:{number}")
            await session.force_roundtrip()
            return model(session, "word").text

    found = await asyncio.gather(*(work(number) for number in range(20)))
    assert found == [f" {number}" for number in range(20)]


async def test_callbacks_of_the_document_run_in_the_loop(board: str) -> None:
    session = await open_session(board)
    names: list[str] = []

    async def later() -> None:
        await asyncio.sleep(0.01)
        names.append("async")

    document, slider = session.document, model(session, "slider")
    document.add_next_tick_callback(lambda: names.append("tick"))
    document.add_timeout_callback(later, 10)
    document.add_periodic_callback(lambda: slider.update(value=slider.value + 1), 5)
    await asyncio.to_thread(lambda: document.add_next_tick_callback(lambda: names.append("thread")))
    await session.wait_for(lambda: model(session, "double").value >= 10 and len(names) == 3, patience(PATIENCE_S))
    await session.close()
    assert sorted(names) == ["async", "thread", "tick"]


async def test_exception_of_a_callback_in_a_loop_is_logged(board: str, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise LookupError("from a callback")

    async with open_session(board) as session:
        model(session, "double").on_change("value", lambda attr, old, new: fail())
        session.document.add_next_tick_callback(fail)
        model(session, "slider").value = 4
        await session.force_roundtrip()
        await asyncio.sleep(0.05)
        assert model(session, "double").value == 8
    logged = [record for record in caplog.records if record.name == "app_server.client.asynchronous"]
    assert len([record for record in logged if record.exc_info and record.levelno == logging.ERROR]) == 2


async def test_failed_change_is_raised_in_the_loop(board: str) -> None:
    async with open_session(board) as session:
        command(session, "fail:board")
        with pytest.raises(RequestFailed):
            await session.force_roundtrip()
        await session.force_roundtrip()


async def test_end_of_the_connection_wakes_waiters_in_the_loop() -> None:
    with running_server(*apps("board.py"), server="ours") as server:
        session = await open_session(f"{server.url}/board")
        waiting = asyncio.create_task(session.wait_for(lambda: False))
        closed = asyncio.create_task(session.wait_closed())
        await asyncio.to_thread(server.stop)
        with pytest.raises(ConnectionLost):
            await waiting
        await closed
        await session.close()


async def test_missing_server_is_an_error_in_the_loop_too() -> None:
    with pytest.raises(CannotConnect, match="no server answers"):
        async with open_session(f"http://localhost:{free_port()}/board"):
            pass


async def test_time_out_in_the_loop_raises(board: str) -> None:
    async with open_session(board) as session:
        with pytest.raises(NoAnswer, match="the condition was not met within 0.05 s"):
            await session.wait_for(lambda: False, 0.05)


# The stock client with our server


def until(session: Any, claim: Any) -> None:
    """Let the stock client take in messages until this is so; while it waits for an answer it drops them."""
    timer = threading.Timer(patience(PATIENCE_S), session.close)
    timer.start()
    session._connection._loop_until(lambda: claim() or not session.connected)
    timer.cancel()
    assert claim()


def test_stock_client_pulls_changes_and_hears(ours: RunningServer) -> None:
    url = f"{ours.url}/board"
    with bokeh.client.pull_session(url=url, arguments={"a": "1"}) as session, pull_session(session.id, url) as other:
        document = session.document
        assert document.title == "Board"
        document.get_model_by_name("slider").value = 21
        until(session, lambda: document.get_model_by_name("double").value == 42)
        source = document.get_model_by_name("source")
        source.stream({"x": np.array([5.0]), "y": np.array([5])})
        source.patch({"x": [(0, 10.0)]})
        document.get_model_by_name("command").value = "stream:7"
        until(session, lambda: values(source) == {"x": [10, 1, 2, 3, 4, 5, 7, 8], "y": [0, 1, 2, 3, 4, 5, 1, 2]})
        document.get_model_by_name("command").value = "root:theirs"
        until(session, lambda: document.get_model_by_name("theirs") is not None)
        document.add_root(Div(name="mine", text="a"))
        document.title = "stock"
        session.force_roundtrip()
        assert session.request_server_info()["version_info"] == {"bokeh": bokeh.__version__, "server": __version__}
        other.force_roundtrip()
        assert other.document.title == "stock"
        assert values(model(other, "source")) == values(source)
        model(other, "mine").text = "b"
        until(session, lambda: document.get_model_by_name("mine").text == "b")


def test_stock_client_pushes_and_receives(ours: RunningServer) -> None:
    document = Document()
    slider = Slider(name="slider", start=0, end=9, value=3)
    document.add_root(slider)
    document.add_root(ColumnDataSource({"x": np.arange(3.0)}, name="source"))
    with bokeh.client.push_session(document, url=f"{ours.url}/board") as session:
        with pull_session(session.id, f"{ours.url}/board") as other:
            assert values(model(other, "source")) == {"x": [0, 1, 2]}
            model(other, "slider").value = 5
            other.force_roundtrip()
        until(session, lambda: slider.value == 5)


def test_twenty_stock_clients_do_not_mix(ours: RunningServer) -> None:
    sessions = [bokeh.client.pull_session(url=f"{ours.url}/beats") for _ in range(20)]
    words = [session.document.get_model_by_name("word") for session in sessions]
    for number, session in enumerate(sessions):
        session.document.get_model_by_name("command").value = f"say:{number}"
    for number, (session, word) in enumerate(zip(sessions, words, strict=True)):
        until(session, lambda word=word, number=number: word.text == f" {number}")
        session.close()


def test_stock_client_with_a_signed_session() -> None:
    environment = {"BOKEH_SECRET_KEY": SECRET, "BOKEH_SIGN_SESSIONS": "yes"}
    program = "import sys, bokeh.client; print(bokeh.client.pull_session(url=sys.argv[1]).document.title)"
    with running_server(*apps("board.py"), server="ours", env=environment) as server:
        with pytest.raises((OSError, RuntimeError)):
            bokeh.client.pull_session(url=f"{server.url}/board")
        # In a process of its own, since bokeh reads these variables when it is imported.
        said = subprocess.run(
            [sys.executable, "-c", program, f"{server.url}/board"],
            env={**os.environ, **environment},
            capture_output=True,
            timeout=60,
        )
    assert said.stdout == b"Board\n", said.stderr
