"""The script that reloads a page of `--dev` when its application has changed."""

from __future__ import annotations

import json
from pathlib import Path

_SOURCE = Path(__file__).with_name("reload.js").read_text(encoding="utf-8").strip()


def live_reload_script(events_url: str) -> str:
    """The HTML of a script that reloads the page when the server-sent events at `events_url` say so.

    The stream opens with an event `start` whose data is an id of the server's start; an event `reload` reloads the
    page, and so does another id after the connection was lost.
    """
    # In a script "</" would end the element, and JSON's U+2028 was a line end for old browsers; both have escapes.
    url = json.dumps(events_url).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return f"<script>{_SOURCE.replace('EVENTS_URL', url)}</script>"
