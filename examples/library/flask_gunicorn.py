"""A Flask application under gunicorn, each of whose workers serves the plots of its own pages from a thread.

gunicorn --workers 2 --bind localhost:8000 --chdir examples/library flask_gunicorn:app
"""

import atexit
import os
from threading import Lock

from bokeh.embed import server_document
from flask import Flask, render_template
from flask_in_thread import start_plots

from app_server import Server

# What browsers call this site; the server of the plots answers only its pages.
ORIGINS = os.environ.get("ORIGINS", "localhost:8000,127.0.0.1:8000").split(",")

app = Flask(__name__)
_plots: dict[int, Server] = {}
_lock = Lock()


def plots() -> Server:
    """Return this worker's own server, started at the first page: a thread does not survive gunicorn's fork."""
    with _lock:
        if os.getpid() not in _plots:
            _plots[os.getpid()] = start_plots(*ORIGINS)
            atexit.register(_plots[os.getpid()].stop)
        return _plots[os.getpid()]


@app.get("/")
def start_page() -> str:
    """Return the page with a plot of its own for each visitor, at the port of the worker that made the page."""
    text = f"Worker {os.getpid()} made this page, and keeps the plot in sync."
    script = server_document(f"{plots().url}tides")
    return render_template("page.html", heading="The tide of four weeks", text=text, script=script)
