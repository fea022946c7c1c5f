"""The store of a server: opened by its settings, and what saves its sessions in it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial

from app_server.engine.runtime import ApplicationRuntime
from app_server.engine.saving.endings import Endings, OwnerOf
from app_server.engine.saving.policy import SavingPolicy
from app_server.engine.saving.saver import Saver
from app_server.errors import OperatorError
from app_server.observe.gauges import SavingGauges
from app_server.observe.otel.tracing import UNTRACED, Tracing
from app_server.session.session import Session
from app_server.settings import Settings
from app_server.store.base import Store
from app_server.store.keys import Keys
from app_server.store.location import open_store

log = logging.getLogger(__name__)


def check_store(settings: Settings, *, asked: bool = True) -> None:
    """Raise OperatorError if sessions cannot be saved; with --store-optional it is only logged. Once, at the start.

    If the store is not `asked`, only its package and its address are looked at.
    """
    store = _open(settings)
    if store is None:
        return
    keys_of(settings)
    try:
        if asked:
            store.check()
    except OperatorError as error:
        if not settings.store_optional:
            raise
        log.error("Sessions are not saved for now: %s", error)
    finally:
        store.close()


def make_saver(
    settings: Settings,
    gauges: SavingGauges,
    runtimes: Callable[[], Iterable[ApplicationRuntime]],
    owner_of: OwnerOf,
    tracing: Tracing = UNTRACED,
) -> Saver | None:
    """What saves the sessions of this process; None if they are not saved."""
    store = _open(settings)
    if store is None:
        return None
    policy = SavingPolicy(
        keys_of(settings),
        settings.store_max_bytes,
        settings.store_ttl_s,
        restore=settings.restore,
        max_bookmarks=settings.store_max_bookmarks,
    )
    return Saver(store, policy, gauges, partial(_moved, runtimes), partial(_end_asked, runtimes), owner_of, tracing)


def _moved(runtimes: Callable[[], Iterable[ApplicationRuntime]], session: Session) -> None:
    """Another process has this session now: send its clients there, and forget it."""
    for runtime in runtimes():
        if runtime.registry.get(session.id) is session:
            runtime.move_away(session)


def _end_asked(runtimes: Callable[[], Iterable[ApplicationRuntime]], endings: Endings) -> None:
    """End those sessions that another process has asked to end."""
    for runtime in runtimes():
        runtime.end_asked(endings)


def keys_of(settings: Settings) -> Keys:
    """The keys of saved sessions: the secret key, and the one before it."""
    return Keys.of(settings.secret_key, encrypt=settings.store_encrypt)


def _open(settings: Settings) -> Store | None:
    return open_store(settings.store, ttl_s=settings.store_ttl_s, max_bytes=_journal_bytes(settings))


def _journal_bytes(settings: Settings) -> int:
    """A journal holds a whole document and as many bytes of changes, and may be about to begin again."""
    return 3 * settings.store_max_bytes
