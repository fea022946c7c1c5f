"""Logging in with GitHub: groups, access tokens for applications, and their renewal in all processes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from tests.protocol.conftest import Served, apps, serving
from tests.support.client import Client
from tests.support.clients.visitor import Visitor
from tests.support.ports import free_port
from tests.support.server import running_process
from tests.support.servers.oauth_provider import CLIENT_ID, CLIENT_SECRET
from tests.support.waiting import until

LIFETIME_S = 6
"""Of access tokens: they are renewed after half of it."""

MODES = {"several processes": "--num-procs 2", "isolated sessions": "--isolation process"}
_numbers = count(1)


@pytest.fixture(scope="module", params=MODES.values(), ids=MODES)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Served, str, Path]]:
    """A server, the address of its GitHub, and the folder of its saved sessions."""
    port, provider_port = free_port(), free_port()
    github, folder = f"http://localhost:{provider_port}", tmp_path_factory.mktemp("store")
    flags = ["--port", str(port), "--oauth-provider", "github", "--oauth-url", github, "--oauth-client-id", CLIENT_ID]
    flags += ["--access", "/bearer=group:acme", "--access-tokens", "--store", str(folder), *request.param.split()]
    environment = {
        "BOKEH_COOKIE_SECRET": "another secret of forty-four letters, or so.",
        "APP_SERVER_OAUTH_CLIENT_SECRET": CLIENT_SECRET,
    }
    command = [sys.executable, "-m", "tests.support.servers.oauth_provider", str(provider_port)]
    with ExitStack() as stack:
        callback = f"http://localhost:{port}/login/callback"
        stack.enter_context(running_process([*command, callback, str(LIFETIME_S)], github))
        yield stack.enter_context(serving(*apps("bearer.py", "knowing.py"), *flags, env=environment)), github, folder


def enter(served: Served, user: str) -> Visitor:
    """A visitor who has logged in at GitHub as this user."""
    visitor = Visitor(served.process.url)
    authorize = visitor.ask(visitor.ask("/bearer").headers["location"]).headers["location"]
    answer = visitor.ask(Visitor(authorize).post(authorize, user=user).headers["location"])
    assert (answer.status, answer.headers["location"]) == (303, "/bearer")
    return visitor


def token_of(client: Client) -> str:
    """The access token that the application has now."""
    number = next(_numbers)
    client.set("ask", "value", number)
    client.wait_for(lambda: client.value("token", "text").startswith(f"{number} "))
    return str(client.value("token", "text")).partition(" ")[2]


def whose(github: str, token: str) -> str:
    """Whose this token is, as GitHub says; "" if it is not good."""
    return Visitor(github, headers={"Authorization": f"Bearer {token}"}).ask("/whose").text


def test_groups_of_github_decide_who_may_open_what(served: tuple[Served, str, Path]) -> None:
    site, _, _ = served
    ann, bob = enter(site, "ann"), enter(site, "bob")
    assert ann.ask("/bearer").status == 200
    assert bob.ask("/bearer").status == 403 and bob.ask("/knowing").status == 200


def test_application_has_a_token_that_stays_valid(served: tuple[Served, str, Path]) -> None:
    site, github, folder = served
    ann = enter(site, "ann")
    with ann.client("/bearer") as one, ann.client("/bearer") as two, ann.client("/bearer") as three:
        assert one.value("at_build", "text") == "yes"
        for _ in range(2):  # it is renewed twice
            before = token_of(one)
            assert whose(github, before) == "ann"
            until(lambda before=before: token_of(one) not in ("", before))  # type: ignore[misc]
            for client in (one, two, three):
                assert whose(github, token_of(client)) == "ann"
    page = ann.ask("/bearer")  # with what was renewed meanwhile
    assert page.status == 200 and any("app_server_tokens" in line for line in ann.set_cookies)
    assert all("HttpOnly" in line for line in ann.set_cookies)
    places = page.text + ann.cookie_header + site.process.log_text()
    assert "gho_" not in places and "ghr_" not in places
    saved = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert saved and b"ghr_" not in saved  # the application itself has shown the others
    assert ann.seen("/knowing")["cookies"] == []


def test_login_whose_tokens_are_gone_is_asked_for_again(served: tuple[Served, str, Path]) -> None:
    site, _, _ = served
    ann = enter(site, "ann")
    tokens = {name: ann.cookies.pop(name) for name in list(ann.cookies) if name.startswith("app_server_tokens")}
    assert ann.ask("/logout").status == 200 and tokens
    bob = enter(site, "bob")
    bob.cookies |= tokens
    assert bob.ask("/knowing").status == 200  # ann's tokens are not bob's


def test_logging_out_takes_the_tokens_away(served: tuple[Served, str, Path]) -> None:
    site, _, _ = served
    ann = enter(site, "ann")
    with ann.client("/bearer") as client:
        ann.ask("/logout")
        assert client.close_code() is not None
    assert not any(name.startswith("app_server_tokens") for name in ann.cookies)
    assert ann.ask("/bearer").status == 302
