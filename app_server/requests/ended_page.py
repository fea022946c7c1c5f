"""What a page says whose session was ended, or has crashed, in a process of its own; or that has sent too much."""

from __future__ import annotations

from app_server.document.pages.notice import fill_notice
from app_server.document.served import ServedDocument
from app_server.page import ended_by_operator, note, notice
from app_server.processes.forking.exit_records import ExitReason, ExitRecord

_REASONS = {
    ExitReason.MEMORY: "It needed more memory than one session may take.",
    ExitReason.CPU: "It has used up the processor time that one session may take.",
    ExitReason.CALLBACK: "It took longer to answer than one session may take.",
    ExitReason.CRASH: "Its process came to an unexpected end.",
}


def show_exit_record(exit_record: ExitRecord, document: ServedDocument) -> None:
    """Fill the document with the reason, in the places that the session's page has."""
    reason = _REASONS.get(exit_record.end)
    html = ended_by_operator() if reason is None else notice("This session has ended", reason)
    fill_notice(document, exit_record.roots, html)


def too_large(limit_bytes: int) -> str:
    """What a page says whose person has sent more than this at once; a file takes a third more than its size."""
    file_bytes = limit_bytes * 3 // 4
    accepted = f"This server accepts {_megabytes(limit_bytes)} at once: a file may have about {_megabytes(file_bytes)}."
    reason = f"{accepted} Choose a smaller file, or ask the site's operator for a higher limit."
    return note("Not received: that was too large", reason)


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1_000_000:.3g} MB"
