"""Callbacks of every kind, started by its text input `command`: `name:argument`."""

import asyncio
import logging
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from bokeh.document import without_document_lock
from bokeh.io import curdoc
from bokeh.models import Div, TextInput

document = curdoc()
command = TextInput(name="command")
count = Div(name="count", text="0")
word = Div(name="word", text="")
document.add_root(command)
document.add_root(count)
document.add_root(word)
executor = ThreadPoolExecutor(2)
handles = []


def add_one():
    count.text = str(int(count.text) + 1)


async def add_one_later():
    await asyncio.sleep(0.001)
    add_one()


def say(text):
    word.text += f" {text}"


def watching(late, beating):
    """A callback that notes in `late[0]` when the loop was late, for as long as there are beats."""

    @without_document_lock
    async def watch():
        while beating:
            began_s = time.monotonic()
            await asyncio.sleep(0.005)
            late[0] |= time.monotonic() - began_s > 0.02

    return watch


def beat_for_two_seconds(argument):
    """How often it beats in two seconds, by the median of 40 intervals without a late loop, nor right before."""
    intervals_s, beating = [], []
    late = [True, True]  # since the last beat, and before that
    last_s = 0.0

    def beat():
        nonlocal last_s
        now_s = time.monotonic()
        if not any(late):
            intervals_s.append(now_s - last_s)
        last_s = now_s
        late[:] = False, late[0]
        if len(intervals_s) == 40:
            document.remove_periodic_callback(beating.pop())
            word.text = str(int(2.025 / statistics.median(intervals_s)))

    beating.append(document.add_periodic_callback(beat, 50))
    document.add_next_tick_callback(watching(late, beating))


def beat_beside_one_that_holds(argument):
    """In how many of 20 beats they ran; beats for which the loop was late, or shortly after that, do not count."""
    runs = {"holding": 0, "plain": 0}  # since the last beat
    seen = {"holding": 0, "plain": 0, "beats": 0}
    late = [True, True, True]  # since the last beat, and before the last two

    async def holding():
        runs["holding"] += 1
        await asyncio.sleep(0.03)

    def plain():
        runs["plain"] += 1

    @without_document_lock
    async def undisturbed():
        if not any(late):
            seen["beats"] += 1
            seen.update({name: seen[name] + count for name, count in runs.items()})
        runs.update(holding=0, plain=0)
        late[:] = False, late[0], late[1]
        if seen["beats"] == 20:
            document.add_next_tick_callback(report)

    def report():
        while beating:
            document.remove_periodic_callback(beating.pop())
        word.text = f"{seen['holding']} {seen['plain']}"

    beating = [document.add_periodic_callback(beat, 50) for beat in (holding, plain, undisturbed)]
    document.add_next_tick_callback(watching(late, beating))


def schedule_and_remove(argument):
    document.remove_timeout_callback(document.add_timeout_callback(partial(say, "timeout"), 1))
    document.remove_next_tick_callback(document.add_next_tick_callback(partial(say, "tick")))
    document.remove_periodic_callback(document.add_periodic_callback(partial(say, "beat"), 1))
    document.add_timeout_callback(partial(say, "kept"), 30)


def from_threads(argument):
    def add_many():
        for _ in range(1000):
            document.add_next_tick_callback(add_one)

    for _ in range(8):
        threading.Thread(target=add_many).start()


def fail():
    word.text = "about to fail"
    raise ValueError("a beat fails")


async def fail_later():
    await asyncio.sleep(0)
    fail()


async def cancelled():
    word.text = "cancelling"
    await asyncio.sleep(0.02)
    raise asyncio.CancelledError


@without_document_lock
async def unlocked():
    assert curdoc() is not document
    text = await asyncio.wrap_future(executor.submit(lambda: time.sleep(0.05) or "computed"))
    try:
        curdoc().add_root(Div())
    except AttributeError:
        text += " unlocked"
    curdoc().add_next_tick_callback(partial(say, text))


async def who_am_i():
    seen = set()
    for _ in range(20):
        seen.add(curdoc() is document and curdoc().session_context.id == document.session_context.id)
        await asyncio.sleep(0.005)
    seen.add(await asyncio.create_task(child()))
    word.text = f"always me: {seen}"


async def child():
    await asyncio.sleep(0.001)
    return curdoc() is document


async def in_steps():
    for step in range(3):
        word.text = f"step {step}"
        await asyncio.sleep(0.15)
    word.text = "done"


async def hold(seconds):
    await asyncio.sleep(seconds)
    say("held")


async def lock_from_outside():
    def change(locked_document):
        assert locked_document is document
        say("locked")

    async def change_later(locked_document):
        await asyncio.sleep(0.01)
        say("locked later")

    context = document.session_context
    await context.with_locked_document(change)
    await context.with_locked_document(change_later)
    try:
        await context.with_locked_document(lambda locked: 1 / 0)
    except ZeroDivisionError:
        await context.with_locked_document(lambda locked: say("finished"))


async def start_outside():
    handles.append(asyncio.create_task(lock_from_outside()))


commands = {
    "tick": lambda argument: document.add_next_tick_callback(add_one),
    "async-tick": lambda argument: document.add_next_tick_callback(add_one_later),
    "timeout": lambda argument: document.add_timeout_callback(add_one, int(argument)),
    "async-timeout": lambda argument: document.add_timeout_callback(add_one_later, int(argument)),
    "periodic": lambda argument: handles.append(document.add_periodic_callback(add_one, int(argument))),
    "async-periodic": lambda argument: handles.append(document.add_periodic_callback(add_one_later, int(argument))),
    "stop": lambda argument: document.remove_periodic_callback(handles.pop()),
    "removed": schedule_and_remove,
    "threads": from_threads,
    "rate": beat_for_two_seconds,
    "beside": beat_beside_one_that_holds,
    "fail": lambda argument: document.add_next_tick_callback(fail),
    "async-fail": lambda argument: document.add_next_tick_callback(fail_later),
    "cancelled": lambda argument: document.add_next_tick_callback(cancelled),
    "unlocked": lambda argument: document.add_next_tick_callback(unlocked),
    "who": lambda argument: document.add_next_tick_callback(who_am_i),
    "steps": lambda argument: document.add_next_tick_callback(in_steps),
    "hold": lambda argument: document.add_next_tick_callback(partial(hold, float(argument))),
    "outside": lambda argument: document.add_next_tick_callback(start_outside),
    "say": say,
}


def obey(attr, old, new):
    name, _, argument = new.partition(":")
    if name in commands:
        commands[name](argument)


def note_end(session_context):
    logging.getLogger("beats").info("beats %s ended", session_context.id)


document.on_session_destroyed(note_end)
command.on_change("value", obey)
