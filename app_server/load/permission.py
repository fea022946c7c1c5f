"""How a server says that `app-server load` may put a load on it: a header of its pages."""

from __future__ import annotations

from typing import Final

HEADER: Final = "App-Server-Load-Tests"

ALLOWED: Final = "allowed"
