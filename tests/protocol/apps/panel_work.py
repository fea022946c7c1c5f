"""Long work in Panel's callbacks, which run in its threads with `--num-threads`."""

import threading

import panel as pn

from app_server.jobs import progress, submit

pn.extension()
field = pn.widgets.TextInput(name="field")
note = pn.pane.Str("", name="note")
thread = pn.pane.Str("", name="thread")


def count(number: int) -> int:
    """Count to a number."""
    for step in range(number):
        progress((step + 1) / number)
    return sum(range(number))


def show(value: int) -> None:
    note.object = f"{pn.state.curdoc is here}: {value}"


def begin(event: object) -> None:
    thread.object = "its own" if threading.current_thread() is not threading.main_thread() else "main"
    where, number = field.value.split()
    submit(count, int(number), where=where, on_result=show)


here = pn.state.curdoc
field.param.watch(begin, "value")
pn.Column(field, note, thread).servable()
