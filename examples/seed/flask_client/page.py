"""A Flask page that changes a session of sliders.py before it shows it, by the client library of app-server.

Start both, then open http://localhost:8080/:

    app-server serve examples/seed/sliders.py --allow-websocket-origin localhost:8080
    python examples/seed/flask_client/page.py
"""

import os

from bokeh.embed import server_session
from flask import Flask, render_template

from app_server.client import CannotConnect, pull_session

SLIDERS_URL = os.environ.get("SLIDERS_URL", "http://localhost:5006/sliders")
PORT = int(os.environ.get("PORT", "8080"))

app = Flask(__name__)


@app.get("/")
def sliders_page() -> str:
    """Return the page, with a session made only for this visitor."""
    with pull_session(url=SLIDERS_URL) as session:
        session.document.get_model_by_name("plot").title.text = "Special sliders for a specific user!"
        session.document.get_model_by_name("amplitude").value = 2
        # Leave only when the server has both, and has computed the wave again.
        session.force_roundtrip()
        script = server_session(session_id=session.id, url=session.url)
    return render_template("page.html", script=script)


@app.errorhandler(CannotConnect)
def no_sliders(error: CannotConnect) -> tuple[str, int]:
    """Tell the visitor that the server does not answer, and log the address."""
    app.logger.error("%s", error)
    return render_template("page.html", script="<p>The sliders are away; please come back in a minute.</p>"), 503


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=PORT)
