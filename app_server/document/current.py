"""Which document `curdoc()` means, for each task and thread.

Bokeh 3.9 keeps a process-wide list of "patched" current documents; two asynchronous callbacks that interleave then see
each other's. Here that list is replaced by one that lives in a `contextvars.ContextVar`: `curdoc()` stays
right across every `await` and in every task that a callback starts. Bokeh 3.10 has such a variable itself, which is
used here.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import bokeh.io.doc as bokeh_io_doc
from bokeh.document import Document
from bokeh.document.locking import UnlockedDocumentProxy

from app_server.document.ids import ModelIds, current_ids

_Entry = Any  # a weak reference to a Document or to bokeh's UnlockedDocumentProxy

_of_bokeh: Any = getattr(bokeh_io_doc, "_PATCHED_CURDOCS", None)
_stack: ContextVar[tuple[_Entry, ...]] = (
    _of_bokeh if isinstance(_of_bokeh, ContextVar) else ContextVar("app_server_current_documents", default=())
)


class _ContextStack:
    """What `bokeh.io.doc` uses of a list (append, pop, len, [-1]), kept for each context.

    Bokeh leaves its entry behind if a callback raises; an entry at the end whose document is gone is not seen.
    """

    def append(self, entry: _Entry) -> None:
        _stack.set((*_stack.get(), entry))

    def pop(self) -> None:
        _stack.set(_stack.get()[:-1])

    def __len__(self) -> int:
        return len(self._living())

    def __getitem__(self, index: int) -> _Entry:
        return self._living()[index]

    def _living(self) -> tuple[_Entry, ...]:
        entries = _stack.get()
        while entries and entries[-1]() is None:
            entries = entries[:-1]
        return entries


def install() -> bool:
    """Make `curdoc()` local to its context; say whether this version of bokeh could be taught so. Idempotent.

    What is patched already stays so in the context that calls.
    """
    existing: Any = getattr(bokeh_io_doc, "_PATCHED_CURDOCS", None)
    if existing is _stack or isinstance(existing, _ContextStack):
        return True
    if not isinstance(existing, list):
        return False
    # Entries may be no more than what callbacks that raised have left behind, such as those of a notebook's client.
    _stack.set((*_stack.get(), *existing))
    bokeh_io_doc._PATCHED_CURDOCS = _ContextStack()  # type: ignore[assignment]
    return True


def session_at_work() -> tuple[str, str]:
    """The application's path and the session's id of the document that `curdoc()` means here; "" for none."""
    living = _ContextStack()._living()
    document = living[-1]() if living else None
    # An unlocked callback sees a proxy, which does not let anything ask about the session.
    look: Any = getattr(getattr(document, "_doc", document), "context_for_log", None)
    context: Any = None if look is None else look()
    if context is None:
        return "", ""
    if context.session is not None:
        return context.session.application, context.id
    application = context.server_context.application_context  # the session is being built
    return ("" if application is None else application.url), context.id


def working_document() -> Document:
    """The document that `curdoc()` means here, and not the proxy of it that an unlocked callback sees."""
    found: Any = bokeh_io_doc.curdoc()
    document: Document = getattr(found, "_doc", found)
    return document


def is_current(document: Document) -> bool:
    """Whether `curdoc()` returns this very document here."""
    entries = _stack.get()
    return bool(entries) and entries[-1]() is document


@contextmanager
def current_document(document: Document | UnlockedDocumentProxy) -> Iterator[None]:
    """Let `curdoc()` return `document` inside the block, also when the block raises."""
    token = _stack.set((*_stack.get(), weakref.ref(document)))
    try:
        yield
    finally:
        _stack.reset(token)


class AtWork:
    """A block in which this is the current document, and new models get these ids.

    A class, because it is entered for every message. It can be entered once.
    """

    __slots__ = ("_ids", "_reference", "_tokens")

    def __init__(self, document: weakref.ref[Document], ids: ModelIds) -> None:
        self._reference = document
        self._ids = ids

    def __enter__(self) -> None:
        self._tokens = _stack.set((*_stack.get(), self._reference)), current_ids.set(self._ids)

    def __exit__(self, *exception: object) -> None:
        current, ids = self._tokens
        current_ids.reset(ids)
        _stack.reset(current)
