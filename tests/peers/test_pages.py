"""The HTML around the documents."""

from __future__ import annotations

import re

import pytest

from tests.peers.conftest import Peers
from tests.support.client import Answer


def outline(answer: Answer) -> list[str]:
    """The page's elements and texts, without scripts and ids, which are a server's own."""
    html = re.sub(r"<script.*?</script>|<!--.*?-->|<style.*?</style>", "", answer.text, flags=re.DOTALL)
    html = re.sub(r'\s+(id|data-root-id)="[^"]*"', "", html)
    return [piece.strip() for piece in re.split(r"(<[^>]*>)", html) if piece.strip()]


@pytest.mark.parametrize("path", ["/embedded", "/titled", "/noted", "/hooked"])
def test_page_is_made_of_the_same_elements(peers: Peers, path: str) -> None:
    stock, ours = (outline(site.get(path)) for site in peers.both())
    assert stock == ours


def embedded(answer: Answer) -> list[str]:
    """What the script that puts an application into another page does of what others may build upon."""
    found = re.findall(r'"(app_path|absolute_url|version|root_ids|roots|use_for_title|token)"', answer.text)
    return sorted(set(found))


@pytest.mark.parametrize(
    "query", ["", "&bokeh-app-path=/asked", "&bokeh-absolute-url=http://h/asked", "&resources=none"]
)
def test_script_for_another_page_embeds_the_same(peers: Peers, query: str) -> None:
    path = f"/asked/autoload.js?bokeh-autoload-element=here{query}"
    stock, ours = (embedded(site.get(path)) for site in peers.both())
    assert stock == ours
