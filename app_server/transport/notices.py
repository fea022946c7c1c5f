"""What a page says whose session was ended, or has crashed, in a process of its own."""

from __future__ import annotations

from app_server.document.notice import fill_notice
from app_server.document.served import ServedDocument
from app_server.fleet.remains import End, Remains
from app_server.page import notice

_REASONS = {
    End.MEMORY: "It needed more memory than one session may take.",
    End.CPU: "It has used up the processor time that one session may take.",
    End.CALLBACK: "It took longer to answer than one session may take.",
    End.CRASH: "Its process came to an unexpected end.",
}


def show_remains(remains: Remains, document: ServedDocument) -> None:
    """Fill the document with the reason, in the places that the session's page has."""
    fill_notice(document, remains.roots, notice("This session has ended", _REASONS[remains.end]))
