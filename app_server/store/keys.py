"""The keys of a journal: how its records are signed, or encrypted, under the server's secret.

Each journal has keys of its own, derived from the secret and the journal's random salt (HKDF-SHA256, RFC 5869). So the
sequence number of a record is a nonce that never repeats under one key, and records of one journal mean nothing in
another.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from app_server.errors import OperatorError
from app_server.store.errors import Unreadable
from app_server.version import how_to_install

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TAG_BYTES: Final = 16
SALT_BYTES: Final = 16


@dataclass(frozen=True)
class Keys:
    """The server's secrets, and whether journals are encrypted. The first secret writes, all of them read.

    Without a secret, a tag is only a checksum: it finds damage, but anyone who can write to the store can forge it.
    Raises OperatorError if journals should be encrypted without a secret or without `cryptography`.
    """

    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    encrypt: bool = False

    def __post_init__(self) -> None:
        if self.encrypt and not self.accepted[0]:
            raise OperatorError(
                "saved sessions should be encrypted, but no secret is set",
                where="--store-encrypt",
                hint="Make one with `app-server secret` and set BOKEH_SECRET_KEY.",
            )
        if self.encrypt:
            _aes_gcm(b"\0" * 32)

    @classmethod
    def of(cls, secret_key: str | None, *, encrypt: bool) -> Keys:
        """The keys that a server's secret key stands for: its lines are the key, and the one before it."""
        secrets = (secret_key or "").encode("utf-8").splitlines()
        return cls(tuple(secret for secret in secrets if secret), encrypt)

    @property
    def accepted(self) -> tuple[bytes, ...]:
        """The secrets that may have signed a journal; b"" without one."""
        return self.secrets or (b"",)


class Seal(Protocol):
    """What makes the records of one journal, and only these, readable again. `sequence` numbers them from 0."""

    def close(self, sequence: int, kind: int, body: bytes) -> tuple[bytes, ...]:
        """The pieces that are stored: the body, perhaps encrypted, and a tag."""

    def open(self, sequence: int, kind: int, stored: memoryview) -> bytes | memoryview:
        """The body; raises Unreadable if these are not the bytes, the kind and the place that `close` was given."""


def new_seal(secret: bytes, salt: bytes, *, encrypt: bool) -> Seal:
    """The seal of one journal. Raises OperatorError if encryption needs a package that is missing."""
    return _Encrypted(secret, salt) if encrypt else _Signed(secret, salt)


def header_tag(secret: bytes, salt: bytes, header: bytes, *, encrypt: bool) -> bytes:
    """The tag of a header. It also says, to those who have the secret, whether the records are encrypted."""
    key = _derive(secret, salt, b"header encrypted" if encrypt else b"header signed")
    return hmac.digest(key, header, "sha256")[:TAG_BYTES]


class _Signed:
    def __init__(self, secret: bytes, salt: bytes) -> None:
        self._mac = hmac.new(_derive(secret, salt, b"signed"), digestmod=hashlib.sha256)

    def close(self, sequence: int, kind: int, body: bytes) -> tuple[bytes, ...]:
        return body, self._tag(sequence, kind, body)

    def open(self, sequence: int, kind: int, stored: memoryview) -> memoryview:
        body, tag = stored[:-TAG_BYTES], stored[-TAG_BYTES:]
        if not hmac.compare_digest(self._tag(sequence, kind, body), tag):
            raise Unreadable("a record's signature does not match")
        return body

    def _tag(self, sequence: int, kind: int, body: bytes | memoryview) -> bytes:
        mac = self._mac.copy()
        mac.update(sequence.to_bytes(8, "big") + bytes([kind]))
        mac.update(body)
        return mac.digest()[:TAG_BYTES]


class _Encrypted:
    """AES-256-GCM; the tag is its own, and the kind is authenticated with the body."""

    def __init__(self, secret: bytes, salt: bytes) -> None:
        self._aes = _aes_gcm(_derive(secret, salt, b"encrypted"))

    def close(self, sequence: int, kind: int, body: bytes) -> tuple[bytes, ...]:
        return (self._aes.encrypt(_nonce(sequence), body, bytes([kind])),)

    def open(self, sequence: int, kind: int, stored: memoryview) -> bytes:
        from cryptography.exceptions import InvalidTag

        try:
            return self._aes.decrypt(_nonce(sequence), stored, bytes([kind]))
        except InvalidTag:
            raise Unreadable("a record cannot be decrypted") from None


def _nonce(sequence: int) -> bytes:
    return sequence.to_bytes(12, "big")


def _derive(secret: bytes, salt: bytes, purpose: bytes) -> bytes:
    """32 bytes: RFC 5869, extract and the first block of expand."""
    extracted = hmac.digest(salt, secret, "sha256")
    return hmac.digest(extracted, b"app-server journal 1 " + purpose + b"\x01", "sha256")


def _aes_gcm(key: bytes) -> AESGCM:
    # Imported here: only --store-encrypt needs it, and it takes 10 ms.
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise OperatorError(
            "encrypting saved sessions needs the package cryptography",
            where="--store-encrypt",
            hint=how_to_install("encrypt", served_with="cryptography"),
        ) from None
    return AESGCM(key)
