"""What a page's Content-Security-Policy forbids it, judged as browsers do it (W3C, Content Security Policy Level 3).

Only what a Bokeh page cannot do without is looked at: its scripts, its styles, and the address of its WebSocket.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256, sha384, sha512
from html import unescape
from typing import Final
from urllib.parse import urlsplit

from app_server.doctor.address import DEFAULT_PORTS, Target

HEADER: Final = "content-security-policy"

_FALLBACKS: Final = {
    "script-src-elem": ("script-src-elem", "script-src", "default-src"),
    "script-src": ("script-src", "default-src"),
    "style-src-elem": ("style-src-elem", "style-src", "default-src"),
    "connect-src": ("connect-src", "default-src"),
}
"""Which directive is asked in whose place (section 6.8.3)."""

_UPGRADES: Final = {("http", "https"), ("ws", "wss"), ("ws", "http"), ("ws", "https"), ("wss", "https")}
"""What a scheme allows besides itself (section 6.7.2.9)."""

_PORTS: Final = {**DEFAULT_PORTS, "ws": 80, "wss": 443}
_HOST_SOURCE = re.compile(
    r"(?:([a-z][a-z0-9+.-]*)://)?(\*|(?:\*\.)?[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]+|\*))?(/.*)?", re.IGNORECASE
)
_GUARDED = re.compile(r"'(nonce-|sha(256|384|512)-|strict-dynamic')", re.IGNORECASE)
_SCRIPT = re.compile(r"<script\b([^>]*)>(.*?)</script\s*>", re.IGNORECASE | re.DOTALL)
_ATTRIBUTE = re.compile(r"""([a-z-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_META = re.compile(r"<meta\b([^>]*)>", re.IGNORECASE)
_HASHES: Final = {"sha256": sha256, "sha384": sha384, "sha512": sha512}


@dataclass(frozen=True, slots=True)
class Script:
    """A script that the page would run: from an address, or with its text in the page."""

    address: str | None
    text: str
    nonce: str


@dataclass(frozen=True)
class Policy:
    """One policy: the sources of each of its directives, and the page that it is for."""

    directives: Mapping[str, tuple[str, ...]]
    page: Target

    def sources(self, directive: str) -> tuple[str, ...] | None:
        """What this directive allows, or what is asked in its place; None if nothing is forbidden."""
        for name in _FALLBACKS[directive]:
            if name in self.directives:
                return self.directives[name]
        return None

    def runs(self, script: Script) -> bool:
        """Whether the script is run (sections 6.7.2.3 and 6.7.3.3)."""
        sources = self.sources("script-src-elem")
        if sources is None or (script.nonce and f"'nonce-{script.nonce}'" in sources):
            return True
        if script.address is None:
            return _allows_inline(sources) or any(digest in sources for digest in _digests(script.text))
        dynamic = "'strict-dynamic'" in _lowered(sources)
        return not dynamic and self._reaches(sources, script.address)

    def connects(self, address: str) -> bool:
        """Whether a WebSocket may be opened there."""
        sources = self.sources("connect-src")
        return sources is None or self._reaches(sources, address)

    @property
    def evaluates(self) -> bool:
        """Whether JavaScript may be made of text, as CustomJS is."""
        sources = self.sources("script-src")
        return sources is None or "'unsafe-eval'" in _lowered(sources)

    @property
    def styles(self) -> bool:
        """Whether scripts may add styles to the page."""
        sources = self.sources("style-src-elem")
        return sources is None or _allows_inline(sources)

    def sandboxed_without(self, flag: str) -> bool:
        """Whether the page is put into a sandbox that does not have this flag."""
        flags = self.directives.get("sandbox")
        return flags is not None and flag not in _lowered(flags)

    def _reaches(self, sources: tuple[str, ...], address: str) -> bool:
        return any(_matches(source, address, self.page) for source in sources)


def policies(values: Iterable[str], html: str, page: Target) -> tuple[Policy, ...]:
    """All policies that the page is under: of its headers, several in one or each in its own, and of its own text."""
    texts = [part for value in [*values, *_of_meta(html)] for part in value.split(",")]
    return tuple(Policy(found, page) for text in texts if (found := _directives(text)))


def scripts(html: str) -> tuple[Script, ...]:
    """The scripts of a page, without those that are only data."""
    return tuple(_scripts(html))


def _scripts(html: str) -> Iterator[Script]:
    for given, text in _SCRIPT.findall(html):
        attributes = _attributes(given)
        kind = attributes.get("type", "").strip().lower()
        if kind in ("", "module") or "javascript" in kind:
            address = attributes.get("src")
            yield Script(None if address is None else unescape(address), text, attributes.get("nonce", ""))


def _attributes(text: str) -> dict[str, str]:
    return {name.lower(): one or two or three for name, one, two, three in _ATTRIBUTE.findall(text)}


def _of_meta(html: str) -> Iterator[str]:
    for given in _META.findall(html):
        attributes = _attributes(given)
        if attributes.get("http-equiv", "").lower() == HEADER:
            yield unescape(attributes.get("content", ""))


def _directives(text: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for part in text.split(";"):
        name, *sources = part.split() or [""]
        if name:
            found.setdefault(name.lower(), tuple(sources))  # of two of one name the first one is valid
    return found


def _lowered(sources: Iterable[str]) -> set[str]:
    return {source.lower() for source in sources}


def _allows_inline(sources: tuple[str, ...]) -> bool:
    """'unsafe-inline' is ignored beside nonces and hashes (section 6.7.3.2)."""
    return "'unsafe-inline'" in _lowered(sources) and not any(_GUARDED.match(source) for source in sources)


def _digests(text: str) -> Iterator[str]:
    for name, function in _HASHES.items():
        yield f"'{name}-{b64encode(function(text.encode()).digest()).decode('ascii')}'"


def _matches(source: str, address: str, page: Target) -> bool:
    """Whether a source expression allows an address (section 6.7.2.8)."""
    url = urlsplit(address)
    if source == "*":
        return url.scheme in _PORTS
    if source.lower() == "'self'":
        port = url.port or _PORTS.get(url.scheme)
        upgrade = url.scheme in ("https", "wss") or (page.scheme, url.scheme) in {("http", "ws"), ("http", "http")}
        return upgrade and (url.hostname, port) == (page.host, page.port)
    if source.endswith(":") and source[:-1].isalnum():
        return _scheme_allows(source[:-1].lower(), url.scheme)
    found = _HOST_SOURCE.fullmatch(source)
    if found is None:
        return False
    scheme, host, port_text, path = found.groups()
    return (
        _scheme_allows((scheme or page.scheme).lower(), url.scheme)
        and _host_allows(host.lower(), url.hostname or "")
        and _port_allows(port_text, url.port, url.scheme)
        and _path_allows(path, url.path)
    )


def _scheme_allows(allowed: str, scheme: str) -> bool:
    return allowed == scheme or (allowed, scheme) in _UPGRADES


def _host_allows(allowed: str, host: str) -> bool:
    if allowed == "*":
        return True
    return host.endswith(allowed[1:]) if allowed.startswith("*.") else allowed.strip("[]") == host


def _port_allows(allowed: str | None, port: int | None, scheme: str) -> bool:
    if allowed == "*":
        return True
    default = _PORTS.get(scheme)
    return (port or default) == (default if allowed is None else int(allowed))


def _path_allows(allowed: str | None, path: str) -> bool:
    if allowed in (None, "", "/"):
        return True
    assert allowed is not None
    return path.startswith(allowed) if allowed.endswith("/") else path == allowed
