"""The page of an application that its visitor may not open: who that is, and whom to ask."""

from __future__ import annotations

import re

from app_server.page.pages import _render

NO_ACCESS = "You may not open this application"
NO_APPLICATION = "You may not open any application here"
_OPERATOR = "the site's operator"


def whom_to_ask(contact: str | None) -> str:
    """The sentence that says whom to ask for access, as plain text."""
    return f"Ask {contact or _OPERATOR} for access."


def no_access_page(
    *, user: str, contact: str | None, logout_url: str | None, home: str | None, icon: str, headline: str = NO_ACCESS
) -> str:
    """The page of a refusal. `home` is the address of the index, None if there is none."""
    return _render(
        "no_access.html",
        title=f"403 {headline}",
        headline=headline,
        user=user,
        logout_url=logout_url,
        contact=contact or _OPERATOR,
        contact_url=_address_of(contact or ""),
        home=home,
        icon=icon,
    )


def _address_of(contact: str) -> str | None:
    """Where a link to this contact leads; None if it is neither an e-mail address nor one of a page."""
    if re.fullmatch(r"https?://[^\s\"'<>]+", contact):
        return contact
    return f"mailto:{contact}" if re.fullmatch(r"[A-Za-z0-9.!#&'*+/=?^_`|~-]+@[A-Za-z0-9.-]+", contact) else None
