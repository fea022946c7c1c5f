"""A FastAPI page with three figures from two applications, which loads BokehJS once for all of them.

app-server serve examples/embedding examples/seed/sliders.py --allow-websocket-origin localhost:8090
python examples/frameworks/fastapi_page.py
"""

import os
from pathlib import Path

import uvicorn
from bokeh.embed import server_document
from bokeh.resources import Resources
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates

APPLICATIONS = os.environ.get("APPLICATIONS", "http://localhost:5006")
PORT = int(os.environ.get("PORT", "8090"))

app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
templates = Jinja2Templates(Path(__file__).parent / "templates")

# What resources=None leaves to the page. The files come from the server, whose version of BokehJS they have to be.
BOKEHJS = Resources(mode="server", root_url=f"{APPLICATIONS}/").render_js()


@app.get("/")
def page(request: Request) -> HTMLResponse:
    """Return the page; each figure is a session of its own."""
    embedding, sliders = f"{APPLICATIONS}/embedding", f"{APPLICATIONS}/sliders"
    figures = [
        {
            "script": server_document(embedding, arguments={"wave": "square"}, resources=None),
            "caption": "One application, asked for a square wave,",
        },
        {
            "script": server_document(embedding, arguments={"wave": "triangle"}, resources=None),
            "caption": "and again for a triangle.",
        },
        # Headers of one's own reach the application in session_context.request.headers.
        {
            "script": server_document(sliders, resources=None, headers={"X-Shown-By": "fastapi_page"}),
            "caption": "Another application of the same server.",
        },
    ]
    context = {"kicker": "FastAPI", "heading": "Three figures, one BokehJS", "figures": figures, "head": BOKEHJS}
    return templates.TemplateResponse(request, "page.html", context)


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning")
