"""What has happened to a session's document since it was saved last.

A turn costs next to nothing here: what it encoded for the clients is kept as it is, and written down later.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final, cast

from app_server.document.callbacks import DocumentEvent
from app_server.document.encoding.patch_encoder import PatchEncoder
from app_server.document.saving.laying import Changed
from app_server.document.saving.whole import Key, is_bound, is_secret
from app_server.document.saving.whole_laying import DOCUMENT

MOST_BYTES: Final = 8 * 1024 * 1024
"""What may wait to be saved of one session."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is to be saved: the turns' encoders in their order, or None if the whole document is; what has changed."""

    turns: tuple[PatchEncoder, ...] | None
    changed: tuple[Changed, ...]


class Recording:
    """Notes what has changed, until it is taken to be saved; from any thread, under the document's lock.

    `due` is called when there is something to take. `excluded` are the ids of models whose values are not saved.
    If more than `most_bytes` wait, the whole document is saved in their place.
    """

    def __init__(self, due: Callable[[], None], excluded: Collection[str], most_bytes: int = MOST_BYTES) -> None:
        self._due = due
        self._most_bytes = most_bytes
        self._excluded = excluded
        self._turns: list[PatchEncoder] = []
        self._bytes = 0
        self._whole = False
        self._changed: dict[Key, bool] = {}
        """Every property that was changed since the document was built, in the order of the last change."""
        self._fresh: dict[Key, bool] = {}

    def changed(self, event: DocumentEvent, *, sent: bool) -> None:
        """The document has changed; `sent` says whether the clients' encoder has the change."""
        model = getattr(event, "model", None)
        attr = getattr(event, "attr", None)
        key = (DOCUMENT, cast(Any, event).kind) if attr is None or model is None else (model.id, attr)
        if model is None or not _is_worked_out(model, key[1]):
            self._fresh[key] = self._fresh.pop(key, False) or event.setter is not None
        if not sent or (model is not None and (is_secret(model) or model.id in self._excluded)):
            self.save_whole()

    def sent(self, noted: PatchEncoder) -> None:
        """The changes of a turn are on their way to the clients."""
        if self._whole:
            self._due()
            return
        self._turns.append(noted)
        self._bytes += noted.size
        if self._bytes > self._most_bytes or noted.holds_secrets:
            self.save_whole()
        else:
            self._due()

    def viewed(self) -> None:
        """One more client has the document."""
        self.save_whole()

    def save_whole(self) -> None:
        """Save the whole document next, in place of the changes that wait."""
        self._whole = True
        self._turns = []
        self._bytes = 0
        self._due()

    def shed(self, most_bytes: int) -> None:
        """Let no more than this wait from now on: else the whole document is saved in its place."""
        if self._bytes > most_bytes:
            self.save_whole()

    def take(self, *, whole: bool = False) -> Recorded:
        """What waits, which is forgotten; call this under the document's lock, with no turn under way.

        With `whole` the whole document is to be saved, whatever waits.
        """
        turns, self._turns = tuple(self._turns), []
        fresh, self._fresh = self._fresh, {}
        whole, self._whole = whole or self._whole, False
        self._bytes = 0
        for key, by_client in fresh.items():
            self._changed[key] = self._changed.pop(key, False) or by_client
        return Recorded(None if whole else turns, _as_changed(self._changed if whole else fresh))

    def all_changed(self) -> tuple[Changed, ...]:
        """Every property that was changed since the document was built."""
        found = dict(self._changed)
        for key, by_client in self._fresh.items():
            found[key] = found.pop(key, False) or by_client
        return _as_changed(found)

    def keep(self, models: Iterable[str]) -> None:
        """Forget the changes of all other models: they have left the document."""
        kept = {DOCUMENT, *models}
        self._changed = {key: by_client for key, by_client in self._changed.items() if key[0] in kept}

    def resume(self, changed: Iterable[Changed]) -> None:
        """Take these for changes of this session: it was restored with them."""
        self._changed = {(change.model, change.attr): change.by_client for change in changed}


def _is_worked_out(model: Any, attr: str) -> bool:
    """Whether a browser has worked this bound out from the data, and does so again when the session is restored."""
    return is_bound(model, attr) and attr in model.document.callbacks.browser_ranges.get(model.id, ())


def _as_changed(keys: dict[Key, bool]) -> tuple[Changed, ...]:
    return tuple(Changed(model, attr, by_client) for (model, attr), by_client in keys.items())
