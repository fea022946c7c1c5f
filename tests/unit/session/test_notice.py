"""A notice is shown before a browser's connection ends, and once more when the browser is back."""

from __future__ import annotations

from app_server.session.connection import Connection
from app_server.session.effects import Send
from app_server.session.notice import Notice

BROWSER, PROGRAM = Connection(1, from_browser=True), Connection(2)


def test_browser_that_has_the_document_is_shown_it_now_and_once_again() -> None:
    notice = Notice()
    [first] = notice.show(BROWSER, "<b>over</b>", now=True)
    [again] = notice.show_again(BROWSER)
    assert isinstance(first, Send) and isinstance(again, Send)
    assert first.connections == again.connections == [BROWSER]
    assert notice.show_again(BROWSER) == []


def test_browser_without_the_document_is_shown_it_when_it_has_pulled() -> None:
    notice = Notice()
    assert notice.show(BROWSER, "<b>over</b>", now=False) == []
    assert notice.show_again(PROGRAM) == []
    assert len(notice.show_again(BROWSER)) == 1


def test_program_is_shown_nothing() -> None:
    notice = Notice()
    assert notice.show(PROGRAM, "<b>over</b>", now=True) == []
    assert notice.show_again(BROWSER) == []
