"""A page that Jinja renders once, and any web server then hands out as a file; each view opens sessions of its own.

app-server serve examples/embedding --allow-websocket-origin localhost:8070
python examples/frameworks/jinja_page.py site/index.html
python -m http.server 8070 --bind 127.0.0.1 --directory site
"""

import argparse
from pathlib import Path

from bokeh.embed import server_document
from jinja2 import Environment, FileSystemLoader


def render(applications: str) -> str:
    """Return the page with two figures."""
    figures = [
        {
            "script": server_document(f"{applications}/embedding", arguments={"wave": wave}),
            "caption": f"The server has not seen this page; it was asked for a {wave} wave.",
        }
        for wave in ("sawtooth", "triangle")
    ]
    pages = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True)
    return pages.get_template("page.html").render(kicker="Jinja", heading="A file with live figures", figures=figures)


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description="Render a page that embeds a Bokeh application.")
    parser.add_argument("output", type=Path, help="the file to write")
    parser.add_argument("--applications", default="http://localhost:5006", help="the server of the applications")
    options = parser.parse_args()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(render(options.applications.rstrip("/")), encoding="utf-8")


if __name__ == "__main__":
    main()
