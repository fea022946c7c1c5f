"""The threads in which Panel runs callbacks, by the server's settings."""

from __future__ import annotations

import os

from panel.config import config
from panel.io.state import state

from app_server.errors import OperatorError


def use_threads(count: int) -> None:
    """Run callbacks in so many of Panel's threads, which begin when they are needed. Idempotent.

    OperatorError if Panel's own variable says another number.
    """
    own = os.environ.get("PANEL_NUM_THREADS")
    if own is not None and own != str(count):
        what = f"PANEL_NUM_THREADS is {own}, but --num-threads is {count}"
        raise OperatorError(what, where="--num-threads", hint="Leave one of them out")
    if state._thread_pool is None:
        config.nthreads = count
