"""Small pages that a proxy shows by itself: maintenance, and no instance available. They need no other files."""

from __future__ import annotations

import html

_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    '{refresh}<title>{title}</title><body style="font:1.1rem/1.5 system-ui,sans-serif;max-width:34em;margin:18vh auto;'
    'padding:0 1em;color-scheme:light dark"><h1 style="font-size:1.5rem">{title}</h1><p>{text}</p></body></html>'
)


def small_page(title: str, text: str, refresh_s: int | None = None) -> str:
    """A page with a title and a sentence, which reloads itself after a while if asked to; one line of HTML."""
    refresh = f'<meta http-equiv="refresh" content="{refresh_s}">' if refresh_s is not None else ""
    return _PAGE.format(refresh=refresh, title=html.escape(title), text=html.escape(text))


UNAVAILABLE_RETRY_S = 5
"""How often the page that replaces an application tries again."""


def unavailable_page() -> str:
    """What people see where no instance answers."""
    text = "The application is not there right now. This page tries again by itself."
    return small_page("One moment", text, UNAVAILABLE_RETRY_S)
