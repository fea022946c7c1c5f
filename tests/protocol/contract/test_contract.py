"""The addresses, sessions, tokens and handshakes that unmodified clients rely on."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from bokeh.client import pull_session, push_session
from bokeh.document import Document
from bokeh.models import Div
from bokeh.util.token import generate_jwt_token, generate_session_id, get_token_payload
from websockets.exceptions import InvalidStatus

from tests.protocol.conftest import SECRET, Served, apps, serving
from tests.protocol.contract.test_known_faults import session_id
from tests.support.client import Client
from tests.support.waiting import until

AUTOLOAD = {"bokeh-autoload-element": "element-1"}


def seen(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(client.value("seen", "text"))
    return found


def signed_id() -> str:
    return str(generate_session_id(secret_key=SECRET.encode(), signed=True))


# Addresses


@pytest.mark.parametrize("path", ["/board", "/board/"])
def test_page_answers_with_and_without_a_final_slash(plain: Served, path: str) -> None:
    answer = plain.site.get(path)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "Board" in answer.text and answer.token


def test_metadata_needs_no_session(plain: Served) -> None:
    start = plain.log_size()
    answer = plain.site.get("/hooked/metadata")
    assert json.loads(answer.body) == {"url": "/hooked", "data": {}}
    assert "creating" not in plain.log_since(start)


def test_index_lists_the_applications(plain: Served) -> None:
    answer = plain.site.get("/")
    assert answer.status == 200
    assert all(f'href="/{name}"' in answer.text for name in ("board", "faulty", "asking", "hooked", "folder"))


def test_index_of_one_application_leads_to_it() -> None:
    with serving(*apps("board.py")) as served:
        answer = served.site.get("/", color="red")
    assert (answer.status, answer.headers["location"]) == (302, "/board?color=red")


@pytest.mark.parametrize(
    "path", ["/static/js/bokeh.min.js", "/folder/static/js/bokeh.min.js", "/folder/static/own.css", "/favicon.ico"]
)
def test_files_are_served(plain: Served, path: str) -> None:
    answer = plain.site.get(path)
    assert (answer.status, answer.headers["x-content-type-options"]) == (200, "nosniff")
    assert answer.body


@pytest.mark.parametrize("path", ["/nowhere", "/board/nowhere", "/static/nowhere.js", "/folder/static/nowhere", "/ws"])
def test_unknown_address_is_not_found(plain: Served, path: str) -> None:
    answer = plain.site.get(path)
    assert answer.status == 404
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_needs_no_session(plain: Served, guarded: Served, path: str) -> None:
    for served in (plain, guarded):
        answer = served.site.get(path)
        assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")


# Sessions by argument, header and token


def test_session_id_as_argument_names_the_session(plain: Served) -> None:
    assert session_id(plain.site.token("/board", **{"bokeh-session-id": "by-argument"})) == "by-argument"


def test_session_id_as_header_names_the_session(plain: Served) -> None:
    answer = plain.site.get("/board", headers={"Bokeh-Session-Id": "by-header"})
    assert session_id(answer.token) == "by-header"


def test_token_as_argument_is_the_pages_token(plain: Served) -> None:
    token = plain.site.token("/board")
    assert plain.site.token("/board", **{"bokeh-token": token}) == token


@pytest.mark.parametrize("first", ["bokeh-session-id", "bokeh-token"])
def test_two_session_ids_at_once_are_forbidden(plain: Served, first: str) -> None:
    value = plain.site.token("/board") if first == "bokeh-token" else "one"
    answer = plain.site.get("/board", headers={"Bokeh-Session-Id": "two"}, **{first: value})
    assert answer.status == 403


def test_argument_id_and_token_at_once_are_forbidden(plain: Served) -> None:
    token = plain.site.token("/board")
    assert plain.site.get("/board", **{"bokeh-session-id": "x", "bokeh-token": token}).status == 403


def test_sessions_without_a_name_differ(plain: Served) -> None:
    ids = {session_id(plain.site.token("/board")) for _ in range(3)}
    assert len(ids) == 3 and all(len(ident) == 44 and ident.isalnum() for ident in ids)


def test_external_signed_session_needs_an_id(guarded: Served) -> None:
    assert guarded.site.get("/board").status == 403
    assert guarded.site.get("/board/autoload.js", **AUTOLOAD).status == 403


def test_id_signed_with_the_same_secret_is_accepted(guarded: Served) -> None:
    ident = signed_id()
    with guarded.site.client("/board", guarded.site.token("/board", **{"bokeh-session-id": ident})) as client:
        assert client.set("slider", "value", 8).msgtype == "OK"


def test_token_made_by_bokeh_with_the_same_secret_is_accepted(guarded: Served) -> None:
    token = generate_jwt_token(
        signed_id(),
        secret_key=SECRET.encode(),
        signed=True,
        extra_payload={"headers": {"X-Own": "yes"}, "cookies": {"a": "b"}, "arguments": {"n": ["1"]}},
        expiration=100,
    )
    with guarded.site.client("/asking", token) as client:
        assert seen(client)["headers"]["x-own"] == "yes"
        assert seen(client)["cookies"] == {"a": "b"}


@pytest.mark.parametrize("fault", ["unsigned id", "another secret", "cut", "unsigned token"])
def test_forged_session_is_refused(guarded: Served, fault: str) -> None:
    ident = {
        "unsigned id": "A" * 44,
        "another secret": str(generate_session_id(secret_key=b"another", signed=True)),
        "cut": signed_id()[:-1],
        "unsigned token": signed_id(),
    }[fault]
    if fault != "unsigned token":
        assert guarded.site.get("/board", **{"bokeh-session-id": ident}).status == 403
    signed = fault != "unsigned token"
    token = generate_jwt_token(ident, secret_key=SECRET.encode() if signed else None, signed=signed, expiration=100)
    assert guarded.site.get("/board", **{"bokeh-token": token}).status == 403
    with guarded.site.socket("/board", token) as client:
        assert client.close_code() == 1008


def test_expired_token_opens_a_living_session_and_no_dead_one(brief: Served) -> None:
    token = brief.site.token("/board")
    with brief.site.client("/board", token) as client:
        client.set("slider", "value", 77)
        expires_s = 2.1  # the limit that was set, and more
        with pytest.raises(TimeoutError):
            client.receive(timeout_s=expires_s)
        with brief.site.client("/board", token) as returned:
            assert returned.value("slider", "value") == 77
        assert brief.site.get("/board", **{"bokeh-token": token}).status == 200
    brief.process.wait_for_log(f"board {session_id(token)[:12]} ended")
    with brief.site.socket("/board", token) as client:
        assert client.close_code() == 1008
    assert brief.site.get("/board", **{"bokeh-token": token}).status == 403


def test_unexpired_token_builds_a_session_that_is_not_there(plain: Served) -> None:
    token = generate_jwt_token("minted-elsewhere", signed=False, expiration=100)
    with plain.site.client("/board", token) as client:
        assert client.title == "Board"


# What applications see of the request


def test_application_sees_arguments_headers_and_cookies_of_the_page(plain: Served) -> None:
    answer = plain.site.get(
        "/asking",
        headers={"X-Word": "hello", "Cookie": "flavour=sweet; kind=round"},
        colour="blue",
        **{"bokeh-session-id": "of-the-page"},
    )
    with plain.site.client("/asking", answer.token) as client:
        found = seen(client)
    assert found["id"] == "of-the-page"
    assert found["arguments"] == {"colour": ["blue"]}
    assert found["headers"]["x-word"] == "hello"
    assert found["cookies"] == {"flavour": "sweet", "kind": "round"}


def test_rebuilt_session_sees_the_arguments_of_its_page_and_what_its_browser_sends_again(brief: Served) -> None:
    sent = {"X-Word": "again", "Cookie": "a=b"}
    page = brief.site.get("/asking", headers=sent, n="1")
    with brief.site.client("/asking", page.token) as client:
        first = seen(client)
    brief.process.wait_for_log(f"asking {first['id']} ended")
    payload = get_token_payload(page.token)
    lasting = generate_jwt_token(first["id"], signed=False, extra_payload=payload, expiration=100)
    with brief.site.client("/asking", lasting, additional_headers=sent) as client:
        again = seen(client)
    assert {**again, "headers": None} == {**first, "headers": None}
    assert (again["headers"]["x-word"], again["cookies"], again["arguments"]) == ("again", {"a": "b"}, {"n": ["1"]})


def test_rebuilt_session_sees_the_whole_request_of_its_page_in_a_signed_token(guarded: Served) -> None:
    page = guarded.site.get("/asking", headers={"X-Word": "again"}, n="1", **{"bokeh-session-id": signed_id()})
    payload = get_token_payload(page.token)
    moved = generate_jwt_token(
        signed_id(), secret_key=SECRET.encode(), signed=True, extra_payload=payload, expiration=100
    )
    with guarded.site.client("/asking", moved, additional_headers={"X-Word": "other"}, query="?n=2") as client:
        again = seen(client)
    assert (again["headers"]["x-word"], again["arguments"]) == ("again", {"n": ["1"]})


def test_what_process_request_returns_is_in_the_tokens_payload(plain: Served) -> None:
    token = plain.site.get("/hooked", headers={"X-Word": "from outside"}).token
    with plain.site.client("/hooked", token) as client:
        assert client.value("seen", "text") == "made by the hook, Ann, from outside"


def test_headers_and_cookies_pass_the_filters(guarded: Served) -> None:
    answer = guarded.site.get(
        "/asking",
        headers={"X-Hidden": "secret", "X-Shown": "open", "Cookie": "shown=1; hidden=2"},
        **{"bokeh-session-id": signed_id()},
    )
    with guarded.site.client("/asking", answer.token) as client:
        found = seen(client)
    assert found["headers"]["x-shown"] == "open"
    assert "x-hidden" not in found["headers"] and "accept-encoding" not in found["headers"]
    assert found["cookies"] == {"shown": "1"}
    assert "hidden" not in found["headers"].get("cookie", "")


def test_forwarded_headers_count_for_nothing_unless_asked_for(plain: Served) -> None:
    forwarded = {
        "X-Real-Ip": "9.9.9.9",
        "X-Forwarded-For": "9.9.9.9",
        "X-Scheme": "https",
        "X-Forwarded-Proto": "https",
    }
    with plain.site.client("/asking", plain.site.get("/asking", headers=forwarded).token) as client:
        assert (seen(client)["remote_ip"], seen(client)["protocol"]) == ("127.0.0.1", "http")


# Prefix and route


def test_prefix_stands_before_every_address(guarded: Served) -> None:
    ident = signed_id()
    assert guarded.site.get("/board", **{"bokeh-session-id": ident}).status == 200
    page = guarded.site.get("/board", **{"bokeh-session-id": ident}).text
    assert 'src="/some/where/static/js/bokeh.min.js' in page
    assert guarded.site.get("/static/js/bokeh.min.js").status == 200
    assert guarded.site.get("/").status == 200
    bare = type(guarded.site)(guarded.process.url)
    assert bare.get("/board", **{"bokeh-session-id": ident}).status == 404


def test_page_of_a_route_leads_its_socket_to_the_route(guarded: Served) -> None:
    page = guarded.site.get("/board", **{"bokeh-session-id": signed_id()}).text
    assert "/_i/west-1/some/where/board" in page


@pytest.mark.parametrize("place", ["/_i/west-1/some/where", "/_i/elsewhere_9/some/where", "/some/where/_i/x"])
def test_every_route_is_accepted(guarded: Served, place: str) -> None:
    site = type(guarded.site)(guarded.process.url + place)
    token = site.token("/board", **{"bokeh-session-id": signed_id()})
    with site.client("/board", token) as client:
        assert client.set("slider", "value", 4).msgtype == "OK"


def test_autoload_of_a_route_leads_its_socket_to_the_route(guarded: Served) -> None:
    asked = {"bokeh-session-id": signed_id(), "bokeh-app-path": "/some/where/board"}
    answer = guarded.site.get("/board/autoload.js", **AUTOLOAD, **asked)
    assert "/_i/west-1/some/where/board" in answer.text


# autoload.js


def test_autoload_without_its_element_says_so(plain: Served) -> None:
    answer = plain.site.get("/board/autoload.js")
    assert answer.status == 400
    assert "No bokeh-autoload-element query parameter" in answer.text


@pytest.mark.parametrize("url", ["http://[[]/x", "http://]/", "http://a]b", "http:///x", "javascript:alert(1)"])
def test_autoload_of_an_address_that_is_none_is_refused(plain: Served, url: str) -> None:
    start = plain.log_size()
    assert plain.site.get("/board/autoload.js", **AUTOLOAD, **{"bokeh-absolute-url": url}).status == 400
    assert plain.tracebacks_since(start) == []


def test_token_beside_a_malformed_argument_is_not_in_the_log(plain: Served) -> None:
    start = plain.log_size()
    assert plain.site.get("/board?bokeh-session-id=%ff&bokeh-token=a-secret").status == 400
    line = "400 GET /board (127.0.0.1): Invalid unicode in bokeh-session-id"
    until(lambda: line in plain.log_since(start), "the answer is logged")
    assert "a-secret" not in plain.log_since(start)


def test_autoload_is_a_script_with_token_element_and_resources(plain: Served) -> None:
    url = plain.site.url + "/board"
    asked = {"bokeh-app-path": "/board", "bokeh-absolute-url": url}
    answer = plain.site.get("/board/autoload.js", **AUTOLOAD, **asked)
    assert answer.headers["content-type"].startswith("application/javascript")
    assert "element-1" in answer.text and url in answer.text and answer.token
    assert f"{plain.site.url}/static/js/bokeh.min.js" in answer.text


def test_autoload_without_resources_names_none(plain: Served) -> None:
    answer = plain.site.get("/board/autoload.js", **AUTOLOAD, resources="none")
    assert answer.status == 200 and "bokeh.min.js" not in answer.text


@pytest.mark.parametrize(
    "asked",
    [
        {"bokeh-autoload-element": '"></script>'},
        {"bokeh-autoload-element": "a'b"},
        {"bokeh-app-path": "'+alert(1)+'"},
        {"bokeh-absolute-url": "javascript:alert(1)"},
        {"bokeh-absolute-url": "http://x.example/'"},
    ],
)
def test_autoload_lets_no_one_write_into_its_script(plain: Served, asked: dict[str, str]) -> None:
    answer = plain.site.get("/board/autoload.js", **{**AUTOLOAD, **asked})
    assert answer.status == 400


def test_page_of_an_allowed_origin_may_read_autoload(guarded: Served) -> None:
    asked = {"bokeh-session-id": signed_id(), **AUTOLOAD}
    answer = guarded.site.get("/board/autoload.js", headers={"Origin": "http://example.com"}, **asked)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "http://example.com"
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://example.com.evil.example"])
def test_page_of_a_foreign_origin_may_not_read_autoload(guarded: Served, origin: str) -> None:
    asked = {"bokeh-session-id": signed_id(), **AUTOLOAD}
    answer = guarded.site.get("/board/autoload.js", headers={"Origin": origin}, **asked)
    assert answer.status == 403
    assert "access-control-allow-origin" not in answer.headers
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("origin", [None, "http://example.com", "http://evil.example", "nonsense"])
def test_options_never_fails(guarded: Served, origin: str | None) -> None:
    headers = {} if origin is None else {"Origin": origin}
    headers |= {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "bokeh-session-id"}
    answer = guarded.site.get("/board/autoload.js", method="OPTIONS", headers=headers)
    assert answer.status == 204
    assert answer.headers.get("access-control-allow-origin") == (origin if origin == "http://example.com" else None)
    allowed = answer.headers.get("access-control-allow-headers", "")
    assert ("bokeh-session-id" in allowed) == (origin == "http://example.com")


# The socket's handshake


@pytest.mark.parametrize("words", [["bokeh"], ["bokeh", "TOKEN", "more"], ["TOKEN", "bokeh"], ["other", "TOKEN"], None])
def test_subprotocols_are_bokeh_and_a_token(plain: Served, words: list[str] | None) -> None:
    token = plain.site.token("/board")
    given = [token if word == "TOKEN" else word for word in words or []]
    with pytest.raises(InvalidStatus) as refused, plain.site.socket("/board", token, subprotocols=given or None or []):
        pass
    assert refused.value.response.status_code == 403


def test_socket_answers_with_the_subprotocol_bokeh_and_an_ack(plain: Served) -> None:
    with plain.site.socket("/board", plain.site.token("/board")) as client:
        assert client.socket.subprotocol == "bokeh"
        ack = client.receive()
        assert (ack.msgtype, ack.content) == ("ACK", {})


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1", "http://127.0.0.1"])
def test_socket_of_a_foreign_origin_is_forbidden(plain: Served, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        with plain.site.socket("/board", plain.site.token("/board"), origin=origin):
            pass
    assert refused.value.response.status_code == 403


def test_refused_origin_is_logged_with_the_setting_that_lets_it_in(plain: Served) -> None:
    with pytest.raises(InvalidStatus):
        with plain.site.socket("/board", plain.site.token("/board"), origin="http://friend.example:8080"):
            pass
    plain.process.wait_for_log("--allow-websocket-origin=friend.example:8080")


def test_socket_of_the_servers_own_origin_is_opened(plain: Served) -> None:
    for host in ("localhost", "127.0.0.1"):
        with plain.site.client("/board", origin=f"http://{host}:{plain.process.port}") as client:
            assert client.title == "Board"


@pytest.mark.parametrize("origin", ["http://example.com", "https://example.com", "https://a.example.org:8443", None])
def test_socket_of_an_allowed_origin_is_opened(guarded: Served, origin: str | None) -> None:
    token = guarded.site.token("/board", **{"bokeh-session-id": signed_id()})
    with guarded.site.client("/board", token, origin=origin) as client:
        assert client.title == "Board"


def test_plain_request_to_the_socket_gets_an_explanation(plain: Served) -> None:
    assert plain.site.get("/board/ws").status == 400
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "x", "Sec-WebSocket-Version": "8"}
    answer = plain.site.get("/board/ws", headers=headers)
    assert (answer.status, answer.headers["sec-websocket-version"]) == (426, "13")


def test_socket_of_an_application_that_fails_closes_with_1011(plain: Served) -> None:
    token = generate_jwt_token(
        "fails-by-socket", signed=False, expiration=100, extra_payload={"arguments": {"fail": ["raise"]}}
    )
    with plain.site.socket("/faulty", token) as client:
        assert client.close_code() == 1011


def test_post_is_refused_and_needs_a_cross_site_token_if_configured(plain: Served, guarded: Served) -> None:
    assert plain.site.get("/board", method="POST").status == 405
    assert guarded.site.get("/board", method="POST", **{"bokeh-session-id": signed_id()}).status == 403


def test_files_of_an_embedded_application_are_below_the_path_that_a_proxy_takes_away(plain: Served) -> None:
    below = "http://notebook:8888/proxy/7"
    query = f"bokeh-autoload-element=here&bokeh-app-path=/proxy/7/board&bokeh-absolute-url={below}/board"
    answer = plain.site.get(f"/board/autoload.js?{query}")
    assert answer.status == 200
    assert f'"{below}/static/js/bokeh.min.js?v=' in answer.text


def test_an_allowed_page_can_read_why_it_gets_no_script(plain: Served) -> None:
    answer = plain.site.get("/board/autoload.js", headers={"Origin": plain.process.url})
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (400, plain.process.url)


# No application


def test_server_without_application_says_so_and_takes_documents_of_programs() -> None:
    with serving() as served:
        assert "No application was named" in served.process.log_text()
        page = served.site.get("/")
        assert page.status == 200 and "No application is served here" in page.text
        document = Document()
        document.add_root(Div(text="brought along", name="brought"))
        session = push_session(document, session_id="brought-1", url=f"{served.process.url}/")
        try:
            token = served.site.token("/", **{"bokeh-session-id": "brought-1"})
            assert "No application" not in served.site.get("/", **{"bokeh-session-id": "brought-1"}).text
            with served.site.client("", token) as client:
                assert client.value("brought", "text") == "brought along"
            pulled = pull_session(session_id="brought-1", url=f"{served.process.url}/")
            assert [root.text for root in pulled.document.roots] == ["brought along"]
            pulled.close()
        finally:
            session.close()
        with served.site.client("", page.token) as client:
            assert client.roots == []


@pytest.mark.parametrize("isolation", ["process", "snapshot"])
def test_isolated_server_without_application_says_so_too(isolation: str) -> None:
    with serving("--isolation", isolation) as served:
        assert "No application is served here" in served.site.get("/").text
        assert served.process.log_text().count("No application was named") == 1


@pytest.mark.parametrize(
    ("subprotocols", "because"),
    [
        (["bokeh"], "The subprotocols must be bokeh and a token"),
        (["other", "x"], "The subprotocols must be bokeh and a token"),
    ],
)
def test_log_says_why_a_handshake_is_refused(plain: Served, subprotocols: list[str], because: str) -> None:
    start = plain.log_size()
    with pytest.raises(InvalidStatus), plain.site.socket("/board", "x", subprotocols=subprotocols):
        pass
    plain.site.get("/healthz")
    line = re.search(r"WARNING 403 GET /board/ws \(127\.0\.0\.1\) .* ms(.*)", plain.log_since(start))
    assert line is not None and line[1] == f": {because}"


def test_log_says_why_a_page_is_refused_unless_the_status_does(plain: Served) -> None:
    start = plain.log_size()
    plain.site.get("/board", **{"bokeh-session-id": "a", "bokeh-token": "b"})
    plain.site.get("/nowhere")
    plain.site.get("/healthz")  # a line is written a moment after its answer, but before the next one
    log = plain.log_since(start)
    assert " ms: More than one session id or token was given\n" in log
    assert re.search(r"404 GET /nowhere \(127\.0\.0\.1\) [0-9.]+ ms\n", log)
