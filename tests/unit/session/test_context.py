from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from app_server.document.served import ServedDocument, new_document
from app_server.errors import ApplicationError
from app_server.security.visible_request import VisibleRequest
from app_server.session.context import ApplicationContext, SessionContext, isolated_context
from app_server.session.session import Session
from tests.unit.session.making import make_session


async def reached(session: Session, runs: list[Any]) -> None:
    """As the runtime, which takes a turn for it."""

    async def locked_call(function: Any) -> None:
        function(session.document)

    session.context.attach(session, locked_call)
    await session.context.with_locked_document(runs.append)


def test_locked_document_is_given_while_the_session_lives_and_its_hooks_run() -> None:
    session, runs = make_session(), list[Any]()
    asyncio.run(reached(session, runs))
    session.begin_end()
    asyncio.run(reached(session, runs))
    assert runs == [session.document, session.document]


def test_locked_document_of_an_ended_session_is_given_to_nobody() -> None:
    session, runs = make_session(), list[Any]()
    session.begin_end()
    session.end()
    asyncio.run(reached(session, runs))
    assert runs == []


@pytest.mark.parametrize("built", [True, False])
def test_locked_document_is_given_while_it_is_built_and_not_after_that_has_failed(built: bool) -> None:
    document, runs = new_document("session-one"), list[Any]()
    application = ApplicationContext("/app", list)
    context = SessionContext("session-one", application.server_context, document, VisibleRequest(), {})
    if not built:
        document.destroy()
    asyncio.run(context.with_locked_document(runs.append))
    assert runs == ([document] if built else [])


class Ended:
    """As much of a session as its context asks for."""

    destroyed = False


def context_of(document: ServedDocument, application: ApplicationContext, **fields: Any) -> SessionContext:
    request = VisibleRequest(path="/app")
    return SessionContext("session-one", application.server_context, document, request, {"a": 1}, **fields)


def test_application_may_see_what_its_session_was_opened_with() -> None:
    document, application = new_document("session-one"), ApplicationContext("/app", list)
    context = context_of(document, application, logout_url="/logout", user="ann")
    assert context.document is document
    assert (context.id, context.token_payload, context.logout_url, context.user) == (
        "session-one", {"a": 1}, "/logout", "ann",
    )  # fmt: skip
    assert context.request == VisibleRequest(path="/app")
    assert context.server_context is application.server_context
    bare = context_of(document, application)
    assert (bare.logout_url, bare.user) == (None, None)


def test_context_knows_its_session_once_that_is_built() -> None:
    async def locked_call(function: Any) -> None:
        """Runs nothing."""

    application = ApplicationContext("/app", list)
    context, session = context_of(new_document("session-one"), application), Ended()
    assert context.session is None and context.destroyed is False
    context.attach(session, locked_call)
    assert context.session is session and context.destroyed is False
    session.destroyed = True
    assert context.destroyed is True


def test_application_knows_its_path_and_its_living_sessions() -> None:
    living = ["one"]
    application = ApplicationContext("/app", lambda: living)
    assert application.url == "/app"
    assert application.server_context.application_context is application
    found = application.server_context.sessions
    living.append("two")
    assert found == ["one"] and application.sessions == ["one", "two"]


def test_application_whose_sessions_are_apart_has_none_here() -> None:
    application = isolated_context("/app")
    for context in (application, application.server_context):
        with pytest.raises(ApplicationError) as caught:
            _ = context.sessions
        assert str(caught.value) == (
            "/app: server_context.sessions is not available: each session has a process of its own. Keep what sessions"
            " share in a file, a database or Redis, or serve with --isolation none"
        )


def test_hooks_that_outlive_their_application_find_no_sessions() -> None:
    application = ApplicationContext("/app", list)
    hooks = application.server_context
    del application
    gc.collect()
    assert hooks.application_context is None and hooks.sessions == []


@pytest.mark.parametrize("attached", [True, False])
async def test_coroutine_that_is_given_the_locked_document_is_awaited(attached: bool) -> None:
    document, done = new_document("session-one"), list[Any]()
    context = context_of(document, ApplicationContext("/app", list))

    async def use(given: ServedDocument) -> None:
        await asyncio.sleep(0)
        done.append(given)

    async def locked_call(function: Any) -> None:
        await function(document)

    if attached:
        context.attach(Ended(), locked_call)
    await context.with_locked_document(use)
    assert done == [document]


async def test_document_that_has_ended_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "app_server")
    document = new_document("session-one")
    context = context_of(document, ApplicationContext("/app", list))
    document.destroy()
    await context.with_locked_document(lambda document: pytest.fail("ran"))
    assert caplog.messages == ["The session session-… has ended: with_locked_document runs nothing"]


async def test_document_is_locked_by_the_runtime_once_the_session_is_built() -> None:
    locked: list[Any] = []

    async def locked_call(function: Any) -> None:
        locked.append(function)

    context = context_of(new_document("session-one"), ApplicationContext("/app", list))
    context.attach(Ended(), locked_call)
    await context.with_locked_document(print)
    assert locked == [print]
