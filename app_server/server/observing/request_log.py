"""One line in the log for each request that was answered."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from app_server.errors import LONGEST_SHOWN, in_one_line
from app_server.http.base_handler import SELF_EVIDENT
from app_server.observe.gauges import Gauges

log = logging.getLogger(__name__)


def request_log(gauges: Gauges, also: Callable[[Any], None] | None = None) -> Callable[[Any], None]:
    """Tornado's `log_function`: it counts and logs each answer, then calls `also` with its handler."""

    def answered(handler: Any) -> None:
        gauges.answered(handler.get_status())
        log_answer(handler)
        if also is not None:
            also(handler)

    return answered


def log_answer(handler: Any) -> None:
    """Log this answer, without query string and subprotocols: they carry tokens."""
    request, status = handler.request, handler.get_status()
    level = _level(status, logged=getattr(handler, "logged", False))
    if not log.isEnabledFor(level):
        return
    because = getattr(handler, "refused_because", "")
    asked = in_one_line(f"{request.method} {request.path}", LONGEST_SHOWN)
    log.log(
        level, "%d %s (%s) %.1f ms%s", status, asked,
        request.remote_ip, 1000 * request.request_time(),
        f": {because}" if because and status not in SELF_EVIDENT else "",
    )  # fmt: skip


def _level(status: int, *, logged: bool) -> int:
    if status < 400 or logged:
        return logging.DEBUG
    return logging.WARNING if status < 500 else logging.ERROR
