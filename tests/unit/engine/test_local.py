"""The sessions of an application that live in this process: how they are built."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from app_server.document.served import ServedDocument, new_document
from app_server.engine.local import LocalRuntime, Snapshot
from app_server.engine.single import SingleSessionRuntime
from app_server.errors import ApplicationError
from app_server.guests.guest import Guest, LivingSession
from app_server.security.admission import Admission, Full
from app_server.security.auth.users import User, identity
from app_server.session.session import Session
from tests.support.clock import SkippingLoop
from tests.unit.engine.making import Observer, fill, runtime_of


def test_session_is_built_once_however_many_ask_at_the_same_time(loop: SkippingLoop) -> None:
    built: list[Any] = []
    observer = Observer()

    async def created(context: Any) -> None:
        await asyncio.sleep(1)

    runtime = runtime_of(loop, built.append, observer=observer, on_session_created=created)

    async def ask() -> list[Session]:
        return await asyncio.gather(*(runtime.session("one", None, {}) for _ in range(20)))

    sessions = loop.run_until_complete(ask())
    assert len(built) == len({id(session) for session in sessions}) == 1
    assert observer.seen == [("begun", sessions[0])]
    assert loop.run_until_complete(runtime.session("one", None, {})) is sessions[0]
    assert runtime.gauges.built == 1


@pytest.mark.parametrize("error", [ValueError("oops"), LookupError("oops")])
def test_everybody_who_waits_is_told_that_a_build_failed_and_the_id_is_free_again(
    loop: SkippingLoop, error: BaseException
) -> None:
    fails = [True]

    async def created(context: Any) -> None:
        await asyncio.sleep(1)

    def build(document: Any) -> None:
        if fails:
            raise error

    runtime = runtime_of(loop, build, Admission(1), on_session_created=created)

    async def ask() -> list[Any]:
        asked = (runtime.session("one", None, {}) for _ in range(3))
        return await asyncio.gather(*asked, return_exceptions=True)

    errors = loop.run_until_complete(ask())
    assert [type(each) for each in errors] == [ApplicationError] * 3
    assert len({str(each) for each in errors}) == 1 and type(error).__name__ in str(errors[0])
    fails.clear()
    assert loop.run_until_complete(runtime.session("one", None, {})).id == "one"


def test_who_waits_for_a_build_that_was_given_up_is_told(loop: SkippingLoop) -> None:
    async def created(context: Any) -> None:
        await asyncio.sleep(1)

    runtime = runtime_of(loop, on_session_created=created)

    async def leave() -> None:
        first = asyncio.ensure_future(runtime.session("one", None, {}))
        await asyncio.sleep(0.1)
        left, waits = (asyncio.ensure_future(runtime.session("one", None, {})) for _ in range(2))
        await asyncio.sleep(0.1)
        left.cancel()
        await asyncio.sleep(0.1)
        first.cancel()
        with pytest.raises(ApplicationError):
            await waits

    loop.run_until_complete(leave())
    assert runtime.registry.building("one") is None


def test_address_has_room_again_when_its_session_has_ended(loop: SkippingLoop) -> None:
    runtime = runtime_of(loop, admission=Admission(0, 1))
    session = loop.run_until_complete(runtime.session("one", None, {}, address="192.0.2.1"))
    with pytest.raises(Full):
        loop.run_until_complete(runtime.session("two", None, {}, address="192.0.2.1"))
    with pytest.raises(Full):
        runtime.check_admission("two", "192.0.2.1")
    runtime.check_admission("one", "192.0.2.1")
    runtime.check_admission("two", "192.0.2.2")
    loop.run_until_complete(runtime.end(session))
    assert loop.run_until_complete(runtime.session("two", None, {}, address="192.0.2.1")).id == "two"


def test_user_has_room_again_when_a_session_has_ended(loop: SkippingLoop) -> None:
    runtime = runtime_of(loop, admission=Admission(max_sessions_per_user=1))
    ann, bob = User("ann"), User("bob")
    session = loop.run_until_complete(runtime.session("one", None, {}, ann))
    with pytest.raises(Full):
        loop.run_until_complete(runtime.session("two", None, {}, ann))
    with pytest.raises(Full):
        runtime.check_admission("two", "", identity(ann))
    loop.run_until_complete(runtime.session("three", None, {}, bob))
    loop.run_until_complete(runtime.session("four", None, {}))
    loop.run_until_complete(runtime.end(session))
    assert loop.run_until_complete(runtime.session("two", None, {}, ann)).id == "two"


def test_session_that_a_user_has_too_many_of_elsewhere_leaves_nothing_behind(loop: SkippingLoop) -> None:
    async def elsewhere(owner: str) -> set[tuple[str, str]]:
        return {("/app", "there")} if owner == identity(User("ann")) else set()

    runtime = runtime_of(loop, admission=Admission(max_sessions_per_user=1, elsewhere=elsewhere))
    with pytest.raises(Full, match="you have an open session here"):
        loop.run_until_complete(runtime.session("one", None, {}, User("ann")))
    assert not runtime._queues and not len(runtime.admission) and runtime.registry.building("one") is None


def test_document_that_was_filled_for_all_is_used_once(loop: SkippingLoop) -> None:
    built: list[Any] = []
    document = new_document("filled")
    runtime = runtime_of(loop, built.append, kind=partial(SingleSessionRuntime, snapshot=Snapshot(document, None)))
    first = loop.run_until_complete(runtime.session("one", None, {}))
    second = loop.run_until_complete(runtime.session("two", None, {}))
    assert first.document is document and built == [second.document]


def test_build_that_no_client_could_get_leaves_nothing_behind(loop: SkippingLoop) -> None:
    def build(document: Any) -> None:
        fill(document)
        document.roots[0].tags = [object()]

    runtime = runtime_of(loop, build, Admission(1))
    with pytest.raises(ApplicationError):
        loop.run_until_complete(runtime.session("one", None, {}))
    assert not runtime._queues and not len(runtime.admission)


def test_session_that_the_guest_does_not_take_leaves_nothing_behind(
    loop: SkippingLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[Any] = []

    class Refusing(Guest):
        def opened(self, session: LivingSession) -> None:
            raise LookupError("not this one")

        def ended(self, document: ServedDocument) -> None:
            ended.append(document)

    runtime = runtime_of(loop, admission=Admission(1))
    monkeypatch.setattr(LocalRuntime, "guest", Refusing())
    with pytest.raises(LookupError):
        loop.run_until_complete(runtime.session("one", None, {}))
    assert not runtime._queues and not len(runtime.admission) and len(ended) == 1
    monkeypatch.undo()
    assert loop.run_until_complete(runtime.session("one", None, {})).id == "one"
