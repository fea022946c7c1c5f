"""Running applications in the cells of a notebook."""

from __future__ import annotations

from app_server.notebook.address import proxied
from app_server.notebook.live import Shown, show

__all__ = ["Shown", "proxied", "show"]
