"""Where to go after logging in: only to a page of this server, whatever the address says."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote, urlencode, urlsplit

LONGEST_NEXT: Final = 2000

_ROUTE = re.compile(r"^/_i/[A-Za-z0-9_-]{1,32}(?=/|$)")


def safe_next(text: str | None, prefix: str, default: str | None = None) -> str:
    """The path to go on to if it is one below the prefix, else the default, by itself the server's root.

    Browsers take `//host`, `/\\host` and `/<tab>/host` for other sites; all of them are refused.
    """
    fallback = default if default is not None else f"{prefix}/"
    if not text or len(text) > LONGEST_NEXT or not text.startswith("/") or text.startswith("//"):
        return fallback
    if "\\" in text or not text.isascii() or any(ord(letter) <= 32 or ord(letter) == 127 for letter in text):
        return fallback
    # With one slash in front of it, a text has neither a scheme nor a host (RFC 3986, section 4.2).
    path = _ROUTE.sub("", urlsplit(text).path)
    inside = path == prefix or path.startswith(f"{prefix}/")
    if not inside or path.startswith("//") or _climbs(path):
        return fallback
    return text


def _climbs(path: str) -> bool:
    return any(part in (".", "..") for part in unquote(path).replace("\\", "/").split("/"))


def login_address(login_url: str, here: str, full: str) -> str:
    """The login URL with `next` appended: `here`, or the full address if people log in on another site.

    An address with its own query is returned unchanged.
    """
    if "?" in login_url:
        return login_url
    return f"{login_url}?{urlencode({'next': full if urlsplit(login_url).scheme else here})}"
