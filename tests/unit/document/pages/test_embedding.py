from __future__ import annotations

import pytest
from bokeh.document import Document
from bokeh.models import Div

from app_server.document.pages.embedding import (
    Bundles,
    PageBundle,
    page_scripts,
    render_autoload,
    render_page,
    versions,
)


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


def bundle() -> PageBundle:
    """The files of a page."""
    return Bundles(lambda path: "1").get("/tools/")


def filled(template: str | None = None) -> Document:
    """A document with a root and perhaps a template of its own."""
    document = Document()
    document.add_root(Div(name="div"))
    document.title = "A & B"
    if template is not None:
        document.template = template
    return document


def test_a_page_has_the_token_its_title_and_what_is_added_to_its_head() -> None:
    page = render_page(filled(), "t0ken", bundle(), app_path="/tools/app", head="<script>1</script>")
    assert "<title>A &amp; B</title>" in page and "<script>1</script>" in page
    assert "t0ken" in page and "/tools/app" in page


def test_a_template_that_is_a_text_extends_the_page() -> None:
    page = render_page(filled("{% block contents %}mine: {{ title }}{% endblock %}"), "t0ken", bundle())
    assert "mine: A & B" in page and "t0ken" in page and page.lstrip().startswith("<!DOCTYPE html>")


def test_a_script_for_other_pages_leaves_the_shared_files_as_they_are() -> None:
    shared = bundle()
    before = list(shared.bundle.js_raw)
    options = {"app_path": "/tools/app", "absolute_url": "https://host/tools/app"}
    script = render_autoload("t0ken", "place-1", shared, **options)
    assert "t0ken" in script and '"place-1"' in script and "https://host/tools/app" in script
    assert list(shared.bundle.js_raw) == before
    assert "other-token" not in script and "t0ken" not in render_autoload("other", "place-2", shared, **options)


def test_files_that_every_page_loads_are_there_and_addresses_of_visitors_do_not_pile_up() -> None:
    assert all(path.is_file() for path in page_scripts())
    made = Bundles(lambda path: "1")
    for number in range(70):
        made.get(f"https://host{number}/")
    assert len(made._made) < 66 and made.get("/") is made.get("/")
