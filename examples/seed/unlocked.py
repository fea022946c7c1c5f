"""Blocking work that does not block the document: red points go on while a blue one is computed."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count

from bokeh.document import without_document_lock
from bokeh.models import ColumnDataSource
from bokeh.plotting import curdoc, figure

WORK_S = 1.0

source = ColumnDataSource({"x": [0], "y": [0], "color": ["blue"]}, name="points")
doc = curdoc()
executor = ThreadPoolExecutor(max_workers=2)
doc.on_session_destroyed(lambda session_context, executor=executor: executor.shutdown(wait=False))
jobs = count(1)
started = 0


def blocking_work(job: int) -> int:
    """Take a second, as a query or a fit would."""
    time.sleep(WORK_S)
    return job


def add_point(y: int, color: str) -> None:
    """Add a point to the right of the last one; runs with the document locked."""
    source.stream({"x": [source.data["x"][-1] + 1], "y": [y], "color": [color]})


@without_document_lock
async def work() -> None:
    """Wait for the executor without holding the lock: other callbacks of the session run meanwhile."""
    global started
    started = next(jobs)
    result = await asyncio.get_running_loop().run_in_executor(executor, blocking_work, started)
    # Here nothing of the document may change; the next tick may, for it takes the lock.
    doc.add_next_tick_callback(partial(add_point, y=result, color="blue"))


async def tick() -> None:
    """Show how many jobs have been started, five times a second."""
    add_point(y=started, color="red")


plot = figure(x_range=(0, 100), y_range=(0, 20), name="plot")
plot.scatter(x="x", y="y", color="color", source=source, size=8)

doc.add_periodic_callback(work, 1000)
doc.add_periodic_callback(tick, 200)
doc.add_root(plot)
