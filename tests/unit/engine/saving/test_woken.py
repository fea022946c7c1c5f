"""Whose a saved session is, and what its application was built with."""

from __future__ import annotations

from typing import Any

import pytest
from bokeh.models import Slider

from app_server.document import engine
from app_server.document.saving.whole import skeleton
from app_server.document.served import ServedDocument, new_document
from app_server.engine.saving.plain import NotPlain
from app_server.engine.saving.woken import Woken, opening_fields, read_opening
from app_server.security.auth.users import User
from app_server.security.visible_request import VisibleRequest
from app_server.session.context import ApplicationContext, SessionContext

engine.install()

REQUEST = VisibleRequest(path="/app", arguments={"a": [b"\xff"]}, headers={"Accept": "x"}, cookies={"c": "1"})


def context_of(user: Any = None, payload: Any = None) -> tuple[SessionContext, ServedDocument]:
    document = new_document("one")
    with document.at_work():
        document.add_root(Slider(start=0, end=1, value=0))
    server = ApplicationContext("/app", list).server_context
    return SessionContext("one", server, document, REQUEST, payload or {}, None, user), document


def test_opening_is_read_as_it_was_written() -> None:
    payload = {**REQUEST.payload(), "session_expiry": 9, "raw": b"\0"}
    context, document = context_of(User("ann"), payload)
    fields = opening_fields(context, "/app", document, "digest")
    assert set(fields["payload"]) == {"session_expiry", "raw"}, "what the request says is saved once"
    found = read_opening(fields, "/app", "one")
    assert (found.request, found.user, found.payload) == (REQUEST, User("ann"), payload)
    assert (found.skeleton, found.tag, found.sources) == (skeleton(document), document.ids.tag, "digest")
    assert found.begun_s == context.begun_s


def test_copy_is_a_session_that_begins_when_it_is_opened() -> None:
    context, document = context_of(User("ann"))
    opening = read_opening(opening_fields(context, "/app", document, "digest"), "/app", "one")
    copy = Woken(None, None, opening).for_visitor(REQUEST, {}, User("bob"))
    assert copy.opening is not None and copy.opening.begun_s is None


def test_journal_that_does_not_say_when_its_session_began_is_read_all_the_same() -> None:
    context, document = context_of()
    fields = opening_fields(context, "/app", document, "digest")
    del fields["begun_s"]
    assert read_opening(fields, "/app", "one").begun_s is None


@pytest.mark.parametrize(("url", "session_id"), [("/other", "one"), ("/app", "two")])
def test_journal_under_another_name_is_not_taken(url: str, session_id: str) -> None:
    context, document = context_of()
    with pytest.raises(ValueError, match="another session's"):
        read_opening(opening_fields(context, "/app", document, "digest"), url, session_id)


@pytest.mark.parametrize("broken", ["request", "payload", "user", "skeleton", "tag", "application"])
def test_opening_without_one_of_its_fields_is_refused(broken: str) -> None:
    context, document = context_of()
    fields = opening_fields(context, "/app", document, "digest")
    del fields[broken]
    with pytest.raises((KeyError, TypeError, ValueError)):
        read_opening(fields, "/app", "one")


def test_what_could_not_be_given_back_is_named() -> None:
    context, document = context_of(user=("ann", 7))
    with pytest.raises(NotPlain, match=r"its user is not made of plain values: it would come back as another value"):
        opening_fields(context, "/app", document, "digest")
    context, document = context_of(payload={"row": object()})
    with pytest.raises(NotPlain, match="what process_request returned is not made of plain values"):
        opening_fields(context, "/app", document, "digest")
