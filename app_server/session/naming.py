"""What a session or an application is called in the log."""

from __future__ import annotations


class LogName(str):
    """The words for a line of the log, with the application and the session that they name, for logs in JSON."""

    application: str
    session: str

    def __new__(cls, words: str, *, application: str, session: str = "") -> LogName:
        name = super().__new__(cls, words)
        name.application = application
        name.session = session
        return name
