"""Long work of every kind, as the field says: `count thread 5`, `hang process`, `cancel`; what comes of it is noted."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

from bokeh.layouts import column
from bokeh.models import Div, TextInput
from bokeh.plotting import curdoc

from app_server.jobs import Job, JobError, find, progress, submit

field = TextInput(name="field")
note = Div(name="note", text="")
steps = Div(name="steps", text="")
where = Div(name="where", text="")
jobs: list[Job] = []
secret = 7
"""A global variable of the script, which its functions take along."""


def count(number: str) -> tuple[int, int, int]:
    """Count to a number, and say in which process."""
    for step in range(int(number)):
        progress((step + 1) / int(number), f"step {step + 1}")
        time.sleep(0.001)
    return int(number), secret, os.getpid()


def hang() -> None:
    """Never end, and look at nothing."""
    progress(0.25, f"in {os.getpid()}")
    while True:
        time.sleep(1000)


def fail() -> None:
    """Raise something."""
    raise ValueError("no such town")


def die() -> None:
    """End as a process that the kernel kills."""
    os.kill(os.getpid(), 9)


def odd() -> Any:
    """Return what cannot be sent."""
    return [threading.Lock()]


FUNCTIONS = {each.__name__: each for each in (count, hang, fail, die, odd)}


def say_steps(fraction: float | None, text: str) -> None:
    steps.text = f"{fraction} {text}"


def say_result(value: Any) -> None:
    note.text = f"result {value}"


def say_error(error: BaseException) -> None:
    note.text = f"{type(error).__name__}: {error}"


def say_cancelled() -> None:
    note.text = "cancelled"


CALLBACKS: dict[str, Any] = {
    "on_progress": say_steps, "on_result": say_result, "on_error": say_error, "on_cancel": say_cancelled,
}  # fmt: skip


def do(attr: str, old: str, new: str) -> None:
    """Do what the field says, but not again when the session is restored."""
    if getattr(curdoc().session_context, "restoring", False):
        return
    word, *more = new.split()
    if word == "cancel":
        jobs[-1].cancel()
    elif word == "find":
        show(find(more[0], **CALLBACKS))
    elif word == "named":
        begin(more[1], more[2:], name=more[0])
    elif word in FUNCTIONS:
        begin(word, more)


def begin(word: str, more: list[str], **order: Any) -> None:
    place, *arguments = more
    try:
        jobs.append(submit(FUNCTIONS[word], *arguments, where=place, **CALLBACKS, **order))
    except JobError as error:
        say_error(error)
    else:
        where.text = str(jobs[-1].state)


def show(job: Job | None) -> None:
    where.text = "not found" if job is None else f"{job.state} at {job.fraction}: {job.text}"


find("fit", **CALLBACKS, on_lost=show)
field.on_change("value", do)
curdoc().add_root(column(field, note, steps, where))
