"""The access tokens of users, for applications: kept in encrypted cookies, and renewed before they expire.

A login's cookie has the tokens as they were when a page was last sent. While a session lives, its process renews them,
and notes them in memory that the server's processes share; the next page sends them to the browser. They are in no
page, log or store.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import replace
from typing import Final

from app_server.auth.cookie import CookieBackend
from app_server.auth.shared_tokens import SharedTokens
from app_server.http.base_handler import BaseHandler
from app_server.security.auth.oauth import Tokens, renewed, tokens_from
from app_server.security.auth.oidc import LoginRefused, ProviderError
from app_server.security.auth.secret_box import SecretBox

log = logging.getLogger(__name__)

Renew = Callable[[Tokens], Awaitable[Tokens]]

_MOST_USERS: Final = 10_000
_LOOK_S: Final = 1.0
_LOCKED_FOR_S: Final = 15.0
"""How long another process may take to renew; it gives up itself before that."""

_AGAIN_S: Final = 15.0
"""When to try again what the provider did not answer."""

_PARTS: Final = 2
_PART_CHARACTERS: Final = 3800  # a browser keeps cookies of 4096 bytes, and proxies take 8 KB of them


class TokenKeeper:
    """The newest tokens of the users who are here; `renew` asks the provider for new ones."""

    def __init__(self, box: SecretBox, shared: SharedTokens, renew: Renew) -> None:
        self._box = box
        self._shared = shared
        self._renew = renew
        self._known: OrderedDict[str, Tokens] = OrderedDict()
        self._renewing: dict[str, asyncio.Task[None]] = {}
        self._failed_s: dict[str, float] = {}

    def learn(self, owner: str, tokens: Tokens) -> None:
        """Take note of a user's tokens, unless newer ones are known."""
        known = self._known.get(owner)
        if known is None or known.obtained_at < tokens.obtained_at:
            self._known[owner] = tokens
        self._known.move_to_end(owner)
        while len(self._known) > _MOST_USERS:
            forgotten, _ = self._known.popitem(last=False)
            self._failed_s.pop(forgotten, None)

    def publish(self, owner: str, tokens: Tokens) -> None:
        """Take note of tokens that the provider has just given, for the other processes too."""
        self.learn(owner, tokens)
        if not self._shared.put(owner, tokens.obtained_at, self._box.seal(tokens.fields())):
            log.warning("The tokens of a user are too long to be shared: other processes will renew them, too")

    def newest(self, owner: str) -> Tokens | None:
        """The newest tokens of this user that any process has."""
        shared = tokens_from(self._box.open(self._shared.get(owner)))
        if shared is not None:
            self.learn(owner, shared)
        return self._known.get(owner)

    def access_token(self, owner: str) -> str | None:
        """A valid access token of this user; None if there is none."""
        tokens = self.newest(owner)
        return tokens.access if tokens is not None and tokens.valid(time.time()) else None

    def forget(self, owner: str) -> None:
        """Forget a user who has logged out."""
        self._known.pop(owner, None)
        self._failed_s.pop(owner, None)
        self._shared.drop(owner)

    async def renew_if_due(self, owner: str) -> None:
        """Renew the user's tokens if it is time; once, however many ask for it."""
        tokens = self.newest(owner)
        if tokens is None or not tokens.due(time.time()):
            return
        if time.monotonic() - self._failed_s.get(owner, -_AGAIN_S) < _AGAIN_S:
            return
        task = self._renewing.get(owner)
        if task is None:
            task = self._renewing[owner] = asyncio.get_running_loop().create_task(self._renew_alone(owner))
            task.add_done_callback(lambda _: self._renewing.pop(owner, None))
        await asyncio.shield(task)

    async def work(self, here: Callable[[], Collection[str]]) -> None:
        """Renew the tokens of the users who have sessions `here`, before they expire."""
        while True:
            await asyncio.sleep(_LOOK_S)
            now_s = time.time()
            due = {owner for owner, tokens in self._known.items() if tokens.due(now_s)}
            for owner in due & set(here()) if due else ():
                try:
                    await self.renew_if_due(owner)
                except Exception:
                    log.exception("Access tokens could not be renewed; this is a fault of the server")

    async def _renew_alone(self, owner: str) -> None:
        """Renew while no other process does; what another one has renewed meanwhile is taken."""
        deadline_s = time.monotonic() + _LOCKED_FOR_S
        while not self._shared.lock(owner):
            if time.monotonic() > deadline_s:
                return
            await asyncio.sleep(0.05)
        try:
            tokens = self.newest(owner)
            if tokens is not None and tokens.due(time.time()):
                await self._ask(owner, tokens)
        finally:
            self._shared.unlock(owner)

    async def _ask(self, owner: str, tokens: Tokens) -> None:
        try:
            self.publish(owner, renewed(tokens, await self._renew(tokens)))
            self._failed_s.pop(owner, None)
        except LoginRefused as error:
            # What cannot be renewed is good until it expires; then its user has to log in again.
            log.warning("An access token cannot be renewed, so its user has to log in again: %s", error)
            self.publish(owner, replace(tokens, refresh=None, obtained_at=time.time()))
        except ProviderError as error:
            self._failed_s[owner] = time.monotonic()
            log.warning("An access token could not be renewed, trying again: %s", error)


class TokenCookies:
    """The cookies with a user's tokens: encrypted, and in two parts if need be."""

    def __init__(self, backend: CookieBackend, box: SecretBox) -> None:
        self._backend = backend
        self._box = box
        name = backend.cookie_name.replace("_login", "_tokens", 1)
        self.names = tuple(f"{name}_{number}" for number in range(_PARTS))

    def read(self, handler: BaseHandler, owner: str) -> Tokens | None:
        """The tokens that the browser has kept for this user."""
        value = self._box.open("".join(handler.get_cookie(name) or "" for name in self.names))
        return tokens_from(value) if value is not None and value.get("owner") == owner else None

    def write(self, handler: BaseHandler, owner: str, tokens: Tokens) -> bool:
        """Have the browser keep these tokens; False if they are too long."""
        text = self._box.seal({"owner": owner, **tokens.fields()})
        parts = [text[start : start + _PART_CHARACTERS] for start in range(0, len(text), _PART_CHARACTERS)]
        if len(parts) > _PARTS:
            log.warning("The tokens of a user are too long for cookies, so applications do not get them")
            self.clear(handler)
            return False
        for name, part in zip(self.names, parts, strict=False):
            self._backend.set_cookie(handler, name, part, self._backend.lifetime_s)
        self._clear(handler, self.names[len(parts) :])
        return True

    def clear(self, handler: BaseHandler) -> None:
        """Have the browser forget them."""
        self._clear(handler, self.names)

    def _clear(self, handler: BaseHandler, names: Iterable[str]) -> None:
        for name in names:
            if name in handler.request.cookies:
                handler.clear_cookie(name, path=self._backend.cookie_path)
