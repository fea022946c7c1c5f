"""Writes down what happens to sessions, for those that come later."""

import diary


def who(session_context):
    return session_context.request.arguments["who"][0].decode()


def on_server_loaded(server_context):
    diary.lines.append("server loaded")


def on_session_created(session_context):
    diary.lines.append(f"{who(session_context)} created {session_context.destroyed}")


def on_session_destroyed(session_context):
    diary.lines.append(f"{who(session_context)} destroyed {session_context.destroyed}")
