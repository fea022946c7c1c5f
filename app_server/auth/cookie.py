"""Users whom a browser's cookie names, signed by us."""

from __future__ import annotations

import hashlib
import logging
import time
from typing import Any

from app_server.errors import OperatorError
from app_server.http.auth_backend import AuthBackend
from app_server.http.base_handler import BaseHandler
from app_server.security.auth.signed_cookie import Seal
from app_server.settings import Settings

log = logging.getLogger(__name__)


class CookieBackend(AuthBackend):
    """Knows users by a signed cookie; login and logout are pages of ours.

    `of` sets the cookies of one site apart from those of another on the same host: browsers send cookies to all ports.
    """

    open = False

    def __init__(self, settings: Settings, of: str = "") -> None:
        secret = settings.cookie_secret
        if not secret:  # a program may have made its settings by hand
            raise OperatorError("logins are kept in signed cookies, which need a key", where="BOKEH_COOKIE_SECRET")
        self.prefix = settings.prefix
        self.lifetime_s = settings.login_lifetime_s
        # Servers below several prefixes of one host must not overwrite each other's logins.
        suffix = f"_{of}" if of else ""
        suffix += f"_{hashlib.sha256(self.prefix.encode()).hexdigest()[:8]}" if self.prefix else ""
        self.cookie_name = f"app_server_login{suffix}"
        self.form_cookie_name = f"app_server_form{suffix}"
        # The pages of an instance with a route have it in front of the prefix.
        self.cookie_path = "/" if settings.route or not self.prefix else self.prefix
        self.hidden_cookies = frozenset({self.cookie_name, self.form_cookie_name})
        self.logout_url = f"{self.prefix}/logout"
        self.seal = Seal("login", secret)
        self.form_seal = Seal("form", secret)
        self._reads_forwarded = settings.use_xheaders
        self._reported_proxy = False

    def login_url(self, handler: BaseHandler) -> str | None:
        """Our own page."""
        return f"{self.prefix}/login"

    def report_ignored_proxy(self, handler: BaseHandler, header: str, so: str) -> None:
        """Log once what goes wrong because this header of a proxy is ignored, if the request has it."""
        if self._reads_forwarded or self._reported_proxy or header not in handler.request.headers:
            return
        self._reported_proxy = True
        what = "A proxy sends %s, which is ignored without --use-xheaders: %s."
        log.warning(what + " Set it if only the proxy reaches this server", header, so)

    def remember(self, handler: BaseHandler, value: dict[str, Any]) -> None:
        """Have the browser keep who its user is."""
        sealed = self.seal.seal(value, expires_at=int(time.time()) + self.lifetime_s)
        self.set_cookie(handler, self.cookie_name, sealed, self.lifetime_s)

    def remembered(self, handler: BaseHandler) -> dict[str, Any] | None:
        """What the browser has kept, if we have signed it and it is not too old."""
        return self.seal.open(handler.get_cookie(self.cookie_name), time.time())

    def forget(self, handler: BaseHandler) -> None:
        """Have the browser forget its user."""
        handler.clear_cookie(self.cookie_name, path=self.cookie_path)

    def set_cookie(
        self, handler: BaseHandler, name: str, value: str, lifetime_s: int, *, samesite: str = "Lax"
    ) -> None:
        """Set a cookie that scripts do not see and other sites cannot use; if it was set over TLS, it needs TLS."""
        handler.set_cookie(
            name,
            value,
            path=self.cookie_path,
            max_age=lifetime_s,
            httponly=True,
            samesite=samesite,
            secure=handler.request.protocol == "https",
        )
