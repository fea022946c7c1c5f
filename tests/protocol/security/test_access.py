"""Who may open which application: the rules of --access, at every address of an application."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from app_server.security.auth.passwords import Cost, hash_password
from tests.protocol.conftest import Served, apps, serving
from tests.support.client import Client
from tests.support.clients.visitor import Visitor

ENVIRONMENT = {"BOKEH_COOKIE_SECRET": "another secret of forty-four letters, or so."}
GROUPS = {"ann": ":staff,analysts", "bob": "", "cyd": ":staff"}
HASHES = {name: hash_password(name * 4, cost=Cost(2, 1, 1)) for name in GROUPS}


def write(path: Path, **groups: str) -> Path:
    """The password file, with these groups in place of the usual ones."""
    path.write_text("".join(f"{name}:{HASHES[name]}{column}\n" for name, column in {**GROUPS, **groups}.items()))
    path.chmod(0o600)
    return path


@pytest.fixture(scope="module")
def users_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("users") / "users")


@pytest.fixture(scope="module", params=["--num-procs 2", "--isolation process"])
def served(
    request: pytest.FixtureRequest, users_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    rules = ["--access", "/board=group:analysts", "--access", "board=user:dot", "--access-contact", "Mia, room 12"]
    flags = [*request.param.split(), "--store", tmp_path_factory.mktemp("store")]
    environment = {**ENVIRONMENT, "BOKEH_SECRET_KEY": "k" * 44}
    flags += ["--basic-auth", users_file]
    with serving(*apps("board.py", "asking.py"), *rules, *flags, env=environment) as started:
        yield started


def enter(served: Served, name: str) -> Visitor:
    visitor = Visitor(served.process.url)
    assert visitor.log_in(name, name * 4).status == 303
    return visitor


def refused(visitor: Visitor, token: str) -> tuple[int, str]:
    """The status and the text that refuse the socket's handshake."""
    with pytest.raises(InvalidStatus) as caught:
        with visitor.client("/board", token):
            pass
    return caught.value.response.status_code, (caught.value.response.body or b"").decode()


def test_rules_are_checked_at_every_address(served: Served) -> None:
    ann, bob = enter(served, "ann"), enter(served, "bob")
    with ann.client("/board") as client:
        assert client.pull().msgtype == "PULL-DOC-REPLY"
    token = ann.ask("/board").token
    for path in ("/board", "/board/", "/board?bokeh-session-id=x", "/_i/west/board", "/board/metadata"):
        answer = bob.ask(path)
        assert answer.status == 403 and "You may not open this application" in answer.text, path
        assert "Ask Mia, room 12 for access." in answer.text, path
    script = bob.ask("/board/autoload.js?bokeh-autoload-element=x")
    assert script.status == 403
    assert script.text.startswith('console.error("app-server: You may not open this application.')
    status, text = refused(bob, token)
    assert status == 403 and "You may not open this application" in text
    assert bob.ask("/asking").status == 200
    assert token not in served.process.log_text()


def test_index_shows_what_one_may_open(served: Served) -> None:
    for name, shown in (("ann", True), ("bob", False)):
        text = enter(served, name).ask("/").text
        assert ('href="/board"' in text, 'href="/asking"' in text) == (shown, True)


def test_user_who_leaves_the_group_gets_no_new_page_and_no_socket(served: Served, users_file: Path) -> None:
    ann = enter(served, "ann")
    token = ann.ask("/board").token
    with ann.client("/board", token) as client:
        client.cut()
    try:
        write(users_file, ann=":staff")
        assert refused(ann, token)[0] == 403  # the session lives, or would be restored
        assert ann.ask(f"/board?bokeh-token={token}").status == 403
    finally:
        write(users_file)
    with ann.client("/board", token) as client:
        assert isinstance(client, Client)


def test_rule_that_lets_no_one_in_is_reported(served: Served) -> None:
    line = "WARNING --access /board=user:dot lets no one in: this user does not exist"
    assert line in served.process.log_text()


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("/bord=user:ann", "app-server: --access: no application is served at /bord. Did you mean /board?"),
        ("/board=ann",
         "app-server: --access: expected ROUTE=user:NAME or ROUTE=group:NAME, such as /sales=group:analysts,"
         " not '/board=ann'"),
    ],
)  # fmt: skip
def test_rule_that_cannot_be_meant_keeps_the_server_from_starting(users_file: Path, rule: str, message: str) -> None:
    with pytest.raises(AssertionError) as caught:
        with serving(*apps("board.py"), "--basic-auth", users_file, "--access", rule, env=ENVIRONMENT):
            pass
    assert str(caught.value).strip().splitlines()[-1] == message


def test_failed_logins_are_counted_by_all_processes_together(users_file: Path) -> None:
    with serving(*apps("board.py"), "--basic-auth", users_file, "--num-procs", "3", env=ENVIRONMENT) as served:
        begun_s = time.monotonic()
        statuses = [Visitor(served.process.url).log_in("eve", "guess").status for _ in range(16)]
        waited_s = time.monotonic() - begun_s
    assert statuses[:5] == [403] * 5 and set(statuses[5:]) <= {403, 429}
    assert statuses.count(403) <= 5 + waited_s  # a second after the fifth, one more may be tried
