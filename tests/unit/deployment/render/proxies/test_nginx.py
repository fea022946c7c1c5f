"""nginx's site as it is written: its two forms, and that no value can say more than itself."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import crossplane
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app_server.deployment.load import from_values
from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import render
from app_server.deployment.render.proxies.nginx import quote
from app_server.errors import InternalError, OperatorError
from tests.support.examples import examples
from tests.unit.deployment.making import planned

THREE = "apps: {myapp: myapp.py}\npublic: foo.com\ninstances: 3\n"


def site(plan: Plan) -> str:
    """The site's text."""
    return next(iter(render("nginx", plan).values())).text


def parsed(text: str, folder: Path) -> list[dict[str, Any]]:
    """The directives as crossplane reads them, comments left out."""
    path = folder / "site.conf"
    path.write_text(text, encoding="utf-8")
    payload = crossplane.parse(str(path), comments=False, check_ctx=False, check_args=False, single=True)
    assert payload["status"] == "ok", payload["errors"]
    directives: list[dict[str, Any]] = payload["config"][0]["parsed"]
    return directives


def shape(directives: list[dict[str, Any]]) -> list[Any]:
    """The names of all directives, nested, and how many words each has."""
    return [
        (d["directive"], len(d["args"]), shape(d["block"]) if "block" in d else None) for d in directives
    ]  # fmt: skip


def test_old_form_has_a_group_for_each_instance(tmp_path: Path) -> None:
    text = site(planned(tmp_path, THREE))
    assert re.search(r"upstream myapp \{\n    zone myapp 64k;\n    least_conn;\n(    server [^\n]*\n){3}", text)
    assert (
        "upstream myapp-a2 {\n    server 127.0.0.1:5101 max_fails=0;\n    server 127.0.0.1:5102 backup max_fails=0;\n"
        "    server 127.0.0.1:5100 backup weight=1000 max_fails=0;\n" in text
    )
    assert re.search(r"location \^~ /_i/a2/ \{[^}]*proxy_pass http://myapp-a2;", text)
    assert "sticky" not in text


def test_new_form_has_one_group_with_sticky_routes(tmp_path: Path) -> None:
    text = site(planned(tmp_path, THREE + "proxy: {version: 1.29.6}\n"))
    assert "    sticky route $app_server_route;\n    server 127.0.0.1:5100 route=a1 max_fails=0;\n" in text
    assert re.search(r"location \^~ /_i/a2/ \{[^}]*set \$app_server_route a2;\s*proxy_pass http://myapp;", text)
    assert text.count("\nupstream ") == 1


@pytest.mark.parametrize(
    ("version", "listens", "directive"),
    [
        ("", "listen 443 ssl http2;", False),
        ("1.25.0", "listen 443 ssl http2;", False),
        ("1.25.1", "listen 443 ssl;", True),
    ],
)
def test_http2_is_said_as_the_version_wants_it(tmp_path: Path, version: str, listens: str, directive: bool) -> None:
    proxy = f"proxy: {{version: {version}}}\n" if version else ""
    text = site(planned(tmp_path, THREE + "tls: {certificate: /c.pem}\n" + proxy))
    assert listens in text and ("http2 on;" in text) is directive


def test_query_strings_are_not_logged(tmp_path: Path) -> None:
    for form in ("json", "combined"):
        text = site(planned(tmp_path, THREE + f"logs: {{format: {form}}}\n"))
        logged = "".join(re.findall(r"log_format.*?;\n", text, re.DOTALL))
        assert "$app_server_path" in logged and '"~^([!-~]*?)(\\?|$)" $1;' in text
        assert not re.search(r"\$(request|request_uri|args|query_string|http_referer|http_sec_\w+)\b", logged)


def test_redirect_leads_to_the_first_name_whatever_was_asked(tmp_path: Path) -> None:
    text = site(planned(tmp_path, "apps: {a: a.py}\npublic: {hosts: [foo.com, bar.com], port: 8443}\n"
                                  "tls: {certificate: /c.pem}\n"))  # fmt: skip
    assert "return 301 https://foo.com:8443$request_uri;" in text
    assert not re.search(r"return 30\d [^;]*\$(host|http_host)", text)


def test_monitors_and_files_of_pages_do_not_care_whether_the_site_is_closed(tmp_path: Path) -> None:
    head = "apps: {a: a.py, b: {path: b.py, instances: 1}}\npublic: {hosts: foo.com, prefix: /x}\ninstances: 1\n"
    text = site(planned(tmp_path, head))
    own = re.findall(r"location (=? ?\S+(?:healthz|readyz|static/)) \{ proxy_pass http://(\S+); \}", text)
    assert own == [
        ("= /x/healthz", "a"), ("= /x/readyz", "a"),
        ("/x/static/", "a"), ("/x/a/static/", "a"), ("/x/b/static/", "b"),
    ]  # fmt: skip
    # BokehJS is the proxy's own; an application at the root has its files below the same folder.
    other = site(planned(tmp_path, "apps: {a: {path: a.py, route: /}}\npublic: foo.com\nproxy: {static: yes}\n"))
    assert "/static/ { proxy_pass" not in other and "location = /healthz { proxy_pass" in other


def test_static_files_end_with_a_slash(tmp_path: Path) -> None:
    text = site(planned(tmp_path, THREE + "proxy: {static: yes}\n"))
    assert "location ^~ /static/ {\n        alias /usr/share/app-server/static/;" in text
    assert text.index("/static/extensions/") < text.index("location ^~ /static/ {")


def test_hosts_apart_may_fail(tmp_path: Path) -> None:
    one = "apps: {a: a.py}\ninstances: {hosts: [{name: one, address: 10.0.0.1}%s]}\n"
    assert "server 10.0.0.1:5100 max_fails=0;" in site(planned(tmp_path, one % ""))
    text = site(planned(tmp_path, one % ", {name: two, address: 10.0.0.2}"))
    assert "server 10.0.0.2:5100 max_fails=3 fail_timeout=10s;" in text
    assert "keepalive" not in text
    assert "next_upstream_tries 3;" in text and "next_upstream_timeout 10s;" in text
    two = one.replace("{hosts", "{count: 5, hosts") % ", {name: two, address: 10.0.0.2}"
    text = site(planned(tmp_path, two))
    assert "next_upstream_tries 6;" in text and "next_upstream_timeout 16s;" in text


def test_headers_follow_the_embedding_sites(tmp_path: Path) -> None:
    text = site(planned(tmp_path, THREE + "embedding: https://acme.com\ntls: {certificate: /c.pem}\n"))
    assert "add_header Content-Security-Policy 'frame-ancestors" not in text
    assert "add_header Content-Security-Policy \"frame-ancestors 'self' https://acme.com\" always;" in text
    assert "X-Frame-Options" not in text
    assert "add_header Strict-Transport-Security max-age=63072000 always;" in text


def test_head_says_how_to_make_it_again(tmp_path: Path) -> None:
    lines = site(planned(tmp_path)).splitlines()
    assert lines[0].startswith("# Written by app-server for app-server; changes here are lost with the next run of")
    assert lines[1] == "#   app-server config nginx"


def test_value_without_a_filter_never_reaches_a_file(tmp_path: Path) -> None:
    from app_server.deployment.render.proxies.nginx import FILTERS
    from app_server.deployment.render.templates import environment

    with pytest.raises(InternalError, match="without a filter"):
        environment("nginx", FILTERS).from_string("server_name {{ name }};").render(name="foo.com; bad on")


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b", "$host", "", "a\u2028b", "a\x7fb"])
def test_what_cannot_be_quoted_is_refused(value: str) -> None:
    with pytest.raises(OperatorError, match="cannot be written into nginx's configuration"):
        quote(value)


# What has a meaning somewhere: in nginx, in a shell, in YAML, in HTML.
_MEANINGFUL = st.sampled_from(";{}'\"\\$#\n\r\t &|<>`()[]*?!%~^:,=@/.-aZ0")
NASTY = st.text(alphabet=st.one_of(_MEANINGFUL, _MEANINGFUL, st.characters()), max_size=40)

PLACES: dict[str, Any] = {
    "name": lambda v: {"name": v},
    "app path": lambda v: {"apps": {"a": "/a" + v}},
    "app route": lambda v: {"apps": {"a": {"path": "a.py", "route": "/a" + v}}},
    "app argument": lambda v: {"apps": {"a": {"path": "a.py", "args": [v]}}},
    "host": lambda v: {"public": v},
    "prefix": lambda v: {"public": {"prefix": "/a" + v}},
    "socket": lambda v: {"instances": {"socket_dir": "/" + v}},
    "server host": lambda v: {"instances": {"hosts": [{"name": "one", "address": v}]}},
    "include": lambda v: {"proxy": {"include": "/" + v}},
    "static": lambda v: {"proxy": {"static": True}, "paths": {"static": "/" + v}},
    "certificate": lambda v: {"tls": {"certificate": "/" + v}},
    "webroot": lambda v: {"tls": {"mode": "acme", "acme": {"webroot": "/" + v}}},
    "origin": lambda v: {"embedding": "https://" + v},
    "header name": lambda v: {"headers": {"extra": {v: "x"}}},
    "header value": lambda v: {"headers": {"extra": {"X-A": v}}},
    "realm": lambda v: {"access": {"basic": {"file": "/f", "realm": v}}},
    "users": lambda v: {"access": {"basic": "/" + v}},
    "authenticator": lambda v: {"access": {"external": "http://127.0.0.1/" + v}},
    "sign in": lambda v: {"access": {"external": {"url": "http://127.0.0.1/a", "sign_in": "/a" + v}}},
    "network": lambda v: {"access": {"allow": v}},
    "message": lambda v: {"maintenance": {"message": v}},
    "maintenance file": lambda v: {"maintenance": {"file": "/" + v}},
    "log folder": lambda v: {"logs": {"dir": "/" + v}},
    "etc": lambda v: {"paths": {"etc": "/" + v}},
    "environment": lambda v: {"service": {"environment": {"A": v}}},
    "command": lambda v: {"paths": {"command": v}},
}


def planned_values(values: dict[str, Any]) -> Plan:
    """The plan of plain values."""
    return resolve_plan(from_values({"apps": {"a": "a.py"}, **values}, "test"), regenerate=("app-server", "config"))


@cache
def harmless_shape(place: str, folder: Path) -> list[Any]:
    """The directives that a plain value makes in this place."""
    harmless = "127.0.0.1" if place in ("network", "server host", "host", "origin") else "a"
    return shape(parsed(site(planned_values(PLACES[place](harmless))), folder))


@pytest.mark.parametrize("place", PLACES, ids=list(PLACES))
@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=NASTY)
def test_no_value_can_inject_a_directive(tmp_path: Path, place: str, value: str) -> None:
    """A value is refused, or the site has the directives that it has with a harmless one, with as many words."""
    expected = harmless_shape(place, tmp_path)
    try:
        text = site(planned_values(PLACES[place](value)))
    except OperatorError:
        return
    assert shape(parsed(text, tmp_path)) == expected


@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=NASTY)
def test_quoted_word_is_read_as_itself(tmp_path: Path, value: str) -> None:
    try:
        word = quote(value)
    except OperatorError:
        return
    (directive,) = parsed(f"include {word};\n", tmp_path)
    assert len(directive["args"]) == 1
    if word[0] not in "'\"":
        assert directive["args"] == [value]


def test_plan_without_a_proxy_needs_no_site(tmp_path: Path) -> None:
    from app_server.deployment.render import is_wanted

    assert not is_wanted("nginx", planned(tmp_path, "apps: {a: a.py}\nproxy: none\n"))
    assert json.dumps([is_wanted("nginx", replace(planned(tmp_path)))]) == "[true]"
