"""An OAuth2 provider for tests, and not an OpenID provider: a GitHub Enterprise in small, and a plain one beside it.

`python -m tests.support.servers.oauth_provider PORT REDIRECT_URL [LIFETIME_S]` serves it. You log in as any user by
typing that name. It checks the client's secret, PKCE and the redirect address; codes and refresh tokens are good once,
and access tokens for LIFETIME_S, or for ever. As GitHub does, it answers 200 to what it refuses, and lists
organizations and teams page by page. A POST to `/fault` with `kind` makes the next answer a bad one, see `token`.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, jsonify, redirect, request

CLIENT_ID = "Iv1.plots"
CLIENT_SECRET = "what only GitHub and we know"

USERS: dict[str, dict[str, Any]] = {
    "ann": {"id": 1001, "login": "ann", "name": "Ann", "email": None},
    "bob": {"id": 1002, "login": "bob", "name": "Bob", "email": "bob@example.com"},
    "crowd": {"id": 1003, "login": "crowd", "name": None, "email": None},
}
EMAILS = {
    "ann": [
        {"email": "ann@home.example", "primary": False, "verified": True},
        {"email": "ann@example.org", "primary": True, "verified": True},
    ],
    "bob": [{"email": "bob@example.com", "primary": True, "verified": False}],
    "crowd": [],
}
ORGANIZATIONS = {"ann": ["acme"], "bob": ["others"], "crowd": [f"organization-{number}" for number in range(230)]}
TEAMS = {"ann": [("acme", "analysts")], "bob": [], "crowd": []}
FORM = '<form method="post"><input name="user" aria-label="User"><button>Go on</button></form>'


@dataclass(frozen=True)
class Code:
    """A code that has been handed out."""

    user: str
    challenge: str
    scope: str


@dataclass
class Memory:
    """What the provider remembers."""

    codes: dict[str, Code] = field(default_factory=dict)
    access: dict[str, tuple[str, float, str]] = field(default_factory=dict)
    """The user, when the token expires, and its scope."""
    refresh: dict[str, tuple[str, str]] = field(default_factory=dict)
    renewals: int = 0
    fault: str | None = None

    def issue(self, user: str, scope: str, lifetime_s: float | None, size: int = 16) -> dict[str, Any]:
        """New tokens; `size` is that of the access token in bytes."""
        access, refresh = f"gho_{secrets.token_urlsafe(size)}", f"ghr_{secrets.token_urlsafe(16)}"
        self.access[access] = user, time.time() + (lifetime_s or 1e9), scope
        answer: dict[str, Any] = {"access_token": access, "token_type": "bearer", "scope": scope}
        if lifetime_s is not None:
            self.refresh[refresh] = user, scope
            answer |= {"expires_in": lifetime_s, "refresh_token": refresh}
        return answer


def provider(redirect_url: str, lifetime_s: float | None = None) -> Flask:
    """The provider."""
    app, memory = Flask(__name__), Memory()

    def refuse(error: str) -> Response:
        return jsonify(error=error, error_description="no")

    def known(scope: str = "") -> str | None:
        """The user whose access token the request has, if that is good and has this scope."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        user, until, granted = memory.access.get(token, (None, 0.0, ""))
        return user if time.time() < until and scope in granted else None

    def page(listed: list[Any]) -> Response:
        size, number = int(request.args.get("per_page", 30)), int(request.args.get("page", 1))
        return jsonify(listed[size * (number - 1) : size * number])

    @app.route("/login/oauth/authorize", methods=["GET", "POST"])
    def authorize() -> Any:
        asked = request.args
        assert asked["client_id"] == CLIENT_ID and asked["redirect_uri"] == redirect_url
        assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256" and asked["state"]
        if request.method == "GET":
            return FORM
        user = request.form["user"]
        if user not in USERS:
            return redirect(f"{redirect_url}?error=access_denied&state={asked['state']}")
        code = secrets.token_urlsafe(12)
        memory.codes[code] = Code(user, asked["code_challenge"], asked.get("scope", ""))
        return redirect(f"{redirect_url}?code={code}&state={asked['state']}")

    @app.post("/login/oauth/access_token")
    def token() -> Any:
        fault, memory.fault = memory.fault, None
        form = request.form
        if (form["client_id"], form["client_secret"]) != (CLIENT_ID, CLIENT_SECRET) or fault == "client":
            return refuse("incorrect_client_credentials")
        if fault == "broken":
            return Response("<html>", 500)
        if fault == "mac":
            return jsonify(access_token="x", token_type="mac")
        if form["grant_type"] == "refresh_token":
            found = memory.refresh.pop(form["refresh_token"], None)
            if found is None:
                return refuse("bad_refresh_token")
            memory.renewals += 1
            return jsonify(memory.issue(*found, lifetime_s))
        code = memory.codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if code is None or code.challenge != challenge or form["redirect_uri"] != redirect_url:
            return refuse("bad_verification_code")
        size = {"long": 3000, "huge": 8000}.get(fault or "", 16)
        return jsonify(memory.issue(code.user, code.scope, lifetime_s, size))

    @app.get("/api/v3/user")
    def user() -> Any:
        found = known()
        return (jsonify(message="Bad credentials"), 401) if found is None else jsonify(USERS[found])

    @app.get("/api/v3/user/emails")
    def emails() -> Any:
        found = known("user:email")
        return (jsonify(message="Not Found"), 404) if found is None else jsonify(EMAILS[found])

    @app.get("/api/v3/user/orgs")
    def organizations() -> Any:
        found = known("read:org")
        return ("", 403) if found is None else page([{"login": name} for name in ORGANIZATIONS[found]])

    @app.get("/api/v3/user/teams")
    def teams() -> Any:
        found = known("read:org")
        listed = [{"slug": slug, "organization": {"login": owner}} for owner, slug in TEAMS.get(found or "", [])]
        return ("", 403) if found is None else page(listed)

    @app.get("/me")
    def me() -> Any:
        """The plain provider's: everything in one answer."""
        found = known()
        if found is None:
            return "", 401
        return jsonify(uuid=f"u-{USERS[found]['id']}", nick=found, memberships={"teams": ORGANIZATIONS[found]})

    @app.get("/whose")
    def whose() -> Any:
        """Whose the access token of the request is; "" if it is not good (any more)."""
        return known() or ""

    @app.get("/renewals")
    def renewals() -> str:
        return str(memory.renewals)

    @app.post("/fault")
    def fault() -> str:
        memory.fault = request.form["kind"]
        return ""

    return app


if __name__ == "__main__":
    lifetime = float(sys.argv[3]) if len(sys.argv) > 3 else None
    provider(sys.argv[2], lifetime).run("127.0.0.1", int(sys.argv[1]), threaded=True)
