"""What is saved with a session besides its document, and what happens when the session is back."""

import time

# A page that was away for less has hardly noticed.
LONG_S = 60


def on_session_saved(session_context):
    """Called each time the session is saved; on_session_restored gets what this returns."""
    return {"session": session_context.id, "saved_at_s": time.time()}


def on_session_restored(session_context, state):
    """Welcome a visitor whose page was away for long; who opens a copy, which has an id of its own, was not here."""
    away_s = time.time() - state["saved_at_s"]
    if state["session"] == session_context.id and away_s >= LONG_S:
        note = session_context.session.document.get_model_by_name("note")
        note.text = f"<p>Welcome back after {in_words(away_s)}. All is as you left it.</p>"


def in_words(seconds):
    """Say a time as people do: in whole minutes, hours or days."""
    for name, unit_s in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= unit_s:
            count = int(seconds // unit_s)
            return f"{count} {name}{'s' if count > 1 else ''}"
    return "a moment"
