"""One connection, requests of several people: a proxy shares its connections among all, and may hold them open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.protocol.conftest import Served, apps, serving
from tests.support.raw import Raw, handshake_headers, head, session_of

MODES = {
    "several": ["--num-procs", "3"],
    "process": ["--isolation", "process"],
    "snapshot": ["--isolation", "snapshot", "--num-procs", "2"],
    "tls": ["--isolation", "process"],
}
HEADERS = {
    "upgrade": {"Connection": "upgrade"},
    "as nginx sends it": {"Connection": "upgrade", "Upgrade": "anything"},
    "keep-alive": {"Connection": "keep-alive, Upgrade"},
    "no version": {**handshake_headers(), "Sec-WebSocket-Version": ""},
    "short key": {**handshake_headers(), "Sec-WebSocket-Key": "c2hvcnQ="},
    "a whole handshake": handshake_headers(),
}


def tls_flags(folder: Path) -> list[str]:
    """The flags for TLS with a certificate for localhost, which is written into this folder."""
    file = folder / "certificate-and-key.pem"
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(file)
    return ["--ssl-certfile", str(file), "--ssl-keyfile", str(file)]


@pytest.fixture(scope="module", params=list(MODES))
def mode(request: pytest.FixtureRequest) -> str:
    """How the processes are set up."""
    return str(request.param)


@pytest.fixture(scope="module")
def served(mode: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An application whose sessions live in several processes."""
    flags = [*MODES[mode], *(tls_flags(tmp_path_factory.mktemp("tls")) if mode == "tls" else [])]
    with serving(*apps("whose.py"), *flags) as served:
        yield served


@pytest.fixture
def token(served: Served) -> Iterator[str]:
    """The token of a session that lives, and whose owner looks at it."""
    token = served.site.token("/whose")
    with served.site.client("/whose", token):
        yield token


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
def test_who_asks_next_on_a_connection_gets_no_session_of_others(
    served: Served, mode: str, token: str, headers: dict[str, str]
) -> None:
    for _ in range(3):  # one of several processes has the session, and one of them takes the connection
        with Raw(served.site.url) as shared:
            first = shared.ask(f"/whose?bokeh-token={token}", headers)
            assert first is not None and first.status == 200
            assert session_of(first.token) == session_of(token)
            second = shared.ask("/whose")
            if mode != "several":  # there one of three connections is the session's own process's
                assert first.headers["connection"] == "close"
            if first.headers.get("connection") == "close":
                assert second is None
            else:
                assert second is not None and session_of(second.token) != session_of(token)


@pytest.mark.parametrize("headers", [{}, *HEADERS.values()], ids=["plain", *HEADERS])
def test_what_is_sent_behind_a_request_is_never_answered_by_its_session(
    served: Served, token: str, headers: dict[str, str]
) -> None:
    host = {"Host": Raw(served.site.url).host}
    for _ in range(3):
        with Raw(served.site.url) as shared:
            mine, others = f"/whose?bokeh-token={token}", head("/whose", host)
            shared.send(head(mine, {**host, **headers}) + others * 2)
            first = shared.answer()
            assert first is not None and first.status == 200
            assert session_of(first.token) == session_of(token)
            if first.headers.get("connection") == "close":
                assert shared.rest() == b""
            else:
                second = shared.answer()
                assert second is not None and session_of(second.token) != session_of(token)


def test_a_socket_that_is_refused_leaves_no_connection_to_its_session(served: Served, token: str) -> None:
    host = {"Host": Raw(served.site.url).host}
    bad = {**handshake_headers(token), "Sec-WebSocket-Protocol": f"other, {token}"}
    for headers in (bad, {**handshake_headers(token), "Origin": "http://evil.example"}):
        for _ in range(3):
            with Raw(served.site.url) as shared:
                shared.send(head("/whose/ws", {**host, **headers}))
                refused = shared.answer()
                assert refused is not None and refused.status == 403
                second = shared.ask("/whose")
                assert second is None or session_of(second.token) != session_of(token)
                assert (second is None) == (refused.headers.get("connection") == "close")


def test_what_came_early_behind_a_handshake_belongs_to_the_socket(served: Served, token: str) -> None:
    host = {"Host": Raw(served.site.url).host}
    with Raw(served.site.url) as shared:
        shared.send(head("/whose/ws", {**host, **handshake_headers(token)}) + head("/whose", host))
        opened = shared.answer()
        assert opened is not None and opened.status == 101
        rest = shared.rest()  # a request is no frame, and the socket says so and closes
        assert b"HTTP/1.1" not in rest
        assert b"token" not in rest


@pytest.mark.parametrize(
    "headers",
    [{"Connection": "close"}, {"Connection": "keep-alive"}, {"Upgrade": "h2c"}, {"Sec-WebSocket-Key": "c2hvcnQ="}],
)
def test_what_is_no_handshake_opens_no_socket(served: Served, token: str, headers: dict[str, str]) -> None:
    with Raw(served.site.url) as shared:
        answer = shared.ask("/whose/ws", {**handshake_headers(token), **headers})
        assert answer is not None and answer.status == 400


@pytest.mark.parametrize("isolation", ["process", "snapshot"])
def test_a_user_is_known_for_one_request(isolation: str, tmp_path: Path) -> None:
    module = tmp_path / "by_name.py"
    module.write_text(
        "async def get_user_async(handler):\n    return handler.request.headers.get('Name')\nlogin_url = '/nowhere'\n"
    )
    flags = ["--isolation", isolation, "--auth-module", str(module)]
    with serving(*apps("whose.py"), *flags) as served, Raw(served.site.url) as shared:
        page = served.site.get("/whose", headers={"Name": "alice"})
        with served.site.client("/whose", page.token, additional_headers={"Name": "alice"}):
            first = shared.ask(f"/whose?bokeh-token={page.token}", {"Name": "alice", "Connection": "upgrade"})
            assert first is not None and first.status == 200
            assert first.headers["connection"] == "close"
            assert shared.ask(f"/whose?bokeh-token={page.token}") is None
            with Raw(served.site.url) as other:
                refused = other.ask(f"/whose?bokeh-token={page.token}", {"Connection": "upgrade"})
                assert refused is not None and refused.status == 302
