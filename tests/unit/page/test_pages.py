"""The index, error and waiting pages."""

from __future__ import annotations

import re
import subprocess
import sys
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest

from app_server.errors import OperatorError
from app_server.page import (
    IndexEntry,
    busy_page,
    content_security_policy,
    custom_index_page,
    error_page,
    index_page,
    live_reload_script,
)

EVIL = """<script>alert("1")</script>'&"""
ENTRIES = [
    IndexEntry("sea_surface", "/tools/sea_surface", "Waves & tides."),
    IndexEntry("sliders", "/tools/sliders"),
]
TRACEBACK = """Traceback:
  File "a.py", line 1
    x
E: y
"""
PAGES = {
    "index": index_page(ENTRIES, title="Applications", prefix="/tools"),
    "empty index": index_page([], title="Applications"),
    "error": error_page(404, "There is no such page", "/slider", hint="Perhaps you meant /sliders.", home="/"),
    "traceback": error_page(500, "The application failed", traceback=TRACEBACK),
    "busy": busy_page(3),
}

pages = pytest.mark.parametrize("html", PAGES.values(), ids=PAGES.keys())

WITHOUT_FILES = """
import resource
from app_server.page import busy_page, error_page, index_page, live_reload_script, logged_out_page

resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
print(error_page(503, "Try again", head=live_reload_script("/reload")), busy_page(3))
print(index_page([], title="Applications"), logged_out_page(login_url=None, icon=""))
"""


class Elements(HTMLParser):
    """The elements of a page with their attributes, and its text; fails when they are not nested as they should be."""

    VOID = frozenset({"meta", "link", "br"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pages
def test_a_page_is_whole_and_loads_nothing_from_elsewhere(html: str) -> None:
    elements = Elements(html)
    assert html.startswith("<!DOCTYPE html>")
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in elements.named("meta")
    assert not elements.named("script") and not elements.named("img") and not elements.named("iframe")
    assert all((link["href"] or "").startswith("/") for link in elements.named("link"))
    assert "//" not in re.sub(r"<!DOCTYPE html>", "", html)


@pages
def test_a_page_works_under_its_content_security_policy(html: str) -> None:
    style = html[html.index("<style>") + 7 : html.index("</style>")]
    digest = b64encode(sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in content_security_policy()
    for _, attributes in Elements(html).found:
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)


def test_the_index_links_to_every_application_with_its_line() -> None:
    elements = Elements(PAGES["index"])
    assert [link["href"] for link in elements.named("a")] == ["/tools/sea_surface", "/tools/sliders"]
    assert "Sea surface" in elements.text
    assert "Waves & tides." in elements.text
    assert "2 applications" in elements.text
    assert elements.named("link") == [{"rel": "icon", "href": "/tools/favicon.ico"}]


def test_one_application_is_counted_in_the_singular() -> None:
    assert "1 application<" in index_page(ENTRIES[:1], title="Applications")


def test_an_empty_index_says_how_to_start() -> None:
    assert "app-server serve myapp.py" in PAGES["empty index"]


@pytest.mark.parametrize(
    ("name", "label"),
    [("sliders", "Sliders"), ("sea_surface", "Sea surface"), ("GDP", "GDP"), ("a-b", "A b"), ("/", "Home")],
)
def test_an_application_is_labelled_for_readers(name: str, label: str) -> None:
    assert IndexEntry(name, "/").label == label


@pytest.mark.parametrize(
    "html",
    [
        index_page([IndexEntry(EVIL, EVIL, EVIL)], title=EVIL, prefix=EVIL),
        error_page(500, EVIL, EVIL, hint=EVIL, traceback=EVIL, home=EVIL),
        busy_page(1, headline=EVIL, detail=EVIL),
    ],
    ids=["index", "error", "busy"],
)
def test_whatever_a_page_is_told_is_escaped(html: str) -> None:
    elements = Elements(html)
    assert "<script" not in html
    assert not elements.named("script")
    assert EVIL in elements.text


def test_an_error_page_says_what_happened_and_what_to_do() -> None:
    text = Elements(PAGES["error"]).text
    assert "404" in text and "There is no such page" in text
    assert "/slider" in text and "Perhaps you meant /sliders." in text


def test_an_error_page_shows_a_traceback_only_when_it_is_given_one() -> None:
    assert "Traceback" not in PAGES["error"]
    assert '<span class="frame">  File &#34;a.py&#34;, line 1</span>' in PAGES["traceback"]
    assert '<span class="error">E: y</span>' in PAGES["traceback"]


def test_the_head_of_a_page_takes_html() -> None:
    script = live_reload_script("/_dev/reload")
    assert script in error_page(500, "The application failed", head=script)
    assert script in index_page(ENTRIES, title="Applications", head=script)


def test_a_busy_page_asks_again_by_itself() -> None:
    assert {"http-equiv": "refresh", "content": "3"} in Elements(PAGES["busy"]).named("meta")
    assert {"http-equiv": "refresh", "content": "1"} in Elements(busy_page(0)).named("meta")


# A template of the operator's own


def test_a_template_of_the_operators_gets_items_and_prefix(tmp_path: Path) -> None:
    template = tmp_path / "index.html"
    template.write_text("{% for item in items %}<a href='{{ prefix }}{{ item }}'>{{ item[1:] }}</a>{% endfor %}")
    html = custom_index_page(template, ["/b", "/a<b"], "/tools")
    assert html == "<a href='/tools/a&lt;b'>a&lt;b</a><a href='/tools/b'>b</a>"


def test_a_template_may_extend_another_beside_it(tmp_path: Path) -> None:
    (tmp_path / "base.html").write_text("[{% block list %}{% endblock %}]")
    (tmp_path / "index.html").write_text('{% extends "base.html" %}{% block list %}{{ items|length }}{% endblock %}')
    assert custom_index_page(tmp_path / "index.html", ["/a"]) == "[1]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<p>\n{% for item in items %}", "{path}:2: the index template is not valid: Unexpected end of template. "),
        ("{{ items", "{path}:1: the index template is not valid: unexpected end of template, expected 'end of print"),
        ("{{ 1 / 0 }}", "{path}:1: the index template failed: division by zero"),
        ("\n{{ nothing.at.all }}", "{path}:2: the index template failed: 'nothing' is undefined"),
        ('{% include "no.html" %}', "{path}:1: the index template failed: 'no.html' not found in search path"),
    ],
)
def test_a_template_that_cannot_be_filled_is_the_operators_error(text: str, message: str, tmp_path: Path) -> None:
    template = tmp_path / "index.html"
    template.write_text(text)
    with pytest.raises(OperatorError) as caught:
        custom_index_page(template, [])
    assert str(caught.value).startswith(message.format(path=template))


def test_a_missing_template_is_the_operators_error(tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as caught:
        custom_index_page(tmp_path / "none.html", [])
    assert str(caught.value) == f"{tmp_path}/none.html: the index template cannot be read: No such file or directory"


def test_process_that_can_open_no_file_has_its_pages() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_FILES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("</html>") == 4
