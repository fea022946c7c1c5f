from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app_server.document.served import new_document
from app_server.security.visible_request import VisibleRequest
from app_server.session.context import ApplicationContext, SessionContext
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
