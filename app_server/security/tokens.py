"""Session ids and tokens, minted, signed and read; those of `bokeh.util.token` with the same secret are accepted too.

A token is `b64url(json)`, and when signed `.b64url(HMAC-SHA256(secret, part one))` after it. The JSON names the
session, says until when the token opens a new one, and may carry a compressed payload: what the page's request
looked like. Anyone can send a token, so it is read in a safe order: size, signature, JSON, session id; the payload is
decompressed last, only when it is needed, and never beyond its limit.
"""

from __future__ import annotations

import binascii
import hmac
import json
import secrets
import string
import zlib
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, TypeGuard

from app_server.errors import ApplicationError, OperatorError, PeerError

MAX_TOKEN_BYTES: Final = 64 * 1024  # a request's headers end there anyway, with Tornado and with most proxies
MAX_PAYLOAD_BYTES: Final = 1024 * 1024
MAX_SESSION_ID_LENGTH: Final = 512

_PAYLOAD_KEY = "__bk__zlib_"
_OWNER_KEY = "owner"
_OWNER_LENGTH = 16
_SEAL_KEY = "seal"
_SEAL_LENGTH = 22
_ALPHABET = string.ascii_letters + string.digits
_RANDOM_LENGTH = 44  # 62 ** 44 is more than 2 ** 261
_LAST_EXPIRY = 2**53


class TokenError(PeerError):
    """The token or session id is malformed, oversized or not signed with our secret."""

    def __init__(self, what: str) -> None:
        super().__init__(what, close_code=1008)


@dataclass(frozen=True)
class Signer:
    """The secret that session ids and tokens are signed with, and whether they are signed at all.

    Signatures of the `previous` secret are valid too: a new one logs no user out. `seal` is a key for the payload
    of tokens that are not signed: with it, the server recognizes the payloads that it has written itself.
    """

    secret: bytes | None = field(default=None, repr=False)
    signed: bool = False
    previous: bytes | None = field(default=None, repr=False)
    seal: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.signed and not self.secret:
            raise OperatorError(
                "sessions should be signed, but there is no secret",
                where="BOKEH_SECRET_KEY",
                hint="Make one with `app-server secret` and set it for every process that makes or reads tokens.",
            )

    def signature(self, text: str) -> str:
        """The signature of `text`: HMAC-SHA256 in unpadded base64url."""
        return _signature(self.secret or b"", text)

    def matches(self, text: str, signature: str) -> bool:
        """Whether this is the signature of `text`, compared in constant time for each secret."""
        return any(
            hmac.compare_digest(_signature(secret, text).encode("ascii"), signature.encode("utf-8"))
            for secret in self.accepted
        )

    @property
    def accepted(self) -> tuple[bytes, ...]:
        """The secrets whose signatures are valid."""
        return (self.secret or b"",) if self.previous is None else (self.secret or b"", self.previous)


@dataclass(frozen=True)
class Token:
    """A token whose signature is valid: which session it opens, and until when it may create it.

    `expires_at` is in seconds since the epoch. An expired token still names its session: it can join an
    existing session, but not create a new one.
    """

    session_id: str
    expires_at: int
    raw: str = field(repr=False)
    trusted: bool
    """Whether this server, or one with the same secret, wrote the payload; always so if tokens are signed."""
    _clear: Mapping[str, Any] = field(repr=False)
    _packed: str | None = field(repr=False)
    _max_payload_bytes: int = field(repr=False, default=MAX_PAYLOAD_BYTES)

    def expired(self, now: float) -> bool:
        """Whether `now`, in seconds since the epoch, is too late to create a session with this token."""
        return now >= self.expires_at

    @property
    def owner(self) -> str | None:
        """The mark of the user for whom the token was minted, see `owner_mark`; None if anyone may use it."""
        owner = self._clear.get(_OWNER_KEY)
        return owner if isinstance(owner, str) else None

    @property
    def carries_request(self) -> bool:
        """Whether the request of the page travels in the token."""
        return self._packed is not None

    @cached_property
    def payload(self) -> dict[str, Any]:
        """Everything the token carries besides the session id; unpacked at the first use.

        Raises TokenError for a payload that is damaged or larger than its limit.
        """
        payload = {name: value for name, value in self._clear.items() if name not in (_OWNER_KEY, _SEAL_KEY)}
        if self._packed is not None:
            text = _inflate(_b64decode(self._packed, "the payload"), self._max_payload_bytes)
            payload.update(_read_object(text, "the payload", hook=_revive_bytes))
        payload.pop("session_id", None)
        return payload


def mint_session_id(signer: Signer, *, choose: Callable[[str], str] = secrets.choice) -> str:
    """A new session id of 44 random letters and digits, signed when the signer signs."""
    base = "".join(choose(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return f"{base}.{signer.signature(base)}" if signer.signed else base


def verify_session_id(signer: Signer, session_id: str) -> bool:
    """Whether the id may name a session: well formed, and signed by us if ids are signed."""
    return _is_well_formed(session_id) and (not signer.signed or _is_signed(signer, session_id))


def _is_signed(signer: Signer, session_id: str) -> bool:
    base, dot, signature = session_id.partition(".")
    return bool(dot) and signer.matches(base, signature)


def owner_mark(signer: Signer, identity: str) -> str:
    """The mark of its user in a token; without the secret it does not reveal the user."""
    return signer.signature(_owner_text(identity))[:_OWNER_LENGTH]


def is_owner_mark(signer: Signer, identity: str, mark: str) -> bool:
    """Whether this is the user's mark, made with the current secret or the previous one."""
    marks = (_signature(secret, _owner_text(identity))[:_OWNER_LENGTH] for secret in signer.accepted)
    # The author of an unsigned token can put lone surrogates into it.
    return any(hmac.compare_digest(own.encode("ascii"), mark.encode("utf-8", "surrogatepass")) for own in marks)


def _owner_text(identity: str) -> str:
    return f"owner {identity}"


def mint_token(
    signer: Signer,
    session_id: str,
    *,
    expires_at: int,
    payload: Mapping[str, Any] | None = None,
    owner: str | None = None,
) -> str:
    """A token for the session, with the payload packed into it; `read_token` accepts every token minted here.

    Without a payload it is a small one, of some 250 bytes. `owner` is the mark of the only user who may use it. Bytes
    may stand anywhere in the payload. Raises ApplicationError for a payload that JSON cannot hold, that names
    `session_id` itself, or that would make the token too long to travel in a header.
    """
    head: dict[str, Any] = {"session_id": session_id, "session_expiry": expires_at}
    if owner is not None:
        head[_OWNER_KEY] = owner
    if payload:
        head[_PAYLOAD_KEY] = _b64encode(_deflate(payload))
        if signer.seal is not None and not signer.signed:
            head[_SEAL_KEY] = _seal(signer.seal, head)
    part = _b64encode(_compact_json(head))
    token = f"{part}.{signer.signature(part)}" if signer.signed else part
    if len(token) > MAX_TOKEN_BYTES:
        raise ApplicationError(
            f"the session's token would have {len(token)} bytes, more than the {MAX_TOKEN_BYTES} allowed",
            hint="Return less from process_request, or leave headers and cookies out with --exclude-headers and"
            " --exclude-cookies.",
        )
    return token


def read_token(
    signer: Signer,
    text: str,
    *,
    max_bytes: int = MAX_TOKEN_BYTES,
    max_payload_bytes: int = MAX_PAYLOAD_BYTES,
) -> Token:
    """The token in `text`, its signature and its session id's verified; raises TokenError with the reason otherwise.

    An expired token is returned like any other: ask `Token.expired`.
    """
    if len(text) > max_bytes:
        raise TokenError(f"the token has {len(text)} characters, more than the {max_bytes} allowed")
    if not text.isascii():
        raise TokenError("the token is not ASCII")
    part, dot, signature = text.partition(".")
    if signer.signed and not (dot and signer.matches(part, signature)):
        raise TokenError("the token is not signed with this server's secret" if dot else "the token is not signed")
    head = _read_object(_b64decode(part, "the token"), "the token")
    trusted = signer.signed or _is_sealed(signer, head)
    session_id = head.pop("session_id", None)
    expires_at = head.get("session_expiry")
    packed = head.pop(_PAYLOAD_KEY, None)
    if not isinstance(session_id, str) or not _is_well_formed(session_id):
        raise TokenError("the token names no usable session id")
    if signer.signed and not _is_signed(signer, session_id):
        raise TokenError("the token's session id is not signed with this server's secret")
    if not _is_time(expires_at):
        raise TokenError("the token does not say when it expires")
    if packed is not None and not isinstance(packed, str):
        raise TokenError("the token's payload is not text")
    return Token(session_id, expires_at, text, trusted, head, packed, max_payload_bytes)


def _seal(key: bytes, head: Mapping[str, Any]) -> str:
    """The proof that the owner of this key wrote the whole token: no part can be exchanged."""
    rest = {name: value for name, value in head.items() if name != _SEAL_KEY}
    return _signature(key, json.dumps(rest, sort_keys=True))[:_SEAL_LENGTH]


def _is_sealed(signer: Signer, head: Mapping[str, Any]) -> bool:
    seal = head.get(_SEAL_KEY)
    if signer.seal is None or not isinstance(seal, str):
        return False
    try:
        own = _seal(signer.seal, head)
    except RecursionError:  # nested lists, just few enough to be read
        return False
    return hmac.compare_digest(own.encode("ascii"), seal.encode("utf-8", "surrogatepass"))


def _signature(secret: bytes, text: str) -> str:
    return _b64encode(hmac.digest(secret, text.encode("utf-8"), "sha256"))


def _is_well_formed(session_id: str) -> bool:
    # Printable keeps line feeds out of logs and lone surrogates, which have no UTF-8, out of signatures.
    return 0 < len(session_id) <= MAX_SESSION_ID_LENGTH and session_id.isprintable()


def _is_time(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LAST_EXPIRY


def _b64encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _b64decode(text: str, name: str) -> bytes:
    text = text.rstrip("=")
    try:
        return b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise TokenError(f"{name} is not base64url") from None


def _compact_json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), default=_wrap_bytes).encode("ascii")


def _wrap_bytes(value: object) -> dict[str, str]:
    if isinstance(value, bytes):
        return {"bytes": _b64encode(value)}
    raise TypeError(f"a {type(value).__name__} is not JSON")


def _revive_bytes(value: dict[str, Any]) -> Any:
    if len(value) == 1 and isinstance(value.get("bytes"), str):
        try:
            return _b64decode(value["bytes"], "a byte string")
        except TokenError:
            return value  # an application's own {"bytes": "some text"}, never wrapped by a mint
    return value


def _deflate(payload: Mapping[str, Any]) -> bytes:
    if "session_id" in payload:
        raise ApplicationError("the token's payload may not name session_id", where="process_request")
    try:
        text = _compact_json(dict(payload))
    except (TypeError, ValueError, RecursionError) as error:
        raise ApplicationError(
            f"the token's payload cannot be written as JSON: {error}",
            where="process_request",
            hint="Return a dict of plain values: text, numbers, bytes, lists and dicts of these.",
        ) from error
    if len(text) > MAX_PAYLOAD_BYTES:
        raise ApplicationError(
            f"the token's payload has {len(text)} bytes, more than the {MAX_PAYLOAD_BYTES} allowed",
            where="process_request",
            hint="Return less from process_request; keep large data on the server under a key.",
        )
    return zlib.compress(text, level=9)


def _inflate(packed: bytes, max_bytes: int) -> bytes:
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(packed, max_bytes + 1)
    except zlib.error:
        raise TokenError("the payload is not compressed correctly") from None
    if len(text) > max_bytes:
        raise TokenError(f"the payload unpacks to more than the {max_bytes} bytes allowed")
    if not inflater.eof or inflater.unused_data:
        raise TokenError("the payload is incomplete, or has something after its end")
    return text


def _read_object(text: bytes, name: str, hook: Callable[[dict[str, Any]], Any] | None = None) -> dict[str, Any]:
    try:
        value = json.loads(text, object_hook=hook)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError too
        raise TokenError(f"{name} is not JSON") from None
    if not isinstance(value, dict):
        raise TokenError(f"{name} is not a JSON object")
    return value
