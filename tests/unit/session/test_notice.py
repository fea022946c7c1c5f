"""A notice is shown at once, and once more when a browser is back whose connection has ended."""

from __future__ import annotations

import json

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


def events(effect: object) -> list[dict[str, object]]:
    """What a page is to do for this effect."""
    assert isinstance(effect, Send)
    return list(json.loads(effect.frames[2][1])["events"])


def test_second_notice_takes_the_place_of_the_first_and_neither_is_shown_again() -> None:
    notice = Notice()
    [first] = notice.show(BROWSER, "<b>one</b>", now=True, again=False)
    [second] = notice.show(BROWSER, "<b>two</b>", now=True, again=False)
    [added] = events(first)
    removed, replaced = events(second)
    assert (added["kind"], removed["kind"], replaced["kind"]) == ("RootAdded", "RootRemoved", "RootAdded")
    assert removed["model"] == {"id": added["model"]["id"]}  # type: ignore[index]
    assert notice.show_again(BROWSER) == []
    [third] = notice.show(BROWSER, "<b>three</b>", now=True, again=False)
    assert [event["kind"] for event in events(third)] == ["RootAdded"], "a page that has pulled has no notice"
