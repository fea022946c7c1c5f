"""Writes down what happens to sessions, for those that come later."""

import diary


def on_server_loaded(server_context):
    diary.lines.append("loaded")


def on_session_created(session_context):
    diary.lines.append(f"hook: created {session_context.destroyed}")


def on_session_destroyed(session_context):
    diary.lines.append(f"hook: destroyed {session_context.destroyed}")
