"""The session that a request is for, by its token or id."""

from __future__ import annotations

import time
from typing import Any

import pytest

from app_server.http.auth_backend import AuthBackend
from app_server.observe.gauges import Gauges
from app_server.requests.dispatch.opening import Opening, read_opening, read_token_opening
from app_server.requests.state.pages import Pages
from app_server.requests.state.policy import Policy
from app_server.requests.state.process import ProcessState
from app_server.requests.state.server_state import ServerState
from app_server.security import tokens
from app_server.security.admission import Admission
from app_server.settings import Settings

KEY = "k" * 40


def state_of(**given: Any) -> ServerState:
    """The state of a server without applications."""
    settings = Settings(**given)
    process = ProcessState([], Gauges(), Admission())
    return ServerState(Policy.of(settings, AuthBackend(), 5006), process, Pages(settings, []))


def token_of(state: ServerState, session_id: str, lasts_s: int = 60) -> str:
    """A token of this session, good for so many seconds."""
    return tokens.mint_token(state.policy.signer, session_id, expires_at=int(time.time()) + lasts_s)


def test_request_without_a_name_is_for_a_new_session_unless_others_make_the_ids() -> None:
    assert read_opening(state_of(), None, []) == Opening()
    external = state_of(session_ids="external-signed", secret_key=KEY)
    assert read_opening(external, None, []) == Opening(refusal="No bokeh-session-id provided")


@pytest.mark.parametrize(("token", "ids"), [("x", ["y"]), (None, ["x", "y"]), ("x", ["y", "z"])])
def test_more_than_one_name_is_refused_unread(token: str | None, ids: list[str]) -> None:
    opening = read_opening(state_of(), token, ids)
    assert opening == Opening(refusal="More than one session id or token was given")


def test_token_says_which_session_and_whether_it_may_be_built() -> None:
    state = state_of(session_ids="signed", secret_key=KEY)
    ident = state.mint_session_id()
    fresh = read_opening(state, token_of(state, ident), [])
    assert (fresh.session_id, fresh.may_build, fresh.refusal, fresh.error) == (ident, True, "", None)
    assert fresh.token is not None and fresh.token.session_id == ident
    late = read_token_opening(state, token_of(state, ident, -1))
    assert late.session_id == ident and not late.may_build
    state.process.inherited.add([ident])
    assert read_token_opening(state, token_of(state, ident, -1)).may_build


def test_token_that_is_not_ours_names_no_session_and_says_why() -> None:
    state = state_of(session_ids="signed", secret_key=KEY)
    opening = read_token_opening(state, "nonsense")
    assert (opening.session_id, opening.token) == (None, None)
    assert opening.refusal == "Invalid token or session ID" and opening.error is not None


@pytest.mark.parametrize(("given", "named"), [("", None), ("x", "x"), ("x.y", "x.y"), ("x" * 257, "x" * 257)])
def test_id_that_we_have_not_signed_is_refused(given: str, named: str | None) -> None:
    opening = read_opening(state_of(session_ids="signed", secret_key=KEY), None, [given])
    assert opening.session_id == named and opening.refusal == "Invalid token or session ID"
    assert str(opening.error) == "the signature of a session id is wrong"


def test_id_that_we_have_signed_names_its_session() -> None:
    state = state_of(session_ids="signed", secret_key=KEY)
    ident = state.mint_session_id()
    assert read_opening(state, None, [ident]) == Opening(ident)
