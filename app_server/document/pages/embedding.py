"""What a page needs to show a document: BokehJS's files, extensions' files, the element of each root, the script.

The list of files is the same for every page of a server until a new model class appears, so it is made once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import bokeh
from bokeh.core.templates import AUTOLOAD_JS, FILE, MACROS
from bokeh.core.types import ID
from bokeh.document import Document
from bokeh.embed.bundle import URL, Bundle, Script, bundle_for_objs_and_resources
from bokeh.embed.elements import div_for_render_item, script_for_render_items
from bokeh.embed.util import RenderItem
from bokeh.resources import Resources
from bokeh.settings import settings
from bokeh.util.serialization import make_globally_unique_css_safe_id
from jinja2 import Template

from app_server.document import classes
from app_server.document.pages import extensions
from app_server.document.pages.loading import addresses_of, loaded_early
from app_server.document.pages.parts import PARTS, TABLES, WIDGETS, needed, with_those_before

_HANDLER = re.compile(r"""\son[a-z]+\s*=\s*["'][^"'>]*\bBokeh\b""", re.IGNORECASE)

VersionOf = Callable[[str], str]
"""The version of a file of BokehJS, given by its path under `static/`, for the `?v=` of its address."""


def static_root() -> Path:
    """The folder of BokehJS's files."""
    return Path(str(settings.bokehjs_path()))


def page_scripts() -> list[Path]:
    """BokehJS's files that pages load, sooner or later."""
    suffix = ".min.js" if settings.minified() else ".js"
    return [static_root() / "js" / f"{part}{suffix}" for part in PARTS]


def versions() -> dict[str, str]:
    """The versions that a client may ask for."""
    return {"bokeh": bokeh.__version__}


def minimum_log_level() -> str:
    """The log level of the browser's console, from BOKEH_LOG_LEVEL."""
    return str(settings.log_level())


@dataclass(frozen=True)
class PageBundle:
    """The scripts and style sheets of a page, as HTML for its head and as lists for a script that loads them.

    With `needed_only`, a page begins with the parts of BokehJS that its document needs.
    """

    js_html: str
    css_html: str
    bundle: Bundle
    needed_only: bool = False

    @cached_property
    def parts(self) -> dict[str, str]:
        """The parts of BokehJS that are files of their own, with their addresses."""
        return addresses_of(str(url) for url in self.bundle.js_files)

    @cached_property
    def has_extensions(self) -> bool:
        """Whether there is code beside BokehJS's own, which may use any class of widgets."""
        return len(self.bundle.js_files) > len(self.parts) or any(
            not raw.startswith("Bokeh.") for raw in self.bundle.js_raw
        )


class Bundles:
    """The page bundles of one server, by the address that their URLs start with.

    With `needed_only`, pages load first what their documents need; otherwise they load everything at once.
    """

    def __init__(self, version_of: VersionOf, *, needed_only: bool = False) -> None:
        self.needed_only = needed_only
        self._version_of = version_of
        self._made: dict[tuple[str, bool], tuple[frozenset[object], object, PageBundle]] = {}

    def get(self, root_url: str, *, resources: bool = True) -> PageBundle:
        """The bundle whose addresses start with `root_url` ("/prefix/" or "https://host/prefix/")."""
        key = root_url, resources
        traits = classes.traits()
        made = self._made.get(key)
        if made is None or not traits <= made[0] or made[1] != extensions.known():
            if len(self._made) > 64:  # absolute addresses come from requests
                self._made.clear()
            bundle = self._make(root_url, resources)
            made = self._made[key] = traits, extensions.known(), bundle
        return made[2]

    def resources(self, root_url: str) -> Resources:
        """Where BokehJS comes from: this server, unless BOKEH_RESOURCES names another place."""
        # Not bokeh's own setting: applications change it while they run, and pages are for all of them.
        mode: Any = os.environ.get("BOKEH_RESOURCES") or "server"
        if mode.startswith("server"):
            return Resources(mode=mode, root_url=root_url, path_versioner=self.versioned)
        return Resources(mode=mode)

    def versioned(self, path: str) -> str:
        """A path below `static/` with the version of its content."""
        return f"{path}?v={self._version_of(path)}"

    def _make(self, root_url: str, resources: bool) -> PageBundle:
        bundle = bundle_for_objs_and_resources(None, self.resources(root_url) if resources else None)
        # Extensions may name their files without a beginning, which a page of another site would look for at its own.
        bundle.js_files = [URL(urljoin(root_url, str(file))) for file in bundle.js_files]
        bundle.css_files = [URL(urljoin(root_url, str(file))) for file in bundle.css_files]
        js_html, css_html = bundle
        return PageBundle(js_html, css_html, bundle, self.needed_only)


def render_page(
    document: Document,
    token: str,
    bundle: PageBundle,
    *,
    app_path: str | None = None,
    head: str = "",
    base: Template = FILE,
    encoded: bytes | None = None,
    first: frozenset[str] | None = None,
) -> str:
    """The HTML page of a session's document, by the document's own template if it has one.

    `app_path` is where BokehJS opens its socket, if not where the page is; `head` is HTML to add to the head; `base` is
    the template of documents that have none of their own, and what theirs extend. `encoded` is the document's JSON, if
    that is known. `first` are parts of BokehJS that the page loads whatever the document needs; None finds out which
    the page's other scripts may use.
    """
    item = RenderItem(token=token, roots=document.roots, use_for_title=True)
    json_id = make_globally_unique_css_safe_id()
    script = script_for_render_items(json_id, [item], app_path=app_path)
    context: dict[str, Any] = {
        **document.template_variables,
        "title": document.title,
        "bokeh_js": bundle.js_html + head,
        "bokeh_css": bundle.css_html,
        "plot_script": f'<script type="application/json" id="{json_id}">{{}}</script>\n'
        f'<script type="text/javascript">{script}</script>',
        "docs": [item],
        "doc": item,
        "roots": item.roots,
        "base": base,
        "macros": MACROS,
        "plot_div": div_for_render_item(item),
    }
    html = _template(document.template, base).render(context)
    if not bundle.needed_only:
        return html
    if first is None:
        ours = [context["bokeh_js"], context["plot_script"] if json_id in html else ""]
        first = _used_by_scripts(bundle, own_scripts=_scripts_in(html) > sum(map(_scripts_in, ours)))
    chosen = with_those_before(first | needed(document, encoded))
    return loaded_early(html, bundle.parts, chosen, token, app_path)


def _scripts_in(html: str) -> int:
    """How many scripts there are, and attributes such as `onload` that name BokehJS."""
    return html.lower().count("<script") + len(_HANDLER.findall(html))


def _used_by_scripts(bundle: PageBundle, *, own_scripts: bool) -> frozenset[str]:
    """The parts that code beside the document may use: extensions have classes of widgets, scripts may do anything."""
    if own_scripts:
        return frozenset(PARTS)
    return frozenset((WIDGETS, TABLES)) if bundle.has_extensions else frozenset()


def _template(template: Template | str | None, base: Template) -> Template:
    if isinstance(template, str):
        return base.environment.from_string("{% extends base %}\n" + template)
    return base if template is None or template is FILE else template


def render_autoload(token: str, element_id: str, bundle: PageBundle, *, app_path: str, absolute_url: str | None) -> str:
    """The script that puts a session's document in the place of the element in a page of another site."""
    item = RenderItem(token=token, elementid=ID(element_id), use_for_title=False)
    # BokehJS's loader adds to the bundle, which is shared by all pages: work on a copy.
    bokeh_js = bundle.bundle
    copy = Bundle(bokeh_js.js_files, bokeh_js.js_raw, bokeh_js.css_files, bokeh_js.css_raw, bokeh_js.hashes)
    copy.add(Script(script_for_render_items({}, [item], app_path=app_path, absolute_url=absolute_url)))
    return AUTOLOAD_JS.render(bundle=copy, elementid=element_id)
