"""Points that a thread computes and the document receives through next-tick callbacks."""

from functools import partial
from random import random
from threading import Event, Thread

from bokeh.document import Document
from bokeh.models import ColumnDataSource
from bokeh.plotting import curdoc, figure

PAUSE_S = 0.1
KEPT = 500

# Only callbacks of the session may change it.
source = ColumnDataSource({"x": [0.0], "y": [0.0]}, name="points")

# curdoc() means this document only while the module runs: pass it to the thread.
doc = curdoc()


async def update(x: float, y: float) -> None:
    """Add one point; runs with the document locked."""
    source.stream({"x": [x], "y": [y]}, rollover=KEPT)


def compute(document: Document, ended: Event) -> None:
    """Stand for blocking work: one point after each pause, until the session has ended."""
    while not ended.wait(PAUSE_S):
        # The one thing that a thread may do to a document is to schedule a callback.
        document.add_next_tick_callback(partial(update, x=random(), y=random()))


plot = figure(x_range=(0, 1), y_range=(0, 1), name="plot")
plot.scatter(x="x", y="y", source=source, size=8, alpha=0.6)
doc.add_root(plot)

ended = Event()
doc.on_session_destroyed(lambda session_context, ended=ended: ended.set())
Thread(target=compute, args=(doc, ended), daemon=True).start()
