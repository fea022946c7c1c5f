"""A Tornado application that has a Bokeh application among its own pages: one process, one port, one loop.

python examples/library/own_tornado.py
"""

import argparse
import asyncio
import signal
from pathlib import Path

from bokeh.embed import server_document
from jinja2 import Environment, FileSystemLoader
from tides import tides
from tornado.web import Application, RequestHandler

from app_server import Server

PAGES = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True)


class Start(RequestHandler):
    """The start page, which shows the application between its own lines."""

    def get(self) -> None:
        # A path without a host: whatever the browser calls this site, it finds the application there too.
        script = server_document("/plots/tides", relative_urls=True)
        text = "This page and the plot come from one Tornado application."
        self.finish(PAGES.get_template("page.html").render(heading="The tide of four weeks", text=text, script=script))


async def main() -> None:
    """Serve until the program is interrupted."""
    parser = argparse.ArgumentParser(description="A Tornado application with a Bokeh application inside.")
    parser.add_argument("--port", type=int, default=8888, help="listen on this port (default: 8888)")
    options = parser.parse_args()

    application = Application([("/", Start)])
    # The prefix separates all addresses of Bokeh: /plots/tides, /plots/static. The port is that of our own pages.
    plots = Server({"/tides": tides}, listen=False, port=options.port, prefix="/plots")
    application.add_handlers(".*", plots.handlers())

    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    http = application.listen(options.port, "localhost")
    async with plots:
        print(f"http://localhost:{options.port}/", flush=True)
        await stopped.wait()
        http.stop()


if __name__ == "__main__":
    asyncio.run(main())
