"""The four hooks that a server calls, besides building documents."""

from journal import note


def on_server_loaded(server_context):
    """Called once, before the first visitor: the place for connection pools and caches."""
    note("server loaded")


def on_server_unloaded(server_context):
    """Called once, when the server stops normally."""
    note("server unloaded")


def on_session_created(session_context):
    """Called before the document of a visitor is built."""
    note("session created")


def on_session_destroyed(session_context):
    """Called after the last connection of a visitor has gone."""
    note("session destroyed")
