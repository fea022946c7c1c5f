from __future__ import annotations

import pytest

from app_server.document.embedding import Bundles, versions


def scripts(monkeypatch: pytest.MonkeyPatch, mode: str | None) -> str:
    """The scripts of a page of a server that was started with this BOKEH_RESOURCES."""
    if mode is None:
        monkeypatch.delenv("BOKEH_RESOURCES", raising=False)
    else:
        monkeypatch.setenv("BOKEH_RESOURCES", mode)
    return Bundles(lambda path: "1").get("/tools/").js_html


@pytest.mark.parametrize("mode", [None, "", "server"])
def test_scripts_come_from_the_server(monkeypatch: pytest.MonkeyPatch, mode: str | None) -> None:
    assert 'src="/tools/static/js/bokeh.min.js?v=1"' in scripts(monkeypatch, mode)


def test_scripts_come_from_where_bokeh_resources_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert f'src="https://cdn.bokeh.org/bokeh/release/bokeh-{versions()["bokeh"]}.min.js"' in scripts(
        monkeypatch, "cdn"
    )
    assert 'src="/tools/static/js/bokeh.js?v=1"' in scripts(monkeypatch, "server-dev")
    inline = scripts(monkeypatch, "inline")
    assert 'bokeh.min.js"' not in inline and len(inline) > 2_000_000
