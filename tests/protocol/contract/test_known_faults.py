"""What the stock server does wrong, one test a fault: none of it is true of ours."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import signal
import socket
import time
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from psutil import Process
from websockets.exceptions import InvalidStatus

from tests.protocol.conftest import Served, apps, serving
from tests.support.bokehjs import MOST_BYTES
from tests.support.client import PATIENCE_S, Site, ask, fetch
from tests.support.waiting import patience, until

SESSION_ID = "A" * 44


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token_of(**head: object) -> str:
    return encode(json.dumps(head).encode())


def test_application_that_raises_frees_its_session_id(plain: Served) -> None:
    asked = {"bokeh-session-id": "freed"}
    for _ in range(2):
        assert plain.site.get("/faulty", **asked, fail="raise").status == 500
    assert plain.site.get("/faulty", **asked).status == 200


def test_application_that_raises_gives_an_error_page_without_its_traceback(plain: Served) -> None:
    start = plain.log_size()
    answer = plain.site.get("/faulty", fail="raise")
    assert answer.status == 500
    assert answer.headers["content-type"].startswith("text/html")
    assert "secret" not in answer.text and "Traceback" not in answer.text and "faulty.py" not in answer.text
    assert "ValueError: a secret of the application" in plain.log_since(start)


def test_in_development_the_error_page_shows_the_traceback(developing: Served) -> None:
    answer = developing.site.get("/faulty", fail="raise")
    assert answer.status == 500
    assert "a secret of the application" in answer.text and "faulty.py" in answer.text


def test_only_the_application_that_never_stops_recursing_fails(plain: Served) -> None:
    assert plain.site.get("/faulty", fail="recurse").status == 500
    assert plain.site.get("/faulty").status == 200


class Stalled:
    """A client that asks for the document and then reads nothing."""

    def __init__(self, site: Site, app: str, token: str) -> None:
        parts = urlsplit(site.url)
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect((parts.hostname, parts.port))
        self.socket.sendall(
            f"GET {app}/ws HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n"
            f"Sec-WebSocket-Protocol: bokeh, {token}\r\n\r\n".encode()
        )
        assert self.socket.recv(12) == b"HTTP/1.1 101"
        for text in (b'{"msgid":"1","msgtype":"PULL-DOC-REQ"}', b"{}", b"{}"):
            self.socket.sendall(bytes([0x81, 0x80 | len(text)]) + bytes(4) + text)


def test_stalled_client_holds_up_no_one_and_is_dropped(brief: Served) -> None:
    token = brief.site.token("/board")
    with brief.site.client("/board", token) as other:
        start = brief.log_size()
        stalled = Stalled(brief.site, "/board", token)
        slowest_s = 0.0
        for number in range(12):
            began_s = time.monotonic()
            assert other.set("command", "value", f"flood:{16_000_000 + 8 * number}").msgtype == "OK"
            slowest_s = max(slowest_s, time.monotonic() - began_s)
        assert slowest_s < 3
        other.wait_value("lost", "text", "1")
        assert "closing the connection (" in brief.log_since(start)
    stalled.socket.close()
    brief.process.wait_for_log(f"board {session_id(token)[:12]} ended")


def session_id(token: str) -> str:
    part = token.partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["session_id"])


def test_edits_of_a_connection_lost_callback_reach_the_other_client(plain: Served) -> None:
    token = plain.site.token("/board")
    with plain.site.client("/board", token) as staying:
        with plain.site.client("/board", token):
            pass
        staying.wait_value("lost", "text", "1")
        with plain.site.client("/board", token) as leaving:
            leaving.cut()
        staying.wait_value("lost", "text", "2")


@pytest.mark.parametrize("way", ["exit", "CancelledError", "KeyboardInterrupt", "GeneratorExit"])
def test_application_that_exits_does_not_end_the_server(plain: Served, way: str) -> None:
    answer = plain.site.get("/faulty", fail=way)
    assert answer.status == 500
    plain.assert_alive()


def test_hook_whose_future_was_cancelled_does_not_keep_the_session_from_being_built(plain: Served) -> None:
    with plain.site.client("/hooked", plain.site.token("/hooked", fail="CancelledError")):
        plain.assert_alive()


@pytest.mark.parametrize("kind", ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "CancelledError"])
def test_client_is_answered_whatever_a_callback_raises(plain: Served, kind: str) -> None:
    start = plain.log_size()
    ways = {"raise": "ERROR", "raise-soon": "OK", "raise-after": "OK", "raise-later": "OK", "raise-often": "OK"}
    with plain.site.client("/board") as client:
        for number, (way, answer) in enumerate(ways.items(), 1):
            assert client.set("command", "value", f"{way}:{kind}").msgtype == answer
            until(lambda number=number: plain.log_since(start).count("the session continues") == number)  # type: ignore[misc]
        assert client.set("slider", "value", 9).msgtype == "OK"
        assert client.value("double", "value") == 18
    plain.assert_alive()


@pytest.mark.parametrize("command", ["exit:3", "exit-soon", "exit-later"])
def test_callback_that_exits_does_not_end_the_server(plain: Served, command: str) -> None:
    with plain.site.client("/board") as client:
        client.set("command", "value", command)
        assert client.set("slider", "value", 9).msgtype == "OK"
        assert client.value("double", "value") == 18
    plain.assert_alive()


def test_hook_of_a_documents_end_finds_the_names_of_its_script(brief: Served) -> None:
    token = brief.site.token("/hooked")
    name = session_id(token)[:12]
    brief.process.wait_for_log(f"epilogue {name}: still here")
    assert f"farewell {name}: still here" in brief.process.log_text()


@pytest.fixture(scope="module")
def stopped() -> dict[str, object]:
    """What a server with two clients did on SIGTERM."""
    with serving(*apps("hooked", "board.py")) as served:
        site = served.site
        keeping = site.token("/hooked", slow=str(patience(1.5)))
        with site.client("/hooked", keeping) as client, site.client("/board") as other:
            parts = urlsplit(site.url)
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=patience(5))
            ready_before = ask(connection, "/readyz").status
            served.process.process.send_signal(signal.SIGTERM)
            served.process.wait_for_log("Stopping")
            ready_while = ask(connection, "/readyz").status
            page_while = ask(connection, "/board").status
            alive_while = ask(connection, "/healthz").status
            connection.close()
            codes = [client.close_code(), other.close_code()]
        exit_status = served.process.process.wait(patience(PATIENCE_S))
        return {
            "codes": codes,
            "ready": [ready_before, ready_while],
            "page": page_while,
            "alive": alive_while,
            "exit": exit_status,
            "log": served.process.log_text(),
            "name": session_id(keeping)[:12],
        }


def test_sigterm_ends_the_process_with_0(stopped: dict[str, object]) -> None:
    assert stopped["exit"] == 0


def test_sigterm_closes_connections_with_1001(stopped: dict[str, object]) -> None:
    assert stopped["codes"] == [1001, 1001]


def test_sigterm_runs_the_hooks_in_order(stopped: dict[str, object]) -> None:
    log, name = str(stopped["log"]), stopped["name"]
    wanted = ["loaded with 0", f"creating {name}", f"created {name}", f"building {name}", f"destroyed {name}, True"]
    wanted += [f"farewell {name}: still here", f"epilogue {name}: still here", "unloaded with 0"]
    places = [log.find(text) for text in wanted]
    assert -1 not in places and places == sorted(places), log


def test_while_draining_the_server_is_alive_but_not_ready(stopped: dict[str, object]) -> None:
    assert (stopped["ready"], stopped["alive"], stopped["page"]) == ([200, 503], 200, 503)


def test_second_sigterm_ends_the_process_at_once() -> None:
    with serving(*apps("hooked")) as served:
        served.site.token("/hooked", slow="5")
        served.process.process.send_signal(signal.SIGTERM)
        served.process.wait_for_log("Stopping")
        process = served.process.process

        def ended() -> bool:
            """Ask again: what comes within a second of the first signal belongs to it."""
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            return process.poll() is not None

        until(ended, patience_s=4)
        assert process.returncode != 0


@pytest.mark.parametrize(
    "path", ["/static/%00", "/folder/static/%00", "/static/js/%00.js", "/%00", "/static/extensions/%00/x"]
)
def test_null_byte_in_a_path_is_not_an_internal_error(plain: Served, path: str) -> None:
    assert plain.site.get(path).status in (400, 404)


@pytest.mark.parametrize("token", ["nonsense", "", "a.b", token_of(session_id=7), encode(b"[]"), "\u00e9"])
@pytest.mark.parametrize("path", ["/board", "/board/autoload.js"])
def test_bad_token_over_http_is_forbidden(plain: Served, path: str, token: str) -> None:
    answer = plain.site.get(path, **{"bokeh-token": token, "bokeh-autoload-element": "e1"})
    assert answer.status == 403
    assert "Traceback" not in answer.text


def bomb_token(size: int) -> str:
    packed = zlib.compress(b'{"headers":"' + b"a" * size + b'"}', 9)
    return token_of(session_id="B" * 44, session_expiry=int(time.time()) + 100, __bk__zlib_=encode(packed))


def test_zip_bomb_in_a_token_is_cheap(plain: Served) -> None:
    token = bomb_token(30_000_000)
    process = Process(plain.process.process.pid)
    before_bytes, before_s = process.memory_info().rss, sum(process.cpu_times()[:2])
    for _ in range(5):
        assert plain.site.get("/board", **{"bokeh-token": token}).status == 403
        with plain.site.socket("/board", token) as client:
            assert client.close_code() == 1008
    assert process.memory_info().rss - before_bytes < 30_000_000
    assert sum(process.cpu_times()[:2]) - before_s < 1


LATER = object()
"""An expiry that is still to come, when the test runs."""


@pytest.mark.parametrize(
    "claims",
    [
        {"session_id": 12345, "session_expiry": LATER},
        {"session_id": None, "session_expiry": LATER},
        {"session_id": ["x"], "session_expiry": LATER},
        {"session_id": "", "session_expiry": LATER},
        {"session_id": "x", "session_expiry": "never"},
        {"session_id": "x"},
        {"session_id": "unknown", "session_expiry": 1},
        None,
    ],
    ids=["number", "null", "list", "empty", "never", "no expiry", "expired", "no JSON"],
)
def test_refused_token_closes_its_socket_at_once_with_1008(plain: Served, claims: dict[str, object] | None) -> None:
    later = int(time.time()) + 100
    known = {name: later if value is LATER else value for name, value in (claims or {}).items()}
    token = "nonsense" if claims is None else token_of(**known)
    with plain.site.socket("/board", token) as client:
        assert client.close_code(timeout_s=patience(3)) == 1008


def test_client_that_answers_no_ping_is_dropped(brief: Served) -> None:
    token = brief.site.token("/board")
    start = time.monotonic()
    silent = Stalled(brief.site, "/board", token)
    with brief.site.client("/board", token) as talking:
        talking.wait_value("lost", "text", "1")
        assert time.monotonic() - start < 5
        assert talking.set("slider", "value", 3).msgtype == "OK"
    silent.socket.close()


def test_hundred_changes_in_a_callback_are_one_message(plain: Served) -> None:
    with plain.site.client("/board") as client:
        client.pushed.clear()
        client.set("command", "value", "hundred:x")
        assert [len(message.content["events"]) for message in client.pushed] == [100]
        assert client.pushed[0].frames <= 6


def test_second_client_gets_a_new_model_whole(plain: Served) -> None:
    token = plain.site.token("/board")
    with plain.site.client("/board", token) as first, plain.site.client("/board", token) as second:
        first.set("command", "value", "root:fresh")
        assert first.value("fresh", "text") == "new"
        second.wait_for(lambda: len(second.roots) == len(first.roots))
        assert second.value("fresh", "text") == "new"


def test_error_reply_has_no_traceback(plain: Served) -> None:
    with plain.site.client("/board") as client:
        reply = client.set("command", "value", "fail:7")
        assert reply.msgtype == "ERROR"
        assert "secret" not in json.dumps(reply.content) and "Traceback" not in json.dumps(reply.content)
        assert client.value("answer", "text") == "about to fail"


def test_error_reply_has_the_traceback_in_development(developing: Served) -> None:
    with developing.site.client("/board") as client:
        reply = client.set("command", "value", "fail:7")
        assert reply.msgtype == "ERROR"
        assert "the secret of the board 7" in json.dumps(reply.content) and "board.py" in json.dumps(reply.content)


def test_async_hook_of_a_sessions_start_is_awaited(plain: Served) -> None:
    with plain.site.client("/hooked") as client:
        assert client.value("seen", "text").startswith("made by the hook, Ann")


def test_sign_sessions_no_means_no() -> None:
    with serving(*apps("board.py"), env={"BOKEH_SIGN_SESSIONS": "no"}) as served:
        token = served.site.token("/board")
        assert "." not in token and "." not in session_id(token)


@pytest.mark.parametrize("path", ["/board", "/board/autoload.js"])
def test_answer_that_carries_a_token_is_not_stored(plain: Served, path: str) -> None:
    answer = plain.site.get(path, **{"bokeh-autoload-element": "e1"})
    assert answer.token
    assert answer.headers["cache-control"] == "no-store"


def page_scripts(served: Served) -> tuple[list[str], list[str]]:
    """BokehJS's files that a page loads before it is drawn, and those that it loads afterwards."""
    html = served.site.get("/board").text
    first = [path.replace("&amp;", "&") for path in re.findall(r'<script[^>]+src="([^"]+)"', html)]
    return first, re.findall(r'"url":"([^"]+)"', html)


def test_scripts_of_a_page_are_compressed_and_immutable(plain: Served) -> None:
    first, late = page_scripts(plain)
    assert len(first) == 2 and len(late) == 3
    sizes: dict[str, int] = {}
    # What a new version of bokeh brings is compressed quickly at first, and well as soon as there is time for it.
    until(lambda: sum(sizes_of_scripts(plain, (*first, *late), sizes).values()) < MOST_BYTES)
    assert sum(sizes[path] for path in first) < 400_000


def sizes_of_scripts(served: Served, paths: Iterable[str], sizes: dict[str, int]) -> dict[str, int]:
    """How many bytes travel for each of these files now, also put into `sizes`."""
    for path in paths:
        answer = served.site.get(path, headers={"Accept-Encoding": "gzip, deflate, br"})
        assert answer.status == 200
        assert answer.headers["content-encoding"] in ("br", "gzip")
        assert "immutable" in answer.headers["cache-control"]
        assert "Accept-Encoding" in answer.headers["vary"]
        sizes[path] = len(answer.body)
    return sizes


def test_script_is_plain_for_clients_that_cannot_unpack_it(plain: Served) -> None:
    answer = plain.site.get("/static/js/bokeh.min.js")
    assert "content-encoding" not in answer.headers
    assert len(answer.body) > 500_000


@pytest.mark.parametrize(
    "path", ["/board", "/board/", "/static/js/bokeh.min.js", "/healthz", "/readyz", "/favicon.ico"]
)
def test_head_answers_as_get_without_a_body(plain: Served, path: str) -> None:
    answer = plain.site.get(path, method="HEAD")
    assert (answer.status, answer.body) == (200, b"")


def test_head_of_a_page_makes_no_session(plain: Served) -> None:
    start = plain.log_size()
    assert plain.site.get("/hooked", method="HEAD").status == 200
    assert "creating" not in plain.log_since(start)


def test_document_that_cannot_be_written_is_an_error_page(plain: Served) -> None:
    start = plain.log_size()
    answer = plain.site.get("/faulty", fail="incomplete")
    assert answer.status == 500
    assert "GlyphRenderer has no value for data_source, which a browser needs" in answer.text
    assert "/faulty" in plain.log_since(start)


def test_pull_of_a_document_that_can_no_longer_be_written_answers_with_an_error(plain: Served) -> None:
    start = plain.log_size()
    with plain.site.client("/faulty", plain.site.token("/faulty", fail="later"), pull=False) as client:
        assert client.pull().msgtype == "ERROR"
        assert client.request("SERVER-INFO-REQ").msgtype == "SERVER-INFO-REPLY"
    assert "GlyphRenderer has no value for data_source" in plain.log_since(start)


def test_twenty_concurrent_requests_build_one_session(plain: Served) -> None:
    start = plain.log_size()
    asked = {"bokeh-session-id": "of-twenty"}
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: plain.site.get("/hooked", **asked).status, range(20)))
    assert answers == [200] * 20
    assert plain.log_since(start).count("building of-twenty") == 1


def test_refused_handshake_is_an_http_answer(plain: Served) -> None:
    with pytest.raises(InvalidStatus) as refused, plain.site.socket("/board", "x", origin="http://elsewhere.example"):
        pass
    assert refused.value.response.status_code == 403


def test_certificates_and_files_of_the_server_are_not_served(plain: Served) -> None:
    for path in ("/folder/static/../main.py", "/folder/static/%2e%2e/main.py", "/folder/static/..%2fmain.py"):
        assert fetch(plain.site.url + path).status in (400, 403, 404)
    assert plain.site.get("/folder/static/own.css").body == Path(apps("folder")[0], "static/own.css").read_bytes()
