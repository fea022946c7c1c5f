"""Small values that only this server can read, encrypted with AES-GCM (NIST SP 800-38D), such as access tokens."""

from __future__ import annotations

import hmac
import json
import os
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from app_server.errors import OperatorError
from app_server.version import how_to_install

_NONCE_BYTES: Final = 12
_LARGEST_VALUE_BYTES: Final = 256 * 1024


@dataclass(frozen=True)
class SecretBox:
    """Encrypts values for one purpose; a value of another one does not open."""

    purpose: str
    secret: str = field(repr=False)
    random: Callable[[int], bytes] = field(default=os.urandom, repr=False)

    @cached_property
    def _cipher(self) -> Any:
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError:
            what = "keeping access tokens needs the package cryptography"
            raise OperatorError(what, where="--access-tokens", hint=how_to_install("oidc")) from None
        return AESGCM(hmac.digest(self.secret.encode("utf-8"), f"encrypted\n{self.purpose}".encode(), "sha256"))

    def require(self) -> None:
        """Return if values can be encrypted; OperatorError says what is missing."""
        _ = self._cipher

    def seal(self, value: Mapping[str, Any]) -> str:
        """The value as a text that fits into cookies."""
        packed = zlib.compress(json.dumps(value, separators=(",", ":")).encode(), level=9)
        nonce = self.random(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, packed, self.purpose.encode())
        return urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii")

    def open(self, text: str | None) -> dict[str, Any] | None:
        """The value that was sealed; None for what is forged, damaged or sealed for something else."""
        if not text or not text.isascii():
            return None
        from cryptography.exceptions import InvalidTag

        try:
            data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
            packed = self._cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], self.purpose.encode())
            value = json.loads(zlib.decompressobj().decompress(packed, _LARGEST_VALUE_BYTES))
        except (ValueError, InvalidTag, zlib.error):
            return None
        return value if isinstance(value, dict) else None
