"""Sessions are saved as they change, whatever the store and the applications do meanwhile."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from bokeh.models import ColumnDataSource, Slider, TextInput

from app_server.engine.saving import saver
from app_server.errors import ApplicationError, OperatorError
from app_server.security.auth.users import User
from app_server.security.visible_request import VisibleRequest
from app_server.session.session import Session
from app_server.store.base import Claim, session_key
from app_server.store.errors import Unavailable
from app_server.store.files.session import SessionFile
from app_server.store.folder import FolderStore
from app_server.store.journal import Saved, read_journal
from tests.support.waiting import until_soon
from tests.unit.engine.making import fill
from tests.unit.engine.saving.stores import KEYS, TTL_S, Serving, Store, turns, values_of

KEY = session_key("/app", "one")


def slider(session: Session) -> Any:
    return session.document.get_model_by_name("slider")


def journal(folder: Path, session_id: str = "one") -> Saved:
    """What is saved of this session."""
    saved = read_journal((folder / f"{session_key('/app', session_id)}.session").read_bytes(), KEYS)
    assert saved is not None
    return saved


def live(folder: Path, script: Callable[[Serving, Store], Any], build: Any = fill, **of: Any) -> None:
    """Run the script with a process that serves; then end that."""

    async def run() -> None:
        store = Store(folder)
        serving = Serving(store, build, **of)
        try:
            await script(serving, store)
        finally:
            store.gate.set()
            store.fault = None
            await serving.stop()

    asyncio.run(run())


def test_saves_of_a_second_are_one_write_with_the_last_values(tmp_path: Path) -> None:
    async def script(serving: Serving, store: Store) -> None:
        session = await serving.session()
        client = serving.view(session)
        await serving.save()
        assert [[replaces for _, replaces in each] for each in store.writes] == [[True]]
        for value in range(100):
            client.set(slider(session), "value", value)
        await serving.save()
        await serving.save()  # nothing has changed
        assert [[replaces for _, replaces in each] for each in store.writes] == [[True], [False]]
        assert store.writes[1][0][0] < 600
        (change,) = journal(tmp_path).changes
        assert change.content.count(b'"new"') == 1 and b"99" in change.content

    live(tmp_path, script)


def test_sessions_are_written_together_and_the_hooks_value_with_them(tmp_path: Path) -> None:
    async def script(serving: Serving, store: Store) -> None:
        for name in "abc":
            serving.view(await serving.session(name))
        await serving.save()
        assert [len(each) for each in store.writes] == [3]
        assert journal(tmp_path, "b").fields["hook"] == {"of": "b"}

    live(tmp_path, script, on_session_saved=lambda context: {"of": context.id})


def test_background_saves_within_a_second_or_so(tmp_path: Path) -> None:
    async def script(serving: Serving, store: Store) -> None:
        session = await serving.session()
        client = serving.view(session)
        serving.work()
        for value in (3, 7):
            client.set(slider(session), "value", value)
            await until_soon(lambda: store.writes and journal(tmp_path).fields["changed"])
            store.writes.clear()
            client.set(slider(session), "value", value + 1)
            await until_soon(lambda: store.writes)

    live(tmp_path, script, every_s=0.05)


@pytest.mark.parametrize(
    "user", [None, "ann", 7, b"ann", {"id": 7}, User("ann"), User("ann", "oidc", {"sub": "1", "iss": "x"})], ids=repr
)
def test_session_is_given_back_to_the_user_that_it_had(tmp_path: Path, user: Any) -> None:
    async def run() -> None:
        first = Serving(Store(tmp_path), fill)
        session = await first.session(user=user, payload={"raw": b"\0", "n": [1]})
        first.view(session).set(slider(session), "value", 7)
        await first.save()
        await first.kill()
        second = Serving(Store(tmp_path), fill)
        again = await second.session(user="another one who asks")
        assert again.context.user == user and type(again.context.user) is type(user)
        assert again.context.token_payload["raw"] == b"\0" and again.context.token_payload["n"] == [1]
        assert slider(again).value == 7
        await second.stop()

    asyncio.run(run())


class Account:
    id = 7


@pytest.mark.parametrize(
    ("user", "payload", "why"),
    [
        (Account(), {}, "its user is not made of plain values: a Account is not a plain value"),
        (("ann", 7), {}, "its user is not made of plain values: it would come back as another value"),
        (
            "ann",
            {"account": Account()},
            "what process_request returned is not made of plain values: a Account is not a plain value",
        ),
    ],
    ids=["object", "tuple", "payload"],
)
def test_session_that_could_not_be_given_back_is_not_saved_and_harms_no_other(
    tmp_path: Path, user: Any, payload: Any, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(serving: Serving, store: Store) -> None:
        for name in ("one", "two"):
            session = await serving.session(name, user=user, payload=payload)
            serving.view(session).set(slider(session), "value", 7)
        serving.view(await serving.session("three", user="bob"))
        await serving.save()
        assert [entry.key for entry in store.entries()] == [session_key("/app", "three")]

    live(tmp_path, script)
    assert caplog.messages == [f"/app: sessions are not saved: {why}"]


def test_state_is_saved_when_it_changes_and_refused_with_the_reason_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(serving: Serving, store: Store) -> None:
        session = await serving.session()
        client = serving.view(session)
        state = session.context.state
        state["rows"] = [1, 2]
        await serving.save()
        state["rows"].append(3)
        await serving.save()
        assert journal(tmp_path).fields["state"] == {"rows": [1, 2, 3]}
        client.set(slider(session), "value", 7)
        await serving.save()
        assert store.writes[1][0][0] > store.writes[2][0][0] - 150
        state["by number"] = {1: "a"}
        for value in (8, 9):
            client.set(slider(session), "value", value)
            await serving.save()
        assert journal(tmp_path).fields["state"] == {"rows": [1, 2, 3]}
        del state["by number"]
        state["rows"] = []
        await serving.save()
        assert journal(tmp_path).fields["state"] == {"rows": []}

    live(tmp_path, script)
    assert caplog.messages == [
        "/app session one…: not saved: session_context.state: the key 1 of a dictionary is not a text"
    ]


def test_hook_whose_value_is_not_plain_or_that_never_returns_holds_up_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    may_end = asyncio.Event()

    async def asked(context: Any) -> Any:
        if context.id == "hangs":
            await may_end.wait()
        return {1: 2} if context.id == "numbers" else None

    async def script(serving: Serving, store: Store) -> None:
        for name in ("hangs", "numbers"):
            session = await serving.session(name)
            serving.view(session).set(slider(session), "value", 7)
        await turns()
        await serving.saver.save(hooks_within_s=0.05)
        assert len(list(store.entries())) == 2
        may_end.set()

    live(tmp_path, script, on_session_saved=asked)
    assert set(caplog.messages) == {
        "/app session numbers…: not saved: what on_session_saved returns: the key 1 of a dictionary is not a text",
        "/app session hangs…: on_session_saved has not returned within 0.05 s; saving without it",
    }


@pytest.mark.parametrize("forget", [True, False])
def test_session_that_asked_for_its_end_is_deleted_and_one_that_ends_is_left(tmp_path: Path, forget: bool) -> None:
    async def script(serving: Serving, store: Store) -> None:
        session = await serving.session()
        serving.view(session).set(slider(session), "value", 7)
        await serving.save()
        if forget:
            session.request_expiration()
        await serving.runtime.end(session)
        assert [entry.owned for entry in store.entries()] == ([] if forget else [False])

    live(tmp_path, script)


def test_what_changed_last_is_saved_when_a_session_ends(tmp_path: Path) -> None:
    async def script(serving: Serving, store: Store) -> None:
        session = await serving.session()
        serving.view(session).set(slider(session), "value", 7)
        await turns()
        await serving.runtime.end(session)
        assert await values_of(tmp_path, fill, "slider") == [7]

    live(tmp_path, script)


@pytest.mark.parametrize("saved_before", [True, False])
def test_session_whose_end_the_store_was_too_slow_for_is_left_when_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saved_before: bool
) -> None:
    monkeypatch.setattr(saver, "_LEAVE_WITHIN_S", 0.1)

    async def script(serving: Serving, store: Store) -> None:
        session = await serving.session()
        client = serving.view(session)
        if saved_before:
            await serving.save()
        client.set(slider(session), "value", 7)
        await turns()
        store.gate.clear()
        saving = asyncio.ensure_future(serving.saver.save())
        await serving.runtime.end(session)
        store.gate.set()
        await saving
        assert slider(await serving.session()).value == 7

    live(tmp_path, script)


def test_session_that_was_ended_is_forgotten_when_a_slow_store_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saver, "_LEAVE_WITHIN_S", 0.1)

    async def script(serving: Serving, store: Store) -> None:
        session = await serving.session()
        serving.view(session).set(slider(session), "value", 7)
        await serving.save()
        session.request_expiration()
        store.gate.clear()
        blocking = asyncio.ensure_future(serving.runtime.is_saved("two"))
        await turns()
        await serving.runtime.end(session)
        store.gate.set()
        await blocking
        await until_soon(lambda: list(store.entries()) == [])

    live(tmp_path, script)


def test_session_that_is_asked_for_while_it_ends_goes_on_with_what_is_saved_of_it_for_the_first_time(
    tmp_path: Path,
) -> None:
    returns = asyncio.Event()

    async def asked(context: Any) -> Any:
        await returns.wait()
        return {}

    async def script(serving: Serving, store: Store) -> None:
        session = await serving.session()
        serving.view(session).set(slider(session), "value", 7)
        await turns()
        ending = asyncio.ensure_future(serving.runtime.end(session))
        await turns()
        again = asyncio.ensure_future(serving.session())
        await turns()
        assert len(store.claims) == 1 and not ending.done() and not again.done()
        returns.set()
        assert slider(await again).value == 7
        await ending
        await serving.save()
        assert serving.lost == []

    live(tmp_path, script, on_session_saved=asked)


# The store is not as it should be.


class HalfLost(Store):
    """Says that its first claim is lost while it does not answer for the others: a Redis that fails over."""

    def renew(self, claims: Any) -> Any:
        raise Unavailable("half of it answers", lost=claims[:1])


def test_what_a_failed_renewal_has_lost_is_left_at_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        serving = Serving(HalfLost(tmp_path), fill)
        sessions = [await serving.session(name) for name in ("one", "two")]
        for session in sessions:
            serving.view(session)
        await serving.save()
        serving.work()
        await until_soon(lambda: serving.lost)
        assert serving.lost[0] in sessions
        await serving.stop()

    asyncio.run(run())
    assert "half of it answers" in caplog.text
    assert "another process has taken the session over; its clients are sent there" in caplog.text


def test_file_that_was_deleted_is_a_session_that_is_lost(tmp_path: Path) -> None:
    async def script(serving: Serving, store: Store) -> None:
        session = await serving.session()
        client = serving.view(session)
        await serving.save()
        assert FolderStore(str(tmp_path), ttl_s=TTL_S, max_bytes=10**9).revoke(KEY)
        client.set(slider(session), "value", 7)
        await serving.save()
        assert serving.lost == [session] and list(store.entries()) == []

    live(tmp_path, script)


def test_slow_store_holds_up_no_turn_and_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saver, "_PATIENT_FOR", 2)

    def build(document: Any) -> None:
        fill(document)
        document.add_root(TextInput(name="text"))

    async def script(serving: Serving, store: Store) -> None:
        session = await serving.session()
        client = serving.view(session)
        await serving.save()
        store.gate.clear()
        client.set(slider(session), "value", 1)
        serving.work()
        await until_soon(serving.saver._saving.locked)
        recording = serving.saver._keepers[KEY]._recording
        most = 0
        text = session.document.get_model_by_name("text")

        def streamed(number: int) -> bool:
            nonlocal most
            client.set(text, "value", f"{number}" + 50_000 * "x")
            client.set(slider(session), "value", number)
            most = max(most, recording._bytes)
            return slider(session).value == number

        # Each of these turns is taken although the store waits, and what waits is freed.
        for number in range(400):
            await asyncio.sleep(0.001)
            streamed(number)
        await turns()
        await until_soon(lambda: recording._bytes == 0)
        assert slider(session).value == 399 and most <= 8 * 1024 * 1024 + 60_000
        store.gate.set()
        await until_soon(lambda: len(store.writes) >= 3)
        assert store.writes[-1][0][1]
        await serving.save()
        assert (await values_of_copy(tmp_path, build))[0] == 399

    live(tmp_path, script, build, every_s=0.02)


async def values_of_copy(folder: Path, build: Any) -> list[Any]:
    """The values in a process that restores a copy of what is saved: the owner goes on."""
    copy = folder / "copy"
    copy.mkdir(mode=0o700)
    (copy / f"{KEY}.session").write_bytes((folder / f"{KEY}.session").read_bytes())
    return await values_of(copy, build, "slider")


def test_process_leaves_in_time_although_the_store_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(saver, "_LEAVE_WITHIN_S", 0.1)

    async def script(serving: Serving, store: Store) -> None:
        session = await serving.session()
        serving.view(session).set(slider(session), "value", 7)
        await turns()
        store.gate.clear()
        began_s = asyncio.get_running_loop().time()
        await serving.saver.save_before_leaving()
        await serving.runtime.end(session)
        assert asyncio.get_running_loop().time() - began_s < 5

    live(tmp_path, script)
    assert caplog.messages == [
        "Sessions are not saved at the moment: the store does not answer",
        "/app session one…: could not be saved for the last time: the store is too slow",
    ]


def test_sessions_stay_owned_while_their_process_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease would end while many sessions are left one after another, and their hooks take their time."""
    monkeypatch.setattr(saver, "_RENEW_EVERY_S", 0.01)
    renewed: list[int] = []

    class Leased(Store):
        def renew(self, claims: Any) -> Any:
            renewed.append(len(claims))
            return super().renew(claims)

    async def run() -> None:
        serving = Serving(Leased(tmp_path), fill)
        serving.view(await serving.session())
        await serving.saver.save_before_leaving()
        renewed.clear()
        await until_soon(lambda: renewed[:2] == [1, 1])
        await serving.stop()

    asyncio.run(run())


def test_what_was_being_saved_when_time_was_up_is_saved_whole_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saver, "_LEAVE_WITHIN_S", 0.1)

    async def script(serving: Serving, store: Store) -> None:
        session = await serving.session()
        client = serving.view(session)
        await serving.save()
        store.gate.clear()
        client.set(slider(session), "value", 7)
        await turns()
        await serving.saver.save_before_leaving()
        store.gate.set()
        client.set(slider(session), "title", "later")
        await serving.save()
        assert store.writes[-1][0][1]
        assert await values_of_copy(tmp_path, fill) == [7]

    live(tmp_path, script)


class Noting(Store):
    """Notes when it is asked to write."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked_s: list[float] = []

    def write(self, writes: Any) -> Any:
        self.asked_s.append(time.monotonic())
        return super().write(writes)

    def pauses_s(self, since: int) -> list[float]:
        """How long it was left alone between two attempts."""
        return [later - earlier for earlier, later in pairwise(self.asked_s[since:])]


def test_pause_grows_while_the_store_is_away_and_is_short_again_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saver, "_LONGEST_PAUSE_S", 0.8)

    async def run() -> None:
        store = Noting(tmp_path)
        serving = Serving(store, fill, every_s=0.1)
        client = serving.view(await serving.session())
        await serving.save()
        store.fault = Unavailable("gone fishing")
        client.set(slider(client.session), "value", 3)
        serving.work()
        before = len(store.asked_s)
        await until_soon(lambda: len(store.asked_s) >= before + 6)
        first, second, third, *others = store.pauses_s(before)
        # A busy machine only makes them longer.
        assert first >= 0.2 and second >= 0.4 and third >= 0.8 and min(others) >= 0.8
        store.fault = None
        await until_soon(lambda: not serving.saver._thread.away)
        back = len(store.asked_s)

        def saves_often() -> bool:
            client.set(slider(client.session), "value", (slider(client.session).value + 1) % 10)
            return min(store.pauses_s(back), default=9) < 0.8

        await until_soon(saves_often)
        await serving.stop()

    asyncio.run(run())


def test_new_session_of_an_id_is_saved_although_the_store_has_lost_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saver, "_LEAVE_WITHIN_S", 0.1)

    async def script(serving: Serving, store: Store) -> None:
        session = await serving.session()
        client = serving.view(session)
        await serving.save()
        assert FolderStore(str(tmp_path), ttl_s=TTL_S, max_bytes=10**9).revoke(KEY)
        store.gate.clear()
        client.set(slider(session), "value", 7)
        saving = asyncio.ensure_future(serving.save())
        await until_soon(serving.saver._saving.locked)
        await serving.runtime.end(session)  # in vain, for the store does not answer
        again = await serving.runtime.session("one", VisibleRequest(), {}, fresh=True)
        client = serving.view(again)
        store.gate.set()
        await saving
        assert serving.lost == [session]
        client.set(slider(again), "value", 9)
        await serving.save()
        assert serving.lost == [session]
        assert await values_of_copy(tmp_path, fill) == [9]

    live(tmp_path, script)


def test_store_that_is_away_is_logged_once_and_everything_is_saved_when_it_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", saver.__name__.rpartition(".")[0])

    async def script(serving: Serving, store: Store) -> None:
        session = await serving.session()
        client = serving.view(session)
        await serving.save()

        def more_failed(than: int) -> bool:
            return serving.gauges.failed > than

        store.fault = Unavailable("No space left on device", where="/var")
        serving.work()
        for value in (3, 5, 7):
            client.set(slider(session), "value", value)
            await until_soon(partial(more_failed, serving.gauges.failed))
        store.fault = None
        await until_soon(lambda: not serving.saver._thread.away)
        assert store.writes[-1][0][1]
        assert await values_of_copy(tmp_path, fill) == [7]

    live(tmp_path, script, every_s=0.02)
    assert caplog.messages == [
        "Sessions are not saved at the moment: /var: No space left on device",
        "Sessions are saved again",
    ]


def test_store_that_is_missing_at_the_start_is_used_when_it_is_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", saver.__name__.rpartition(".")[0])
    place = tmp_path / "disk"
    place.write_text("not mounted yet")

    async def run() -> None:
        store = Store(place / "sessions")
        with pytest.raises(OperatorError):
            store.check()
        serving = Serving(store, fill, every_s=0.02)
        session = await serving.session()
        serving.view(session).set(slider(session), "value", 7)
        serving.work()
        await until_soon(lambda: serving.saver._thread.away)
        place.unlink()
        await until_soon(lambda: not serving.saver._thread.away)
        await serving.stop()
        assert await values_of(place / "sessions", fill, "slider") == [7]

    asyncio.run(run())
    assert [text.partition(":")[0] for text in caplog.messages] == [
        "Sessions are not saved at the moment",
        "/app session one…, which is being built",  # begins again
        "Sessions are saved again",
    ]


def test_store_is_noticed_to_be_back_although_nothing_changes(tmp_path: Path) -> None:
    async def script(serving: Serving, store: Store) -> None:
        store.fault = Unavailable("gone fishing")
        await serving.session()
        assert serving.saver._thread.away
        store.fault = None
        serving.work()
        await until_soon(lambda: not serving.saver._thread.away)

    live(tmp_path, script, every_s=0.02)


def test_clock_that_jumps_deletes_nothing_that_is_owned(tmp_path: Path) -> None:
    now_s = [1_700_000_000.0]

    async def run() -> None:
        store = Store(tmp_path, clock=lambda: now_s[0])
        serving = Serving(store, fill)
        session = await serving.session()
        client = serving.view(session)
        client.set(slider(session), "value", 5)
        await serving.save()
        for jump_s in (1e8, -2e8, 1e8):
            now_s[0] += jump_s
            other = FolderStore(str(tmp_path), ttl_s=TTL_S, max_bytes=10**9, clock=lambda: now_s[0])
            assert other.purge(TTL_S, now_s[0]) == 0
            other.close()
            client.set(slider(session), "value", slider(session).value + 1)
            await serving.save()
        now_s[0] += 1e8
        await serving.stop()
        second = Serving(Store(tmp_path, clock=lambda: now_s[0]), fill)
        assert slider(await second.session()).value == 8
        await second.stop()

    asyncio.run(run())


# Sessions that are too large.


def test_only_the_inputs_of_a_session_that_is_too_large_are_saved(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def build(document: Any) -> None:
        document.add_root(Slider(name="slider", start=0, end=1000, value=0))
        document.add_root(TextInput(name="text"))
        document.add_root(TextInput(name="large"))

    async def run() -> None:
        store = Store(tmp_path, max_bytes=300_000)
        serving = Serving(store, build, max_bytes=100_000)
        session = await serving.session()
        client = serving.view(session)
        session.document.add_root(ColumnDataSource({"x": [1.5] * 50_000}, name="source"))
        client.set(session.document.get_model_by_name("large"), "value", "x" * 120_000)
        client.set(session.document.get_model_by_name("text"), "value", "typed")
        for value in range(1, 40):
            client.set(slider(session), "value", value)
            await serving.save()
        assert all(size < 100_000 and replaces for each in store.writes for size, replaces in each)
        assert serving.gauges.failed == 0
        await serving.kill()
        assert await values_of(tmp_path, build, "slider", "text", "large") == [39, "typed", ""]

    asyncio.run(run())
    assert caplog.messages == [
        "/app session one…: larger than --store-max-bytes; only its inputs are saved",
        "/app session one…: only its inputs are restored: it was larger than --store-max-bytes",
    ]


def test_session_that_has_become_smaller_is_saved_whole_again(tmp_path: Path) -> None:
    def build(document: Any) -> None:
        document.add_root(Slider(name="slider", start=0, end=1000, value=0))
        document.add_root(ColumnDataSource({"x": []}, name="source"))

    async def script(serving: Serving, store: Store) -> None:
        session = await serving.session()
        client = serving.view(session)
        source: Any = session.document.get_model_by_name("source")
        source.data = {"x": [1.5] * 50_000}
        client.set(slider(session), "value", 1)
        await serving.save()
        assert journal(tmp_path).fields.get("partial")
        source.data = {"x": [1.5]}
        for value in range(2, 35):
            client.set(slider(session), "value", value)
            await serving.save()
        assert not journal(tmp_path).fields.get("partial")

    live(tmp_path, script, build, max_bytes=100_000)


def test_journal_never_grows_beyond_what_the_store_takes(tmp_path: Path) -> None:
    def build(document: Any) -> None:
        fill(document)
        document.add_root(TextInput(name="text"))

    async def run() -> None:
        store = Store(tmp_path, max_bytes=300_000)
        serving = Serving(store, build, max_bytes=100_000)
        session = await serving.session()
        client = serving.view(session)
        text = session.document.get_model_by_name("text")
        for number in range(60):
            for again in range(3):
                client.set(text, "value", f"{number} {again}" + "y" * (number % 9) * 10_000)
            session.context.state["size"] = "z" * (number % 7) * 1_500
            await serving.save()
        assert serving.gauges.failed == 0 and serving.lost == []
        assert {replaces for each in store.writes for _, replaces in each} == {True, False}
        await serving.stop()

    asyncio.run(run())


def test_session_that_cannot_be_encoded_is_left_out_and_the_others_are_saved(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(serving: Serving, store: Store) -> None:
        for name in ("one", "two"):
            serving.view(await serving.session(name))
        keeper = serving.saver._keepers[KEY]
        keeper._opened = {"never": object()}  # type: ignore[misc]
        await serving.save()
        await serving.save()
        assert [entry.key for entry in store.entries() if entry.size_bytes] == [session_key("/app", "two")]

    live(tmp_path, script)
    assert [text.partition(",")[0] for text in caplog.messages] == [
        "/app session one…: is not saved: Object of type object is not JSON serializable"
    ]


def test_claims_are_renewed_while_saving_takes_its_time(tmp_path: Path) -> None:
    renewed = threading.Event()

    class Renewing(Store):
        def renew(self, claims: Any) -> list[Claim]:
            renewed.set()
            return []

    async def run() -> None:
        store = Renewing(tmp_path)

        async def asked(context: Any) -> None:
            if store.writes:
                await until_soon(renewed.is_set)

        serving = Serving(store, fill, on_session_saved=asked)
        session = await serving.session()
        client = serving.view(session)
        await serving.save()
        serving.work()
        client.set(slider(session), "value", 7)
        await serving.save()
        assert renewed.is_set() and len(store.writes) == 2
        await serving.kill()

    asyncio.run(run())


def test_session_that_cannot_be_claimed_keeps_no_other_from_being_saved(tmp_path: Path) -> None:
    class Full(Store):
        full = False

        def claim(self, key: str, *, create: bool) -> SessionFile | None:
            if create and self.full and key.startswith(tuple("01234567")):
                raise Unavailable("No space left on device")
            return super().claim(key, create=create)

    async def run() -> None:
        store = Full(tmp_path)
        serving = Serving(store, fill)
        clients = [serving.view(await serving.session())]
        await serving.save()
        store.full = True
        names = [f"new {number}" for number in range(12)]
        clients += [serving.view(await serving.session(name)) for name in names]
        for value in (7, 8):
            for client in clients:
                client.set(slider(client.session), "value", value)
            with pytest.raises(Unavailable, match="No space left"):
                await serving.save()
            assert journal(tmp_path).fields["changed"]
            refused = [name for name in names if session_key("/app", name).startswith(tuple("01234567"))]
            assert refused and len(list(store.entries())) == 1 + len(names) - len(refused)
        store.full = False
        await serving.save()
        assert len(list(store.entries())) == len(clients)
        await serving.kill()

    asyncio.run(run())


def test_hooks_of_all_sessions_are_asked_at_once(tmp_path: Path) -> None:
    here: list[str] = []
    everybody = asyncio.Event()

    async def asked(context: Any) -> str:
        here.append(context.id)
        if len(here) == 20:
            everybody.set()
        await everybody.wait()
        return str(context.id)

    async def script(serving: Serving, store: Store) -> None:
        for number in range(20):
            serving.view(await serving.session(f"s{number}"))
        await serving.save()
        assert journal(tmp_path, "s7").fields["hook"] == "s7"

    live(tmp_path, script, on_session_saved=asked)


def test_hook_that_ignores_its_end_is_asked_again_only_when_it_has_ended(tmp_path: Path) -> None:
    calls: list[str] = []
    may_end = asyncio.Event()

    async def asked(context: Any) -> int:
        calls.append(context.id)
        while context.id == "one" and not may_end.is_set():
            with suppress(asyncio.CancelledError):
                await may_end.wait()
        return len(calls)

    async def script(serving: Serving, store: Store) -> None:
        clients = [serving.view(await serving.session(name)) for name in ("one", "two")]
        for value in (7, 8):
            for client in clients:
                client.set(slider(client.session), "value", value)
            await turns()
            await serving.saver.save(hooks_within_s=0.05)
            assert journal(tmp_path).whole is not None and "hook" not in journal(tmp_path).fields
        assert sorted(calls) == ["one", "two", "two"]
        may_end.set()
        await turns()
        clients[0].set(slider(clients[0].session), "value", 9)
        await serving.save()
        assert journal(tmp_path).fields["hook"] == 4

    live(tmp_path, script, on_session_saved=asked)


def test_sessions_are_saved_and_left_although_the_hook_of_another_is_at_work(tmp_path: Path) -> None:
    asked, may_end = asyncio.Event(), asyncio.Event()

    async def ask(context: Any) -> None:
        if context.id == "slow":
            asked.set()
            await may_end.wait()

    async def script(serving: Serving, store: Store) -> None:
        slow = serving.view(await serving.session("slow"))
        session = await serving.session()
        client = serving.view(session)
        client.set(slider(session), "value", 7)
        await turns()
        saving = asyncio.create_task(serving.saver.save())
        await asked.wait()
        client.set(slider(session), "value", 8)
        slow.set(slider(slow.session), "value", 3)
        await turns()
        await serving.runtime.end(session)
        assert await values_of(tmp_path, fill, "slider") == [8]
        assert not saving.done()
        may_end.set()
        await saving
        assert serving.saver.due  # for the hook's value: it was asked before the last change
        await serving.save()
        assert not serving.saver.due

    live(tmp_path, script, on_session_saved=ask)


def test_what_is_excluded_later_leaves_the_journal(tmp_path: Path) -> None:
    async def script(serving: Serving, store: Store) -> None:
        session = await serving.session()
        client = serving.view(session)
        client.set(session.document.get_model_by_name("field"), "value", "a secret")
        await serving.save()
        (path,) = tmp_path.glob("*.session")
        assert b"a secret" in path.read_bytes()
        session.context.exclude_from_store(session.document.get_model_by_name("field"))
        await serving.save()
        assert b"a secret" not in path.read_bytes()

    def build(document: Any) -> None:
        document.add_root(TextInput(name="field"))

    live(tmp_path, script, build)


@pytest.mark.parametrize("ttl_s", [0, -1, float("nan"), float("inf"), 1e300, "7 days", None], ids=repr)
def test_link_lasts_for_a_number_of_seconds(tmp_path: Path, ttl_s: Any) -> None:
    async def script(serving: Serving, store: Store) -> None:
        session = await serving.session()
        with pytest.raises(ApplicationError, match="cannot last"):
            session.context.bookmark(ttl_s)

    live(tmp_path, script)
    assert not list(tmp_path.glob("*.view"))


def test_last_change_is_saved_although_its_session_ends_when_all_are_about_to_be_saved(tmp_path: Path) -> None:
    async def script(serving: Serving, store: Store) -> None:
        client, other = serving.view(await serving.session()), serving.view(await serving.session("two"))
        await serving.save()
        store.gate.clear()
        other.set(slider(other.session), "value", 3)
        await turns()
        saves = [asyncio.create_task(serving.saver.save())]
        await turns()
        saves.append(asyncio.create_task(serving.saver.save()))  # waits for the first one
        client.set(slider(client.session), "value", 7)
        await turns()
        end = asyncio.create_task(serving.runtime.end(client.session))
        await turns()
        assert client.session.destroyed
        store.gate.set()
        await asyncio.gather(*saves, end)
        assert await values_of(tmp_path, fill, "slider") == [7]

    live(tmp_path, script)


def test_hook_is_asked_when_its_session_ends(tmp_path: Path) -> None:
    async def script(serving: Serving, store: Store) -> None:
        client = serving.view(await serving.session())
        await serving.save()
        client.set(slider(client.session), "value", 7)
        await turns()
        await serving.runtime.end(client.session)
        assert journal(tmp_path).fields["hook"] == 7

    live(tmp_path, script, on_session_saved=lambda context: slider(context.session).value)
