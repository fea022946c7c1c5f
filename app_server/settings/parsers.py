"""Parsers of one word each: the value, or a ValueError whose text completes "expected ..."."""

from __future__ import annotations

import ipaddress
import math
import os
import re
from collections.abc import Callable
from urllib.parse import quote, urlsplit

from app_server.settings.values import SessionIds

# The largest number of milliseconds, seconds or bytes that a setting takes; far beyond use, short of any overflow.
LARGEST = 10**12
# sockaddr_un.sun_path holds 108 bytes with its final zero on Linux, 104 elsewhere; we bind on the former.
LONGEST_SOCKET_PATH_BYTES = 107


def text(word: str) -> str:
    if not word or "\0" in word:
        raise ValueError("some text")
    return word


def switch(word: str) -> bool:
    meaning = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}
    if word.strip().lower() not in meaning:
        raise ValueError("yes or no")
    return meaning[word.strip().lower()]


def integer(low: int, high: int = LARGEST) -> Callable[[str], int]:
    """A parser of whole numbers from low to high, both included."""
    expected = f"a whole number from {low} to {high}" if high < LARGEST else f"a whole number, at least {low}"

    def parse(word: str) -> int:
        # The length is checked first, since int() refuses very long numbers in its own words.
        if not re.fullmatch(r"[+-]?[0-9]{1,15}", word.strip()) or not low <= int(word) <= high:
            raise ValueError(expected)
        return int(word)

    return parse


def seconds(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not 0 <= value <= LARGEST:
        raise ValueError("a number of seconds, at least 0")
    return value


def choice(*choices: str, **synonyms: str) -> Callable[[str], str]:
    """A parser of one of the words, in any case; synonyms map further words to them."""

    def parse(word: str) -> str:
        found = synonyms.get(word.lower(), word.lower())
        if found not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return found

    return parse


def exactly(*choices: str) -> Callable[[str], str]:
    """A parser of one of the words in exactly this case, as bokeh itself reads them."""

    def parse(word: str) -> str:
        if word not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return word

    return parse


def sign_sessions(word: str) -> SessionIds:
    return "signed" if switch(word) else "unsigned"


def origin(word: str) -> str:
    """`host`, `host:port` or a pattern with `*`, as the Host header would carry it."""
    host = word.strip()
    if not re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\s/:@\[\]?#,]+)(:([0-9]{1,5}|\*))?", host):
        raise ValueError("HOST or HOST:PORT, without http:// and without a path")
    return host


def prefix(word: str) -> str:
    """ "" or a path that starts with a slash and does not end with one."""
    path = word.strip().strip("/")
    if re.search(r"[\s?#%\\]|//", path) or {".", ".."} & set(path.split("/")):
        raise ValueError("a path such as /tools, without spaces, '?', '#', '%' or '..'")
    # Percent-encoded, as it is in the addresses that pages are given.
    return "/" + quote(path, safe="/!$&'()*+,;=:@") if path else ""


def route(word: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", word):
        raise ValueError("1 to 32 letters, digits, '_' or '-'")
    return word


def network(word: str) -> str:
    """An address, a network, or "unix" for the peer of a Unix socket; written the one way that ipaddress writes it."""
    if word.strip().lower() == "unix":
        return "unix"
    try:
        return str(ipaddress.ip_network(word.strip(), strict=True))
    except ValueError:
        raise ValueError("an address or a network such as 127.0.0.1 or 10.0.0.0/8, or 'unix'") from None


def header_name(word: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]{1,100}", word):
        raise ValueError("the name of a header, such as X-Forwarded-User")
    return word


def https_url(word: str) -> str:
    """An address without query and fragment; without TLS only for this machine."""
    expected = "an https:// address without '?' and '#' (http:// only for this machine)"
    try:
        parts = urlsplit(word)
        plain = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
        fits = (parts.scheme == "https" or plain) and parts.hostname and parts.username is None and parts.port != 0
    except ValueError:
        fits = None
    if not fits or not word.isprintable() or set(word) & set("?# \\"):
        raise ValueError(expected)
    return word


def issuer(word: str) -> str:
    """The address of an OpenID provider, to which that of its description is added."""
    known = "/.well-known/openid-configuration"
    if word.rstrip("/").endswith(known):
        raise ValueError(f"the provider's address without {known}")
    return https_url(word)


def access_rule(word: str) -> str:
    """`ROUTE=user:NAME` or `ROUTE=group:NAME`; the route gets a slash in front if it has none, `*` is all routes."""
    found = re.fullmatch(r"(\*|[^\s=?#\\]+)=(user|group):\s*(\S.{0,300})", word.strip())
    if found is None or not word.isprintable():
        raise ValueError("ROUTE=user:NAME or ROUTE=group:NAME, such as /sales=group:analysts")
    route = found[1] if found[1] == "*" else "/" + found[1].strip("/")
    return f"{route}={found[2]}:{found[3]}"


def static_dir(word: str) -> str:
    """`NAME=FOLDER`; the name is a path without slashes at its ends, the folder an absolute path."""
    name, _, folder = word.partition("=")
    name = name.strip().strip("/")
    if not re.fullmatch(r"[^\s?#%\\{}]+", name) or {"", ".", ".."} & set(name.split("/")) or not folder.strip():
        raise ValueError("NAME=FOLDER, such as assets=./assets")
    if name == "static" or name.startswith("static/"):
        raise ValueError("another NAME than static, where the server's own files are")
    return f"{name}={os.path.abspath(os.path.expanduser(folder.strip()))}"


def contact(word: str) -> str:
    """One line that a page shows: a name, an e-mail address, an address of a page."""
    text_ = word.strip()
    if not text_ or len(text_) > 300 or not text_.isprintable():
        raise ValueError("one line of text, such as help@example.org")
    return text_


def claim_name(word: str) -> str:
    if not re.fullmatch(r"[^=\s]{1,200}", word):
        raise ValueError("the name of a claim, such as groups or realm_access.roles")
    return word


def claim_pattern(word: str) -> str:
    if not re.fullmatch(r"[^=\s]{1,100}=.{1,300}", word):
        raise ValueError("CLAIM=VALUE, such as email=*@example.org")
    return word


def scope(word: str) -> str:
    """Scopes separated by one space. Without "openid" a provider would answer with plain OAuth."""
    scopes = word.split()
    if "openid" not in scopes or not word.isascii() or not word.isprintable() or set(word) & set('"\\'):
        raise ValueError("scopes separated by spaces, including 'openid'")
    return " ".join(scopes)


def oauth_provider(word: str) -> str:
    if word.lower() not in ("github", "custom"):
        raise ValueError("github or custom (give an OpenID provider, such as Google or GitLab, with --oidc-issuer)")
    return word.lower()


def plain_scope(word: str) -> str:
    """Scopes as the provider separates them, usually by a space."""
    if not word.isascii() or not word.isprintable() or set(word) & set('"\\'):
        raise ValueError("scopes separated by spaces")
    return word.strip()


def icon(word: str) -> str | None:
    """The path of an icon, None for the server's own, "none" for no icon."""
    if word.lower() in ("default", "none"):
        return "none" if word.lower() == "none" else None
    if not word.endswith(".ico"):
        raise ValueError("the path of a .ico file, 'default' or 'none'")
    return word


def optional_file(word: str) -> str | None:
    """The path of a file, None for "none"."""
    return None if word == "none" else text(word)


def socket_path(word: str) -> str:
    if not word or "\0" in word or len(os.fsencode(word)) > LONGEST_SOCKET_PATH_BYTES:
        raise ValueError(f"a path of at most {LONGEST_SOCKET_PATH_BYTES} bytes")
    return word


def log_format(word: str) -> str:
    import logging  # takes longer to import than all else here

    record = {"msg": "", "levelname": "INFO", "name": "x", "application": "", "session": "", "request_id": ""}
    try:
        # The second step finds what the first does not, such as %(levelname)d.
        logging.Formatter(word).format(logging.makeLogRecord(record))
    except (ValueError, TypeError, KeyError):
        raise ValueError("a format of Python's logging, such as '%(asctime)s %(message)s'") from None
    return word
