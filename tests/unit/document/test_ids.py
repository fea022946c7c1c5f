from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from bokeh.models import ColumnDataSource, Div
from bokeh.plotting import figure

from app_server.document import engine
from app_server.document.ids import ModelIds
from app_server.document.served import new_document

engine.install()


def ids_of_a_plot(session_id: str) -> list[str]:
    document = new_document(session_id)
    with document.at_work():
        plot = figure()
        plot.line([1], [2])
        document.add_root(plot)
    return [model.id for model in document.models]


def test_same_session_gets_the_same_ids_again() -> None:
    first = ids_of_a_plot("one")
    Div()
    assert ids_of_a_plot("one") == first


def test_other_session_gets_other_ids() -> None:
    assert not set(ids_of_a_plot("one")) & set(ids_of_a_plot("two"))


def test_outside_of_a_session_ids_are_the_processs() -> None:
    document = new_document("one")
    with document.at_work():
        inside = Div()
    assert "-" in inside.id
    outside = Div()
    assert "-" not in outside.id


def test_ids_differ_in_threads() -> None:
    ids = ModelIds("one")
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: ids(), range(4000)))
    assert len(set(made)) == 4000


def test_interleaved_sessions_number_their_own_models() -> None:
    one, two = new_document("one"), new_document("two")
    with one.at_work():
        first = Div()
        with two.at_work():
            other = ColumnDataSource()
        second = Div()
    tag = first.id.partition("-")[0]
    assert second.id.startswith(tag) and not other.id.startswith(tag)


def test_ids_that_saved_models_have_are_left_out() -> None:
    numbers = ModelIds("a session")
    first = numbers()
    numbers.leave_out([f"{numbers.tag}-41", f"{numbers.tag}-7", "another-99", f"{numbers.tag}-x"])
    assert (first, numbers()) == (f"{numbers.tag}-1", f"{numbers.tag}-42")
    numbers.leave_out([first])
    assert int(numbers().removeprefix(f"{numbers.tag}-")) > 42
