"""A document by itself, without a server: as JSON, or as a page that shows it.

The same document gives the same text: a file under version control changes only with what it shows. Each
text names this program, which is how the next run knows that it may write the file again.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any, Literal

from bokeh.core.json_encoder import serialize_json
from bokeh.core.templates import FILE, MACROS, get_env
from bokeh.core.types import ID
from bokeh.document import Document
from bokeh.embed.bundle import bundle_for_objs_and_resources
from bokeh.embed.elements import div_for_render_item, script_for_render_items
from bokeh.embed.util import RenderItem
from bokeh.embed.wrappers import wrap_in_script_tag
from bokeh.resources import Resources

from app_server.document.ids import ModelIds, current_ids
from app_server.document.served import ServedDocument

ResourcesMode = Literal["inline", "cdn", "server"]

GENERATOR = "app-server"
_JSON_MARK = re.compile(rf'\{{\s*"generator":\s*"{GENERATOR}"')
_HTML_MARK = f"<!-- Written by {GENERATOR} html. -->"
# The marks are looked for at the files' ends, where they are put.
_MARK_WITHIN_CHARACTERS = 200

_DOCUMENT_ID = ID("app-server-document")
_JSON_ID = ID("app-server-document-json")


def new_document() -> ServedDocument:
    """An empty document, whose models have the same ids in each run."""
    ids = ModelIds("standalone")
    token = current_ids.set(ids)  # the document makes models of its own at once
    try:
        return ServedDocument(ids)
    finally:
        current_ids.reset(token)


def as_json(document: Document, *, indent: int | None = None) -> str:
    """The document as `Bokeh.Document.from_json` and bokeh's `Document.from_json` read it, arrays inline."""
    content: dict[str, Any] = {"generator": GENERATOR, **document.to_json(deferred=False)}
    return serialize_json(content, indent=indent) + "\n"


def as_page(document: Document, *, resources: ResourcesMode, server_url: str = "") -> str:
    """A page that shows the document, in its own template if it has one.

    BokehJS is in the page itself (`inline`), or comes from bokeh's public address (`cdn`) or from below the
    `server_url`. Only the parts of it that the document needs are taken.
    """
    roots = {root: ID(f"app-server-root-{number}") for number, root in enumerate(document.roots, 1)}
    item = RenderItem(docid=_DOCUMENT_ID, roots=roots)
    where = Resources(mode="server", root_url=server_url) if resources == "server" else Resources(mode=resources)
    bokeh_js, bokeh_css = bundle_for_objs_and_resources([document], where)
    # BokehJS reads it as text and undoes this; unescaped, a </script> in some title would end the element.
    content = escape(serialize_json({_DOCUMENT_ID: document.to_json(deferred=False)}), quote=False)
    script = script_for_render_items(_JSON_ID, [item])
    context: dict[str, Any] = {
        **document.template_variables,
        "title": document.title,
        "bokeh_js": bokeh_js,
        "bokeh_css": bokeh_css,
        "plot_script": wrap_in_script_tag(content, "application/json", _JSON_ID) + wrap_in_script_tag(script),
        "docs": [item],
        "doc": item,
        "roots": item.roots,
        "base": FILE,
        "macros": MACROS,
        "plot_div": div_for_render_item(item),
    }
    template = document.template
    if isinstance(template, str):
        template = get_env().from_string("{% extends base %}\n" + template)
    return f"{(template or FILE).render(context).rstrip()}\n{_HTML_MARK}\n"


def is_ours(text: str) -> bool:
    """Whether `as_json` or `as_page` made this text."""
    return _JSON_MARK.match(text[:_MARK_WITHIN_CHARACTERS]) is not None or text.rstrip().endswith(_HTML_MARK)


def python_callbacks(document: Document) -> list[str]:
    """What of the document would call Python if there were a server, such as `Slider.value`; sorted, none twice."""
    found = set()
    for model in document.models:
        kind = type(model).__name__
        found |= {f"{kind}.{attribute}" for attribute, callbacks in model._callbacks.items() if callbacks}
        found |= {f"{kind} on {event}" for event, callbacks in model._event_callbacks.items() if callbacks}
    events = document.callbacks._event_callbacks
    found |= {f"the document on {event}" for event, callbacks in events.items() if callbacks}
    # PeriodicCallback: "a periodic callback"
    names = [re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(item).__name__).lower() for item in document.session_callbacks]
    found |= {f"a {name}" for name in names}
    return sorted(found, key=str.lower)
