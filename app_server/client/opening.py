"""What a program says of itself to open a session: its address, token, headers, and how TLS is checked."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from app_server import settings
from app_server.client.address import ServerAddress
from app_server.client.errors import ClientError
from app_server.security import tokens
from app_server.security.tokens import Signer, TokenError

Verify: TypeAlias = bool | str | ssl.SSLContext
"""True checks the server's certificate against the system's authorities, a path against those of this file, False
does not check it; a context decides for itself."""

TOKEN_LIFETIME_S: Final = 300
"""As long as the server's own tokens are good for; the clocks of two machines may differ by a little."""

MAX_MESSAGE_BYTES: Final = 20 * 1024 * 1024
"""What the server takes from us by default, too."""

MAX_UNPACKING: Final = 8
"""How many times larger than their message its arrays may become: clients that return get them gzipped."""

TIMEOUT_S: Final = 60.0
"""An application that takes longer to start is better waited for on purpose, by a time-out of the caller's own."""

_SIGNING = ("BOKEH_SECRET_KEY", "BOKEH_SECRET_KEY_FILE", "BOKEH_SIGN_SESSIONS")


def signer_of(environ: Mapping[str, str]) -> Signer:
    """The signer that a server in this environment has; OperatorError where sessions are signed without a secret."""
    given = settings.from_environment({name: environ[name] for name in _SIGNING if name in environ})
    secret = given["secret_key"].value.encode("utf-8") if "secret_key" in given else None
    return Signer(secret, signed="session_ids" in given and given["session_ids"].value in settings.SIGNED_IDS)


@dataclass(frozen=True, slots=True)
class Identity:
    """Which session is meant, and what proves that we may open it."""

    session_id: str
    signer: Signer = field(repr=False)
    given_token: str | None = field(default=None, repr=False)

    def token(self, now_s: float) -> str:
        """The token that was given, else one that is good for five minutes from `now_s`, seconds since the epoch."""
        if self.given_token is not None:
            return self.given_token
        return tokens.mint_token(self.signer, self.session_id, expires_at=int(now_s) + TOKEN_LIFETIME_S)


def identify(session_id: str | None, token: str | None, signer: Signer) -> Identity:
    """The session of this id, else of this token, else a new one. ClientError where the two differ."""
    if token is None:
        return Identity(session_id or tokens.mint_session_id(signer), signer)
    try:
        # Whether its signature is right is for the server to say; who holds a token need not have the secret.
        named = tokens.read_token(Signer(), token).session_id
    except TokenError as error:
        raise ClientError(f"the token cannot be read: {error.what}", where="token") from error
    if session_id not in (None, named):
        raise ClientError("the token is that of another session", where="session_id", hint="Give one of the two.")
    return Identity(named, signer, token)


@dataclass(frozen=True, slots=True)
class Opening:
    """All that it takes to open a connection; `timeout_s` is for the whole of it, None waits for ever."""

    address: ServerAddress
    identity: Identity
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    max_message_bytes: int = MAX_MESSAGE_BYTES
    verify: Verify = True
    unix_socket: str | None = None
    timeout_s: float | None = TIMEOUT_S

    @property
    def max_unpacked_bytes(self) -> int:
        """What the arrays of one message may unpack to."""
        return MAX_UNPACKING * self.max_message_bytes

    def tls(self) -> ssl.SSLContext | None:
        """How to check the server's certificate; None if the address does not use TLS."""
        if not self.address.socket_url.startswith("wss:"):
            return None
        if isinstance(self.verify, ssl.SSLContext):
            return self.verify
        try:
            context = ssl.create_default_context(cafile=self.verify if isinstance(self.verify, str) else None)
        except (OSError, ssl.SSLError) as error:
            raise ClientError(
                f"cannot be read as certificates: {error}", where=str(self.verify), hint="Give a file in PEM format."
            ) from error
        if self.verify is False:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def request_headers(
    address: ServerAddress, headers: Mapping[str, str] | None, cookies: Mapping[str, str] | None
) -> dict[str, str]:
    """The headers of the opening request; ClientError where one would break the request."""
    found = {} if address.authorization is None else {"Authorization": address.authorization}
    found.update(headers or {})
    if cookies:
        pairs = "; ".join(f"{name}={value}" for name, value in cookies.items())
        if any(character in f"{name}{value}" for name, value in cookies.items() for character in ";,\r\n"):
            raise ClientError("a cookie holds a separator or a line feed", where="cookies", hint="Quote its value.")
        earlier = next((name for name in found if name.lower() == "cookie"), None)
        found["Cookie"] = pairs if earlier is None else f"{found.pop(earlier)}; {pairs}"
    for name, value in found.items():
        if any(character in f"{name}{value}" for character in "\r\n\0"):
            raise ClientError("a header holds a line feed", where=name)
    return found
