"""Which document a guest says that it works on, where bokeh does not know."""

from __future__ import annotations

import sys
from typing import Any


def working_guest_document() -> Any:
    """The document of Panel's thread or task, `pn.state.curdoc`; None without Panel, and outside of a session."""
    panel = sys.modules.get("panel.io.state")
    return None if panel is None else panel.state.curdoc
