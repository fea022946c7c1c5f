"""A resource with the lifetime of the session: opened with the document, closed when the session ends."""

import sqlite3
from functools import partial

from bokeh.models import Div
from bokeh.plotting import curdoc


def close(connection: sqlite3.Connection, session_context: object) -> None:
    """Close the visitor's database; called when the session has ended."""
    (visits,) = connection.execute("SELECT count(*) FROM visit").fetchone()
    connection.close()
    print(f"session_cleanup: closed a database with {visits} visit(s)", flush=True)


# The session's callbacks run in the server's threads one at a time, not always in the same one.
database = sqlite3.connect(":memory:", check_same_thread=False)
database.execute("CREATE TABLE visit (at TEXT)")
database.execute("INSERT INTO visit VALUES (datetime('now'))")

doc = curdoc()
doc.on_session_destroyed(partial(close, database))
doc.add_root(Div(text="A database is open for this page. Close the tab, and the server closes it.", name="note"))
