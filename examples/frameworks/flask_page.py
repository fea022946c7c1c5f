"""A Flask page that hands what its own address asks for on to the application: http://localhost:8080/?wave=sawtooth

app-server serve examples/embedding --allow-websocket-origin localhost:8080
python examples/frameworks/flask_page.py
"""

import os

from bokeh.embed import server_document
from flask import Flask, render_template, request

APPLICATION = os.environ.get("APPLICATIONS", "http://localhost:5006") + "/embedding"
PORT = int(os.environ.get("PORT", "8080"))

app = Flask(__name__)


@app.get("/")
def page() -> str:
    """Return the page, with a session of its own for each visitor."""
    wave = request.args.get("wave", "square")
    # Arguments are for the application to check: it takes the waves that it knows.
    script = server_document(APPLICATION, arguments={"wave": wave})
    figures = [{"script": script, "caption": "The application has its argument from this page's address."}]
    return render_template("page.html", kicker="Flask", heading="Waves on demand", figures=figures)


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=PORT)
