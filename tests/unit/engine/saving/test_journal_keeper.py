"""One session's journal: what is appended next, and when it begins again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bokeh.models import TextInput

from app_server.engine.saving.journal_keeper import Journal, JournalKeeper, Unwritten
from app_server.store.base import session_key
from app_server.store.errors import NewerJournal, Taken
from app_server.store.journal import read_journal
from app_server.store.records import Kind, Record
from tests.support.claiming import claiming
from tests.unit.engine.saving.making import turn
from tests.unit.engine.saving.stores import KEYS, Serving, Store, turns

KEY = session_key("/app", "one")
BEGIN = Unwritten((Record(Kind.OPEN, {"user": "ann"}), Record(Kind.WHOLE, {}, b"{}")), replaces=True)


def build(document: Any) -> None:
    document.add_root(TextInput(name="text"))


def kept(folder: Path, script: Callable[[JournalKeeper, Any, Callable[[str], Any]], Any], **of: Any) -> None:
    """Run the script with a session's keeper, the session, and what types a text into it."""

    async def run() -> None:
        serving = Serving(Store(folder), build, **of)
        session = await serving.session()
        client = serving.view(session)
        await turns()
        text = session.document.get_model_by_name("text")

        async def type_in(value: str) -> None:
            client.set(text, "value", value)
            await turns()

        await script(serving.saver._keepers[KEY], session, type_in)
        await serving.kill()

    asyncio.run(run())


def kinds(unwritten: Unwritten | None) -> list[str]:
    return [] if unwritten is None else [record.kind.name for record in unwritten.records]


def test_journal_begins_with_the_whole_document_and_goes_on_with_changes(tmp_path: Path) -> None:
    async def script(keeper: JournalKeeper, session: Any, type_in: Any) -> None:
        first = keeper.collect()
        assert first is not None and first.replaces and kinds(first) == ["OPEN", "WHOLE"]
        assert keeper.collect() is None
        await type_in("a")
        more = keeper.collect()
        assert more is not None and not more.replaces and kinds(more) == ["CHANGES"]
        assert more.records[0].fields["changed"][0][1:] == ["value", 1]
        assert "state" not in more.records[0].fields and more.records[0].fields["saved_at_s"] > 1e9
        assert kinds(keeper.collect({"of": "the hook"})) == ["CHANGES"]
        assert kinds(keeper.collect(whole=True)) == ["OPEN", "WHOLE"]

    kept(tmp_path, script)


def test_journal_begins_again_when_its_changes_outgrow_the_document(tmp_path: Path) -> None:
    async def script(keeper: JournalKeeper, session: Any, type_in: Any) -> None:
        keeper.collect()
        seen = []
        for number in range(12):
            await type_in(f"{number}" + "x" * 20_000)
            unwritten = keeper.collect()
            assert unwritten is not None
            seen.append(unwritten.replaces)
        assert seen == [False, False, False, False, True, False, False, False, False, True, False, False]

    kept(tmp_path, script)


def test_application_s_state_alone_is_a_record_without_changes(tmp_path: Path) -> None:
    async def script(keeper: JournalKeeper, session: Any, type_in: Any) -> None:
        keeper.collect()
        assert not keeper.state_changed
        session.context.state["clicks"] = 1
        assert keeper.state_changed
        unwritten = keeper.collect()
        assert unwritten is not None and kinds(unwritten) == ["CHANGES"]
        assert unwritten.records[0].fields["state"] == {"clicks": 1} and unwritten.records[0].content == b""
        assert not keeper.state_changed
        session.context.state.clear()
        assert keeper.state_changed

    kept(tmp_path, script)


def test_state_that_is_too_large_is_not_saved_and_the_last_one_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(keeper: JournalKeeper, session: Any, type_in: Any) -> None:
        session.context.state["rows"] = [1]
        keeper.collect()
        session.context.state["rows"] = ["x" * 3000]
        assert not keeper.state_changed
        whole = keeper.collect(whole=True)
        assert whole is not None and whole.records[1].fields["state"] == {"rows": [1]}

    kept(tmp_path, script, max_bytes=16_000)
    (line,) = caplog.messages
    assert line.endswith("bytes, more than the 2000 allowed by --store-max-bytes")


def test_changes_of_a_turn_that_is_under_way_are_in_what_is_saved(tmp_path: Path) -> None:
    async def run() -> None:
        serving = Serving(Store(tmp_path), build)
        session = await serving.session()
        serving.view(session)
        await turns()
        keeper = serving.saver._keepers[KEY]
        keeper.collect()
        found: list[Any] = []

        def callback() -> None:
            session.document.get_model_by_name("text").value = "half"  # type: ignore[union-attr]
            found.append(keeper.collect())
            session.document.get_model_by_name("text").value = "done"  # type: ignore[union-attr]

        turn(serving, session, callback)  # type: ignore[arg-type]
        assert b"half" in found[0].records[0].content
        after = keeper.collect()
        assert after is not None and b"done" in after.records[0].content
        await serving.kill()

    asyncio.run(run())


def test_session_is_claimed_with_its_first_write(tmp_path: Path) -> None:
    store = Store(tmp_path)
    journal = Journal(KEY, KEYS)
    write = journal.write(BEGIN, store)
    assert write.replaces and write.claim is journal.claim
    store.write([write])
    more = journal.write(Unwritten((Record(Kind.CHANGES, {"saved_at_s": 2.0}),), replaces=False), store)
    store.write([more])
    saved = read_journal(store.head(KEY, 10_000), KEYS)
    assert saved is not None and saved.fields["saved_at_s"] == 2.0 and saved.damaged is None
    assert store.claims == [KEY]
    claim = journal.take_claim()
    assert claim is not None and journal.claim is None and journal.take_claim() is None
    store.close()


def test_session_of_another_process_or_a_newer_version_is_not_written(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with claiming(str(tmp_path), KEY):
        with pytest.raises(Taken):
            Journal(KEY, KEYS).write(BEGIN, store)
    other = session_key("/app", "other")
    (tmp_path / f"{other}.session").write_bytes(b"app-server journal 7\n")
    with pytest.raises(NewerJournal):
        Journal(other, KEYS).write(BEGIN, store)
    assert [entry.owned for entry in store.entries() if entry.key == other] == [False]
    store.close()


def test_key_and_secret_are_in_no_log_line() -> None:
    assert "secret" not in repr(Journal(KEY, KEYS))
