"""What the handlers know of the site: its keys, tokens, origins, pages, and whether there is room."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app_server.apps import application_from_function
from app_server.errors import ApplicationError, OperatorError, PeerError
from app_server.http.auth_backend import AuthBackend
from app_server.requests.state import ServerState, own_hosts
from app_server.security.auth.users import User
from app_server.settings import Settings
from tests.support.clock import SkippingLoop, skipping_loop


class Closed(AuthBackend):
    """A gate with users."""

    open = False


@pytest.fixture
def loop() -> Iterator[SkippingLoop]:
    with skipping_loop() as made:
        yield made


def site_of(loop: SkippingLoop, auth: AuthBackend | None = None, **settings: Any) -> ServerState:
    """The site of two applications."""
    applications = {route: application_from_function(lambda document: None) for route in ("/a", "/b%20c")}
    return ServerState(applications, Settings(**settings), auth or AuthBackend(), loop)


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


def test_origins_are_our_own_those_of_the_settings_or_any(loop: SkippingLoop, tmp_path: Path) -> None:
    own, given = site_of(loop), site_of(loop, allow_websocket_origin=("x.example",))
    behind = site_of(loop, unix_socket=str(tmp_path / "s"))
    for state in (own, given, behind):
        state.know_address(5006)
    assert own.origins.allows("http://localhost:5006") and not own.origins.allows("http://x.example")
    assert given.origins.allows("https://x.example") and not given.origins.allows("http://localhost:5006")
    assert behind.origins.allows("https://anything.example")


def test_refused_origin_is_said_once_and_not_for_ever(loop: SkippingLoop, caplog: pytest.LogCaptureFixture) -> None:
    state = site_of(loop)
    for origin in ("https://x.example", "https://x.example", None, "https://y.example\x1b[31m" + "z" * 500):
        state.report_refused_origin(origin)
    hint = "If it is yours, start with --allow-websocket-origin="
    assert caplog.messages[0] == f"Refused a page of origin 'https://x.example'. {hint}x.example"
    assert len(caplog.messages) == 2 and "\x1b" not in caplog.messages[1] and len(caplog.messages[1]) < 600
    for number in range(2000):
        state.report_refused_origin(f"https://{number}.example")
    assert len(caplog.messages) < 1100


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
    loop: SkippingLoop, settings: dict[str, Any], carried: dict[str, Any]
) -> None:
    state = site_of(loop, **settings)
    payload = {"headers": {"X": "1"}, "arguments": {"b": ["2"]}, "session_expiry": 5}
    token = state.read_token(state.mint_token("one", state.token_expiry_s(), payload, None))
    assert {name: value for name, value in token.payload.items() if name in carried or name == "headers"} == carried
    assert token.session_id == "one" and token.owner is None


def test_small_token_carries_the_arguments_that_its_socket_will_not_repeat(loop: SkippingLoop) -> None:
    state = site_of(loop)
    token = state.read_token(state.mint_token("one", state.token_expiry_s(), {}, None, {"a": [b"1"]}))
    assert token.payload["arguments"] == {"a": [b"1"]}
    never = site_of(loop, token_payload="never")
    assert "arguments" not in never.read_token(never.mint_token("one", 2**31, {}, None, {"a": [b"1"]})).payload


def test_arguments_that_are_too_long_stay_at_home(loop: SkippingLoop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    state = site_of(loop)
    arguments = {"a": [os.urandom(60_000)]}
    token = state.mint_token("one", state.token_expiry_s(), {}, None, arguments)
    assert len(token) < 500 and "The arguments of a page are too long for its token" in caplog.messages


def test_token_of_a_user_bears_a_mark_that_is_hers_alone(loop: SkippingLoop) -> None:
    state = site_of(loop, Closed(), secret_key="k" * 40)
    mark = state.read_token(state.mint_token("one", 2**31, {}, User("ann"))).owner
    assert mark is not None and "ann" not in mark
    assert state.is_owner_mark(User("ann"), mark) and not state.is_owner_mark(User("bob"), mark)


def test_forged_token_is_a_fault_of_its_sender(loop: SkippingLoop) -> None:
    signed, other = (site_of(loop, session_ids="signed", secret_key=key * 40) for key in "ko")
    with pytest.raises(PeerError):
        signed.read_token(other.mint_token("one", 2**31, {}, None))


def test_token_of_the_key_before_is_good_until_it_is_gone(loop: SkippingLoop) -> None:
    old = site_of(loop, session_ids="signed", secret_key="o" * 40)
    both = site_of(loop, session_ids="signed", secret_key="n" * 40 + "\n" + "o" * 40)
    ident = old.mint_session_id()
    assert both.read_token(old.mint_token(ident, 2**31, {}, None)).session_id == ident
    with pytest.raises(PeerError):
        old.read_token(both.mint_token(ident, 2**31, {}, None))


def test_only_session_of_a_process_may_always_be_built(loop: SkippingLoop) -> None:
    state = site_of(loop)
    late = state.read_token(state.mint_token("one", 5, {}, None))
    assert not state.may_build(late)
    state.inherited.add(["one"])
    assert state.may_build(late)
    only = site_of(loop)
    only.only_session = "one"
    assert only.may_build(late) and only.mint_session_id() == "one"


def test_there_is_room_until_it_drains_is_full_or_is_replaced(loop: SkippingLoop) -> None:
    state = site_of(loop, max_sessions=1)
    assert state.has_room
    state.admission.enter("x", "")
    assert not state.has_room
    state.admission.leave("x")
    state.draining = True
    assert not state.has_room
    state.draining = False
    state.workers = SimpleNamespace(superseded=True)  # type: ignore[assignment]
    assert not state.has_room and state.session_count == 0


def test_sessions_are_known_while_they_are_built_and_live(loop: SkippingLoop) -> None:
    state = site_of(loop)
    build = state.runtimes[1].registry.begin("one")
    assert state.knows("one") and not state.knows("two")
    state.runtimes[1].registry.fail(build, ValueError())
    loop.run_until_complete(state.runtimes[0].session("two", None, {}))
    assert state.knows("two") and not state.knows("one") and state.session_count == 1


def test_socket_comes_back_to_an_instance_that_has_a_route(loop: SkippingLoop) -> None:
    plain, routed = site_of(loop, prefix="/p"), site_of(loop, prefix="/p", route="west")
    assert plain.routed("/x") == "/x" and plain.socket_path("/a") is None
    assert routed.routed("/x") == "/_i/west/x" and routed.socket_path("/a") == "/_i/west/p/a"
    assert routed.socket_path("/") == "/_i/west/p"


def test_page_of_a_failure_has_its_reason_in_development_only(loop: SkippingLoop) -> None:
    error = ApplicationError("app.py:3: it broke")
    error.__cause__ = ValueError("the cause")
    shown = site_of(loop).failure_page(error)
    assert "The application failed to start" in shown and "it broke" not in shown
    developing = site_of(loop, dev=True).failure_page(error)
    assert "it broke" in developing and "ValueError: the cause" in developing


def test_index_names_applications_as_people_read_them(loop: SkippingLoop) -> None:
    html = site_of(loop, prefix="/p").index_html({})
    assert 'href="/p/b%20c"' in html and "<strong>B c</strong>" in html


def test_icon_that_cannot_be_read_is_named(loop: SkippingLoop, tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as caught:
        site_of(loop, ico_path=str(tmp_path / "x.ico"))
    assert str(caught.value) == f"--ico-path: {tmp_path / 'x.ico'} cannot be read: No such file or directory"
