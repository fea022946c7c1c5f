"""What files are compressed to: kept in memory and on disk, bounded, and never believed unseen."""

from __future__ import annotations

import asyncio
import gzip
import importlib.metadata
import inspect
import logging
import os
import threading
from pathlib import Path

import brotli
import pytest
from bokeh.settings import settings as bokeh_settings

from app_server.http import compression
from app_server.http.compression import Cache, Variant, cache_folder, digest_of, in_thread
from tests.support.bokehjs import MOST_BYTES

SCRIPT = b"function double(x) { return 2 * x; }\n" * 400


def test_memory_is_bounded_and_lets_go_of_the_oldest() -> None:
    cache = Cache(memory_bytes=1000)
    for name in "abcd":
        cache.keep(name, "br", Variant(b"x" * 300, final=True))
        cache.held("a", "br")
    assert cache.held("a", "br") is not None
    assert cache.held("b", "br") is None
    assert cache.held("d", "br") is not None
    cache.keep("large", "br", Variant(b"x" * 900, final=True))
    assert cache.held("large", "br") is None


def test_a_late_quick_variant_does_not_replace_the_small_one() -> None:
    cache = Cache()
    cache.keep("a", "br", Variant(b"small", final=True))
    cache.keep("a", "br", Variant(b"quick and large", final=False))
    assert cache.held("a", "br") == Variant(b"small", final=True)


def test_the_disk_cache_is_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "_DISK_BYTES", 250)
    folder = tmp_path / "cache"
    folder.mkdir()
    for age, name in enumerate(("new", "middle", "old")):
        (folder / name).write_bytes(b"x" * 100)
        os.utime(folder / name, (1_000_000 - age, 1_000_000 - age))
    (tmp_path / "a.js").write_bytes(b"let x;" * 300)
    cache = Cache(folder)
    cache.ask_for_small(tmp_path / "a.js")
    cache.wait()
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["new", "middle", f"{digest_of(b'let x;' * 300)}.11.br"]
    )


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"XDG_CACHE_HOME": "/var/cache/me", "HOME": "/home/me"}, "/var/cache/me/app-server/static"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/home/me"}, "/home/me/.cache/app-server/static"),
        ({"HOME": "/home/me"}, "/home/me/.cache/app-server/static"),
        ({"HOME": ""}, None),
        ({}, None),
    ],
)
def test_the_disk_cache_lies_where_xdg_says(environment: dict[str, str], folder: str | None) -> None:
    assert cache_folder(environment) == (None if folder is None else Path(folder))


def test_precompressed_files_are_small_before_anyone_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path / "cache")
    monkeypatch.setattr(compression, "default_cache", lambda: cache)
    (tmp_path / "a.js").write_bytes(SCRIPT)
    compression.precompress([tmp_path / "a.js", tmp_path / "missing.js"])
    cache.wait()
    held = cache.held(digest_of(SCRIPT), "br")
    assert held is not None and held.final and brotli.decompress(held.body) == SCRIPT


async def test_what_is_on_disk_is_read_when_it_is_asked_for_and_made_again_if_it_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, folder = tmp_path / "a.js", tmp_path / "cache"
    script.write_bytes(SCRIPT)
    small = Cache(folder).small(SCRIPT)
    (file,) = folder.iterdir()
    file.write_bytes(b"damaged")
    cache = Cache(folder)
    monkeypatch.setattr(compression, "default_cache", lambda: cache)
    compression.precompress([script])
    cache.wait()
    assert (file.read_bytes(), cache.held(digest_of(SCRIPT), "br")) == (b"damaged", None)
    first = await cache.variant(digest_of(SCRIPT), "br", SCRIPT, script)
    assert brotli.decompress(first.body) == SCRIPT
    cache.wait()
    assert (file.read_bytes(), cache.held(digest_of(SCRIPT), "br")) == (small, Variant(small, final=True))


def test_what_an_installation_brings_along_is_not_compressed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, shipped = tmp_path / "a.js", tmp_path / "share"
    script.write_bytes(SCRIPT)
    monkeypatch.setattr(compression, "default_cache", lambda: Cache())
    compression.ship([script], shipped)
    (file,) = shipped.iterdir()
    file.chmod(0o444)
    monkeypatch.setattr(compression, "compress_small", lambda content: pytest.fail("it was there"))
    for cache in (Cache(shipped=shipped), Cache(tmp_path / "cache", shipped=shipped)):
        assert cache.small(SCRIPT) == file.read_bytes()
    assert not (tmp_path / "cache").exists()


def test_changed_file_of_an_installation_is_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    script = tmp_path / "a.js"
    script.write_bytes(SCRIPT)
    monkeypatch.setattr(compression, "default_cache", lambda: Cache())
    compression.ship([script], tmp_path / "share")
    (file,) = (tmp_path / "share").iterdir()
    file.write_bytes(brotli.compress(b"another script"))
    assert brotli.decompress(Cache(shipped=tmp_path / "share").small(SCRIPT)) == SCRIPT
    assert f"Ignored the compressed file {file}: its content is not what its name says" in caplog.text


def test_the_scripts_of_a_page_take_less_than_a_quarter_of_their_files() -> None:
    # To compress them takes ten seconds, so they are kept as long as neither the code nor the library that does it
    # changes; the cache looks whether what it finds is what it should be.
    code = f"{inspect.getsource(compression.compress_small)} {compression._SMALL_QUALITY}"
    made_by = f"{code} {importlib.metadata.version('brotli')}"
    base = cache_folder(os.environ)
    cache = Cache(None if base is None else base.parent / "tests" / digest_of(made_by.encode()))
    folder = Path(str(bokeh_settings.bokehjs_path())) / "js"
    names = ("bokeh", "bokeh-widgets", "bokeh-tables", "bokeh-gl", "bokeh-mathjax")
    for name in names:
        cache.small((folder / f"{name}.min.js").read_bytes())  # here, for its thread has a low priority
    held = [cache.held(digest_of((folder / f"{name}.min.js").read_bytes()), "br") for name in names]
    assert all(variant is not None and variant.final for variant in held)
    assert sum(len(variant.body) for variant in held if variant is not None) < MOST_BYTES


async def test_who_leaves_while_a_file_is_compressed_does_not_end_it_for_others(tmp_path: Path) -> None:
    cache = Cache()
    digest = digest_of(SCRIPT)
    first, second = (asyncio.ensure_future(cache.variant(digest, "gzip", SCRIPT, tmp_path / "a.js")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert gzip.decompress((await second).body) == SCRIPT
    assert (await cache.variant(digest, "gzip", SCRIPT, tmp_path / "a.js")) is await second, "it is kept"


def test_file_that_went_away_or_cannot_be_compressed_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "bad.js").write_bytes(b"bad")
    (tmp_path / "good.js").write_bytes(SCRIPT)
    small = compression.compress_small

    def compress(content: bytes) -> bytes:
        if content == b"bad":
            raise MemoryError("too large")
        return small(content)

    monkeypatch.setattr(compression, "compress_small", compress)
    cache = Cache()
    for name in ("missing.js", "bad.js", "bad.js", "good.js"):
        cache.ask_for_small(tmp_path / name)
    cache.wait()
    assert cache.held(digest_of(SCRIPT), "br") is not None
    assert {record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR} == {
        f"{tmp_path / 'bad.js'} could not be compressed"
    }


def test_disk_that_is_full_leaves_no_part_of_a_file_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*anything: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    (tmp_path / "a.js").write_bytes(SCRIPT)
    cache = Cache(tmp_path / "cache")
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            cache.ask_for_small(tmp_path / "a.js")
            cache.wait()
    assert list((tmp_path / "cache").iterdir()) == []
    assert caplog.messages == [
        f"Compressed files stay in memory: {tmp_path / 'cache'} cannot be written: No space left on device"
    ]
    assert cache.held(digest_of(SCRIPT), "br") is not None


def test_file_that_is_not_what_its_name_says_is_named_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / f"{digest_of(SCRIPT)}.11.br"
    file.write_bytes(brotli.compress(b"alert(1)"))
    cache = Cache(tmp_path)
    found = asyncio.run(cache.variant(digest_of(SCRIPT), "br", SCRIPT, tmp_path / "a.js"))
    assert brotli.decompress(found.body) == SCRIPT and not found.final
    assert caplog.messages == [f"Ignored the compressed file {file}: its content is not what its name says"]


async def test_threads_of_the_application_hold_up_no_file() -> None:
    release = threading.Event()
    loop = asyncio.get_running_loop()
    busy = [loop.run_in_executor(None, release.wait) for _ in range(64)]
    assert await in_thread(divmod, 7, 2) == (3, 1)
    release.set()
    await asyncio.gather(*busy)


def test_folder_that_another_process_tidies_up_too_is_no_fault(tmp_path: Path) -> None:
    compression._prune(tmp_path / "missing", 0)
    (tmp_path / "a").write_bytes(b"x")
    compression._prune(tmp_path, 1)
    assert (tmp_path / "a").exists()
    compression._prune(tmp_path, 0)
    assert not (tmp_path / "a").exists()
