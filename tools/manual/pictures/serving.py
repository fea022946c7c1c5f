"""Servers whose pages are photographed, and the applications that they serve."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.manual import ROOT

READY_S = 60.0
STOP_S = 20.0

REPORT = '''\
"""Sales of the last quarter, for analysts."""

from bokeh.plotting import curdoc, figure

plot = figure(height=300)
plot.vbar(x=[1, 2, 3], top=[4, 6, 5], width=0.8)
curdoc().add_root(plot)
'''

FAILING = '''\
"""Reads a file that is not there."""

from pathlib import Path

import bokeh.plotting


def measurements():
    return Path("measurements.csv").read_text().splitlines()


plot = bokeh.plotting.figure(title=f"{len(measurements())} measurements")
bokeh.plotting.curdoc().add_root(plot)
'''

WORKING = '''\
"""Computes while one moves the slider."""

import time
from math import sin, sqrt

from bokeh.layouts import column
from bokeh.models import Button, Div, Slider
from bokeh.plotting import curdoc

slider = Slider(title="size", start=1, end=30, value=3)
result = Div()


def roots(size):
    return sum(sqrt(number) for number in range(size * 4000))


def sines(size):
    return sum(sin(number) for number in range(size * 6000))


def work(attr, old, new):
    result.text = f"{roots(new) + sines(new):.3f}"


def wait():
    time.sleep(2)


button = Button(label="Wait")
button.on_click(wait)
slider.on_change("value", work)
curdoc().add_root(column(slider, button, result))
'''


@dataclass(frozen=True)
class Served:
    """A running server: its address, and its process's number."""

    url: str
    pid: int


def environment_in(place: Path) -> dict[str, str]:
    """The variables with which a command finds this package, and only the servers that were started in this folder."""
    return {"PYTHONPATH": str(ROOT), "APP_SERVER_RUNTIME_DIR": str(place / "run")}


def free_port() -> int:
    """A port of this machine that nothing uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def folder() -> Iterator[Path]:
    """A folder with the applications above."""
    with tempfile.TemporaryDirectory(prefix="pictures-") as name:
        place = Path(name) / "plots"
        place.mkdir()
        for file, text in {"sales.py": REPORT, "failing.py": FAILING, "working.py": WORKING}.items():
            (place / file).write_text(text, encoding="utf-8")
        yield place


@contextmanager
def serving(place: Path, *words: str | Path, variables: Mapping[str, str] | None = None) -> Iterator[Served]:
    """`app-server serve` with these words, in this folder, until the block ends."""
    port = free_port()
    command = [sys.executable, "-m", "app_server", "serve", *map(str, words), "--port", str(port)]
    environment = {**os.environ, **environment_in(place), **(variables or {})}
    with (place / f"log-{port}").open("wb") as log:
        process = subprocess.Popen(command, cwd=place, env=environment, stderr=log, stdout=log)
    try:
        url = f"http://localhost:{port}"
        _wait_ready(f"{url}/readyz", process, place / f"log-{port}")
        yield Served(url, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_S)


def _wait_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline_s = time.monotonic() + READY_S
    while time.monotonic() < deadline_s and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except urllib.error.HTTPError:
            return  # behind a login
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"pictures: the server did not start:\n{log.read_text(encoding='utf-8')}")
