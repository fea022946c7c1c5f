"""Another web server, with an article that embeds the application beside this file.

    app-server serve examples/embedding --allow-websocket-origin localhost:8090
    python examples/embedding/host_page.py

Then open http://localhost:8090/. The first command names the origin of this page, because by default a
server accepts only WebSockets of its own pages.
"""

import argparse
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template

from bokeh.embed import server_document

ARTICLE = Path(__file__).with_name("article.html")


def article(application_url: str) -> str:
    """Return the article with two figures, each a session of its own."""
    figures = {wave: server_document(application_url, arguments={"wave": wave}) for wave in ("square", "sawtooth")}
    return Template(ARTICLE.read_text(encoding="utf-8")).substitute(figures)


class Host(BaseHTTPRequestHandler):
    """Answers every path with the article."""

    def __init__(self, *args: object, application_url: str) -> None:
        self.application_url = application_url
        super().__init__(*args)

    def do_GET(self) -> None:
        body = article(self.application_url).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve the article until interrupted."""
    parser = argparse.ArgumentParser(description="Serve an article that embeds a Bokeh application.")
    parser.add_argument("--port", type=int, default=8090, help="port of this page (default: 8090)")
    parser.add_argument("--application", default="http://localhost:5006/embedding", help="where the application is")
    options = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", options.port), partial(Host, application_url=options.application))
    print(f"http://localhost:{options.port}/ embeds {options.application}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
