"""A page's copy of the document, and its connection."""

from __future__ import annotations

from typing import Any

import pytest
from bokeh.models import Div, Slider, TextInput

from app_server.testing import CannotDo, open_app
from app_server.testing.page import Line


def slider(document: Any) -> None:
    """A slider that puts models into the page."""
    moved = Slider(start=0, end=10, value=0)
    moved.on_change("value", lambda attr, old, new: document.add_root(Div(text=str(new), name=f"div{new}")))
    document.add_root(moved)


def test_models_that_come_later_are_in_all_pages() -> None:
    with open_app(slider) as app:
        other = app.new_tab()
        app.set(app.find(Slider), value=3)
        for page in (app, other, app.new_tab()):
            assert page.find(Div, name="div3").text == "3"
        assert other.find(Slider).value == 3


def test_server_that_closes_the_connection_disconnects_the_page() -> None:
    with open_app(slider) as app:
        assert app.connected
        app._site.perform(lambda: app._site.runtime.begin_end(app.session))
        app._site.settle()
        assert not app.connected
        with pytest.raises(CannotDo, match="the page has lost its connection; call reconnect"):
            app.set(app.find(Slider), value=1)


def test_callbacks_are_for_the_application_to_add() -> None:
    with open_app(slider) as app, pytest.raises(CannotDo, match="add callbacks in the application"):
        app.document.add_next_tick_callback(print)


def test_what_the_server_refuses_is_said() -> None:
    with open_app(slider, websocket_max_message_size=100_000) as app:
        with pytest.raises(Exception, match="larger than 100000 bytes"):
            app.find(Slider).tags = ["x" * 200_000]


def test_line_reads_at_once() -> None:
    line = Line()
    line.write([b"a", memoryview(b"b")])
    assert (line.read(), line.read(), line.is_late, line.queued_bytes) == ([b"a", b"b"], [], False, 0)
    line.pause()
    line.resume()
    line.watch_closely()
    line.give_up(0, "")
    line.close(1001, "gone")
    assert line.closed == (1001, "gone")


def test_message_that_is_too_large_loses_the_connection() -> None:
    def application(document: Any) -> None:
        document.add_root(TextInput())

    with open_app(application, websocket_max_message_size_bytes=10_000) as app:
        with pytest.raises(CannotDo, match="the server has closed the connection: a message is larger than 10000"):
            app.set(app.find(TextInput), value="x" * 10_000)
        assert not app.connected
        with pytest.raises(CannotDo, match="call reconnect"):
            app.set(app.find(TextInput), value="x")
        app.reconnect()
        app.set(app.find(TextInput), value="x")
        assert app.session.document.roots[0].value == "x"
