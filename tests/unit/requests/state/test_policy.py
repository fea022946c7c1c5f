"""What a server allows, and the tokens that it signs."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pytest

from app_server.errors import PeerError
from app_server.http.auth_backend import AuthBackend
from app_server.requests.state.policy import Policy, own_hosts
from app_server.security.auth.users import User
from app_server.settings import Settings


class Closed(AuthBackend):
    """Users have to log in."""

    open = False


def policy_of(auth: AuthBackend | None = None, **settings: Any) -> Policy:
    """The policy of these settings at port 5006."""
    return Policy.of(Settings(**settings), auth or AuthBackend(), 5006)


@pytest.mark.parametrize(
    ("address", "names"),
    [
        (None, ["localhost", "127.0.0.1", "[::1]"]),
        ("0.0.0.0", ["localhost", "127.0.0.1", "[::1]"]),
        ("::", ["localhost", "127.0.0.1", "[::1]"]),
        ("192.0.2.1", ["localhost", "127.0.0.1", "[::1]", "192.0.2.1"]),
        ("2001:db8::1", ["localhost", "127.0.0.1", "[::1]", "[2001:db8::1]"]),
    ],
)
def test_own_pages_are_those_of_this_machine(address: str | None, names: list[str]) -> None:
    assert own_hosts(address, 5006) == tuple(f"{name}:5006" for name in names)


def test_origins_are_our_own_those_of_the_settings_or_any(tmp_path: Path) -> None:
    own, given = policy_of(), policy_of(allow_websocket_origin=("x.example",))
    behind = policy_of(unix_socket=str(tmp_path / "s"))
    assert own.origins.allows("http://localhost:5006") and not own.origins.allows("http://x.example")
    assert given.origins.allows("https://x.example") and not given.origins.allows("http://localhost:5006")
    assert behind.origins.allows("https://anything.example")


@pytest.mark.parametrize(
    ("settings", "carried"),
    [
        ({}, {}),
        ({"route": "west"}, {"headers": {"X": "1"}, "arguments": {"b": ["2"]}}),
        ({"token_payload": "never", "route": "west"}, {}),
        ({"token_payload": "always"}, {"headers": {"X": "1"}, "arguments": {"b": ["2"]}}),
    ],
)
def test_token_carries_the_request_if_another_instance_may_need_it(
    settings: dict[str, Any], carried: dict[str, Any]
) -> None:
    policy = policy_of(**settings)
    payload = {"headers": {"X": "1"}, "arguments": {"b": ["2"]}, "session_expiry": 5}
    token = policy.read_token(policy.mint_token("one", policy.token_expiry_s(), payload, None))
    assert {name: value for name, value in token.payload.items() if name in carried or name == "headers"} == carried
    assert token.session_id == "one" and token.owner is None


def test_small_token_carries_the_arguments_that_its_socket_will_not_repeat() -> None:
    policy = policy_of()
    token = policy.read_token(policy.mint_token("one", policy.token_expiry_s(), {}, None, {"a": [b"1"]}))
    assert token.payload["arguments"] == {"a": [b"1"]}
    never = policy_of(token_payload="never")
    assert "arguments" not in never.read_token(never.mint_token("one", 2**31, {}, None, {"a": [b"1"]})).payload


def test_arguments_that_are_too_long_stay_at_home(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    policy = policy_of()
    arguments = {"a": [os.urandom(60_000)]}
    token = policy.mint_token("one", policy.token_expiry_s(), {}, None, arguments)
    assert len(token) < 500 and "The arguments of a page are too long for its token" in caplog.messages


def test_token_of_a_user_bears_a_mark_that_is_hers_alone() -> None:
    policy = policy_of(Closed(), secret_key="k" * 40)
    mark = policy.read_token(policy.mint_token("one", 2**31, {}, User("ann"))).owner
    assert mark is not None and "ann" not in mark
    assert policy.is_owner_mark(User("ann"), mark) and not policy.is_owner_mark(User("bob"), mark)


def test_forged_token_is_a_fault_of_its_sender() -> None:
    signed, other = (policy_of(session_ids="signed", secret_key=key * 40) for key in "ko")
    with pytest.raises(PeerError):
        signed.read_token(other.mint_token("one", 2**31, {}, None))


def test_token_of_the_key_before_is_good_until_it_is_gone() -> None:
    old = policy_of(session_ids="signed", secret_key="o" * 40)
    both = policy_of(session_ids="signed", secret_key="n" * 40 + "\n" + "o" * 40)
    ident = old.mint_session_id()
    assert both.read_token(old.mint_token(ident, 2**31, {}, None)).session_id == ident
    with pytest.raises(PeerError):
        old.read_token(both.mint_token(ident, 2**31, {}, None))


def test_socket_comes_back_to_an_instance_that_has_a_route() -> None:
    plain, routed = policy_of(prefix="/p"), policy_of(prefix="/p", route="west")
    assert plain.routed("/x") == "/x" and plain.socket_path("/a") is None
    assert routed.routed("/x") == "/_i/west/x" and routed.socket_path("/a") == "/_i/west/p/a"
    assert routed.socket_path("/") == "/_i/west/p"
