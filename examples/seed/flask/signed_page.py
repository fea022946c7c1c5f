"""A Flask page that opens sessions which nothing else can open, because only it shares the server's secret.

export BOKEH_SECRET_KEY=$(app-server secret)
BOKEH_SIGN_SESSIONS=yes app-server serve examples/seed/sliders.py --allow-websocket-origin localhost:8080
BOKEH_SIGN_SESSIONS=yes python examples/seed/flask/signed_page.py
"""

import os

from bokeh.embed import server_session
from bokeh.util.token import generate_session_id
from flask import Flask, render_template

SLIDERS_URL = os.environ.get("SLIDERS_URL", "http://localhost:5006/sliders")
PORT = int(os.environ.get("PORT", "8080"))

app = Flask(__name__)


@app.get("/")
def signed_page() -> str:
    """Return the page, with a session whose id this process has signed."""
    script = server_session(session_id=generate_session_id(), url=SLIDERS_URL)
    return render_template("embed.html", script=script, heading="A signed session")


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=PORT)
