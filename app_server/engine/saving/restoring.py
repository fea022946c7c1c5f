"""What was saved of a session's document, given back to the one that its application has just built."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from functools import partial
from inspect import iscoroutinefunction, unwrap

from app_server.document.saving.laying import Changed, Fit, LayReport, Restoration
from app_server.document.saving.replay import saved_document, with_tag
from app_server.document.saving.whole import lost_callbacks, skeleton
from app_server.document.served import ServedDocument
from app_server.engine.containment import is_fault
from app_server.engine.saving.policy import SavingPolicy
from app_server.engine.saving.woken import SavedOpening
from app_server.guests import Guest
from app_server.session.naming import LogName
from app_server.store.journal import Saved
from app_server.store.records import Part

log = logging.getLogger(__name__)


def restore(
    document: ServedDocument,
    saved: Saved,
    opening: SavedOpening,
    sources: str,
    policy: SavingPolicy,
    name: LogName,
    guest: Guest,
) -> tuple[Changed, ...]:
    """Give the document what was saved of it; the properties that count as changed from now on.

    `sources` is the digest of what the application is made of now.
    Whatever cannot be given back is logged; the session is as it was built then. The application's callbacks run.
    """
    if saved.whole is None or policy.restore == "off":
        return ()
    try:
        old, new = f"{opening.tag}-", f"{document.ids.tag}-"
        changed = tuple(
            Changed(_moved(model, old, new), attr, bool(by_client))
            for model, attr, by_client in saved.fields["changed"]
        )
        whole, *changes = (with_tag(part, opening.tag, document.ids.tag) for part in (saved.whole, *_changes(saved)))
        guest.restoring(document)
        fit = Fit.PARTS
        if not saved.fields.get("partial") and skeleton(document) == opening.skeleton:
            fit = Fit.SAME if sources == opening.sources else Fit.MODELS
        content = saved_document(document, whole, changes, {one[:2] for one in changed}, policy.max_bytes)
        restoration = Restoration(document, content, changed, fit, max_bytes=policy.max_bytes)
        if policy.restore == "inputs":
            with document.at_work():
                settle = partial(
                    _settle, document, guest, {tick.ident for tick in document.callbacks.next_ticks()}, name
                )
                restoration.give_inputs(lambda call: _attempt(call, name), settle)
        report = restoration.lay_over()
        guest.restored(document)
    except BaseException as error:
        if not is_fault(error):
            raise
        log.warning("%s: cannot be restored and begins again: %s", name, error, exc_info=error)
        return ()
    _log(report, name, partial=bool(saved.fields.get("partial")))
    called = [_moved(ident, old, new) for ident in saved.fields.get("called", ())]
    if lost := lost_callbacks(document, called):
        log.warning(
            "%s: restored, but callbacks of models that other callbacks had added are lost: %s", name, ", ".join(lost)
        )
    return tuple(restoration.changed)


def _moved(ident: str, old: str, new: str) -> str:
    """The id in this session of a model that had this one in the saved session."""
    return new + ident.removeprefix(old) if ident.startswith(old) else ident


def _changes(saved: Saved) -> list[Part]:
    """The changes of the document; a record may have changed only the application's state."""
    return [part for part in saved.changes if part.content]


def _settle(document: ServedDocument, guest: Guest, scripts: Collection[str], name: LogName) -> None:
    """Call at once what the callbacks of inputs have left for the next tick; not what the script has, or waits itself.

    Later, it would change what is restored.
    """
    guest.settle(document)
    for tick in document.callbacks.next_ticks():
        if tick.ident not in scripts and tick.locked and not _waits(tick.function):
            _attempt(tick.function, name)


def _waits(function: Callable[..., object]) -> bool:
    return iscoroutinefunction(unwrap(function))


def _attempt(call: Callable[[], None], name: LogName) -> None:
    try:
        call()
    except BaseException as error:
        if not is_fault(error):
            raise
        log.exception("%s: a callback raised an exception while the session was restored", name)


def _log(report: LayReport, name: LogName, *, partial: bool) -> None:
    left_out = ", ".join(sorted(set(report.left_out)))
    if partial:
        log.warning("%s: only its inputs are restored: it was larger than --store-max-bytes", name)
    elif left_out:
        log.warning("%s: restored, but the application has changed; left out: %s", name, left_out)
