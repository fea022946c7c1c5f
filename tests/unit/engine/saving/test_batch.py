"""What is written in one call of the store: each session's fault is its own."""

from __future__ import annotations

from pathlib import Path

from app_server.engine.saving.batch import write_batch
from app_server.engine.saving.journal_keeper import Journal, Unwritten
from app_server.store.base import session_key
from app_server.store.errors import NewerJournal, Unavailable
from app_server.store.records import Kind, Record
from tests.support.claiming import claiming
from tests.unit.engine.saving.stores import KEYS, Store


def begin(**fields: object) -> Unwritten:
    return Unwritten((Record(Kind.OPEN, fields), Record(Kind.WHOLE, {}, b"{}")), replaces=True)


def journal(name: str) -> Journal:
    return Journal(session_key("/app", name), KEYS)


def test_faults_of_some_harm_no_other(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.check()
    taken, newer, odd, good = (journal(name) for name in ("taken", "newer", "odd", "good"))
    (tmp_path / f"{newer.key}.session").write_bytes(b"app-server journal 7\n")
    with claiming(str(tmp_path), taken.key):
        written = write_batch(
            store, [(taken, begin()), (newer, begin()), (odd, begin(user=object())), (good, begin(user="ann"))]
        )
    assert written.lost == [taken]
    assert {each: type(error) for each, error in written.refused.items()} == {newer: NewerJournal, odd: TypeError}
    assert store.is_saved(good.key) and not store.is_saved(odd.key)
    assert [entry.owned for entry in store.entries() if entry.key == odd.key] == []
    store.close()


def test_session_that_was_revoked_is_lost(tmp_path: Path) -> None:
    store, one, two = Store(tmp_path), journal("one"), journal("two")
    write_batch(store, [(one, begin()), (two, begin())])
    store.revoke(one.key)
    more = Unwritten((Record(Kind.CHANGES),), replaces=False)
    assert write_batch(store, [(one, more), (two, more)]).lost == [one]
    store.close()


def test_store_that_is_away_misses_all_until_it_is_back(tmp_path: Path) -> None:
    store, one = Store(tmp_path), journal("one")
    store.fault = Unavailable("gone fishing")
    written = write_batch(store, [(one, begin())])
    assert (written.missing, written.away, written.lost) == ([one], store.fault, [])
    store.fault = None
    assert write_batch(store, [(one, begin())]).away is None and store.is_saved(one.key)
    store.close()
