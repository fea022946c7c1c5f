from __future__ import annotations

import re

import pytest
from bokeh.document import Document
from bokeh.embed.bundle import URL, Bundle
from bokeh.models import Div
from jinja2 import Template

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


@pytest.fixture
def no_extensions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only bokeh's own classes: those that other tests of this process have made need parts of their own."""
    monkeypatch.setattr("bokeh.embed.bundle._bundle_extensions", lambda *_: [])
    monkeypatch.setattr("bokeh.embed.bundle.bundle_models", lambda *_: None)


ALL_PARTS = {"bokeh", "bokeh-gl", "bokeh-widgets", "bokeh-tables", "bokeh-mathjax"}


def first_parts(document: Document, made: PageBundle, **options: str) -> set[str]:
    """The parts of BokehJS that stand in the head of the document's page."""
    page = render_page(document, "t0ken", made, **options)
    return set(re.findall(r'<script src="/tools/static/js/([a-z-]+)\.min\.js', page))


def needed_only() -> PageBundle:
    """The files of a page that begins with what its document needs."""
    return Bundles(lambda path: "1", needed_only=True).get("/tools/")


@pytest.mark.usefixtures("no_extensions")
def test_page_begins_with_what_its_document_needs_unless_it_is_to_have_all() -> None:
    assert first_parts(filled(), needed_only()) == {"bokeh", "bokeh-widgets"}
    assert first_parts(filled(), bundle()) == ALL_PARTS
    assert "new Proxy" not in render_page(filled(), "t0ken", bundle())


@pytest.mark.usefixtures("no_extensions")
def test_scripts_of_the_head_and_of_bokeh_are_not_the_templates_own() -> None:
    page = "{% block contents %}<main>{{ embed(roots[0]) }}</main>{% endblock %}"
    head = "<script>reload()</script>"
    assert first_parts(filled(page), needed_only(), head=head) == {"bokeh", "bokeh-widgets"}


def test_template_with_scripts_of_its_own_gets_all_parts() -> None:
    page = "{% block postamble %}<script>new Bokeh.Tables.DataTable()</script>{% endblock %}"
    assert first_parts(filled(page), needed_only()) == ALL_PARTS
    assert "new Proxy" in render_page(filled(page), "t0ken", needed_only())


@pytest.mark.parametrize(
    "body",
    [
        "<SCRIPT>new Bokeh.Tables.DataTable()</SCRIPT>{{ plot_script }}",
        """<main onclick="new Bokeh.Tables.DataTable()"></main>{{ plot_script }}""",
        "<script>a()</script><script>Bokeh.embed(b)</script>",
    ],
)
def test_scripts_are_found_however_a_template_writes_them(body: str) -> None:
    document = filled()
    document.template = Template(f"<head>{{{{ bokeh_js }}}}</head><body>{body}</body>")
    assert first_parts(document, needed_only()) == ALL_PARTS


@pytest.mark.parametrize("comment", ["<!-- <head> was here -->", "<!--[if lt IE 9]><html><head><![endif]-->"])
def test_script_of_the_page_is_not_put_into_a_comment(comment: str) -> None:
    html = f"<!DOCTYPE html>{comment}<head id='own'>{{{{ bokeh_js }}}}</head><body>{{{{ plot_script }}}}</body>"
    document = filled()
    document.template = Template(html)
    page = render_page(document, "t0ken", needed_only())
    assert page.index("new Proxy") > page.index("<head id='own'>")


def test_files_of_an_extension_are_looked_for_at_this_server(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Bundle(js_files=[URL("static/extensions/x.js"), URL("https://cdn/y.js")], css_files=[URL("z.css")])
    monkeypatch.setattr("app_server.document.pages.embedding.bundle_for_objs_and_resources", lambda *_: made)
    bundle = Bundles(lambda path: "1").get("https://apps.example/tools/").bundle
    assert [str(file) for file in [*bundle.js_files, *bundle.css_files]] == [
        "https://apps.example/tools/static/extensions/x.js", "https://cdn/y.js", "https://apps.example/tools/z.css",
    ]  # fmt: skip


@pytest.mark.usefixtures("no_extensions")
def test_template_that_indents_its_scripts_is_understood() -> None:
    page = "{% block js_resources %}{{ bokeh_js | indent(8) }}{% endblock %}"
    assert first_parts(filled(page), needed_only()) == {"bokeh", "bokeh-widgets"}


def test_template_that_writes_the_tags_itself_is_left_alone() -> None:
    page = '{% block js_resources %}<script src="/tools/static/js/bokeh.min.js"></script>{% endblock %}'
    assert render_page(filled(page), "t", needed_only()).count("<script") == 3  # and the document's two


def test_extensions_may_use_any_class_of_widgets() -> None:
    made = needed_only()
    urls = [*made.bundle.js_files, "/tools/static/extensions/charts/charts.min.js"]
    for extended in (Bundle(urls, made.bundle.js_raw), Bundle(made.bundle.js_files, ["(function() {})()"])):
        js_html, css_html = extended
        assert first_parts(Document(), PageBundle(js_html, css_html, extended, needed_only=True)) == {
            "bokeh",
            "bokeh-widgets",
            "bokeh-tables",
        }


def test_script_for_a_page_of_another_site_loads_all_parts_and_leaves_its_websocket_alone() -> None:
    made = needed_only()
    script = render_autoload("t0ken", "place", made, app_path="/tools/app", absolute_url=None)
    assert "new Proxy" not in script
    assert set(re.findall(r"/static/js/([a-z-]+)\.min\.js", script)) == ALL_PARTS
