"""A small example of another site, whose page shows an application to its visitors.

    BOKEH_SECRET_KEY_FILE=key python host_page.py --application https://apps.acme.com/myapp

Each visitor gets a session whose id this site has signed with the key that the server has, too. No one else can open
one: the server accepts only signed ids, and answers only the pages of this site.
"""

import argparse
import os
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bokeh.embed import server_session
from bokeh.util.token import generate_session_id

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Acme</title>
<h1>Only at Acme</h1>
{application}
</html>
"""


def page(application: str, key: bytes) -> str:
    """The page for one visitor. A real site decides here who may see it, for example by a login."""
    session_id = generate_session_id(secret_key=key, signed=True)
    return PAGE.format(application=server_session(session_id=session_id, url=application))


class Host(BaseHTTPRequestHandler):
    """Answers with the page."""

    def __init__(self, *args: object, application: str, key: bytes) -> None:
        self.application = application
        self.key = key
        super().__init__(*args)

    def do_GET(self) -> None:
        body = page(self.application, self.key).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        # Its script is good for one session.
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve the page until interrupted."""
    parser = argparse.ArgumentParser(description="Serve a page that shows an application.")
    parser.add_argument("--port", type=int, default=8090, help="port of this page (8090)")
    parser.add_argument("--application", default="https://apps.acme.com/myapp", help="where the application is")
    options = parser.parse_args()
    key = Path(os.environ["BOKEH_SECRET_KEY_FILE"]).read_text(encoding="utf-8").strip().encode()
    handler = partial(Host, application=options.application, key=key)
    server = ThreadingHTTPServer(("127.0.0.1", options.port), handler)
    print(f"http://localhost:{options.port}/ shows {options.application}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
