"""The output of a cell that holds an application."""

from __future__ import annotations

import json
import re

from app_server.notebook.embed import embedding_html


def test_output_is_a_place_and_a_script_that_knows_the_application() -> None:
    url, files = "http://localhost:5010", ["/static/a.js"]
    html = embedding_html("app-1", url, ["localhost:8888"], files=files, bokeh_version="3")
    assert html.startswith('<div data-app-server="app-1"></div>\n<script>\n')
    arguments = re.search(r"\}\)\((\{.*\})\)\n</script>$", html)
    assert arguments is not None
    assert json.loads(arguments[1]) == {
        "id": "app-1",
        "url": "http://localhost:5010",
        "origins": ["localhost:8888"],
        "files": ["/static/a.js"],
        "bokeh": "3",
    }


def test_no_address_ends_the_script() -> None:
    html = embedding_html("app-1", "/</script><!--", [])
    assert html.count("</script>") == 1 and "<!--" not in html
