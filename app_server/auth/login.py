"""Logging in with a password, by form or by HTTP Basic (RFC 7617), and what a browser keeps of it: a sealed cookie."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import os
import re
import secrets
import stat
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app_server.errors import OperatorError
from app_server.http.auth_backend import AuthBackend, Routes
from app_server.http.base_handler import BaseHandler
from app_server.http.matching import RouteAddress
from app_server.page import logged_out_page, login_page, login_security_policy
from app_server.requests.handler import Handler
from app_server.requests.state.server_state import ServerState
from app_server.security.auth.next_page import safe_next
from app_server.security.auth.passwords import PasswordFile
from app_server.security.auth.signed_cookie import Seal
from app_server.security.auth.throttle import Throttle
from app_server.security.auth.users import LONGEST_NAME, User
from app_server.settings import Settings

log = logging.getLogger(__name__)

_THREADS = 2  # each needs tens of megabytes for a moment
_MOST_WAITING = 32
_REMEMBERED_S = 300.0
_MOST_REMEMBERED = 1000
_FORM_COOKIE = re.compile(r"[0-9a-f]{32}")


class CookieBackend(AuthBackend):
    """A gate whose users are known by a sealed cookie; login and logout are pages of ours."""

    open = False

    def __init__(self, settings: Settings) -> None:
        secret = settings.cookie_secret
        if not secret:  # the settings have seen to it; a library's user may have made them by hand
            raise OperatorError("logins are kept in signed cookies, which need a key", where="BOKEH_COOKIE_SECRET")
        self.prefix = settings.prefix
        self.lifetime_s = settings.login_lifetime_s
        # Servers below several prefixes of one host must not overwrite each other's logins.
        suffix = f"_{hashlib.sha256(self.prefix.encode()).hexdigest()[:8]}" if self.prefix else ""
        self.cookie_name = f"app_server_login{suffix}"
        self.form_cookie_name = f"app_server_form{suffix}"
        # The pages of an instance with a route have it in front of the prefix.
        self.cookie_path = "/" if settings.route or not self.prefix else self.prefix
        self.hidden_cookies = frozenset({self.cookie_name, self.form_cookie_name})
        self.logout_url = f"{self.prefix}/logout"
        self.seal = Seal("login", secret)
        self.form_seal = Seal("form", secret)

    def login_url(self, handler: BaseHandler) -> str | None:
        """Our own page."""
        return f"{self.prefix}/login"

    def remember(self, handler: BaseHandler, value: dict[str, Any]) -> None:
        """Let the browser keep who its user is."""
        sealed = self.seal.seal(value, expires_at=int(time.time()) + self.lifetime_s)
        self.set_cookie(handler, self.cookie_name, sealed, self.lifetime_s)

    def remembered(self, handler: BaseHandler) -> dict[str, Any] | None:
        """What the browser has kept, if it is ours and not too old."""
        return self.seal.open(handler.get_cookie(self.cookie_name), time.time())

    def forget(self, handler: BaseHandler) -> None:
        """Let the browser forget its user."""
        handler.clear_cookie(self.cookie_name, path=self.cookie_path)

    def set_cookie(
        self, handler: BaseHandler, name: str, value: str, lifetime_s: int, *, samesite: str = "Lax"
    ) -> None:
        """Set a cookie that scripts do not see, that other sites cannot use, and that leaves over TLS if it came so."""
        handler.set_cookie(
            name,
            value,
            path=self.cookie_path,
            max_age=lifetime_s,
            httponly=True,
            samesite=samesite,
            secure=handler.request.protocol == "https",
        )


class LoginPages(Handler):
    """What the pages of logging in and out share."""

    auth: CookieBackend
    max_body_bytes = 64 * 1024
    """A form: a name, a password, and where to go on to."""

    def initialize(self, state: ServerState, auth: CookieBackend) -> None:  # type: ignore[override]
        """Called by Tornado with what the route carries."""
        super().initialize(state)
        self.auth = auth

    def check_xsrf_cookie(self) -> None:
        """These pages check a token of their own, whether or not --enable-xsrf-cookies is given."""

    def next_page(self) -> str:
        """Where to go on to; never to another site."""
        return safe_next(self.get_argument("next", None), self.auth.prefix)

    def show(self, html: str, status: int = 200) -> None:
        """Answer with one of our pages, which nobody keeps."""
        self.set_status(status)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("Content-Security-Policy", login_security_policy())
        self.finish(html)

    @property
    def icon(self) -> str:
        """The address of the server's icon."""
        return f"{self.auth.prefix}/favicon.ico"

    @property
    def from_another_site(self) -> bool:
        """Whether the browser says that another site has made it ask (Fetch Metadata)."""
        return self.request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")


class LogoutHandler(LoginPages):
    """Where a user logs out."""

    async def get(self, *captured: str) -> None:
        """Forget who the browser's user is."""
        if self.request.headers.get("Sec-Fetch-Site") == "cross-site":
            self.log_refusal("Another site tried to log out somebody at %s", self.request.remote_ip)
            self.refuse(403, "Another site asked to log you out", "Open this address yourself to do so.")
            return
        self.auth.forget(self)
        await self.gone()

    async def post(self, *captured: str) -> None:
        """As by GET."""
        await self.get(*captured)

    async def gone(self) -> None:
        """Say that it is done."""
        self.show(logged_out_page(login_url=self.auth.login_url(self), icon=self.icon))


@dataclass(frozen=True, slots=True)
class LoginVerdict:
    """What came of an attempt: the user, or how long to wait before the next one, or neither."""

    user: User | None = None
    wait_s: float = 0.0
    busy: bool = False


class Users:
    """The users of a password file, as it is now. A file that cannot be read has no users."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._seen: tuple[int, ...] | None = None
        self._users = PasswordFile({})
        self._fault = ""

    def load(self) -> PasswordFile:
        """The users. Raises OperatorError where the file is missing or not as it should be."""
        try:
            status = os.stat(self._path)
            seen = (status.st_mtime_ns, status.st_size, status.st_ino)
            if seen != self._seen:
                self._users = PasswordFile.read(Path(self._path).read_text(encoding="utf-8"), self._path)
                self._seen = seen
                if status.st_mode & (stat.S_IROTH | stat.S_IWOTH):
                    log.warning("%s can be read by every user of this machine; make it: chmod 600", self._path)
        except OSError as error:
            raise OperatorError(f"cannot be read: {error.strerror}", where=self._path) from None
        except UnicodeDecodeError:
            raise OperatorError("is not UTF-8 text", where=self._path) from None
        return self._users

    def now(self) -> PasswordFile:
        """The users; none, and a line in the log, while the file is not as it should be."""
        try:
            users = self.load()
        except OperatorError as error:
            self._seen = None
            if str(error) != self._fault:
                self._fault = str(error)
                log.error("Nobody can log in. %s", error)
            return PasswordFile({})
        self._fault = ""
        return users


class PasswordBackend(CookieBackend):
    """Lets in the users of `--basic-auth`."""

    hidden_headers = frozenset({"authorization"})

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        assert settings.basic_auth is not None
        self._users = Users(settings.basic_auth)
        if not self._users.load().users:
            log.warning("%s has no users yet; add one with `app-server passwd`", settings.basic_auth)
        self._throttle = Throttle()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="passwords")
        self._waiting = 0
        # Programs send their password with each request; a verification costs a tenth of a second.
        self._known: OrderedDict[bytes, float] = OrderedDict()
        self._known_key = secrets.token_bytes(32)

    async def user(self, handler: BaseHandler) -> Any:
        """The user of the Authorization header, where there is one, else of the cookie."""
        header = handler.request.headers.get("Authorization", "")
        if header[:6].lower() == "basic ":
            return await self._by_header(handler, header[6:])
        kept = self.remembered(handler)
        if kept is None:
            return None
        name = str(kept.get("user"))
        # Whoever was deleted, or has a new password, is logged out everywhere.
        mark = self._users.now().fingerprint(name, self.seal.tag)
        return User(name) if mark is not None and mark == kept.get("mark") else None

    async def _by_header(self, handler: BaseHandler, credentials: str) -> User | None:
        name, password = _read_basic(credentials)
        verdict = await self.attempt(name, password, handler.request.remote_ip)
        if verdict.user is None:
            handler.mark_logged()
            self.tell(handler, verdict)
        return verdict.user

    def tell(self, handler: BaseHandler, verdict: LoginVerdict) -> None:
        """Answer a program whose attempt has failed."""
        if verdict.busy or verdict.wait_s:
            handler.set_header("Retry-After", str(_whole_s(verdict.wait_s)))
            handler.refuse(503 if verdict.busy else 429, "Not now", _please_wait(verdict))
        else:
            handler.set_header("WWW-Authenticate", 'Basic realm="applications", charset="UTF-8"')
            handler.refuse(401, "The user or the password is wrong")

    async def attempt(self, name: str, password: str, address: str | None) -> LoginVerdict:
        """Whether this password lets this user in; failures are counted and logged, and the loop is not held up."""
        name = unicodedata.normalize("NFC", name)[:LONGEST_NAME]
        users = self._users.now()
        known_as = self._known_as(users, name, password)
        if self._known.get(known_as, 0.0) > time.monotonic():
            return LoginVerdict(User(name))
        if self._waiting >= _MOST_WAITING:
            log.warning("Too many logins at once; one from %s was put off", address)
            return LoginVerdict(wait_s=2.0, busy=True)
        wait_s = self._throttle.begin(name, address, time.monotonic())
        if wait_s > 0:
            log.warning("A login from %s was put off for %d s after failed ones", address, _whole_s(wait_s))
            return LoginVerdict(wait_s=wait_s)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            right = await loop.run_in_executor(self._threads, users.check, name, password)
        finally:
            self._waiting -= 1
        if not right:
            # Only names that there are: people type their password into the wrong field.
            who = repr(name) if name in users.users else "a user who is not known"
            log.warning("Failed login of %s from %s", who, address)
            return LoginVerdict()
        self._throttle.succeeded(name, address)
        self._known[known_as] = time.monotonic() + _REMEMBERED_S
        while len(self._known) > _MOST_REMEMBERED:
            self._known.popitem(last=False)
        return LoginVerdict(User(name))

    def _known_as(self, users: PasswordFile, name: str, password: str) -> bytes:
        # The mark changes with the password in the file, so that an old one is known no more.
        mark = users.fingerprint(name, self.seal.tag) or ""
        text = f"{len(name)}:{name}{mark}\n{password}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._known_key, text, "sha256")

    def let_in(self, handler: BaseHandler, user: User) -> None:
        """Let the browser keep that it is this user's."""
        mark = self._users.now().fingerprint(user.name, self.seal.tag)
        self.remember(handler, {"user": user.name, "mark": mark})

    def routes(self, below: Callable[[str], RouteAddress], context: Mapping[str, Any]) -> Routes:
        """The form, and the way out."""
        context = {**context, "auth": self}
        return [(below("/login"), PasswordHandler, context), (below("/logout"), LogoutHandler, context)]

    def stop(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class PasswordHandler(LoginPages):
    """The form that asks for user and password."""

    auth: PasswordBackend

    async def get(self, *captured: str) -> None:
        """The form; or the page that was wanted, for somebody who is logged in already."""
        user = await self.auth.user(self)
        if self._finished:
            return
        if user:
            self.redirect(self.next_page())
        else:
            self._ask()

    async def post(self, *captured: str) -> None:
        """Let the user in, or ask again and say why."""
        name, password = self.get_body_argument("user", ""), self.get_body_argument("password", "", strip=False)
        if self.from_another_site or not self._form_is_ours():
            self.log_refusal("A login form from %s was not one that we had sent", self.request.remote_ip)
            self._ask(403, "This form had become too old. Please try again.", name)
            return
        auth = self.auth
        verdict = await auth.attempt(name, password, self.request.remote_ip)
        self.mark_logged()
        if verdict.user is not None:
            log.info("%r logged in from %s", verdict.user.name, self.request.remote_ip)
            auth.let_in(self, verdict.user)
            self.clear_cookie(auth.form_cookie_name, path=auth.cookie_path)
            self.redirect(self.next_page(), status=303)
        elif verdict.wait_s:
            self.set_header("Retry-After", str(_whole_s(verdict.wait_s)))
            self._ask(503 if verdict.busy else 429, _please_wait(verdict), name)
        else:
            self._ask(403, "The user or the password is wrong.", name)

    def _form_is_ours(self) -> bool:
        kept = self.get_cookie(self.auth.form_cookie_name, "")
        sent = self.get_body_argument("form_token", "")
        known = kept is not None and _FORM_COOKIE.fullmatch(kept) is not None
        return known and hmac.compare_digest(self.auth.form_seal.tag(str(kept)).encode(), sent.encode())

    def _ask(self, status: int = 200, fault: str | None = None, user: str = "") -> None:
        auth = self.auth
        kept = self.get_cookie(auth.form_cookie_name) or ""
        if not _FORM_COOKIE.fullmatch(kept):
            kept = secrets.token_hex(16)
        auth.set_cookie(self, auth.form_cookie_name, kept, 24 * 3600, samesite="Strict")
        html = login_page(
            action=f"{auth.prefix}/login",
            next_page=self.next_page(),
            form_token=auth.form_seal.tag(kept),
            icon=self.icon,
            user=user[:LONGEST_NAME],
            fault=fault,
        )
        self.show(html, status)


def _read_basic(credentials: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(credentials.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return "", ""
    name, _, password = text.partition(":")
    return name, password


def _whole_s(wait_s: float) -> int:
    return max(1, int(wait_s + 0.999))


def _please_wait(verdict: LoginVerdict) -> str:
    if verdict.busy:
        return "Many people are logging in just now. Please try again in a moment."
    wait_s = _whole_s(verdict.wait_s)
    return f"Too many attempts have failed. Please wait {wait_s} second{'' if wait_s == 1 else 's'} and try again."
