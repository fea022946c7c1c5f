"""Logging in with a password, by form or by HTTP Basic (RFC 7617)."""

from __future__ import annotations

import base64
import binascii
import hmac
import logging
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from app_server.auth.attempts import LoginVerdict, PasswordChecks, Users, whole_s
from app_server.auth.cookie import CookieBackend
from app_server.auth.pages import LoginPages, LogoutHandler
from app_server.http.auth_backend import Routes
from app_server.http.base_handler import BaseHandler
from app_server.http.matching import RouteAddress
from app_server.page import login_page
from app_server.security.auth.users import LONGEST_NAME, User
from app_server.settings import Settings

log = logging.getLogger(__name__)

_FORM_COOKIE = re.compile(r"[0-9a-f]{32}")


class PasswordBackend(CookieBackend):
    """Lets in the users of `--basic-auth`."""

    hidden_headers = frozenset({"authorization"})

    def __init__(self, settings: Settings, of: str = "") -> None:
        super().__init__(settings, of)
        assert settings.basic_auth is not None
        self._users = Users(settings.basic_auth)
        if not self._users.load().users:
            log.warning("%s has no users yet; add one with `app-server passwd`", settings.basic_auth)
        self.checks = PasswordChecks(self._users, self.seal.tag, of)

    async def user(self, handler: BaseHandler) -> Any:
        """The user of the Authorization header, if there is one, else of the cookie."""
        header = handler.request.headers.get("Authorization", "")
        if header[:6].lower() == "basic ":
            return await self._by_header(handler, header[6:])
        kept = self.remembered(handler)
        if kept is None:
            return None
        name = str(kept.get("user"))
        # A user who was deleted, or has a new password, is logged out everywhere.
        users = self._users.now()
        mark = users.fingerprint(name, self.seal.tag)
        return users.user(name) if mark is not None and mark == kept.get("mark") else None

    async def _by_header(self, handler: BaseHandler, credentials: str) -> User | None:
        name, password = _read_basic(credentials)
        verdict = await self.attempt(handler, name, password)
        if verdict.user is None:
            handler.mark_logged()
            self._refuse(handler, verdict)
        return verdict.user

    def _refuse(self, handler: BaseHandler, verdict: LoginVerdict) -> None:
        """Answer a program whose attempt has failed."""
        if verdict.busy or verdict.wait_s:
            handler.set_header("Retry-After", str(whole_s(verdict.wait_s)))
            handler.refuse(503 if verdict.busy else 429, "Try again later", _please_wait(verdict))
        else:
            handler.set_header("WWW-Authenticate", 'Basic realm="applications", charset="UTF-8"')
            handler.refuse(401, "The user or the password is wrong")

    async def attempt(self, handler: BaseHandler, name: str, password: str) -> LoginVerdict:
        """Whether this password lets this user in, from where the request comes."""
        verdict = await self.checks.attempt(name, password, handler.request.remote_ip)
        if verdict.wait_s and not verdict.busy:
            together = f"failed logins of all its visitors are counted together, as {handler.request.remote_ip}"
            self.report_ignored_proxy(handler, "X-Forwarded-For", together)
        return verdict

    def let_in(self, handler: BaseHandler, user: User) -> None:
        """Have the browser keep that it is this user's."""
        mark = self._users.now().fingerprint(user.name, self.seal.tag)
        self.remember(handler, {"user": user.name, "mark": mark})

    def routes(self, below: Callable[[str], RouteAddress], context: Mapping[str, Any]) -> Routes:
        """The pages for logging in and out."""
        context = {**context, "auth": self}
        return [(below("/login"), PasswordHandler, context), (below("/logout"), LogoutHandler, context)]

    def stop(self) -> None:
        """End the threads."""
        self.checks.stop()


class PasswordHandler(LoginPages):
    """The form that asks for user and password."""

    auth: PasswordBackend

    async def get(self, *captured: str) -> None:
        """The form; or the page that was wanted, if the user is logged in already."""
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
            self.log_refusal("Refused a login form from %s: this server has not sent it", self.request.remote_ip)
            self._ask(403, "This form has expired. Please try again.", name)
            return
        auth = self.auth
        verdict = await auth.attempt(self, name, password)
        self.mark_logged()
        if verdict.user is not None:
            log.info("%r logged in from %s", verdict.user.name, self.request.remote_ip)
            auth.let_in(self, verdict.user)
            self.clear_cookie(auth.form_cookie_name, path=auth.cookie_path)
            self.redirect(self.next_page(), status=303)
        elif verdict.wait_s:
            self.set_header("Retry-After", str(whole_s(verdict.wait_s)))
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
        data = base64.b64decode(credentials.strip(), validate=True)
    except (binascii.Error, ValueError):
        return "", ""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        # RFC 7617 asks for UTF-8; Python's requests, among others, sends Latin-1.
        text = data.decode("latin-1")
    name, _, password = text.partition(":")
    return name, password


def _please_wait(verdict: LoginVerdict) -> str:
    if verdict.busy:
        return "Many users are logging in at the moment. Please try again soon."
    wait_s = whole_s(verdict.wait_s)
    return f"Too many attempts have failed. Please wait {wait_s} second{'' if wait_s == 1 else 's'} and try again."
