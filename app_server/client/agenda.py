"""The callbacks that a program has asked its document for, and when each is due."""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Lock

from app_server.document.callbacks import SessionCallback, Timing


@dataclass(frozen=True, slots=True)
class _Entry:
    callback: SessionCallback
    due_s: float
    number: int


class Agenda:
    """Session callbacks by the time at which they are due, in seconds of the caller's clock; for any thread."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._count = 0
        self._lock = Lock()

    def add(self, callback: SessionCallback, now_s: float) -> None:
        """Make the callback due after its delay: once, or periodically."""
        with self._lock:
            self._count += 1
            self._entries[callback.ident] = _Entry(callback, now_s + callback.delay_ms / 1000, self._count)

    def remove(self, ident: str) -> None:
        """Remove the callback."""
        with self._lock:
            self._entries.pop(ident, None)

    def clear(self) -> None:
        """Remove all callbacks."""
        with self._lock:
            self._entries.clear()

    def next_due_s(self) -> float | None:
        """When something is due next; None if nothing is."""
        with self._lock:
            return min((entry.due_s for entry in self._entries.values()), default=None)

    def take(self, now_s: float) -> SessionCallback | None:
        """The callback that has been due longest, if one is. A periodic one is due again a period from now."""
        with self._lock:
            entry = min(self._entries.values(), key=lambda entry: (entry.due_s, entry.number), default=None)
            if entry is None or entry.due_s > now_s:
                return None
            if entry.callback.timing is Timing.PERIODIC:
                due_s = now_s + entry.callback.delay_ms / 1000
                self._entries[entry.callback.ident] = replace(entry, due_s=due_s)
            else:
                # It removes itself from the document when it runs; here it must not be found again before.
                del self._entries[entry.callback.ident]
            return entry.callback
