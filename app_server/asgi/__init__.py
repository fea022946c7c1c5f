"""The server as an ASGI application: `from app_server.asgi import BokehASGI`."""

from __future__ import annotations

from app_server.asgi.application import BokehASGI
from app_server.asgi.users import AuthPolicy

__all__ = ["AuthPolicy", "BokehASGI"]
