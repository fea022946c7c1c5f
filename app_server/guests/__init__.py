"""What libraries that build on Bokeh ask of their server; no other room has to know them.

A guest is asked when a session's document is built, when its page is made and when it ends. Most applications bring
none; then `Guest` itself answers, as for plain Bokeh.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from functools import cache

from app_server.guests.detect import brings
from app_server.guests.guest import Guest
from app_server.guests.working import working_guest_document

__all__ = ["Guest", "guest_for", "working_guest_document"]

log = logging.getLogger(__name__)

_NOBODY = Guest()


def guest_for(imports: Collection[str]) -> Guest:
    """The guest of an application that imports these top-level modules; it is imported here, once in a process.

    OperatorError if the guest is of a version that cannot be served.
    """
    return _panel() if brings(imports, "panel") else _NOBODY


@cache
def _panel() -> Guest:
    try:
        from app_server.guests.panel import PanelGuest
    except ModuleNotFoundError as error:
        # The application's own import will fail too, and say in which line.
        log.debug("An application imports Panel, which cannot be imported: %s", error)
        return _NOBODY
    return PanelGuest()
