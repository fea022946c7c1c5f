"""The ways in which Panel's applications run code: each writes into a pane of its own, which the test reads."""

import asyncio
import threading
import time
from io import StringIO

import numpy as np
import pandas as pd
import panel as pn

pn.extension("tabulator", template="bootstrap", sizing_mode="stretch_width")
pn.state.template.title = "Ways"


def said(name: str, text: str = "-") -> pn.pane.Str:
    """A pane that tells the test something."""
    return pn.pane.Str(text, css_classes=[name])


# A long callback: what it sets is seen while it still runs.
progress = pn.indicators.Progress(value=0, max=3, css_classes=["progress"])
work = pn.widgets.Button(name="work")
worked = said("worked")


def long_work(event: object) -> None:
    worked.object = "begun"
    for step in range(1, 4):
        time.sleep(0.8)
        progress.value = step
    worked.object = "done"


work.on_click(long_work)

# An asynchronous callback, a bound asynchronous function and a bound generator.
name = pn.widgets.TextInput(name="name", value="Ada")
async_said = said("async")
greet = pn.widgets.Button(name="greet")
answer = pn.widgets.Button(name="answer")
asked_for = asyncio.Event()


async def greet_slowly(event: object) -> None:
    async_said.object = "thinking"
    await asked_for.wait()
    async_said.object = f"hello {name.value} in {'its document' if pn.state.curdoc else 'no document'}"


greet.on_click(greet_slowly)
answer.on_click(lambda event: asked_for.set())


async def bound(name: str) -> str:
    await asyncio.sleep(0.05)
    return f"bound {name}"


async def counted(name: str):
    for number in range(3):
        yield f"count {name} {number}"
        await asyncio.sleep(0.05)


# A thread that adds to the document by pn.state.execute.
thread_said = said("thread")
start_thread = pn.widgets.Button(name="start thread")


def begin(event: object) -> None:
    document = pn.state.curdoc

    def run() -> None:
        time.sleep(0.1)
        document.add_next_tick_callback(lambda: setattr(thread_said, "object", "from a thread"))

    threading.Thread(target=run, daemon=True).start()


start_thread.on_click(begin)
execute_said = said("execute")
pn.state.onload(lambda: pn.state.execute(lambda: setattr(execute_said, "object", "executed"), schedule=True))

# Many changes under one hold, and a component that is replaced.
held = said("held")
grown = pn.Column(css_classes=["grown"])
grow = pn.widgets.Button(name="grow")


def add_children(event: object) -> None:
    with pn.io.hold():
        grown.append(pn.widgets.FloatSlider(name=f"child {len(grown)}", value=0.5, start=0, end=1))
        grown.append(pn.pane.Markdown(f"{len(grown) + 1} parts"))
        held.object = f"{len(grown)}"


grow.on_click(add_children)

# A table: edits come to Python, streams and patches go to the page.
frame = pd.DataFrame({"letter": list("abc"), "number": np.arange(3.0)})
table = pn.widgets.Tabulator(frame, name="table", show_index=False, height=200)
edited = said("edited")
table.on_edit(lambda event: setattr(edited, "object", f"{event.column} {event.row} {event.old} {event.value}"))
stream = pn.widgets.Button(name="stream")


def add_row(event: object) -> None:
    table.stream({"letter": "d", "number": 3.0}, follow=False)
    table.patch({"number": [(0, 10.0)]})


stream.on_click(add_row)

# A download that Python makes when it is asked for.
download = pn.widgets.FileDownload(
    callback=lambda: StringIO(f"for {name.value}"), filename="note.txt", label="download", embed=False
)

# An error in a callback is in the log, and the page goes on.
fail = pn.widgets.Button(name="fail")
fail.on_click(lambda event: 1 / 0)

facts = said(
    "facts",
    f"args={pn.state.session_args} cookie={pn.state.cookies.get('colour')} agent={'User-Agent' in pn.state.headers} "
    f"user={pn.state.user} path={pn.state.location.pathname} search={pn.state.location.search} "
    f"base={pn.state.base_url} served={pn.state.served} title={pn.state.template.title}",
)
pn.state.on_session_destroyed(lambda context: print("ways: destroyed", context.id[:4], flush=True))

pn.Column(name, greet, answer, work, start_thread, grow, stream, fail, download).servable(target="sidebar")
pn.Column(
    progress, worked, async_said, thread_said, execute_said, held, grown, table, edited, facts,
    pn.Row(pn.bind(bound, name), css_classes=["bound"]), pn.Row(pn.bind(counted, name), css_classes=["counted"]),
).servable(target="main")  # fmt: skip
