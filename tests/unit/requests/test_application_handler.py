"""Which session a request may have: by tokens and ids, for the users whose they are."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from bokeh.models import Div

from app_server.apps.function import FunctionApplication
from app_server.apps.hooks import Hooks
from app_server.security import tokens
from tests.support.client import Answer
from tests.support.servers.inside import Inside, expired, inside, session_of

KEY = "k" * 40
ANN, BOB = {"X-User": "ann"}, {"X-User": "bob"}


def fill(document: Any) -> None:
    """The application's name."""
    document.add_root(Div(text="app"))


class Asking(FunctionApplication):
    """An application that notes what its hook is asked about, and adds something to the token."""

    def __init__(self) -> None:
        super().__init__("/asking", fill)
        self.asked: list[Any] = []

    @property
    def hooks(self) -> Hooks:
        return Hooks(process_request=self._look)

    def _look(self, request: Any) -> dict[str, Any]:
        self.asked.append(request)
        return {"level": request.arguments.get("level", [b"none"])[0].decode()}


@pytest.fixture(scope="module")
def state() -> Iterator[Inside]:
    """Sessions for everybody, with signed ids."""
    applications = {"/app": fill, "/asking": Asking()}
    with inside(applications, session_ids="signed", secret_key=KEY) as served:
        yield served


@pytest.fixture(scope="module")
def users() -> Iterator[Inside]:
    """Sessions for the user that the proxy names; every program on this machine is believed."""
    with inside(
        {"/app": fill}, auth_header="X-User", auth_header_from=("127.0.0.1",), session_ids="signed", secret_key=KEY
    ) as served:
        yield served


def refused(state: Inside, answer: Answer, fields: str, reason: str, before: int) -> None:
    """Assert that this answer refused a session with these words, and was counted by this reason."""
    assert answer.status == 403 and fields in answer.text
    assert state.server.state.runtimes[0].gauges.refused[reason] == before + 1


# Sessions for everybody


def test_page_of_a_token_is_that_of_its_session(state: Inside) -> None:
    first = state.get("/app")
    session = session_of(state, first.token)
    again = state.get(f"/app?bokeh-token={first.token}")
    assert again.status == 200 and again.token == first.token and session is not None
    by_id = state.get(f"/app?bokeh-session-id={session.id}")
    by_header = state.get("/app", headers={"Bokeh-Session-Id": session.id})
    assert session_of(state, by_id.token) is session_of(state, by_header.token) is session


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("bokeh-token={token}&bokeh-session-id={ident}", {}),
        ("bokeh-token={token}", {"Bokeh-Session-Id": "x"}),
        ("bokeh-session-id={ident}", {"Bokeh-Session-Id": "x"}),
    ],
)
def test_more_than_one_name_for_a_session_is_refused(state: Inside, query: str, headers: dict[str, str]) -> None:
    token = state.get("/app").token
    before = state.server.state.runtimes[0].gauges.refused["token"]
    ident = state.server.state.policy.read_token(token).session_id
    answer = state.get("/app?" + query.format(token=token, ident=ident), headers=headers)
    refused(state, answer, "More than one session id or token was given", "token", before)


@pytest.mark.parametrize("given", ["", "x", "x.y", "x" * 257])
@pytest.mark.parametrize("name", ["bokeh-token", "bokeh-session-id"])
def test_token_or_id_that_we_have_not_signed_is_refused(state: Inside, name: str, given: str) -> None:
    before = state.server.state.runtimes[0].gauges.refused["token"]
    count = state.server.state.process.session_count
    refused(state, state.get(f"/app?{name}={given}"), "Invalid token or session ID", "token", before)
    assert state.server.state.process.session_count == count


def test_token_that_has_expired_joins_a_living_session_and_builds_none(state: Inside) -> None:
    session = session_of(state, state.get("/app").token)
    assert session is not None
    living = state.get(f"/app?bokeh-token={expired(state, session.id)}")
    assert living.status == 200
    before = state.server.state.runtimes[0].gauges.refused["token"]
    refused(state, state.get(f"/app?bokeh-token={expired(state)}"), "Invalid token or session ID", "token", before)
    inherited = state.server.state.mint_session_id()
    state.server.state.process.inherited.add([inherited])
    assert state.get(f"/app?bokeh-token={expired(state, inherited)}").status == 200


def test_token_of_another_server_of_the_same_key_builds_its_session_as_its_page_was(state: Inside) -> None:
    payload = {"headers": {"X-Page": "yes"}, "cookies": {}, "arguments": {"a": [b"1"]}, "level": "kept"}
    token = tokens.mint_token(
        state.server.state.policy.signer,
        state.server.state.mint_session_id(),
        expires_at=int(time.time()) + 60,
        payload=payload,
    )
    assert state.get(f"/asking?bokeh-token={token}&b=2").token == token
    session = session_of(state, token, 1)
    assert session is not None and session.context.request is not None
    assert dict(session.context.request.headers) == {"X-Page": "yes"}
    assert session.context.request.arguments == {"a": [b"1"]}
    assert session.context.token_payload["level"] == "kept"


def test_hook_sees_the_arguments_and_its_words_come_with_the_session(state: Inside) -> None:
    application: Any = state.server.state.runtimes[1].application
    before = len(application.asked)
    session = session_of(state, state.get("/asking?level=high&bokeh-absolute-url=x").token, 1)
    assert session is not None and session.context.token_payload["level"] == "high"
    assert session.context.token_payload["arguments"] == {"level": [b"high"]}
    assert session.context.token_payload["session_expiry"] > time.time()
    assert len(application.asked) == before + 1


def test_unsigned_token_is_not_believed_what_its_page_was() -> None:
    application = Asking()
    with inside({"/asking": application}) as served:
        state = served.server.state
        ident = tokens.mint_session_id(state.policy.signer)
        foreign = tokens.Signer(None, signed=False, seal=b"other")
        payload = {"headers": {"X-Page": "forged"}, "cookies": {}, "arguments": {"level": [b"mine"]}}
        token = tokens.mint_token(foreign, ident, expires_at=int(time.time()) + 60, payload=payload)
        assert served.get(f"/asking?bokeh-token={token}", headers={"X-Page": "real"}).status == 200
        session = session_of(served, token)
    assert session is not None and session.context.request is not None
    assert session.context.request.headers["X-Page"] == "real"
    assert session.context.token_payload["level"] == "mine", "a browser may say what it wants of its own address"


def test_ids_that_others_make_have_to_be_given() -> None:
    with inside({"/app": fill}, session_ids="external-signed", secret_key=KEY) as served:
        before = served.server.state.runtimes[0].gauges.refused["token"]
        refused(served, served.get("/app"), "No bokeh-session-id provided", "token", before)
        ident = served.server.state.mint_session_id()
        assert served.get(f"/app?bokeh-session-id={ident}").status == 200


# Sessions of users


def test_user_is_who_the_application_sees(users: Inside) -> None:
    session = session_of(users, users.get("/app", headers=ANN).token)
    assert session is not None and str(session.context.user) == "ann"


def test_stranger_is_turned_away(users: Inside) -> None:
    before = users.server.state.runtimes[0].gauges.refused["login"]
    refused(users, users.get("/app"), "You are not logged in", "login", before)
    assert users.get("/app/autoload.js?bokeh-autoload-element=x").status == 403


@pytest.mark.parametrize("by", ["bokeh-token", "bokeh-session-id"])
def test_session_of_another_user_is_refused(users: Inside, by: str, caplog: pytest.LogCaptureFixture) -> None:
    token = users.get("/app", headers=ANN).token
    ident = users.server.state.policy.read_token(token).session_id
    given = token if by == "bokeh-token" else ident
    before = users.server.state.runtimes[0].gauges.refused["owner"]
    answer = users.get(f"/app?{by}={given}", headers=BOB)
    refused(users, answer, "This session belongs to another user", "owner", before)
    what = "/app: refused 127.0.0.1 the token" if by == "bokeh-token" else f"/app session {ident[:8]}…: refused 127"
    assert len(caplog.messages) == 1 and caplog.messages[0].startswith(what)
    assert users.get(f"/app?{by}={given}", headers=ANN).status == 200


def test_token_of_another_user_builds_nothing_either(users: Inside) -> None:
    state = users.server.state
    ident = state.mint_session_id()
    mark = tokens.owner_mark(state.policy.signer, "header\n\nann")
    token = tokens.mint_token(state.policy.signer, ident, expires_at=int(time.time()) + 60, owner=mark)
    assert users.get(f"/app?bokeh-token={token}", headers=BOB).status == 403
    assert state.runtimes[0].registry.get(ident) is None
    assert users.get(f"/app?bokeh-token={token}", headers=ANN).status == 200


# What a request names before anybody knows whether it may have it


def test_request_waits_for_what_changed_files_bring(state: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []

    async def look() -> None:
        looked.append(1)

    monkeypatch.setattr(state.server.state.process, "look_for_changes", look)
    assert state.get("/app").status == 200 and looked == [1]


def test_handler_that_raises_what_is_no_exception_answers_all_the_same(
    state: Inside, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def leave() -> None:
        raise SystemExit(1)

    monkeypatch.setattr(state.server.state.process, "look_for_changes", leave)
    answer = state.get("/app")
    assert answer.status == 500 and "Something went wrong on the server" in answer.text
    assert "\nSystemExit: 1" in caplog.text
