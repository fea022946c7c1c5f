"""A Flask page that changes a session of sliders.py before it shows it.

Start both, then open http://localhost:8080/:

    app-server serve examples/seed/sliders.py --allow-websocket-origin localhost:8080
    python examples/seed/flask/sliders_page.py
"""

import os

from bokeh.client import pull_session
from bokeh.embed import server_session
from bokeh.models import Plot
from flask import Flask, render_template

SLIDERS_URL = os.environ.get("SLIDERS_URL", "http://localhost:5006/sliders")
PORT = int(os.environ.get("PORT", "8080"))

app = Flask(__name__)


@app.get("/")
def sliders_page() -> str:
    """Return the page, with a session made only for this visitor."""
    with pull_session(url=SLIDERS_URL) as session:
        plot = session.document.select_one({"type": Plot, "name": "plot"})
        plot.title.text = "Special sliders for a specific user!"
        # Leave only when the server has the title.
        session.force_roundtrip()
        # The browser joins the session while this connection still keeps it alive.
        script = server_session(session_id=session.id, url=SLIDERS_URL)
    return render_template("embed.html", script=script, heading="Sliders inside Flask")


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=PORT)
