"""What a page says whose session was ended."""

from __future__ import annotations

import pytest

from app_server.document import engine
from app_server.document.served import new_document
from app_server.processes.forking.exit_records import ExitReason, ExitRecord
from app_server.requests.ended_page import show_exit_record, too_large


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (ExitReason.MEMORY, "It needed more memory than one session may take."),
        (ExitReason.CPU, "It has used up the processor time that one session may take."),
        (ExitReason.CALLBACK, "It took longer to answer than one session may take."),
        (ExitReason.CRASH, "Its process came to an unexpected end."),
    ],
)
def test_document_says_the_reason_in_the_places_that_the_page_has(end: ExitReason, words: str) -> None:
    engine.install()
    document = new_document("one")
    show_exit_record(ExitRecord(end, ("r1", "r2")), document)
    assert [root.id for root in document.roots] == ["r1", "r2"]
    shown = [getattr(root, "text", "") for root in document.roots]
    assert "This session has ended" in shown[0] and words in shown[0]
    assert words not in "".join(shown[1:]), "once is enough"


def test_what_was_too_large_is_said_with_the_size_of_a_file() -> None:
    shown = too_large(20_000_000)
    assert "Not received: that was too large" in shown
    assert "This server accepts 20 MB at once: a file may have about 15 MB. Choose a smaller file" in shown
