"""What stands in the place of an application that has ended: a piece of HTML for the page that it leaves behind."""

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
