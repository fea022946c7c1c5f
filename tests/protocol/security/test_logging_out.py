"""Logging out closes the sockets of the user, in whichever process they are, and no one else's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from app_server.security.auth.passwords import Cost, hash_password
from tests.protocol.conftest import Served, apps, serving
from tests.support.client import Client
from tests.support.clients.visitor import Visitor
from tests.support.waiting import until

ENVIRONMENT = {"BOKEH_COOKIE_SECRET": "another secret of forty-four letters, or so."}
MODES = {
    "one process": "",
    "several processes": "--num-procs 2",
    "isolated sessions": "--isolation process",
    "copied sessions": "--isolation snapshot --num-procs 2",
}


@pytest.fixture(scope="module", params=MODES.values(), ids=MODES)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    path = tmp_path_factory.mktemp("users") / "users"
    path.write_text("".join(f"{name}:{hash_password(name * 4, cost=Cost(2, 1, 1))}\n" for name in ("ann", "bob")))
    path.chmod(0o600)
    with serving(*apps("board.py"), "--basic-auth", path, *request.param.split(), env=ENVIRONMENT) as started:
        yield started


def enter(served: Served, name: str) -> Visitor:
    visitor = Visitor(served.process.url)
    assert visitor.log_in(name, name * 4).status == 303
    return visitor


def test_logging_out_closes_a_users_sockets(served: Served) -> None:
    ann, also_ann, bob = enter(served, "ann"), enter(served, "ann"), enter(served, "bob")
    with ExitStack() as stack:
        anns: list[Client] = [stack.enter_context(each.client("/board")) for each in (ann, ann, ann, ann, also_ann)]
        bobs = [stack.enter_context(bob.client("/board")) for _ in range(3)]
        answer = ann.ask("/logout")
        assert "You are logged out" in answer.text and "have ended, too" in answer.text
        for client in anns:
            assert client.close_code() == 1001
        assert ann.ask("/board").status == 302
        for client in bobs:
            assert client.pull().msgtype == "PULL-DOC-REPLY"
    until(lambda: bob.ask("/board").status == 200)
