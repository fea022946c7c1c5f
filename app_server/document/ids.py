"""Model ids that are the same each time that a session is built.

Bokeh numbers models across the process, so a session that is rebuilt (after a restart, on another instance) would get
other ids, and a page that comes back would find no element for its roots. Here each session numbers its own models,
behind a tag derived from the session's id: ids are unique across the sessions of a process, and a deterministic
application gets the same ones every time.
"""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from hashlib import sha256
from itertools import count

import bokeh.core.serialization as bokeh_serialization
import bokeh.document.document as bokeh_document
import bokeh.model.model as bokeh_model
from bokeh.core.types import ID
from bokeh.settings import settings
from bokeh.util.serialization import make_id as make_process_wide_id

_TAG_CHARACTERS = 8  # 40 bits: a collision among 10,000 sessions has a chance of one in 20,000


class ModelIds:
    """The ids of one session's models, in the order in which the models are made; safe to call from any thread."""

    def __init__(self, session_id: str) -> None:
        digest = sha256(session_id.encode("utf-8")).digest()
        self.tag = "p" + b32encode(digest)[:_TAG_CHARACTERS].decode("ascii").lower()
        self._numbers = count(1)

    def __call__(self) -> ID:
        return ID(f"{self.tag}-{next(self._numbers)}")

    def leave_out(self, taken: Iterable[str]) -> None:
        """Give none of these ids to a model from now on, nor one below the highest of them."""
        own = f"{self.tag}-"
        numbers = [ident.removeprefix(own) for ident in taken if ident.startswith(own)]
        highest = max((int(number) for number in numbers if number.isdecimal()), default=0)
        self._numbers = count(max(next(self._numbers), highest + 1))


current_ids: ContextVar[ModelIds | None] = ContextVar("app_server_model_ids", default=None)


def make_id() -> ID:
    """The next id of the session at work, or a process-wide one outside of any session."""
    ids = current_ids.get()
    return make_process_wide_id() if ids is None else ids()


def install() -> bool:
    """Let bokeh number models by session; say whether it does. Idempotent, and off with BOKEH_SIMPLE_IDS=no."""
    if not settings.simple_ids():
        return False
    rooms = (bokeh_model, bokeh_document, bokeh_serialization)
    stock_or_ours: tuple[Callable[[], ID], ...] = (make_process_wide_id, make_id)
    if any(getattr(room, "make_id", None) not in stock_or_ours for room in rooms):
        return False
    for room in rooms:
        room.make_id = make_id  # type: ignore[attr-defined]
    return True
