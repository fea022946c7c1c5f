"""Static files, asked for over a real connection to a real server."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import brotli
import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from app_server.http import static
from app_server.http.compression import Cache, Variant, digest_of
from app_server.http.static import StaticFiles, choose_coding, locate, version_of

SCRIPT = b"function double(x) { return 2 * x; }\n" * 400
PICTURE = bytes(range(256)) * 20


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Site:
    """A server in a thread of its own, with the application's folder, the shared one, and a package's."""

    port: int
    own: Path
    shared: Path
    package: Path
    cache: Cache

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def ask_raw(self, target: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
            return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Site]:
    own, shared, package = (tmp_path / name for name in ("own", "shared", "package"))
    for folder in (own / "sub", shared / "js", package / "dist", own / ".git"):
        folder.mkdir(parents=True)
    (own / "app.js").write_bytes(SCRIPT)
    (own / "picture.png").write_bytes(PICTURE)
    (own / "tiny.css").write_bytes(b"p { color: red }")
    (own / "sub" / "a b ä.txt").write_bytes(b"found")
    (own / ".env").write_bytes(b"SECRET=1")
    (own / ".git" / "config").write_bytes(b"secret")
    (shared / "app.js").write_bytes(b"the shared one")
    (shared / "js" / "bokeh.min.js").write_bytes(SCRIPT[::-1])
    (package / "dist" / "extension.js").write_bytes(b"extension")
    (tmp_path / "outside.txt").write_bytes(b"outside")
    cache = Cache(tmp_path / "cache")
    routes = [
        (r"/static/extensions/(.*)", StaticFiles, {"packages": {"panel": package}, "cache": cache}),
        (r"/app/static/(.*)", StaticFiles, {"roots": (own, shared), "cache": cache}),
        (r"/static/(.*)", StaticFiles, {"roots": (shared,), "cache": cache}),
    ]
    (listening,) = bind_sockets(0, "127.0.0.1")
    loop, stopped, ready = asyncio.new_event_loop(), asyncio.Event(), threading.Event()

    async def serve() -> None:
        server = HTTPServer(Application(routes))  # type: ignore[arg-type]
        server.add_sockets([listening])
        ready.set()
        await stopped.wait()
        server.stop()
        await server.close_all_connections()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    ready.wait(10)
    try:
        yield Site(listening.getsockname()[1], own, shared, package, cache)
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join(10)
        loop.close()


# Where a file is found


def test_the_applications_own_file_comes_before_the_shared_one(state: Site) -> None:
    assert state.ask("/app/static/app.js").body == SCRIPT
    assert state.ask("/static/app.js").body == b"the shared one"


def test_a_file_that_the_application_lacks_is_the_shared_one(state: Site) -> None:
    assert state.ask("/app/static/js/bokeh.min.js").body == SCRIPT[::-1]


def test_an_extensions_file_is_found_by_its_package(state: Site) -> None:
    assert state.ask("/static/extensions/panel/dist/extension.js").body == b"extension"
    assert state.ask("/static/extensions/other/dist/extension.js").status == 404
    assert state.ask("/static/extensions/panel").status == 404


def test_a_name_with_spaces_and_letters_of_other_alphabets_is_found(state: Site) -> None:
    assert state.ask("/app/static/sub/a%20b%20%C3%A4.txt").body == b"found"


@pytest.mark.parametrize(
    "path",
    [
        "../outside.txt",
        "%2e%2e/outside.txt",
        "..%2foutside.txt",
        "sub/../../outside.txt",
        "sub/../app.js",
        "./app.js",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "..\\outside.txt",
        "..%5coutside.txt",
        "sub%5ca.txt",
        "C:/Windows/win.ini",
        "app.js%00",
        "%00",
        "app.js%00.png",
        "app.js::$DATA",
        ".env",
        ".git/config",
        "sub",
        "sub/",
        "",
        "app.js/",
        "app.js/more",
        "sub//a.txt",
        "missing.js",
        "x" * 5000,
        "x/" * 2000,
        "%F0%9F%8E%A8",
        "app.js%0d%0aSet-Cookie:a=b",
    ],
)
def test_a_path_that_leads_to_no_file_of_the_folder_is_404(path: str, state: Site) -> None:
    answer = state.ask(f"/app/static/{path}")
    assert answer.status == 404
    assert answer.body == b"404: Not Found\n"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("path", ["%FF", "%C0%AE%C0%AE/outside.txt", "app.js%ED%A0%80"])
def test_a_path_that_is_not_utf8_is_a_bad_request(path: str, state: Site) -> None:
    assert state.ask(f"/app/static/{path}").status == 400


@pytest.mark.parametrize("path", [b"../../etc/passwd", b"/etc/passwd", b"\xff\xfe"])
def test_a_raw_request_target_leads_nowhere_else(path: bytes, state: Site) -> None:
    status = state.ask_raw(b"/app/static/" + path).split(b" ", 2)[1]
    assert status in (b"400", b"404")


def test_a_symbolic_link_out_of_the_folder_is_refused(state: Site) -> None:
    (state.own / "link.txt").symlink_to(state.own.parent / "outside.txt")
    (state.own / "up").symlink_to(state.own.parent)
    (state.own / "hidden.txt").symlink_to(state.own / ".env")
    (state.own / "loop").symlink_to(state.own / "loop")
    for path in ("link.txt", "up/outside.txt", "hidden.txt", "loop"):
        assert state.ask(f"/app/static/{path}").status == 404, path


def test_a_symbolic_link_within_the_folder_and_a_linked_folder_are_followed(state: Site) -> None:
    (state.own / "alias.js").symlink_to(state.own / "app.js")
    assert state.ask("/app/static/alias.js").body == SCRIPT
    linked = state.own.parent / "linked"
    linked.symlink_to(state.own)
    assert locate(linked, "app.js") == state.own / "app.js"


def test_a_pipe_is_not_opened(state: Site) -> None:
    os.mkfifo(state.own / "pipe.js")
    assert state.ask("/app/static/pipe.js").status == 404


@pytest.mark.parametrize("name", ["look_at", "open"])
@pytest.mark.parametrize("path", ["app.js", "picture.png"])
def test_a_file_that_cannot_be_read_is_404(name: str, path: str, state: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*anything: object) -> None:
        raise PermissionError("not for you")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    monkeypatch.setattr(static, name, refuse, raising=False)
    assert state.ask(f"/app/static/{path}").status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_only_get_and_head_are_answered(method: str, state: Site) -> None:
    answer = state.ask("/app/static/app.js", method)
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD"


# What comes with it


def test_a_script_says_what_it_is(state: Site) -> None:
    answer = state.ask("/app/static/app.js")
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.headers["Content-Length"] == str(len(SCRIPT))
    assert "Content-Encoding" not in answer.headers


def test_head_tells_the_same_without_the_body(state: Site) -> None:
    for path in ("app.js", "picture.png"):
        got = state.ask(f"/app/static/{path}", Accept_Encoding="br")
        head = state.ask(f"/app/static/{path}", "HEAD", Accept_Encoding="br")
        # The smaller variant may have become ready meanwhile.
        later = state.ask(f"/app/static/{path}", Accept_Encoding="br")
        assert head.status == 200
        assert head.body == b""
        for name in ("Content-Type", "Content-Length", "Etag", "Cache-Control", "Content-Encoding"):
            assert head.headers[name] in (got.headers[name], later.headers[name])


def test_the_current_version_may_be_kept_for_ever(state: Site) -> None:
    version = version_of(state.own / "app.js")
    assert len(version) == 20
    answer = state.ask(f"/app/static/app.js?v={version}")
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_an_authors_own_version_may_be_kept_for_ever(state: Site) -> None:
    assert "immutable" in state.ask("/app/static/app.js?v=3").headers["Cache-Control"]


@pytest.mark.parametrize("query", ["", "?v=", "?w=3", "?v=" + "0" * 20])
def test_no_version_or_another_of_ours_is_revalidated(query: str, state: Site) -> None:
    assert state.ask(f"/app/static/app.js{query}").headers["Cache-Control"] == "no-cache"


def test_a_changed_file_has_another_version(state: Site) -> None:
    before = version_of(state.own / "app.js")
    assert version_of(state.own / "app.js") == before
    (state.own / "app.js").write_bytes(SCRIPT.replace(b"2 *", b"3 *"))
    assert version_of(state.own / "app.js") != before
    assert state.ask("/app/static/app.js").body == SCRIPT.replace(b"2 *", b"3 *")


def test_what_the_browser_has_is_not_sent_again(state: Site) -> None:
    first = state.ask("/app/static/app.js", Accept_Encoding="br")
    tag = first.headers["Etag"]
    for tags in (tag, f'"other", {tag}', tag.removeprefix("W/"), "*"):
        again = state.ask("/app/static/app.js", If_None_Match=tags)
        assert (again.status, again.body) == (304, b""), tags
        assert again.headers["Etag"] == tag
        assert again.headers["Cache-Control"] == "no-cache"
        assert again.headers["Vary"] == "Accept-Encoding"
    assert state.ask("/app/static/app.js", If_None_Match='"other"').status == 200


def test_the_date_counts_only_where_there_is_no_tag(state: Site) -> None:
    os.utime(state.own / "app.js", (1_700_000_000, 1_700_000_000))
    date = state.ask("/app/static/app.js").headers["Last-Modified"]
    assert date == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert state.ask("/app/static/app.js", If_Modified_Since=date).status == 304
    assert state.ask("/app/static/app.js", If_Modified_Since="Tue, 14 Nov 2023 22:13:19 GMT").status == 200
    assert state.ask("/app/static/app.js", If_Modified_Since=date, If_None_Match='"other"').status == 200
    for nonsense in ("yesterday", "", "Tue, 99 Nov 99999 22:13:19 GMT"):
        assert state.ask("/app/static/app.js", If_Modified_Since=nonsense).status == 200


# Ranges, for films and sound


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-99", 0, 100), ("bytes=100-", 100, 5120), ("bytes=-20", 5100, 5120), ("bytes=5000-99999", 5000, 5120)],
)
def test_a_part_of_a_file_is_sent(asked: str, start: int, end: int, state: Site) -> None:
    answer = state.ask("/app/static/picture.png", Range=asked)
    assert answer.status == 206
    assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/5120"
    assert answer.body == PICTURE[start:end]


@pytest.mark.parametrize("asked", ["bytes=5120-", "bytes=9999-10000", "bytes=-0"])
def test_a_part_that_is_not_there_is_416(asked: str, state: Site) -> None:
    answer = state.ask("/app/static/picture.png", Range=asked)
    assert answer.status == 416
    assert answer.headers["Content-Range"] == "bytes */5120"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=9-3", "lines=1-2", "bytes=", "bytes=-", "nonsense"])
def test_any_other_range_gets_the_whole(asked: str, state: Site) -> None:
    answer = state.ask("/app/static/picture.png", Range=asked)
    assert (answer.status, answer.body) == (200, PICTURE)


def test_a_part_of_a_changed_file_is_the_whole(state: Site) -> None:
    tag = state.ask("/app/static/picture.png").headers["Etag"]
    assert state.ask("/app/static/picture.png", Range="bytes=0-9", If_Range=tag).status == 206
    assert state.ask("/app/static/picture.png", Range="bytes=0-9", If_Range='"other"').status == 200


def test_a_large_file_is_sent_in_pieces_from_disk(state: Site) -> None:
    content = os.urandom(3 * 1024 * 1024)
    (state.own / "film.mp4").write_bytes(content)
    assert state.ask("/app/static/film.mp4").body == content
    assert state.ask("/app/static/film.mp4", Range="bytes=1000000-2999999").body == content[1_000_000:3_000_000]


def test_an_empty_file_is_sent(state: Site) -> None:
    for name in ("empty.js", "empty.png"):
        (state.own / name).write_bytes(b"")
        answer = state.ask(f"/app/static/{name}")
        assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", "0")


# Compression


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("GZIP;q=1.0, BR;q=0.1", "gzip"),
        ("br;q=0, gzip;q=0", "identity"),
        ("br;q=0, *", "gzip"),
        ("*", "br"),
        ("*;q=0", "identity"),
        ("identity", "identity"),
        ("", "identity"),
        ("br;q=nonsense", "identity"),
        (" br ; q=0.5 ", "br"),
        (",;=,;;q=", "identity"),
    ],
)
def test_the_best_accepted_coding_is_chosen(accepted: str, coding: str) -> None:
    assert choose_coding(accepted) == coding


def test_a_script_is_sent_as_the_browser_takes_it(state: Site) -> None:
    by_brotli = state.ask("/app/static/app.js", Accept_Encoding="gzip, deflate, br")
    assert by_brotli.headers["Content-Encoding"] == "br"
    assert brotli.decompress(by_brotli.body) == SCRIPT
    by_gzip = state.ask("/app/static/app.js", Accept_Encoding="gzip, deflate")
    assert by_gzip.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(by_gzip.body) == SCRIPT
    assert by_gzip.headers["Etag"] == by_brotli.headers["Etag"] == f'W/"{version_of(state.own / "app.js")}"'


@pytest.mark.parametrize("path", ["picture.png", "tiny.css"])
def test_what_would_not_shrink_is_sent_as_it_is(path: str, state: Site) -> None:
    answer = state.ask(f"/app/static/{path}", Accept_Encoding="br")
    assert "Content-Encoding" not in answer.headers
    assert answer.body == (state.own / path).read_bytes()
    assert answer.headers["Etag"] == f'"{version_of(state.own / path)}"'


def test_the_small_variant_replaces_the_quick_one_and_survives_a_restart(state: Site, tmp_path: Path) -> None:
    text = Path(static.__file__).read_bytes()
    (state.own / "long.js").write_bytes(text)
    quick = state.ask("/app/static/long.js", Accept_Encoding="br").body
    state.cache.wait()
    small = state.ask("/app/static/long.js", Accept_Encoding="br").body
    assert len(small) < len(quick) < len(text)
    assert brotli.decompress(small) == text
    (stored,) = (tmp_path / "cache").iterdir()
    assert stored.name == f"{digest_of(text)}.11.br"
    assert stored.read_bytes() == small
    restarted = Cache(tmp_path / "cache")
    found = asyncio.run(restarted.variant(digest_of(text), "br", text, state.own / "long.js"))
    assert found == Variant(small, final=True)


@pytest.mark.parametrize("damage", [b"", b"nonsense", brotli.compress(b"alert(1)")], ids=["empty", "torn", "forged"])
def test_a_damaged_file_of_the_disk_cache_is_never_sent(damage: bytes, state: Site, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    stored = tmp_path / "cache" / f"{digest_of(SCRIPT)}.11.br"
    stored.write_bytes(damage)
    for _ in range(2):
        assert brotli.decompress(state.ask("/app/static/app.js", Accept_Encoding="br").body) == SCRIPT
        state.cache.wait()
    assert brotli.decompress(stored.read_bytes()) == SCRIPT


def test_a_disk_that_cannot_be_written_leaves_the_small_variant_in_memory(state: Site, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    state.ask("/app/static/app.js", Accept_Encoding="br")
    state.cache.wait()
    held = state.cache.held(digest_of(SCRIPT), "br")
    assert held is not None and held.final
    assert brotli.decompress(state.ask("/app/static/app.js", Accept_Encoding="br").body) == SCRIPT


def test_many_requests_at_once_compress_once(state: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    compressed = []
    original = gzip.compress
    monkeypatch.setattr(gzip, "compress", lambda *args, **more: compressed.append(1) or original(*args, **more))
    answers: list[bytes] = []

    def ask() -> None:
        answers.append(state.ask("/app/static/app.js", Accept_Encoding="gzip").body)

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 12
    assert len(compressed) == 1
