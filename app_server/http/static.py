"""Static files over HTTP: BokehJS, an application's own folder, extensions' bundles.

A request goes four steps: locate (which never leaves its root), revalidate (304 where the browser has it already),
choose a coding, send. An address with the content's own version in `?v=` is cached by browsers for ever, everything
else is revalidated at each use.
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, ClassVar, Final

from tornado.web import HTTPError

from app_server.http.accepting import SCARCE
from app_server.http.base_handler import Leavable
from app_server.http.compression import (
    LARGEST_HASHED_BYTES,
    LARGEST_HELD_BYTES,
    VERSION_LENGTH,
    Cache,
    Coding,
    Variant,
    default_cache,
    digest_of,
    in_thread,
    precompress,
)
from app_server.http.doctor_header import answer_doctor
from app_server.http.file_types import content_type

__all__ = ["StaticFiles", "precompress", "version_of"]

_CHUNK_BYTES = 256 * 1024
_SMALLEST_COMPRESSED_BYTES = 1024  # below, the headers outweigh what is saved
_HASHED_ON_THE_LOOP_BYTES = 256 * 1024  # a fraction of a millisecond
_OUR_VERSION = re.compile(rf"[0-9a-f]{{{VERSION_LENGTH}}}")
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")

_COMPRESSED_TYPES: Final = frozenset(
    {"image/svg+xml", "image/vnd.microsoft.icon", "image/bmp", "font/ttf", "font/otf", "application/wasm"}
    | {"application/json", "application/xml", "application/vnd.ms-fontobject"}
)


@dataclass(frozen=True)
class StaticFile:
    """A file to be sent, as it was when it was looked at."""

    path: Path
    size_bytes: int
    modified_s: int
    digest: str

    @property
    def version(self) -> str:
        """What tells this content from others of its address."""
        return self.digest[:VERSION_LENGTH]


def version_of(path: str | os.PathLike[str]) -> str:
    """The version of the file's content, to be written behind `?v=` of its address. Raises OSError."""
    return look_at(Path(path)).version


def look_at(path: Path) -> StaticFile:
    """What there is to know about the file; its content is read only when it changed since the last look."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise FileNotFoundError(f"{path} is not a regular file")
    digest = _digest(str(path), status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
    return StaticFile(path, status.st_size, int(status.st_mtime), digest)


@lru_cache(maxsize=4096)
def _digest(path: str, mtime_ns: int, ctime_ns: int, size_bytes: int, inode: int) -> str:
    if size_bytes > LARGEST_HASHED_BYTES:
        return digest_of(f"{path} {size_bytes} {mtime_ns}".encode("utf-8", "surrogateescape"))
    return digest_of(Path(path).read_bytes())


def locate(root: Path, path: str) -> Path | None:
    """The file below the root that the address's path names; None if there is none, or if it leads outside.

    Refused as missing, too: hidden files, and paths that only another system would understand.
    """
    parts = path.split("/")
    if any(not part or part.startswith(".") or "\\" in part or ":" in part or "\0" in part for part in parts):
        return None
    spellings = dict.fromkeys((path, unicodedata.normalize("NFC", path), unicodedata.normalize("NFD", path)))
    return next((found for spelling in spellings if (found := _file_below(root, spelling))), None)


def _file_below(root: Path, path: str) -> Path | None:
    """The file of exactly this name, if it is inside the root and not hidden there."""
    try:
        real_root = Path(os.path.realpath(root))
        found = Path(os.path.realpath(real_root / path, strict=True))
        inside = found.relative_to(real_root).parts
        # A symbolic link may point elsewhere within the root, but not at what is hidden there.
        if any(part.startswith(".") for part in inside) or not found.is_file():
            return None
    except (OSError, ValueError):
        return None
    return found


def is_compressed_on_the_way(file: StaticFile) -> bool:
    """Whether sending the file compressed is worth it."""
    if not _SMALLEST_COMPRESSED_BYTES <= file.size_bytes <= LARGEST_HELD_BYTES:
        return False
    media_type = content_type(file.path).partition(";")[0]
    return media_type.startswith("text/") or media_type.endswith(("+json", "+xml")) or media_type in _COMPRESSED_TYPES


def choose_coding(accepted: str) -> Coding:
    """The best of our codings that an Accept-Encoding header takes (RFC 9110, section 12.5.3)."""
    weights: dict[str, float] = {}
    for item in accepted.lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        weights[name] = next((_weight(p[2:]) for p in parameters if p.startswith("q=")), 1.0)
    everything_else = weights.get("*", 0.0)
    br, gzip = weights.get("br", everything_else), weights.get("gzip", everything_else)
    if br > 0 and br >= gzip:
        return "br"
    return "gzip" if gzip > 0 else "identity"


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def is_unchanged(file: StaticFile, headers: Mapping[str, str]) -> bool:
    """Whether the browser has this content already, by its If-None-Match, or else by its If-Modified-Since."""
    tags = headers.get("If-None-Match")
    if tags is not None:
        # If-None-Match compares weakly: W/"x" and "x" are the same. RFC 9110, section 13.1.2
        return tags.strip() == "*" or f'"{file.version}"' in re.findall(r'"[^"]*"', tags)
    since = headers.get("If-Modified-Since")
    if since is None:
        return False
    try:
        return file.modified_s <= parsedate_to_datetime(since).timestamp()
    except (TypeError, ValueError, OverflowError):
        return False


def requested_range(file: StaticFile, headers: Mapping[str, str]) -> tuple[int, int] | None:
    """Start and end (exclusive) of the one range that is asked for; None when all of the file is to be sent.

    A range outside of the file has no bytes: its start is not before its end.
    """
    found = _RANGE.fullmatch(headers.get("Range", "").strip())
    if found is None or found[1] == found[2] == "":
        return None
    # If-Range wants the very same bytes, so only the strong tag will do. RFC 9110, section 13.1.5
    if "If-Range" in headers and headers["If-Range"] != f'"{file.version}"':
        return None
    if found[1]:
        start, end = int(found[1]), min(int(found[2] or file.size_bytes) + 1, file.size_bytes)
        if found[2] and int(found[2]) < start:
            return None
    else:
        start, end = max(file.size_bytes - int(found[2]), 0), file.size_bytes
    return start, end


class StaticFiles(Leavable):
    """Serves `GET` and `HEAD` of the path that the route captured.

    Of `roots` the first that has the file is served from; of `packages`, the one that the path's first part names.
    """

    SUPPORTED_METHODS: ClassVar[tuple[str, ...]] = ("GET", "HEAD")  # type: ignore[misc]

    def initialize(
        self, roots: Sequence[Path] = (), packages: Mapping[str, Path] | None = None, cache: Cache | None = None
    ) -> None:
        """Called by Tornado with what the route carries."""
        self._roots = roots
        self._packages = {} if packages is None else packages
        self._cache = default_cache() if cache is None else cache

    def set_default_headers(self) -> None:
        """Say who answers, and keep browsers from guessing content types."""
        self.set_header("Server", "app-server")
        self.set_header("X-Content-Type-Options", "nosniff")
        answer_doctor(self)

    async def head(self, path: str) -> None:
        """As for GET, without the body."""
        await self.get(path)

    async def get(self, path: str) -> None:
        """The file, or word that the browser has it already."""
        file = await self._find(path)
        compressed = is_compressed_on_the_way(file)
        self._describe(file, compressed)
        if is_unchanged(file, self.request.headers):
            self.set_status(304)
            await self.finish()
            return
        self.set_header("Content-Type", content_type(file.path))
        coding = choose_coding(self.request.headers.get("Accept-Encoding", "")) if compressed else "identity"
        if compressed:
            await self._send_whole(file, coding)
        else:
            await self._send_part(file)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer in one line; a page would be useless where a script was expected."""
        for name in ("Etag", "Last-Modified", "Content-Encoding", "Accept-Ranges"):
            self.clear_header(name)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        if status_code == 405:
            self.set_header("Allow", ", ".join(self.SUPPORTED_METHODS))
        self.finish(f"{status_code}: {self._reason}\n")

    def compute_etag(self) -> None:
        """Nothing: the tag is set from the file's hash, not from what is sent."""

    async def _find(self, path: str) -> StaticFile:
        found = next((found for root, rest in self._candidates(path) if (found := locate(root, rest))), None)
        if found is None:
            raise HTTPError(404)
        try:
            if found.stat().st_size > _HASHED_ON_THE_LOOP_BYTES:
                return await in_thread(look_at, found)
            return look_at(found)
        except OSError as error:
            raise _unreadable(error) from None

    def _candidates(self, path: str) -> Iterable[tuple[Path, str]]:
        for root in self._roots:
            yield root, path
        package, _, rest = path.partition("/")
        if package in self._packages:
            yield Path(self._packages[package]), rest

    def _describe(self, file: StaticFile, compressed: bool) -> None:
        asked = self.get_query_argument("v", None)
        # A version of ours that is not the current one comes from a page of an older or newer server. Were the answer
        # kept for ever, that server's browsers would have the wrong content under a right address.
        forever = bool(asked) and (asked == file.version or not _OUR_VERSION.fullmatch(asked or ""))
        self.set_header("Cache-Control", "public, max-age=31536000, immutable" if forever else "no-cache")
        self.set_header("Etag", f'W/"{file.version}"' if compressed else f'"{file.version}"')
        self.set_header("Last-Modified", formatdate(file.modified_s, usegmt=True))
        if compressed:
            self.set_header("Vary", "Accept-Encoding")

    async def _send_whole(self, file: StaticFile, coding: Coding) -> None:
        variant = self._cache.held(file.digest, coding)
        if variant is None:
            variant = await self._read(file, coding)
        if coding != "identity":
            self.set_header("Content-Encoding", coding)
        self.set_header("Content-Length", str(len(variant.body)))
        await self.finish(variant.body if self.request.method == "GET" else None)

    async def _read(self, file: StaticFile, coding: Coding) -> Variant:
        try:
            content = await in_thread(file.path.read_bytes)
        except OSError as error:
            raise _unreadable(error) from None
        digest = digest_of(content)
        if digest != file.digest:  # it has changed since the look; use what was read
            self.set_header("Etag", f'W/"{digest[:VERSION_LENGTH]}"')
            self.set_header("Cache-Control", "no-cache")
        if coding == "identity":
            return Variant(content, final=True)
        return await self._cache.variant(digest, coding, content, file.path)

    async def _send_part(self, file: StaticFile) -> None:
        self.set_header("Accept-Ranges", "bytes")
        wanted = requested_range(file, self.request.headers)
        start, end = wanted or (0, file.size_bytes)
        if wanted is not None:
            if start >= end:
                self.set_status(416)
                self.set_header("Content-Range", f"bytes */{file.size_bytes}")
                self.write_error(416)
                return
            self.set_status(206)
            self.set_header("Content-Range", f"bytes {start}-{end - 1}/{file.size_bytes}")
        self.set_header("Content-Length", str(end - start))
        if self.request.method == "HEAD":
            await self.finish()
            return
        try:
            source = await in_thread(open, file.path, "rb")
        except OSError as error:
            raise _unreadable(error) from None
        with source:
            await self._send_chunks(source, start, end)

    async def _send_chunks(self, source: IO[bytes], start: int, end: int) -> None:
        source.seek(start)
        left = end - start
        while left > 0:
            chunk = await in_thread(source.read, min(_CHUNK_BYTES, left))
            if not chunk:
                break  # it became shorter; Tornado ends the connection, and the browser sees that
            left -= len(chunk)
            self.write(chunk)
            if left > 0:
                await self.flush()  # waits until the browser has taken it
        await self.finish()


def _unreadable(error: OSError) -> HTTPError:
    """What a file that was found, and cannot be opened, is answered with."""
    return HTTPError(503 if error.errno in SCARCE else 404)


class FoundFiles(StaticFiles):
    """Serves what `find` returns for the path that the route captured: a file, or None."""

    def initialize(self, find: Callable[[str], Path | None]) -> None:  # type: ignore[override]
        """Called by Tornado with what the route carries."""
        super().initialize()
        self._find_path = find

    def _candidates(self, path: str) -> Iterable[tuple[Path, str]]:
        found = self._find_path(path)
        if found is not None:
            yield found.parent, found.name
