"""Messages inside an application's page, as pieces of HTML: in place of an application that has ended, or above it."""

from __future__ import annotations

from html import escape

_STYLE = (
    "box-sizing:border-box;max-width:36em;margin:1em 0;padding:1em 1.25em;border-left:.3em solid #b3261e;"
    "background:#fff4f2;color:#3b0b08;font:16px/1.5 system-ui,sans-serif"
)


def notice(headline: str, reason: str) -> str:
    """The headline, the reason, and a link that loads the page again."""
    return (
        f'<div role="alert" style="{_STYLE}"><strong>{escape(headline)}</strong><br>{escape(reason)}'
        ' <a href="" style="color:inherit">Reload the page to start again.</a></div>'
    )


_PLACE = "position:fixed;z-index:99999;top:1em;right:1em;box-shadow:0 2px 12px rgba(0,0,0,.3);"
_IN_CORNER = f"{_STYLE};{_PLACE}left:auto;border-width:0 0 0 .3em;"
_BUTTON = "margin:.5em 0 0;padding:.2em 1em;font:inherit;color:inherit;background:none;border:1px solid;cursor:pointer"


def note(headline: str, reason: str) -> str:
    """The headline and the reason in a corner above the page, until the person closes it, which takes no script."""
    return (
        f'<dialog open style="{_IN_CORNER}" aria-label="{escape(headline)}">'
        f'<div role="alert"><strong>{escape(headline)}</strong><br>{escape(reason)}</div>'
        f'<form method="dialog" style="margin:0"><button style="{_BUTTON}">Close</button></form></dialog>'
    )


def logged_out_notice() -> str:
    """The notice above a page whose user has logged out, with a link that leads to the login."""
    return (
        f'<div role="alert" style="{_STYLE};{_PLACE}"><strong>You are logged out</strong><br>'
        'This page has ended. <a href="" style="color:inherit">Load it again to log in.</a></div>'
    )


_MESSAGE_STYLE = (
    "box-sizing:border-box;max-width:32em;margin:0;padding:1em 3em 1em 1.25em;border-left:.3em solid #1a56c4;"
    "background:#eef3ff;color:#0b1f45;font:16px/1.5 system-ui,sans-serif;white-space:pre-wrap;overflow-wrap:anywhere;"
    "position:fixed;z-index:99999;top:1em;right:1em;left:auto;box-shadow:0 2px 12px rgba(0,0,0,.3)"
)


def operators_message(text: str) -> str:
    """What an operator has to say, in a corner above the page, until the visitor closes it."""
    return (
        "<style>.app-server-message:has(input:checked){display:none}</style>"
        f'<div role="alert" class="app-server-message" style="{_MESSAGE_STYLE}">'
        f"<strong>Message from the operator</strong><br>{escape(text)}"
        '<label style="position:absolute;top:.6em;right:.9em;cursor:pointer" title="Close">'
        '<input type="checkbox" aria-label="Close" style="position:absolute;opacity:0;width:1em;height:1em">'
        "&#x2715;</label></div>"
    )


def ended_by_operator() -> str:
    """The notice in place of a session that an operator has ended."""
    return notice("This session has ended", "An operator of this site has ended it.")
