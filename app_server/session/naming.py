"""What a session or an application is called in the log."""

from __future__ import annotations


class LogName(str):
    """The words for a line of the log, which know what they stand for, so that a log for programs can tell it apart."""

    application: str
    session: str

    def __new__(cls, words: str, *, application: str, session: str = "") -> LogName:
        name = super().__new__(cls, words)
        name.application = application
        name.session = session
        return name
