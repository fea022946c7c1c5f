"""What applications do is what their tests see: callbacks of every kind, pages that come and go, and time."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from bokeh.document import without_document_lock
from bokeh.models import Button, ColumnDataSource, Div, Slider
from tornado.ioloop import IOLoop, PeriodicCallback

from app_server.testing import AppFailure, AppTimeout, CannotDo, NotFound, open_app
from tests.support.waiting import patience


def counting(document: Any) -> Any:
    """A division whose text is a number, and a function that raises it by one."""
    shown = Div(name="shown", text="0")
    document.add_root(shown)

    def count() -> None:
        shown.text = str(int(shown.text) + 1)

    return count


def button_that(document: Any, act: Any) -> None:
    """A button that calls this."""
    button = Button(label="Go", name="go")
    button.on_click(act)
    document.add_root(button)


def number(app: Any) -> int:
    """What the division of `counting` shows in the page."""
    return int(app.find(Div, name="shown").text)


def test_what_a_callback_changes_is_in_the_page_when_the_action_returns() -> None:
    def sliders(document: Any) -> None:
        slider, shown = Slider(name="slider", start=0, end=10, value=1), Div(name="shown", text="1")
        slider.on_change("value", lambda attr, old, new: shown.update(text=f"{old} to {new}"))
        document.add_root(slider)
        document.add_root(shown)

    with open_app(sliders) as app:
        slider, shown = app.find(Slider), app.find(Div)
        app.set(slider, value=3)
        assert (shown.text, slider.value, slider.value_throttled) == ("1 to 3", 3, 3)
        assert app.session.document.get_model_by_name("slider").value_throttled == 3


def test_next_ticks_async_callbacks_and_executors_are_over_when_the_action_returns() -> None:
    done: list[str] = []

    def application(document: Any) -> None:
        count = counting(document)
        executor = ThreadPoolExecutor(2)

        async def asynchronous() -> None:
            await asyncio.sleep(0)
            await asyncio.to_thread(time.sleep, 0.02)
            count()
            document.add_next_tick_callback(count)

        @without_document_lock
        async def unlocked() -> None:
            done.append(await asyncio.wrap_future(executor.submit(lambda: "executor")))
            done.append(await IOLoop.current().run_in_executor(executor, lambda: "tornado"))
            document.add_next_tick_callback(count)

        def click() -> None:
            document.add_next_tick_callback(asynchronous)
            document.add_next_tick_callback(unlocked)

        button_that(document, click)

    with open_app(application) as app:
        app.click(app.find(Button))
        assert number(app) == 3
        assert done == ["executor", "tornado"]


def test_timers_run_when_the_clock_is_moved_on_and_each_at_its_time() -> None:
    seen: list[tuple[str, float]] = []

    def application(document: Any) -> None:
        count = counting(document)

        def note(what: str) -> None:
            count()
            seen.append((what, round(asyncio.get_running_loop().time(), 3)))

        async def sleeping() -> None:
            await asyncio.sleep(0.25)
            document.add_next_tick_callback(partial(note, "slept"))

        document.add_periodic_callback(partial(note, "beat"), 100)
        document.add_timeout_callback(partial(note, "timeout"), 150)
        document.add_next_tick_callback(without_document_lock(sleeping))

    with open_app(application) as app:
        assert number(app) == 0
        app.advance(0.3)
        assert seen == [("beat", 0.1), ("timeout", 0.15), ("beat", 0.2), ("slept", 0.25), ("beat", 0.3)]
        assert number(app) == 5
        app.advance(60)
        assert number(app) == 5 + 600


def test_page_waits_for_an_asynchronous_callback_that_holds_the_document() -> None:
    def application(document: Any) -> None:
        count = counting(document)

        async def hold() -> None:
            await asyncio.sleep(5)
            count()

        document.add_next_tick_callback(hold)

    with open_app(application) as app:
        assert number(app) == 1


def test_tornado_timers_follow_the_clock() -> None:
    def application(document: Any) -> None:
        count = counting(document)
        every = PeriodicCallback(lambda: document.add_next_tick_callback(count), 200)
        every.start()
        document.on_session_destroyed(lambda context: every.stop())

    with open_app(application) as app:
        app.advance(1.05)
        assert number(app) == 5


def test_wait_for_waits_for_threads() -> None:
    go_on = threading.Event()

    def application(document: Any) -> None:
        count = counting(document)

        def work() -> None:
            go_on.wait(10)
            document.add_next_tick_callback(count)

        button_that(document, lambda: threading.Thread(target=work).start())

    with open_app(application) as app:
        shown = app.find(Div, name="shown")
        app.click(app.find(Button))
        assert shown.text == "0"
        go_on.set()
        assert app.wait_for(lambda: app.find(Div, text="1")) is shown


def test_wait_for_says_that_it_waited_in_vain() -> None:
    with open_app(counting) as app, pytest.raises(AppTimeout, match=r"the condition is not met after 0\.05 s"):
        app.wait_for(lambda: False, timeout_s=0.05)
    with (
        open_app(counting) as app,
        pytest.raises(AppTimeout, match=r"after 0\.05 s: no Div that says '1'; there is Div"),
    ):
        app.wait_for(lambda: app.find(Div, text="1"), timeout_s=0.05)


def test_time_passes_while_wait_for_waits() -> None:
    def application(document: Any) -> None:
        document.add_timeout_callback(counting(document), 20)

    with open_app(application) as app:
        app.wait_for(lambda: number(app) == 1)


def test_locked_and_unlocked_functions_take_their_turns() -> None:
    order: list[str] = []

    def application(document: Any) -> None:
        context = document.session_context
        count = counting(document)

        @without_document_lock
        async def unlocked() -> None:
            await context.with_locked_document(locked)
            order.append("unlocked")

        async def locked(doc: Any) -> None:
            order.append("locked begins")
            await asyncio.sleep(2)
            count()
            order.append("locked ends")

        def both() -> None:
            document.add_next_tick_callback(unlocked)
            document.add_timeout_callback(lambda: order.append("timer"), 1000)

        button_that(document, both)

    with open_app(application) as app:
        app.click(app.find(Button))
        assert order == ["locked begins"]
        app.advance(1)
        assert order == ["locked begins"], "the document is locked"
        app.advance(1)
        assert order == ["locked begins", "locked ends", "timer", "unlocked"]
        assert number(app) == 1


def test_held_changes_reach_the_page_when_the_application_lets_them() -> None:
    def application(document: Any) -> None:
        count = counting(document)

        def hold() -> None:
            document.hold("combine")
            count()

        button_that(document, hold)
        document.add_timeout_callback(document.unhold, 1000)

    with open_app(application) as app:
        app.click(app.find(Button))
        assert number(app) == 0
        assert app.session.document.get_model_by_name("shown").text == "1"
        app.advance(1)
        assert number(app) == 1


def test_streams_reach_the_page() -> None:
    def application(document: Any) -> None:
        source = ColumnDataSource({"x": [1, 2], "y": [3.0, 4.0]}, name="source")
        document.add_root(Div(tags=[source]))
        document.add_periodic_callback(lambda: source.stream({"x": [9], "y": [9.5]}, rollover=3), 100)

    with open_app(application) as app:
        source = app.find(ColumnDataSource, name="source")
        app.advance(0.2)
        assert list(source.data["x"]) == [2, 9, 9]
        assert list(source.data["y"]) == [4.0, 9.5, 9.5]


def test_request_and_user_are_those_of_the_visit() -> None:
    def application(document: Any) -> None:
        context = document.session_context
        request = context.request
        words = [context.user, request.arguments["n"], request.cookies["theme"], request.headers["X-Team"]]
        document.add_root(Div(text=repr(words)))

    with open_app(
        application, user="ada", arguments={"n": ["3", "4"]}, cookies={"theme": "dark"}, headers={"X-Team": "blue"}
    ) as app:
        assert app.find(Div).text == repr(["ada", [b"3", b"4"], "dark", "blue"])
        other = app.visit("bob", arguments={"n": "5"}, cookies={"theme": "light"}, headers={"X-Team": "red"})
        assert other.find(Div).text == repr(["bob", [b"5"], "light", "red"])
        app.reload(n="7")
        assert "[b'7']" in app.find(Div).text


def test_tabs_of_a_session_show_the_same() -> None:
    def application(document: Any) -> None:
        button_that(document, counting(document))

    with open_app(application) as app, app.new_tab() as other:
        app.click(app.find(Button))
        other.click(other.find(Button))
        assert (number(app), number(other), number(app.visit())) == (2, 2, 0)


def test_page_that_comes_back_finds_its_session() -> None:
    def application(document: Any) -> None:
        button_that(document, counting(document))

    with open_app(application) as app:
        app.click(app.find(Button))
        app.disconnect()
        with pytest.raises(CannotDo, match="the page has lost its connection"):
            app.click(app.find(Button))
        app.reconnect()
        app.click(app.find(Button))
        assert number(app) == 2
        app.disconnect()
        app.advance(60)
        app.reconnect()
        assert number(app) == 0, "the session has ended, and was built again"


def test_saved_session_outlives_a_restart(tmp_path: Path) -> None:
    def application(document: Any) -> None:
        slider = Slider(name="slider", start=0, end=10, value=1)
        state = document.session_context.state
        slider.on_change("value", lambda attr, old, new: state.update(last=new))
        document.add_root(slider)

    with open_app(application, store=tmp_path) as app:
        app.set(app.find(Slider), value=4)
        app.restart()
        assert app.find(Slider).value == 4
        assert app.state == {"last": 4}
        app.set(app.find(Slider), value=5)
        assert app.state == {"last": 5}


def test_links_to_a_view_open_a_copy(tmp_path: Path) -> None:
    def application(document: Any) -> None:
        context = document.session_context
        slider = Slider(name="slider", start=0, end=10, value=1)
        shown = Div(name="links")

        def share() -> None:
            shown.text = f"{context.bookmark()} {context.bookmark(anyone=True)}"

        button_that(document, share)
        for root in (slider, shown):
            document.add_root(root)

    with open_app(application, user="ada", store=tmp_path) as app:
        app.set(app.find(Slider), value=6)
        app.click(app.find(Button))
        own, for_anyone = app.find(name="links").text.split()
        copy = app.follow(own, "ada")
        assert copy.find(Slider).value == 6
        app.set(app.find(Slider), value=7)
        assert copy.find(Slider).value == 6
        assert app.follow(for_anyone, "bob").find(Slider).value == 6
        with pytest.raises(CannotDo, match="the link leads to the session of another user"):
            app.follow(own, "bob")
        with pytest.raises(CannotDo, match="the link leads nowhere"):
            app.follow(own[:-3])


def test_hooks_run(tmp_path: Path) -> None:
    folder = tmp_path / "hooked"
    folder.mkdir()
    (folder / "main.py").write_text(
        "from bokeh.io import curdoc\nfrom bokeh.models import Div\n"
        "curdoc().add_root(Div(text=curdoc().session_context.token_payload['city']))\n"
    )
    (folder / "app_hooks.py").write_text(
        "from pathlib import Path\nnotes = Path(__file__).with_name('notes')\n"
        "def note(word):\n    with notes.open('a') as file:\n        file.write(word + ' ')\n"
        "def on_server_loaded(context): note('loaded')\n"
        "async def on_session_created(context): note('created')\n"
        "def on_session_destroyed(context): note('destroyed')\n"
        "def on_server_unloaded(context): note('unloaded')\n"
        "def process_request(request): return {'city': request.arguments['city'][0].decode()}\n"
    )
    with open_app(folder, arguments={"city": "Oslo"}) as app:
        assert app.find(Div).text == "Oslo"
        assert "<title>" in app.html
    assert (folder / "notes").read_text() == "loaded created destroyed unloaded "


def test_failure_of_a_callback_is_that_of_the_action() -> None:
    def application(document: Any) -> None:
        button_that(document, lambda: 1 / 0)

    with open_app(application) as app:
        button = app.find(Button)
        with pytest.raises(AppFailure, match=r"test_tab\.py:\d+: ZeroDivisionError: division by zero") as failure:
            app.click(button)
        assert isinstance(failure.value.__cause__, ZeroDivisionError)
        app.find(Button, name="go")


def test_failures_of_timers_tasks_hooks_and_logs_are_found() -> None:
    def application(document: Any) -> None:
        def log_it() -> None:
            try:
                raise LookupError("logged")
            except LookupError:
                logging.getLogger("an application").exception("no matter")

        async def later() -> None:
            await asyncio.sleep(3)
            raise OSError("awaited")

        def end(context: Any) -> None:
            raise RuntimeError("hook")

        document.add_timeout_callback(lambda: [][0], 1000)
        document.add_timeout_callback(log_it, 2000)
        document.add_next_tick_callback(without_document_lock(later))
        document.on_session_destroyed(end)

    with pytest.raises(AppFailure, match="RuntimeError: hook"), open_app(application) as app:
        for said in ("IndexError", "LookupError: logged", "OSError: awaited"):
            with pytest.raises(AppFailure, match=said):
                app.advance(1)


def test_failure_of_a_thread_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)

    def application(document: Any) -> None:
        button_that(document, lambda: threading.Thread(target=lambda: {}["thread"]).start())

    with open_app(application) as app, pytest.raises(AppFailure, match="KeyError: 'thread'"):
        app.click(app.find(Button))
        app.wait_for(lambda: False)


def test_failure_of_the_build_is_that_of_open_app(tmp_path: Path) -> None:
    script = tmp_path / "broken.py"
    script.write_text("import bokeh\nmissing_name\n")
    with pytest.raises(AppFailure, match=r"broken\.py:2: NameError: name 'missing_name' is not defined") as failure:
        open_app(script)
    assert isinstance(failure.value.__cause__, NameError)


def test_allowed_errors_are_collected() -> None:
    def application(document: Any) -> None:
        button_that(document, lambda: 1 / 0)

    with open_app(application, allow_errors=True) as app:
        app.click(app.find(Button))
        assert [type(error) for error in app.errors] == [ZeroDivisionError]


def test_application_that_never_rests_is_reported() -> None:
    def application(document: Any) -> None:
        def again() -> None:
            document.add_next_tick_callback(again)

        button_that(document, again)

    with open_app(application, timeout_s=patience(0.3), allow_errors=True) as app:
        with pytest.raises(AppTimeout, match="next-tick callback that adds itself again"):
            app.click(app.find(Button))


def test_executor_that_does_not_return_is_named() -> None:
    go_on = threading.Event()

    def application(document: Any) -> None:
        async def work() -> None:
            await asyncio.to_thread(go_on.wait)

        button_that(document, lambda: document.add_next_tick_callback(work))

    with open_app(application, timeout_s=patience(0.3)) as app:
        with pytest.raises(AppTimeout, match=r"does not come to rest within [0-9.]+ s: .*wait.* did not return"):
            app.click(app.find(Button))
        go_on.set()


def test_actions_need_not_wait_for_executors() -> None:
    go_on = threading.Event()

    def application(document: Any) -> None:
        count = counting(document)
        executor = ThreadPoolExecutor(1)

        def work() -> None:
            go_on.wait(10)
            document.add_next_tick_callback(count)

        button_that(document, lambda: executor.submit(work))

    with open_app(application, executors=False) as app:
        app.click(app.find(Button))
        assert number(app) == 0
        go_on.set()
        app.wait_for(lambda: number(app) == 1)


def test_failure_of_the_test_is_not_hidden_by_one_at_the_end() -> None:
    def application(document: Any) -> None:
        document.on_session_destroyed(lambda context: 1 / 0)

    with pytest.raises(LookupError, match="the test's own"), open_app(application):
        raise LookupError("the test's own")


async def test_it_works_where_a_loop_is_running() -> None:
    task = asyncio.current_task()
    with open_app(lambda document: button_that(document, counting(document))) as app:
        app.click(app.find(Button))
        assert number(app) == 1
    assert asyncio.current_task() is task is not None
    await asyncio.sleep(0)


def test_assigning_to_a_model_of_the_page_sends_it() -> None:
    def application(document: Any) -> None:
        slider, shown = Slider(start=0, end=10, value=1), Div(text="")
        slider.on_change("value", lambda attr, old, new: shown.update(text=str(new)))
        document.add_root(slider)
        document.add_root(shown)

    with open_app(application) as app:
        app.find(Slider).value = 7.25
        assert app.find(Div).text == "7.25"


def test_two_applications_may_be_open_and_closed_in_any_order() -> None:
    first, second = open_app(counting), open_app(counting)
    submit = ThreadPoolExecutor.submit
    first.close()
    with pytest.raises(NotFound):
        second.find("Slider")
    second.close()
    assert ThreadPoolExecutor.submit is not submit
    assert ThreadPoolExecutor.submit.__module__ == "concurrent.futures.thread"


def test_application_that_was_stopped_says_so_and_may_be_closed_again() -> None:
    with open_app(counting_button) as app:
        other, button = app.new_tab(), app.find(name="go")
        app.close()
        app.close()
        for act in (
            lambda: app.find(name="go"),
            lambda: app.advance(1),
            lambda: app.click(button),
            lambda: app.wait_for(lambda: True),
            app.visit,
            app.reload,
            app.reconnect,
            app.restart,
            other.new_tab,
            lambda: setattr(other._page.document, "title", "x"),
        ):
            with pytest.raises(CannotDo, match="the application has stopped: its first page was closed"):
                act()
        assert (app.connected, other.connected, app.errors) == (False, False, [])
        other.close()


def counting_button(document: Any) -> None:
    """A button that raises the number in a division."""
    button_that(document, counting(document))
