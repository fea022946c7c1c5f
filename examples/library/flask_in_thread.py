"""A Flask page whose plot is served by a thread of the same process.

python examples/library/flask_in_thread.py
"""

import argparse
from threading import Thread

from bokeh.embed import server_document
from flask import Flask, render_template
from tides import tides
from tornado.ioloop import IOLoop

from app_server import Server

app = Flask(__name__)


def start_plots(*origins: str) -> Server:
    """Return a server for pages of these origins, on a free port, which runs in a thread for as long as the process."""
    plots = Server(
        {"/tides": tides},
        io_loop=IOLoop(make_current=False),
        port=0,
        address="localhost",
        allow_websocket_origin=origins,
    )
    plots.start()
    Thread(target=plots.io_loop.start, daemon=True, name="plots").start()
    return plots


@app.get("/")
def start_page() -> str:
    """Return the page with a plot of its own for each visitor."""
    script = server_document(f"{app.config['PLOTS'].url}tides")
    text = "Flask made this page; a thread beside it keeps the plot in sync."
    return render_template("page.html", heading="The tide of four weeks", text=text, script=script)


def main() -> None:
    """Serve until the program is interrupted, and then let the applications' hooks run."""
    parser = argparse.ArgumentParser(description="A Flask page with a Bokeh application in a thread.")
    parser.add_argument("--port", type=int, default=8080, help="port of this page (default: 8080)")
    options = parser.parse_args()
    app.config["PLOTS"] = start_plots(f"localhost:{options.port}", f"127.0.0.1:{options.port}")
    try:
        app.run(host="127.0.0.1", port=options.port)
    finally:
        app.config["PLOTS"].stop()


if __name__ == "__main__":
    main()
