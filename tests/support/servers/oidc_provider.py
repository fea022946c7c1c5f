"""An OpenID Connect provider for tests, of authlib's server side: it checks secret, PKCE, nonce and redirect address.

`python -m tests.support.servers.oidc_provider PORT REDIRECT_URL` serves it. You log in as any user by typing that name.
A POST to `/fault` with `kind` makes the next token a bad one, see `FAULTS`.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin, TokenMixin, grants
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask, Response, jsonify, redirect, request
from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID = "plots"
CLIENT_SECRET = "what only the two of us know"

USERS: dict[str, dict[str, Any]] = {
    "ann": {"sub": "1001", "name": "Ann", "email": "ann@example.org", "email_verified": True, "groups": ["staff"]},
    "bob": {"sub": "1002", "name": "Bob", "email": "bob@example.com", "email_verified": True, "groups": ["guests"]},
    "crowd": {"sub": "1003", "name": "Crowd", "groups": [f"group {number * 7919:x}" for number in range(2000)]},
}
# What each fault changes in the claims of the next ID token.
FAULTS: dict[str, dict[str, Any]] = {
    "nonce": {"nonce": "somebody else's"},
    "audience": {"aud": "another client"},
    "issuer": {"iss": "https://evil.example"},
    "expired": {"exp": 1},
    "stranger": {},  # signed with a key that is not published
}
FORM = '<form method="post"><input name="user" aria-label="User"><button>Go on</button></form>'


@dataclass
class Client(ClientMixin):
    """The one client that is known here."""

    redirect_url: str

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_default_redirect_uri(self) -> str:
        return self.redirect_url

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == self.redirect_url

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in ("client_secret_basic", "client_secret_post")

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in ("authorization_code", "refresh_token")


@dataclass
class Code(AuthorizationCodeMixin):
    """A code that has been handed out."""

    user: str
    redirect_uri: str
    scope: str
    nonce: str
    code_challenge: str
    code_challenge_method: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str:
        return self.nonce

    def get_auth_time(self) -> int:
        return int(time.time())

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


@dataclass
class Issued(TokenMixin):
    """Tokens that have been handed out."""

    user: str
    scope: str

    def check_client(self, client: ClientMixin) -> bool:
        return True

    def get_scope(self) -> str:
        return self.scope

    def get_expires_in(self) -> int:
        return 600

    def is_expired(self) -> bool:
        return False

    def is_revoked(self) -> bool:
        return False

    def get_user(self) -> str:
        return self.user

    def get_client(self) -> None:
        return None


@dataclass
class Memory:
    """What the provider remembers."""

    issuer: str
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}))
    codes: dict[str, Code] = field(default_factory=dict)
    tokens: dict[str, Issued] = field(default_factory=dict)
    """What was issued, by the refresh token."""
    fault: str | None = None


def provider(port: int, redirect_url: str) -> Flask:
    """The provider, to be served at this port of localhost."""
    memory = Memory(f"http://localhost:{port}")
    client = Client(redirect_url)

    class CodeGrant(grants.AuthorizationCodeGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")

        def save_authorization_code(self, code: str, asked: Any) -> None:
            data = asked.payload.data
            memory.codes[code] = Code(
                asked.user, asked.payload.redirect_uri, asked.payload.scope, data["nonce"],
                data["code_challenge"], data["code_challenge_method"],
            )  # fmt: skip

        def query_authorization_code(self, code: str, client: Client) -> Code | None:
            return memory.codes.get(code)

        def delete_authorization_code(self, authorization_code: Code) -> None:
            memory.codes = {code: kept for code, kept in memory.codes.items() if kept is not authorization_code}

        def authenticate_user(self, authorization_code: Code) -> str:
            return authorization_code.user

    class IdToken(OpenIDCode):
        def exists_nonce(self, nonce: str, asked: Any) -> bool:
            return False

        def encode_id_token(self, token: dict[str, Any], asked: Any) -> str:
            now = int(time.time())
            claims = {"iss": memory.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, **USERS[asked.user]}
            claims["nonce"] = asked.authorization_code.get_nonce()
            fault, memory.fault = memory.fault, None
            key = RSAKey.generate_key(2048, {"kid": "one"}) if fault == "stranger" else memory.key
            return jwt.encode({"alg": "RS256", "kid": "one"}, {**claims, **FAULTS.get(fault or "", {})}, key)

    class Renewal(grants.RefreshTokenGrant):
        """Each refresh token is good once."""

        INCLUDE_NEW_REFRESH_TOKEN = True
        TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")

        def authenticate_refresh_token(self, refresh_token: str) -> Issued | None:
            return memory.tokens.pop(refresh_token, None)

        def authenticate_user(self, refresh_token: Issued) -> str:
            return refresh_token.user

        def revoke_old_credential(self, refresh_token: Issued) -> None:
            """It was forgotten when it came."""

    def save(token: dict[str, Any], asked: Any) -> None:
        if "refresh_token" in token:
            memory.tokens[token["refresh_token"]] = Issued(asked.user, token.get("scope", ""))

    app = Flask(__name__)
    app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True
    server = AuthorizationServer(
        app,
        query_client=lambda client_id: client if client_id == CLIENT_ID else None,
        save_token=save,
    )
    server.register_grant(Renewal)
    server.register_grant(CodeGrant, [CodeChallenge(required=True), IdToken(require_nonce=True)])

    @app.get("/.well-known/openid-configuration")
    def description() -> Response:
        return jsonify(
            issuer=memory.issuer,
            authorization_endpoint=f"{memory.issuer}/authorize",
            token_endpoint=f"{memory.issuer}/token",
            jwks_uri=f"{memory.issuer}/keys",
            end_session_endpoint=f"{memory.issuer}/logout",
            token_endpoint_auth_methods_supported=["client_secret_basic", "client_secret_post"],
            id_token_signing_alg_values_supported=["RS256"],
        )

    @app.get("/keys")
    def keys() -> Response:
        return jsonify(keys=[memory.key.as_dict(private=False)])

    @app.route("/authorize", methods=["GET", "POST"])
    def authorize() -> Any:
        if request.method == "GET":
            server.get_consent_grant()  # raises where the request is not as it should be
            return FORM
        user = request.form["user"]
        if user not in USERS:
            return redirect(f"{redirect_url}?error=access_denied&state={request.args['state']}")
        return server.create_authorization_response(grant_user=user, grant=server.get_consent_grant(end_user=user))

    @app.post("/token")
    def token() -> Any:
        return server.create_token_response()

    @app.get("/logout")
    def logout() -> Any:
        assert request.args["client_id"] == CLIENT_ID
        return redirect(request.args["post_logout_redirect_uri"])

    @app.post("/fault")
    def fault() -> str:
        memory.fault = request.form["kind"]
        return ""

    return app


if __name__ == "__main__":
    provider(int(sys.argv[1]), sys.argv[2]).run("127.0.0.1", int(sys.argv[1]))
