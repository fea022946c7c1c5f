"""Work in threads that comes back by next ticks: a plain thread, an executor, an unlocked callback."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from bokeh.document import without_document_lock
from bokeh.models import Button, Div
from bokeh.plotting import curdoc
from tornado.concurrent import run_on_executor
from tornado.ioloop import IOLoop

document = curdoc()
said = Div(text="", name="said")
names = ("thread", "executor", "unlocked", "decorated")
buttons = {name: Button(label=name, name=name) for name in names}


def say(word):
    said.text += f"{word};"


def in_thread():
    document.add_next_tick_callback(partial(say, "from a thread"))


class Worker:
    executor = ThreadPoolExecutor(max_workers=1)

    @run_on_executor
    def square(self, number):
        return number * number


async def with_executor():
    found = await IOLoop.current().run_in_executor(Worker.executor, pow, 3, 2)
    say(f"executor {found}")


@without_document_lock
async def unlocked():
    found = await Worker().square(5)
    document.add_next_tick_callback(partial(say, f"square {found}"))


@without_document_lock
def unlocked_wrong():
    try:
        curdoc().add_root(Div(text="must not be"))
    except Exception as error:
        document.add_next_tick_callback(partial(say, f"{type(error).__name__}"))


buttons["thread"].on_click(lambda: threading.Thread(target=in_thread).start())
buttons["executor"].on_click(lambda: document.add_next_tick_callback(with_executor))
buttons["unlocked"].on_click(lambda: document.add_next_tick_callback(unlocked))
buttons["decorated"].on_click(lambda: document.add_next_tick_callback(unlocked_wrong))
for root in (said, *buttons.values()):
    document.add_root(root)
