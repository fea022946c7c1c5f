"""What sessions leave behind in a server's process when they have ended."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from app_server.apps import load_application
from app_server.server.server import Server
from app_server.session.session import Session
from app_server.settings import Settings
from bench import client
from tests.support.server import REPOSITORY
from tests.support.waiting import patience, until_soon

SESSIONS = 150
AT_ONCE = 10
FEWER_THAN_ONE_EACH = 120
"""More than the cancelled timers that asyncio keeps (100), and less than one object for each session."""

APPLICATION = """
from bokeh.io import curdoc
from bokeh.models import ColumnDataSource, Slider
from bokeh.plotting import figure

source = ColumnDataSource({"x": [1, 2], "y": [3, 4]})
plot = figure()
plot.line("x", "y", source=source)
slider = Slider(start=0, end=10, value=0)
slider.on_change("value", lambda attr, old, new: source.stream({"x": [new], "y": [new]}))
curdoc().add_periodic_callback(lambda: None, 50)
curdoc().add_root(plot)
curdoc().add_root(slider)
"""


async def come_and_go(port: int) -> None:
    """Visit the application, move its slider and leave, this many times; then wait until the sessions have ended."""
    for _ in range(SESSIONS // AT_ONCE):
        await asyncio.gather(*(visit(port) for _ in range(AT_ONCE)))
    await until_soon(lambda: not ask_to_end(), 30)


def ask_to_end() -> bool:
    """Whether there are sessions; they are asked to end."""
    living = [found for found in gc.get_objects() if type(found) is Session and not found.destroyed]
    for session in living:
        session.request_expiration()
    return bool(living)


def no_session_is_left() -> bool:
    """Whether nothing keeps a session, not even one that has ended."""
    gc.collect()
    return all(type(found) is not Session for found in gc.get_objects())


async def visit(port: int) -> None:
    """One visitor's page, slider and departure."""
    tab = await client.open_tab(port, "/")
    await tab.round_trip(tab.models("Slider")[0], 7.0)
    tab.connection.close()


def objects() -> Counter[type]:
    """How many objects of each type there are."""
    gc.collect()
    return Counter(map(type, gc.get_objects()))


async def growth(application: Path) -> dict[str, int]:
    """How many objects of each type more there are after the second half of the sessions than after the first."""
    settings = Settings(port=0, check_unused_sessions_ms=50)
    server = Server.bound({"/": load_application(application)}, settings, asyncio.get_running_loop())
    await server.start()
    try:
        assert server.port is not None
        await come_and_go(server.port)
        before = objects()
        await come_and_go(server.port)
        await until_soon(no_session_is_left)
        return {str(kind): more for kind, more in (objects() - before).items()}
    finally:
        await server.stop()


def test_sessions_that_have_ended_leave_no_objects(tmp_path: Path) -> None:
    application = tmp_path / "app.py"
    application.write_text(APPLICATION)
    # A process of its own has neither sessions of other tests nor their objects to look through.
    command = [sys.executable, "-m", __name__, application]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, timeout=patience(60), check=False)
    assert done.returncode == 0, done.stderr
    grown = json.loads(done.stdout)
    assert {kind: more for kind, more in grown.items() if more > FEWER_THAN_ONE_EACH} == {}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(growth(Path(sys.argv[1])))))
