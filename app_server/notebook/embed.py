"""The output of a cell that holds an application: a pure function of where the application is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path


def embedding_html(
    element_id: str, url: str, origins: Sequence[str], *, files: Sequence[str] = (), bokeh_version: str = ""
) -> str:
    """The HTML whose script requests autoload.js from the application at `url`, and shows it or the reason why not.

    `url` is a full address, or a path on the notebook's own host. `origins` are the hosts whose pages the application
    answers. `files` are BokehJS's, as paths below `url`, for addresses where the server cannot name them itself; a page
    that has BokehJS of `bokeh_version` loads none of it again.
    """
    app = {"id": element_id, "url": url, "origins": list(origins), "files": list(files), "bokeh": bokeh_version}
    # Escape what could end the script.
    values = json.dumps(app).replace("<", "\\u003c")
    script = Path(__file__).with_name("embed.js").read_text(encoding="utf-8").strip()
    return f'<div data-app-server="{element_id}"></div>\n<script>\n{script}({values})\n</script>'
