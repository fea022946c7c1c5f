"""Policies against what browsers make of them: CSP Level 3, section 6.7."""

from __future__ import annotations

import pytest

from app_server.doctor.address import Target
from app_server.doctor.csp import Policy, Script, policies, scripts

PAGE = Target("https", "app.test", 443, "/board")
BOKEHJS = "https://app.test/static/js/bokeh.min.js"
SOCKET = "wss://app.test/board/ws"


def policy(text: str, page: Target = PAGE) -> Policy:
    [found] = policies([text], "", page)
    return found


@pytest.mark.parametrize(
    ("text", "outside", "inside", "socket", "styles", "evaluates"),
    [
        ("default-src 'none'", False, False, False, False, False),
        ("default-src 'self'", True, False, True, False, False),
        ("default-src 'self' 'unsafe-inline'", True, True, True, True, False),
        ("default-src *", True, False, True, False, False),
        ("default-src * 'unsafe-inline' 'unsafe-eval'", True, True, True, True, True),
        ("script-src 'self'", True, False, True, True, False),
        ("script-src-elem 'none'", False, False, True, True, True),
        ("script-src 'none'; script-src-elem 'self' 'unsafe-inline'", True, True, True, True, False),
        ("default-src 'none'; connect-src 'self'", False, False, True, False, False),
        ("connect-src https://app.test", True, True, False, True, True),
        ("connect-src wss:", True, True, True, True, True),
        ("connect-src wss://*.test:*", True, True, True, True, True),
        ("connect-src wss://app.test:8443", True, True, False, True, True),
        ("script-src https:; style-src 'self'", True, False, True, False, False),
        ("script-src 'self' 'unsafe-inline' 'nonce-abc'", True, False, True, True, False),
        ("script-src 'unsafe-inline' 'strict-dynamic' 'self'", False, False, True, True, False),
        ("script-src app.test/static/ 'UNSAFE-INLINE'", True, True, True, True, False),
        ("script-src app.test/other/", False, False, True, True, False),
        ("script-src https://cdn.bokeh.org 'unsafe-inline'", False, True, True, True, False),
        ("script-src 'none'; script-src 'self'", False, False, True, True, False),
        ("img-src 'none'; frame-ancestors 'none'", True, True, True, True, True),
        ("script-src", False, False, True, True, False),
    ],
)  # fmt: skip
def test_what_a_policy_lets_a_page_do(
    text: str, outside: bool, inside: bool, socket: bool, styles: bool, evaluates: bool
) -> None:
    found = policy(text)
    assert found.runs(Script(BOKEHJS, "", "")) is outside
    assert found.runs(Script(None, "start()", "")) is inside
    assert (found.connects(SOCKET), found.styles, found.evaluates) == (socket, styles, evaluates)


def test_nonce_and_hash_let_a_script_run() -> None:
    assert policy("script-src 'nonce-abc'").runs(Script(None, "x", "abc"))
    assert not policy("script-src 'nonce-abc'").runs(Script(None, "x", "abd"))
    digest = "'sha256-LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE='"  # of x
    assert policy(f"script-src {digest}").runs(Script(None, "x", ""))
    assert not policy(f"script-src {digest}").runs(Script(None, "y", ""))


def test_page_without_tls_reaches_what_is_safer_too() -> None:
    page = Target("http", "app.test", 80, "/board")
    assert policy("connect-src 'self'", page).connects("ws://app.test/ws")
    assert policy("script-src app.test", page).runs(Script("https://app.test/x.js", "", ""))
    assert not policy("script-src https://app.test", page).runs(Script("http://app.test/x.js", "", ""))


def test_sandbox_takes_what_it_does_not_name() -> None:
    assert policy("sandbox").sandboxed_without("allow-scripts")
    assert not policy("sandbox allow-scripts").sandboxed_without("allow-scripts")
    assert not policy("default-src 'self'").sandboxed_without("allow-scripts")


def test_every_policy_is_found() -> None:
    html = """<meta http-equiv='Content-Security-Policy' content="script-src 'self'"><meta charset="utf-8">"""
    found = policies(["default-src 'none', img-src *", "", "style-src 'none'"], html, PAGE)
    assert [tuple(one.directives) for one in found] == [
        ("default-src",), ("img-src",), ("style-src",), ("script-src",),
    ]  # fmt: skip


def test_scripts_of_a_page_are_those_that_run() -> None:
    html = """
    <script type="application/json" id="data">{"a": 1}</script>
    <script src="/a.js?v=1&amp;w=2" nonce=abc></script>
    <script type="text/javascript">start()</script>
    <SCRIPT type=module>import "x"</SCRIPT>
    """
    assert scripts(html) == (
        Script("/a.js?v=1&w=2", "", "abc"), Script(None, "start()", ""), Script(None, 'import "x"', ""),
    )  # fmt: skip
