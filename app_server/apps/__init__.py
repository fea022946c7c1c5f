"""A path or a function becomes an application, which builds documents.

A script, a notebook, a folder and a function are all an `Application`. Loading one reads and compiles what it needs
and runs nothing of it; `prepare()` runs the code that runs once, `build(document)` the code of a session.
"""

from app_server.apps.application import Application
from app_server.apps.broken import broken_application
from app_server.apps.function import application_from_function, empty_application
from app_server.apps.hooks import Hooks
from app_server.apps.load import as_application, load_application
from app_server.sources.routes import route_for, split_route

__all__ = [
    "Application",
    "Hooks",
    "application_from_function",
    "as_application",
    "broken_application",
    "empty_application",
    "load_application",
    "route_for",
    "split_route",
]
