"""What can be read of what the probes have seen."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace

import pytest

from app_server.doctor.evidence import (
    Answer,
    Embedding,
    Evidence,
    Failure,
    Handshake,
    Opening,
    Page,
    Reach,
    Tls,
    enlarged_token,
)
from tests.unit.doctor.making import HOME, SCRIPT, SEEN, TIMEOUT, answer, handshake, healthy, html, page

BARE = Answer(HOME)


def page_of(body: bytes, status: int = 200) -> Page:
    return Page(answer(status=status, body=body))


def token(head: object) -> str:
    return urlsafe_b64encode(json.dumps(head).encode()).decode().rstrip("=")


def test_headers_of_one_name_come_in_their_order() -> None:
    found = replace(BARE, headers=(("vary", "a"), ("x", "y"), ("vary", "b")))
    assert (found.header("vary"), found.all_of("vary"), found.header("none")) == ("a", ("a", "b"), None)


def test_answer_in_a_few_words() -> None:
    assert replace(BARE, status=404).told == "404"
    assert replace(BARE, failure=TIMEOUT).told == "no answer within 10 s"


def test_spread_of_a_body() -> None:
    assert replace(BARE, arrivals=(0.5, 0.9), whole_s=1.5).spread_s == 1.0
    assert replace(BARE, whole_s=1.5).spread_s == 0.0


def test_body_that_is_no_text_is_read_all_the_same() -> None:
    assert replace(BARE, body=b"a\xffb").text == "a\ufffdb"


@pytest.mark.parametrize(
    "body",
    [b'{"token":"abc.def"}', b'"token": "abc.def"', rb"{\"token\":\"abc.def\"}", b'"token":"abc.def","token":"x"'],
)
def test_token_of_a_page(body: bytes) -> None:
    assert page_of(body).token == "abc.def"
    assert page_of(body, status=503).token is None


@pytest.mark.parametrize("body", [b"", b'"token":""', b"token=abc", b'"token":"a b"'])
def test_page_without_a_token(body: bytes) -> None:
    assert page_of(body).token is None and page_of(body).session_id is None


def test_session_of_a_token() -> None:
    assert page_of(f'"token":"{token({"session_id": "s1"})}.signature"'.encode()).session_id == "s1"
    for head in ({}, [], "x", None, 3):
        assert page_of(f'"token":"{token(head)}"'.encode()).session_id is None
    for text in ("abc", "A", "_-_", "." * 3):
        assert page_of(f'"token":"{text}"'.encode()).session_id is None


def test_scripts_of_a_page_come_once_and_unescaped() -> None:
    found = page_of(
        b"<script src='a.js?x=1&amp;y=2'></script><SCRIPT defer src = \"b.js\"></SCRIPT><script src='b.js'>"
    )
    assert found.scripts == ("a.js?x=1&y=2", "b.js")


@pytest.mark.parametrize(
    ("src", "is_bokehjs"),
    [("/static/js/bokeh.min.js?v=1", True), ("/static/js/bokeh-gl.js", True), ("/static/js/bokeh.min.js.map", False),
     ("/bokeh/other.js", False), ("/mybokeh.js", False)],
)  # fmt: skip
def test_scripts_of_bokehjs(src: str, is_bokehjs: bool) -> None:
    assert bool(page_of(html(script=src)).bokehjs) is is_bokehjs


@pytest.mark.parametrize(
    ("src", "root"),
    [
        (SCRIPT, "/tools/"),
        ("static/js/bokeh.min.js", "/tools/"),
        ("https://cdn.test/static/js/bokeh.min.js", "/"),
        ("https://cdn.test/bokeh.min.js", None),
        ("/app.js", None),
    ],
)
def test_root_of_the_servers_files(src: str, root: str | None) -> None:
    assert page_of(html(script=src)).root_path == root


@pytest.mark.parametrize(
    ("route", "found", "path"), [("a1", "a1", "/_i/a1/tools/board/ws"), (None, None, "/tools/board/ws")]
)
def test_way_of_a_socket(route: str | None, found: str | None, path: str) -> None:
    assert (page(route=route).route, page(route=route).socket_path) == (found, path)


def test_route_that_is_none_is_not_taken_for_one() -> None:
    body = b'embed_items(docs_json, render_items, "/_i/a b/tools/board/")'
    assert (page_of(body).route, page_of(body).socket_path) == (None, "/_i/a b/tools/board/ws")


@pytest.mark.parametrize(
    ("socket", "told"),
    [
        (Handshake(replace(BARE, status=403)), "403"),
        (Handshake(replace(BARE, failure=TIMEOUT)), "no answer within 10 s"),
        (Handshake(BARE, accepted=True, close_code=1008, close_reason="no"), "accepted, then closed with 1008 no"),
        (Handshake(BARE, accepted=True, close_code=1000), "accepted, then closed with 1000"),
        (Handshake(BARE, accepted=True, failure=Failure("closed", "it was closed")), "it was closed"),
        (Handshake(BARE, accepted=True, greeting="ACK"), "accepted, then ACK"),
    ],
)
def test_handshake_in_a_few_words(socket: Handshake, told: str) -> None:
    assert socket.told == told
    assert socket.greeted is (told == "accepted, then ACK")


def test_opening_adds_up_and_names_its_instances() -> None:
    other = replace(SEEN, instance="two")
    opened = Opening(page(whole_s=0.5), handshake(other, whole_s=0.25))
    assert (opened.instances, opened.whole_s) == (("one", "two"), 0.75)
    alone = Opening(Page(answer(seen=None)))
    assert (alone.instances, alone.whole_s) == ((None, None), 0.0)


def test_every_answer_is_found_wherever_it_is() -> None:
    answers = [replace(BARE, status=status) for status in range(100, 109)]
    evidence = Evidence(
        HOME, plain=answers[0], redirects=(answers[1],), page=Page(answers[2]), foreign=Handshake(answers[3]),
        openings=(Opening(Page(answers[4]), Handshake(answers[5])), Opening(Page(answers[6]))),
        embeddings=(Embedding("https://a.test", answers[7], Handshake(answers[8])),),
    )  # fmt: skip
    assert sorted(each.status for each in evidence.answers) == list(range(100, 109))
    assert Evidence(HOME).answers == ()


@pytest.mark.parametrize(
    ("names", "given", "proxy"),
    [
        (("nginx/1.26.3",), None, "nginx"),
        (("Apache/2.4.62 (Debian)",), None, "apache"),
        (("App-Server", "TornadoServer/6.5"), None, None),
        (("cloudflare",), None, None),
        (("cloudflare", "openresty/nginx"), None, "nginx"),
        (("nginx",), "apache", "apache"),
        ((), None, None),
    ],
)
def test_proxy_is_told_by_the_answers(names: tuple[str, ...], given: str | None, proxy: str | None) -> None:
    scripts = tuple(replace(BARE, headers=(("server", name),)) for name in names)
    evidence = Evidence(HOME, scripts=scripts, proxy_given=given)
    assert evidence.proxy == proxy
    assert not any(name.lower().startswith(("app-server", "tornado")) for name in evidence.server_names)


def test_deployment_is_reached_where_one_address_answers() -> None:
    assert Evidence(HOME).is_reached and healthy().is_reached
    assert Evidence(HOME, reach=(Reach("192.0.2.1", TIMEOUT), Reach("192.0.2.2"))).is_reached
    assert not Evidence(HOME, reach=(Reach("192.0.2.1", TIMEOUT),)).is_reached
    assert not Evidence(HOME, name_failure=Failure("name", "x")).is_reached


def test_failure_of_tls_may_come_with_the_first_request() -> None:
    failure = Failure("tls-client", "certificate required")
    assert Evidence(HOME).tls_failure is None
    assert Evidence(HOME, tls=Tls(failure=failure)).tls_failure == failure
    late = Page(replace(BARE, failure=failure))
    assert Evidence(HOME, tls=Tls(), page=late).tls_failure == failure
    assert Evidence(HOME, tls=Tls(), page=Page(replace(BARE, failure=TIMEOUT))).tls_failure is None
    assert Evidence(HOME, page=late).tls_failure is None


def test_instances_come_once_in_their_order() -> None:
    two = replace(SEEN, instance="two")
    evidence = Evidence(HOME, scripts=(answer(seen=two), answer(seen=SEEN), answer(seen=two), answer(seen=None)))
    assert evidence.instances == ("two", "one") and evidence.knows_doctor
    assert not Evidence(HOME, scripts=(answer(seen=None),)).knows_doctor


@pytest.mark.parametrize("size", [500, 4096, 12288])
def test_token_is_enlarged_in_what_is_not_signed(size: int) -> None:
    large = enlarged_token(token({"session_id": "s1", "expiry": 5}), size)
    assert size - 4 <= len(large) <= size + 4
    head = json.loads(urlsafe_b64decode(large + "=" * (-len(large) % 4)))
    assert (head["session_id"], head["expiry"]) == ("s1", 5)


@pytest.mark.parametrize("given", [f"{token({'session_id': 's1'})}.signature", "abc", "", "ä", token([1])])
def test_token_that_cannot_be_changed_is_replaced(given: str) -> None:
    assert enlarged_token(given, 700) == "A" * 700
