"""Counters that callbacks of every kind move, on threads and without the document's lock too."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from bokeh.document import without_document_lock
from bokeh.layouts import column, row
from bokeh.models import Button, ColumnDataSource, Div, PreText, Slider
from bokeh.plotting import curdoc, figure

THREADS = 4
EACH = 100

document = curdoc()
counters = {name: Div(text="0", name=name) for name in ("periodic", "async-periodic", "timeout", "tick", "threads")}
source = ColumnDataSource({"x": [], "y": []}, name="points")
plot = figure(width=300, height=200)
plot.scatter("x", "y", source=source)
slider = Slider(start=0, end=10, value=0, name="slider")
echo = Div(text="0", name="echo")
log = PreText(text="", name="log")
beats = []
moved = threading.Event()
executor = ThreadPoolExecutor(max_workers=1)
document.on_session_destroyed(lambda session_context, executor=executor: executor.shutdown(wait=False))


def count(name: str) -> None:
    assert curdoc() is document
    counters[name].text = str(int(counters[name].text) + 1)


async def count_later(name: str) -> None:
    await asyncio.sleep(0.001)
    count(name)


def add_point(thread: int) -> None:
    count("threads")
    source.stream({"x": [thread], "y": [len(source.data["y"])]})


def start_threads() -> None:
    def work(thread: int) -> None:
        for _ in range(EACH):
            document.add_next_tick_callback(partial(add_point, thread))

    for thread in range(THREADS):
        threading.Thread(target=work, args=(thread,)).start()


def schedule_once() -> None:
    document.add_timeout_callback(partial(count, "timeout"), 20)
    document.add_timeout_callback(partial(count_later, "timeout"), 40)
    document.add_next_tick_callback(partial(count, "tick"))
    document.add_next_tick_callback(partial(count_later, "tick"))
    document.remove_timeout_callback(document.add_timeout_callback(partial(count, "timeout"), 10))


def start_beating() -> None:
    beats.append(document.add_periodic_callback(partial(count, "periodic"), 20))
    beats.append(document.add_periodic_callback(partial(count_later, "async-periodic"), 20))


def stop_beating() -> None:
    while beats:
        document.remove_periodic_callback(beats.pop())


@without_document_lock
async def work_unlocked() -> None:
    """Work that is over when the visitor has moved the slider, which could not be if it held the document."""
    in_time = await asyncio.get_running_loop().run_in_executor(executor, moved.wait, 15)
    document.add_next_tick_callback(partial(setattr, log, "text", "worked" if in_time else "gave up"))


async def work_in_steps() -> None:
    for step in range(3):
        log.text = f"step {step}"
        await asyncio.sleep(0.1)
    log.text = "all steps"


def move(attr: str, old: float, new: float) -> None:
    echo.text = str(new)
    moved.set()


def fail() -> None:
    log.text = "about to fail"
    raise ValueError("this callback fails on purpose")


buttons = {"Start": start_beating, "Once": schedule_once, "Threads": start_threads, "Unlocked": work_unlocked}
buttons |= {"Steps": work_in_steps, "Fail": fail, "Stop": stop_beating}
row_of_buttons = [Button(label=label, width=80) for label in buttons]
for button, function in zip(row_of_buttons, buttons.values(), strict=True):
    button.on_click(lambda function=function: document.add_next_tick_callback(function))
slider.on_change("value", move)
document.add_root(column(row(*row_of_buttons), *counters.values(), slider, echo, log, plot))
