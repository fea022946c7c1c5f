"""The keeper of access tokens renews them once, before they expire."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import Any

import pytest

from app_server.auth.access_tokens import TokenKeeper
from app_server.auth.shared_tokens import SharedTokens
from app_server.security.auth.oauth import Tokens
from app_server.security.auth.oidc import LoginRefused, ProviderError
from app_server.security.auth.secret_box import SecretBox

BOX = SecretBox("access tokens", "s" * 40)


class Provider:
    """Gives new tokens that last an hour, or fails."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []
        self.error: Exception | None = None

    async def renew(self, tokens: Tokens) -> Tokens:
        self.asked.append(tokens.refresh)
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        now_s = time.time()
        return Tokens(f"access {len(self.asked)}", now_s, f"refresh {len(self.asked)}", now_s + 3600)


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def shared() -> SharedTokens:
    return SharedTokens()


def keeper_of(provider: Provider, shared: SharedTokens) -> TokenKeeper:
    return TokenKeeper(BOX, shared, provider.renew)


def old(**more: Any) -> Tokens:
    """Tokens that are about to expire."""
    now_s = time.time()
    return Tokens("old", now_s - 3600, **{"refresh": "refresh 0", "expires_at": now_s + 60, **more})


async def test_tokens_are_renewed_once_however_many_ask(provider: Provider, shared: SharedTokens) -> None:
    keeper = keeper_of(provider, shared)
    keeper.learn("ann", old())
    assert keeper.access_token("ann") == "old" and keeper.access_token("bob") is None
    await asyncio.gather(*(keeper.renew_if_due("ann") for _ in range(5)))
    assert provider.asked == ["refresh 0"] and keeper.access_token("ann") == "access 1"
    await keeper.renew_if_due("ann")
    await keeper.renew_if_due("bob")
    assert provider.asked == ["refresh 0"]


async def test_another_process_takes_what_one_has_renewed(provider: Provider, shared: SharedTokens) -> None:
    one, other = keeper_of(provider, shared), keeper_of(provider, shared)
    for keeper in (one, other):
        keeper.learn("ann", old())
    await one.renew_if_due("ann")
    assert other.access_token("ann") == "access 1"
    await other.renew_if_due("ann")
    assert provider.asked == ["refresh 0"]


async def test_process_waits_while_another_one_renews(provider: Provider, shared: SharedTokens) -> None:
    keeper = keeper_of(provider, shared)
    keeper.learn("ann", old())
    ready, waiting = os.pipe()
    go_on, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(waiting, b"1" if shared.lock("ann") else b"0")
            os.read(go_on, 1)
            now_s = time.time()
            TokenKeeper(BOX, shared, provider.renew).publish("ann", Tokens("theirs", now_s, "r", now_s + 3600))
            os._exit(0)
        finally:
            os._exit(99)
    assert os.read(ready, 1) == b"1"
    renewing = asyncio.create_task(keeper.renew_if_due("ann"))
    await asyncio.sleep(0)
    os.write(told, b"1")
    await renewing
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert keeper.access_token("ann") == "theirs" and provider.asked == []
    for each in (ready, waiting, go_on, told):
        os.close(each)


async def test_older_tokens_of_a_cookie_change_nothing(provider: Provider, shared: SharedTokens) -> None:
    keeper = keeper_of(provider, shared)
    keeper.learn("ann", old())
    await keeper.renew_if_due("ann")
    keeper.learn("ann", old())
    assert keeper.access_token("ann") == "access 1"


async def test_token_that_is_not_renewed_any_more_is_good_until_it_expires(
    provider: Provider, shared: SharedTokens, caplog: pytest.LogCaptureFixture
) -> None:
    keeper, provider.error = keeper_of(provider, shared), LoginRefused("no more")
    keeper.learn("ann", old())
    for _ in range(3):
        await keeper.renew_if_due("ann")
    assert provider.asked == ["refresh 0"] and keeper.access_token("ann") == "old"
    assert caplog.messages == ["An access token cannot be renewed, so its user has to log in again: no more"]
    keeper.learn("bob", old(expires_at=time.time() - 1))
    assert keeper.access_token("bob") is None


async def test_provider_that_is_away_is_asked_again_after_a_while(
    provider: Provider, shared: SharedTokens, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keeper, provider.error = keeper_of(provider, shared), ProviderError("it answered 500")
    keeper.learn("ann", old())
    for _ in range(3):
        await keeper.renew_if_due("ann")
    assert len(provider.asked) == 1 and len(caplog.messages) == 1
    provider.error, now_s = None, time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now_s + 16)
    await keeper.renew_if_due("ann")
    assert keeper.access_token("ann") == "access 2"


async def test_background_work_renews_for_users_who_are_here(
    provider: Provider, shared: SharedTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app_server.auth.access_tokens._LOOK_S", 0.001)
    keeper = keeper_of(provider, shared)
    keeper.learn("ann", old())
    keeper.learn("bob", old(refresh="bob's"))
    work = asyncio.create_task(keeper.work(lambda: {"ann", "cyd"}))
    async with asyncio.timeout(10):
        while keeper.access_token("ann") == "old":
            await asyncio.sleep(0.001)
    work.cancel()
    assert provider.asked == ["refresh 0"] and keeper.access_token("bob") == "old"


async def test_fault_of_the_server_does_not_end_the_work(
    provider: Provider, shared: SharedTokens, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("app_server.auth.access_tokens._LOOK_S", 0.001)
    keeper, provider.error = keeper_of(provider, shared), RuntimeError("unexpected")
    keeper.learn("ann", old())
    work = asyncio.create_task(keeper.work(lambda: ["ann"]))
    async with asyncio.timeout(10):
        while len(provider.asked) < 2:
            await asyncio.sleep(0.001)
    work.cancel()
    assert all(record.levelno == logging.ERROR for record in caplog.records)


async def test_user_who_logs_out_is_forgotten_everywhere(provider: Provider, shared: SharedTokens) -> None:
    one, other = keeper_of(provider, shared), keeper_of(provider, shared)
    one.publish("ann", old())
    assert other.access_token("ann") == "old"
    one.forget("ann")
    other.forget("ann")
    assert one.access_token("ann") is None and other.access_token("ann") is None


def test_users_are_kept_within_bounds(
    provider: Provider, shared: SharedTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app_server.auth.access_tokens._MOST_USERS", 2)
    keeper = keeper_of(provider, shared)
    for name in ("ann", "bob", "cyd"):
        keeper.learn(name, old())
    assert [keeper.access_token(name) for name in ("ann", "bob", "cyd")] == [None, "old", "old"]


async def test_failures_are_kept_no_longer_than_their_users(
    provider: Provider, shared: SharedTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app_server.auth.access_tokens._MOST_USERS", 1)
    keeper, provider.error = keeper_of(provider, shared), ProviderError("it answered 500")
    for name in ("ann", "bob", "ann"):
        keeper.learn(name, old())
        await keeper.renew_if_due(name)
    assert len(provider.asked) == 3


def test_tokens_that_are_too_long_to_be_shared_are_reported(
    provider: Provider, shared: SharedTokens, caplog: pytest.LogCaptureFixture
) -> None:
    import secrets

    keeper = keeper_of(provider, shared)
    keeper.publish("ann", old(refresh=secrets.token_urlsafe(9000)))
    assert keeper.access_token("ann") == "old" and "too long to be shared" in caplog.text
