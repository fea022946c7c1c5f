"""Callbacks that return when four of them run at once, each in a thread, while others go on."""

import threading

import panel as pn

pn.extension()

slow = pn.widgets.Button(name="slow")
done = pn.widgets.TextInput(name="done", value="")
quick = pn.widgets.Button(name="quick")
quick_done = pn.widgets.TextInput(name="quick done", value="")


def work(event):
    pn.state.cache["together"].wait(30)  # of prepared.py
    found = pn.state.curdoc is not None and threading.current_thread() is not threading.main_thread()
    done.value = f"{slow.clicks} {found}"


slow.on_click(work)
quick.on_click(lambda event: quick_done.param.update(value=str(quick.clicks)))
pn.Column(slow, done, quick, quick_done).servable()
