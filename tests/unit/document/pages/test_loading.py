"""Which of BokehJS's files a page has in its head, and which its first script loads later."""

from __future__ import annotations

import re

import pytest

from app_server.document.pages.loading import addresses_of, early_script, loaded_early
from app_server.document.pages.parts import CORE, MATHS, PARTS, TABLES, WEBGL, WIDGETS

ADDRESSES = {part: f"/static/js/{part}.min.js?v=1" for part in PARTS}


def tag(part: str, attributes: str = "") -> str:
    return f'<script{attributes} src="{ADDRESSES[part]}"></script>'


def page(*tags: str, head: str = "<head>") -> str:
    return f"<html>{head}<title>t</title>\n" + "\n".join(tags) + "\n</head><body></body></html>"


ALL = page(*map(tag, PARTS))


def early(html: str, *first: str) -> str:
    return loaded_early(html, ADDRESSES, frozenset(first), "t0ken", "/app")


def test_parts_that_are_not_needed_leave_the_head_and_are_named_in_order() -> None:
    html = early(ALL, CORE, WIDGETS)
    assert [part for part in PARTS if tag(part) in html] == [CORE, WIDGETS]
    script = html[html.index("<head>") + 6 : html.index("<title>")]
    assert script.startswith("<script>(") and script.endswith(");</script>")
    places = [script.index(ADDRESSES[part]) for part in (WEBGL, TABLES, MATHS)]
    assert places == sorted(places) and ADDRESSES[WIDGETS] not in script


def test_script_comes_first_even_if_every_part_is_needed() -> None:
    html = early(ALL, *PARTS)
    assert all(tag(part) in html for part in PARTS)
    assert '("t0ken", "/app", [], 10000)' in html[: html.index("<title>")]


@pytest.mark.parametrize("head", ["<head>", '<HEAD lang="en">', "<!-- no head -->"])
def test_script_comes_before_bokehjs_whatever_the_head(head: str) -> None:
    html = early(page(*map(tag, PARTS), head=head), CORE)
    assert html.index("t0ken") < html.index(tag(CORE))


def test_script_is_not_put_into_an_element_that_only_begins_like_the_head() -> None:
    html = early(page(*map(tag, PARTS), head="<header>"), CORE)
    assert html.startswith("<html><header><title>t</title>\n<script>((token")


def test_script_is_under_the_policy_that_the_page_sets_for_itself() -> None:
    policy = '<meta http-equiv="Content-Security-Policy" content="connect-src https:">'
    html = early(page(policy, *map(tag, PARTS)), CORE)
    assert html.index(policy) < html.index("t0ken") < html.index(tag(CORE))


def test_tags_are_found_as_panel_writes_them() -> None:
    typed = ' type="text/javascript"'
    html = early(page(*(tag(part, typed) for part in PARTS)), CORE)
    assert tag(CORE, typed) in html and tag(TABLES, typed) not in html


@pytest.mark.parametrize(
    "html",
    [
        page(*(tag(part, " defer") for part in PARTS)),
        page(*map(tag, PARTS[:-1])),
        page(*map(tag, PARTS), tag(CORE)),
        page('<script src="https://cdn.bokeh.org/bokeh/release/bokeh-3.9.2.min.js"></script>'),
        page(),
    ],
)
def test_page_whose_tags_are_written_by_hand_stays_as_it_is(html: str) -> None:
    assert early(html, CORE) == html


def test_page_with_bokehjs_inside_it_stays_as_it_is() -> None:
    assert loaded_early(ALL, {}, frozenset((CORE,)), "t0ken", None) == ALL


def test_part_waits_for_the_part_that_it_needs_if_that_is_late_too() -> None:
    assert '"after":[1]' in early_script("t", None, dict.fromkeys(PARTS[1:], "u"))
    assert '"after":[1]' not in early_script("t", None, dict.fromkeys((WEBGL, TABLES), "u"))


def test_nothing_in_the_script_ends_its_element() -> None:
    script = early_script("t", "/</script><script>alert(1)//", {TABLES: "/</script>"})
    assert script.count("</script>") == 1 and script.count("<script") == 1


def test_comments_are_not_sent() -> None:
    assert re.search(r"(^|\s)//", early_script("t", None, {}), re.MULTILINE) is None


@pytest.mark.parametrize(
    ("address", "part"),
    [
        ("/tools/static/js/bokeh.min.js?v=1", CORE),
        ("static/js/bokeh-gl.js?v=1", WEBGL),
        ("https://cdn.bokeh.org/bokeh/release/bokeh-widgets-3.9.2.min.js", WIDGETS),
        ("https://cdn.bokeh.org/bokeh/dev/bokeh-3.10.0.dev5.min.js", CORE),
        ("/static/extensions/panel/panel.min.js?v=1", None),
        ("/static/extensions/bokeh-widgets-more/bokeh-widgets-more.js", None),
        ("/static/js/bokeh-api.min.js", None),
    ],
)
def test_parts_are_known_by_their_files(address: str, part: str | None) -> None:
    assert addresses_of([address]) == ({} if part is None else {part: address})
