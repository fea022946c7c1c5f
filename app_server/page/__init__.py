"""The pages that visitors see, as pure functions; their templates are beside them."""

from app_server.page.access import NO_ACCESS, NO_APPLICATION, no_access_page, whom_to_ask
from app_server.page.icon import favicon
from app_server.page.login import logged_out_page, login_page, login_security_policy
from app_server.page.notice import ended_by_operator, logged_out_notice, note, notice, operators_message
from app_server.page.pages import (
    ASK_OPERATOR,
    IndexEntry,
    busy_page,
    content_security_policy,
    custom_index_page,
    error_page,
    index_page,
    index_text,
)
from app_server.page.reload import live_reload_script

__all__ = [
    "ASK_OPERATOR",
    "NO_ACCESS",
    "NO_APPLICATION",
    "IndexEntry",
    "busy_page",
    "content_security_policy",
    "custom_index_page",
    "ended_by_operator",
    "error_page",
    "favicon",
    "index_page",
    "index_text",
    "live_reload_script",
    "logged_out_notice",
    "logged_out_page",
    "login_page",
    "login_security_policy",
    "no_access_page",
    "note",
    "notice",
    "operators_message",
    "whom_to_ask",
]
