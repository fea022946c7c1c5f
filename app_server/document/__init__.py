"""The one package that imports bokeh: it gives the others documents, encoded messages and pages."""

from __future__ import annotations

import os
from pathlib import Path


def _have_a_home() -> None:
    """Let a user without a home have `/` as one: bokeh asks where its user's settings are while it is imported.

    An arbitrary user id in a container has neither HOME nor an entry in /etc/passwd; `/` is what Docker gives such a
    user, and only root can put settings there.

    It happens when this package is imported, because any of its modules can be the first to import bokeh: those that
    import it are imported by programs too, as `app_server.Server` is, before any function of ours is called.
    """
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = "/"


_have_a_home()
