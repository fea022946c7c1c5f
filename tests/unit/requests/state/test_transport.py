"""What differs between servers that listen themselves and those that another program listens for."""

from __future__ import annotations

from app_server.http.auth_backend import AuthBackend
from app_server.requests.state.policy import Policy
from app_server.requests.state.transport import TORNADO, Transport
from app_server.server.runtimes import policy_for
from app_server.settings import Settings
from app_server.websocket.raw_socket import RawSocket


def test_sockets_are_taken_over_from_tornado_unless_another_program_listens() -> None:
    assert TORNADO.new_socket is RawSocket and not TORNADO.same_host


def test_own_pages_are_those_of_the_address_that_was_asked_for_if_another_program_listens() -> None:
    elsewhere = policy_for(Settings(), 5006, None, Transport(same_host=True)).origins
    assert elsewhere.allows("http://example.com:8000", "example.com:8000")
    assert not elsewhere.allows("http://localhost:5006", "example.com:8000")
    here = policy_for(Settings(), 5006).origins
    assert here.allows("http://localhost:5006", "x") and not here.allows("http://example.com:8000", "example.com:8000")
    named = Policy.of(Settings(allow_websocket_origin=("a.example",)), AuthBackend(), 0, same_host=True).origins
    assert named.allows("http://a.example", "b.example") and not named.allows("http://b.example", "b.example")


def test_session_of_no_one_in_particular_bears_no_mark() -> None:
    class Half(AuthBackend):
        open = False

        def owner(self, user: str) -> str | None:
            return user or None

    policy = Policy.of(Settings(), Half(), 5006)
    assert policy.owner_mark("") is None and policy.owner_mark("ann") != policy.owner_mark("bob")
    assert policy.read_token(policy.mint_token("x" * 44, policy.token_expiry_s(), {}, "")).owner is None
