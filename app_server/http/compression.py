"""Static files, ready to be sent: hashed once, compressed once, kept in memory and on disk.

The first request for a file gets the quick variant. A thread of low priority makes the small one meanwhile, which takes
a second or two for BokehJS's main file, and stores it on disk for the next start. Everything is keyed by the content's
hash, so nothing here is ever outdated.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import itertools
import logging
import os
import queue
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Final, Literal, ParamSpec, TypeVar

import brotli  # type: ignore[import-untyped]

from app_server import system
from app_server.files import write_atomically
from app_server.http.claim import claimed

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")
Coding = Literal["identity", "gzip", "br"]

VERSION_LENGTH: Final = 20
"""Hexadecimal digits of a version: 80 bits distinguish the contents of one address for good."""

LARGEST_HELD_BYTES: Final = 16 * 1024 * 1024
"""A larger file is sent from disk as it is; compiler.js, the largest of BokehJS, has 5 MB."""

LARGEST_HASHED_BYTES: Final = 64 * 1024 * 1024
"""A larger file is recognised by size and time: hashing a film would keep its viewer waiting."""

_MEMORY_BYTES = 64 * 1024 * 1024
_DISK_BYTES = 256 * 1024 * 1024
_QUICK_QUALITY = 5  # 30 ms for a megabyte of JavaScript, and a tenth smaller than gzip
_SMALL_QUALITY = 11
_QUICK_GZIP_LEVEL = 6  # 9 takes twice as long for 0.3 %
_NICENESS = 15
_CLAIM_S = 60.0
"""Longer than the largest file takes on a busy core; until then browsers have the quick variant."""


@dataclass(frozen=True)
class Variant:
    """One way to send a content: its bytes, and whether they are as small as they get."""

    body: bytes
    final: bool


class Cache:
    """The variants of contents by hash and coding. Its coroutines belong to one loop, the rest to any thread.

    `folder` holds the small variants between starts, in a disk cache shared by all processes of the user; None, or
    a folder that cannot be written, keeps them only in memory. `shipped` is a folder of small variants that came
    with the installation. It is only read.
    """

    def __init__(
        self, folder: Path | None = None, *, shipped: Path | None = None, memory_bytes: int = _MEMORY_BYTES
    ) -> None:
        self._folder = folder
        self._shipped = shipped
        self._memory_bytes = memory_bytes
        self._lock = threading.Lock()
        self._variants: OrderedDict[tuple[str, Coding], Variant] = OrderedDict()
        self._held_bytes = 0
        self._pending: dict[tuple[str, Coding], asyncio.Future[Variant]] = {}
        self._jobs: queue.PriorityQueue[tuple[int, int, Path]] = queue.PriorityQueue()
        self._queued: set[Path] = set()
        self._order = itertools.count()
        self._worker: threading.Thread | None = None

    def held(self, digest: str, coding: Coding) -> Variant | None:
        """The variant in memory, if it is there."""
        with self._lock:
            variant = self._variants.get((digest, coding))
            if variant is not None:
                self._variants.move_to_end((digest, coding))
            return variant

    def keep(self, digest: str, coding: Coding, variant: Variant) -> None:
        """Hold the variant in memory, letting go of those that were unused for longest."""
        size = len(variant.body)
        if size > self._memory_bytes // 2:
            return
        with self._lock:
            old = self._variants.pop((digest, coding), None)
            if old is not None and old.final:
                variant = old  # a slow quick variant must not replace the small one
            self._held_bytes += len(variant.body) - (0 if old is None else len(old.body))
            self._variants[digest, coding] = variant
            while self._held_bytes > self._memory_bytes:
                self._held_bytes -= len(self._variants.popitem(last=False)[1].body)

    async def variant(self, digest: str, coding: Coding, content: bytes, path: Path) -> Variant:
        """The content with this hash in this coding, the best that can be had at once; it was read from `path`."""
        held = self.held(digest, coding)
        if held is not None:
            return held
        pending = self._pending.get((digest, coding))
        if pending is None:
            pending = asyncio.ensure_future(in_thread(self._make, digest, coding, content, path))
            self._pending[digest, coding] = pending
            pending.add_done_callback(lambda _: self._pending.pop((digest, coding), None))
        return await asyncio.shield(pending)  # others may wait for it when this request goes away

    def _make(self, digest: str, coding: Coding, content: bytes, path: Path) -> Variant:
        stored = self._load(digest) if coding == "br" else None
        if stored is not None:
            variant = Variant(stored, final=True)
        elif coding == "br":
            variant = Variant(brotli.compress(content, quality=_QUICK_QUALITY), final=False)
            self.ask_for_small(path)
        else:
            variant = Variant(gzip.compress(content, _QUICK_GZIP_LEVEL, mtime=0), final=True)
        self.keep(digest, coding, variant)
        return variant

    def ask_for_small(self, path: Path, *, priority: int = 0) -> None:
        """Make the small variant of the file in the background, the lowest priority number first.

        With a priority above 0 no one waits for it: what is on disk is left there until someone asks for it.
        """
        with self._lock:
            if path in self._queued:
                return
            self._queued.add(path)
            self._jobs.put((priority, next(self._order), path))
            if self._worker is None:
                # A daemon: a server that stops does not wait for it, and writing to disk is all or nothing.
                self._worker = threading.Thread(target=self._work, name="compression", daemon=True)
                self._worker.start()

    def wait(self) -> None:
        """Return when everything requested has been made."""
        self._jobs.join()

    def _work(self) -> None:
        _lower_own_priority()
        while True:
            priority, _, path = self._jobs.get()
            with self._lock:
                self._queued.discard(path)  # before it is read: what changes from now on may be asked for again
            try:
                content = path.read_bytes()
                if priority == 0 or not self._is_stored(digest_of(content)):
                    self.small(content)
            except OSError as error:
                log.debug("Not compressed ahead of time: %s", error)
            except Exception:
                log.exception("%s could not be compressed", path)
            finally:
                self._jobs.task_done()

    def small(self, content: bytes) -> bytes:
        """The small variant of the content, made now unless it is there; that takes seconds for a megabyte."""
        digest = digest_of(content)
        held = self.held(digest, "br")
        if held is not None and held.final:
            return held.body
        body = self._load(digest)
        if body is None:
            with self._claimed(digest):
                body = self._load(digest)  # another server may have made it meanwhile
                if body is None:
                    body = compress_small(content)
                    self._store(digest, body)
        self.keep(digest, "br", Variant(body, final=True))
        return body

    def _claimed(self, digest: str) -> AbstractContextManager[None]:
        """Servers that start together, as the instances of a host do, make one small variant and not one each."""
        return nullcontext() if self._folder is None else claimed(self._folder / f".{digest}.claim", _CLAIM_S)

    def _is_stored(self, digest: str) -> bool:
        return any(file.exists() for _, file in self._files(digest))

    def _files(self, digest: str) -> Iterator[tuple[Path, Path]]:
        """Where the small variant may be: each folder, and the file in it."""
        for folder in filter(None, (self._shipped, self._folder)):
            yield folder, folder / _name(digest)

    def _load(self, digest: str) -> bytes | None:
        for folder, file in self._files(digest):
            body = _read(file, digest)
            if body is not None:
                if folder == self._folder:
                    with suppress(OSError):  # another process may have tidied it up
                        os.utime(file)  # it is in use: the oldest go first
                return body
        return None

    def _store(self, digest: str, body: bytes) -> None:
        if self._folder is None:
            return
        file = self._folder / _name(digest)
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(file, body, mode=0o600, durable=False)
        except OSError as error:
            log.info("Compressed files stay in memory: %s cannot be written: %s", file.parent, error.strerror or error)
            self._folder = None
        else:
            _prune(file.parent, _DISK_BYTES)


def _name(digest: str) -> str:
    """The name of a small variant's file."""
    return f"{digest}.{_SMALL_QUALITY}.br"


def _read(file: Path, digest: str) -> bytes | None:
    """The small variant of the content with this hash; None if the file is not there or holds something else."""
    try:
        body = file.read_bytes()
        # Browsers run this: never serve a file that was changed or damaged.
        if len(body) > LARGEST_HELD_BYTES or digest_of(brotli.decompress(body)) != digest:
            raise ValueError("its content is not what its name says")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, brotli.error) as error:
        log.warning("Ignored the compressed file %s: %s", file, error)
        return None
    return body


def digest_of(content: bytes) -> str:
    """The hash that names a content everywhere here."""
    return hashlib.sha256(content).hexdigest()


def compress_small(content: bytes) -> bytes:
    """The content, compressed as well as brotli can, however long it takes."""
    # A window that just covers the content makes shorter distances than the largest one. Of brotli's models of a text
    # the generic one is taken: to try another as well takes as long again, and saves 0.1 % of BokehJS.
    window = min(max((len(content) + 16).bit_length(), 16), 24)
    body: bytes = brotli.compress(content, quality=_SMALL_QUALITY, lgwin=window)
    return body


def cache_folder(environment: Mapping[str, str]) -> Path | None:
    """Where compressed files are kept between starts, by the XDG base directory rules; None without a home folder."""
    base = environment.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # "All paths must be absolute"; others are to be ignored
        home = environment.get("HOME") or environment.get("USERPROFILE") or ""
        if not os.path.isabs(home):
            return None
        base = os.path.join(home, ".cache")
    return Path(base) / "app-server" / "static"


def shipped_folder() -> Path:
    """Where an installation may bring compressed files along, as our images do; servers only read it."""
    return Path(sys.prefix) / "share" / "app-server" / "static"


@cache
def default_cache() -> Cache:
    """The cache of this process."""
    return Cache(cache_folder(os.environ), shipped=shipped_folder())


def precompress(paths: Iterable[Path]) -> None:
    """Compress these files in the background unless that was done before, so browsers get the small variants."""
    for position, path in enumerate(paths):
        # Behind what a browser waits for, and in the order given.
        default_cache().ask_for_small(Path(path), priority=1 + position)


def ship(paths: Iterable[Path], folder: Path) -> None:
    """Put the small variants of these files into a folder that an installation brings along; takes some seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        content = path.read_bytes()
        (folder / _name(digest_of(content))).write_bytes(default_cache().small(content))


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What the function returns, run in a thread of our own.

    The loop's default threads are the applications' too: one that fills them must not hold up the files of all.
    """
    return await asyncio.get_running_loop().run_in_executor(_threads(), partial(function, *args, **kwargs))


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=4, thread_name_prefix="static")


def _lower_own_priority() -> None:
    """Give this thread the lowest priority; only Linux has that for threads."""
    if system.threads_have_priorities():
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        except OSError as error:
            log.debug("The compression thread keeps its priority: %s", error)


def _prune(folder: Path, limit_bytes: int) -> None:
    """Delete the files that were unused for longest until the folder keeps to the limit."""
    try:
        files = sorted((entry.stat().st_mtime, entry.stat().st_size, entry.path) for entry in os.scandir(folder))
        excess = sum(size for _, size, _ in files) - limit_bytes
        for _, size, path in files:
            if excess <= 0:
                return
            Path(path).unlink(missing_ok=True)
            excess -= size
    except OSError as error:
        log.debug("%s is not tidied up now: %s", folder, error)  # another process does so at the same time
