"""The login and logged-out pages. They look like the others, contain no script and load nothing."""

from __future__ import annotations

from app_server.page.pages import _render, content_security_policy


def login_page(
    *,
    action: str,
    next_page: str,
    form_token: str,
    icon: str,
    user: str = "",
    fault: str | None = None,
) -> str:
    """The login form. It sends `user`, `password`, `next` and `form_token` to `action`.

    `fault` says what was wrong with the last attempt; its `user` is filled in.
    """
    return _render(
        "login.html",
        title="Log in",
        action=action,
        next_page=next_page,
        form_token=form_token,
        icon=icon,
        user=user,
        fault=fault,
    )


def logged_out_page(*, login_url: str | None, icon: str) -> str:
    """The page after logging out, with a link to log in again if there is a `login_url`."""
    return _render("logged_out.html", title="You are logged out", login_url=login_url, icon=icon)


def login_security_policy() -> str:
    """The Content-Security-Policy of these pages: that of the others, but the form may be sent here."""
    return content_security_policy().replace("form-action 'none'", "form-action 'self'")
