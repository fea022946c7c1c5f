"""Who sends a request: a policy's user, the framework's, or anyone."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from app_server.asgi import AuthPolicy, BokehASGI
from app_server.asgi.users import ANYONE, FrameworkUsers, PolicyUsers
from app_server.errors import OperatorError
from tests.unit.asgi.making import asked
from tests.unit.following import fill


class StarletteUser:
    """As starlette.authentication's: the properties of its base raise NotImplementedError."""

    is_authenticated = True

    def __init__(self, identity: str | None) -> None:
        self._identity = identity

    @property
    def identity(self) -> str:
        if self._identity is None:
            raise NotImplementedError
        return self._identity


async def status_with(user: Any, **more: Any) -> int:
    app = BokehASGI({"/app": fill}, **more)
    async with app.lifespan():
        return (await asked(app, "/app", user=user)).status


async def test_user_that_has_not_logged_in_is_anyone() -> None:
    app = BokehASGI({"/app": fill})
    async with app.lifespan():
        await asked(app, "/app", user=SimpleNamespace(is_authenticated=False, username=""))
        assert [session.context.user for session in app.get_sessions()] == [None]


async def test_rules_of_access_are_for_the_users_of_the_framework() -> None:
    assert await status_with("ann", access=("/app=user:ann",)) == 200
    assert await status_with("bob", access=("/app=user:ann",)) == 403
    assert await status_with(None, access=("/app=user:ann",)) == 403


async def test_user_that_could_be_anyone_is_a_fault_of_the_program(caplog: pytest.LogCaptureFixture) -> None:
    assert await status_with(StarletteUser(None)) == 500
    assert caplog.messages == [
        'scope["user"]: a user of type StarletteUser could be any user. Give users an id, a username or an email, or '
        "use a text."
    ]
    policy = AuthPolicy(lambda request: StarletteUser(None))
    assert await status_with(None, auth_policy=policy) == 500
    assert caplog.messages[1].startswith("auth_policy: a user of type StarletteUser could be any user")


def test_users_are_told_apart() -> None:
    users = FrameworkUsers("/bye")
    assert users.owner(None) is None and users.owner(ANYONE) is None and users.logout_url == "/bye"
    assert users.owner(StarletteUser("ann")) == "identity\n\nann" != users.owner(StarletteUser("bob"))
    assert users.owner("ann") == PolicyUsers(AuthPolicy(lambda request: None)).owner("ann") == "str\nann"
    assert users.shown("ann") == "ann" and users.shown(ANYONE) is None
    assert repr(ANYONE) == "anyone"
    with pytest.raises(OperatorError):
        users.owner(object())


@pytest.mark.parametrize("is_async", [True, False])
async def test_plain_function_runs_in_a_thread(is_async: bool) -> None:
    threads: list[threading.Thread] = []

    def plain(request: Any) -> str:
        threads.append(threading.current_thread())
        return "ann"

    async def coroutine(request: Any) -> str:
        return plain(request)

    assert await status_with(None, auth_policy=AuthPolicy(coroutine if is_async else plain)) == 200
    assert (threads[0] is threading.main_thread()) is is_async


async def test_policy_may_return_what_is_to_be_awaited() -> None:
    async def later() -> str:
        return "ann"

    assert await status_with(None, auth_policy=AuthPolicy(lambda request: later())) == 200
    assert await status_with(None, auth_policy=AuthPolicy(lambda request: None, login_url=lambda request: None)) == 401


async def test_policy_that_fails_opens_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fail(request: Any) -> str:
        raise ValueError("the database is away")

    assert await status_with(None, auth_policy=AuthPolicy(fail)) == 500
    assert "Uncaught exception GET /app (192.0.2.1)" in caplog.text and "the database is away" in caplog.text
