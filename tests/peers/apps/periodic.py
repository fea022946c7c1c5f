"""Periodic callbacks: of one period, one that ends itself, one that adds another, one removed by a page."""

from bokeh.models import Button, Div
from bokeh.plotting import curdoc

document = curdoc()
counts = {name: Div(text="0", name=name) for name in ("first", "second", "ending", "adding", "added", "stopped")}
stop = Button(name="stop")
handles = {}


def count(name, limit):
    number = int(counts[name].text) + 1
    counts[name].text = f"{number}"
    if number == limit:
        document.remove_periodic_callback(handles[name])
    return number


def add_another():
    if count("adding", 4) == 2:
        handles["added"] = document.add_periodic_callback(lambda: count("added", 3), 20)


def stop_counting():
    document.remove_periodic_callback(handles["stopped"])
    counts["stopped"].text = "stopped"
    try:
        document.remove_periodic_callback(handles["stopped"])
    except ValueError as error:
        counts["stopped"].text = f"{error}"


handles["first"] = document.add_periodic_callback(lambda: count("first", 5), 30)
handles["second"] = document.add_periodic_callback(lambda: count("second", 5), 30)
handles["ending"] = document.add_periodic_callback(lambda: count("ending", 1), 20)
handles["adding"] = document.add_periodic_callback(add_another, 20)
handles["stopped"] = document.add_periodic_callback(lambda: None, 10_000)
stop.on_click(stop_counting)
for root in (*counts.values(), stop):
    document.add_root(root)
