"""Compile what a server imports and compress BokehJS while the image is built, so no start has to."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tempfile
from pathlib import Path

from app_server.document.pages import embedding
from app_server.http.compression import ship, shipped_folder

MODULES = ("app_server.server.server", "bokeh.plotting", "gunicorn.app.wsgiapp", "prometheus_client")
APPLICATION = """
from bokeh.layouts import column
from bokeh.models import Slider
from bokeh.plotting import curdoc, figure

plot = figure()
plot.line(x=[1, 2], y=[1, 2])
curdoc().add_root(column(Slider(start=0, end=1, value=0, step=0.1), plot))
"""


for name in MODULES:
    importlib.import_module(name)
ship(embedding.page_scripts(), shipped_folder())
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "application.py"
    path.write_text(APPLICATION, encoding="utf-8")
    command = [sys.executable, "-m", "app_server", "html", str(path), "-o", str(Path(folder) / "application.html")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
