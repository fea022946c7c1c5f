"""Small values that travel through a browser and come back unchanged: signed with HMAC-SHA256, with an expiry.

A signature has a purpose: a value signed for one is not valid for another, even with the same key. The value is not
encrypted.
"""

from __future__ import annotations

import hmac
import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

# Browsers keep cookies of 4096 bytes, their name and attributes included (RFC 6265, section 6.1).
LONGEST_SEALED: Final = 3800
_LARGEST_VALUE_BYTES: Final = 64 * 1024


@dataclass(frozen=True)
class Seal:
    """Signs values for one purpose."""

    purpose: str
    secret: str = field(repr=False)

    def seal(self, value: Mapping[str, Any], *, expires_at: int) -> str:
        """The value, good until `expires_at` seconds since the epoch, as a text that fits into a cookie or a form."""
        packed = zlib.compress(json.dumps({**value, "exp": expires_at}, separators=(",", ":")).encode(), level=9)
        body = _encode(packed)
        return f"{body}.{self.tag(body)}"

    def open(self, text: str | None, now_s: float) -> dict[str, Any] | None:
        """The value that was signed; None for what is forged, damaged, too old or signed for something else."""
        if text is None or len(text) > 2 * LONGEST_SEALED or not text.isascii():
            return None
        body, dot, tag = text.partition(".")
        if not dot or not hmac.compare_digest(self.tag(body).encode(), tag.encode()):
            return None
        try:
            value = json.loads(zlib.decompressobj().decompress(_decode(body), _LARGEST_VALUE_BYTES))
        except (ValueError, zlib.error):
            return None
        if not isinstance(value, dict) or not isinstance(value.get("exp"), int) or now_s >= value["exp"]:
            return None
        return value

    def tag(self, text: str) -> str:
        """What only the holder of the secret can make of this text."""
        message = f"{self.purpose}\n{text}".encode("utf-8", "surrogatepass")
        return _encode(hmac.digest(self.secret.encode("utf-8"), message, "sha256"))


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
