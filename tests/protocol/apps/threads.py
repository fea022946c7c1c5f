"""Changed by four threads at once: directly, in next ticks, in an executor; the title says when all is done."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from bokeh.io import curdoc
from bokeh.models import ColumnDataSource, Div, TextInput

ROUNDS = 100

document = curdoc()
command = TextInput(name="command")
text = Div(name="text", tags=[])
source = ColumnDataSource({"number": []}, name="source")
for root in (command, text, source):
    document.add_root(root)
executor = ThreadPoolExecutor(1)
left = threading.Semaphore(0)


def change(way, number):
    source.stream({"number": [way * ROUNDS + number]})
    text.tags.append(way * ROUNDS + number)
    text.text = f"{way} {number}"


def directly(way):
    for number in range(ROUNDS):
        change(way, number)
    left.release()


def in_next_ticks(way):
    for number in range(ROUNDS):
        document.add_next_tick_callback(partial(change, way, number))
    document.add_next_tick_callback(left.release)


async def in_an_executor(way):
    for number in range(ROUNDS):
        await asyncio.get_running_loop().run_in_executor(executor, change, way, number)
    left.release()


def wait():
    for _ in range(4):
        left.acquire()
    document.add_next_tick_callback(finish)


def finish():
    document.title = "done"


def start(attr, old, new):
    threads = [(directly, 0), (directly, 1), (in_next_ticks, 2)]
    for function, way in threads:
        threading.Thread(target=function, args=(way,), daemon=True).start()
    document.add_next_tick_callback(partial(in_an_executor, 3))
    threading.Thread(target=wait, daemon=True).start()


command.on_change("value", start)
