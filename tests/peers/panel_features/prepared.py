"""Runs before the applications: what it puts into the cache is there for them, and its tasks are the server's."""

import datetime as dt
import threading

import panel as pn

counts = dict.fromkeys(("setup", "period", "at", "cron", "faulty", "async"), 0)
counts["threads"] = []
pn.state.cache["counts"] = counts
counts["setup"] += 1
pn.state.cache["together"] = threading.Barrier(4)


def count(name):
    counts[name] += 1


def count_period():
    count("period")


def count_thread():
    counts["threads"].append(threading.current_thread() is not threading.main_thread())


def fail():
    count("faulty")
    raise ZeroDivisionError("of the task")


async def count_async():
    count("async")


soon = dt.datetime.now() + dt.timedelta(seconds=0.2)
pn.state.schedule_task("period", count_period, period=dt.timedelta(seconds=0.1))
pn.state.schedule_task("at", lambda: count("at"), at=iter([soon, soon + dt.timedelta(seconds=0.1)]))
pn.state.schedule_task("cron", lambda: count("cron"), cron="* * * * * *")  # croniter's sixth field is seconds
pn.state.schedule_task("faulty", fail, period="1s")
pn.state.schedule_task("async", count_async, period="1s")
pn.state.schedule_task("threads", count_thread, period="1s", threaded=True)
