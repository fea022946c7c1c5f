"""Links to what is in the repository, but no page of the manual: a file is brought along, a folder is only named."""

from __future__ import annotations

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

from tools.manual import ROOT

REDIRECT = """\
<!DOCTYPE html>
<meta charset="utf-8">
<title>app-server</title>
<meta http-equiv="refresh" content="0; url={0}">
<a href="{0}">The manual</a>
"""
"""The page at the top of the built manual: its first page lies in a folder, as in the repository."""


def _name_folders(app: Sphinx, doctree: nodes.document) -> None:
    """Keep only the text of links to folders of the repository, which lead nowhere in a built manual."""
    for node in list(doctree.findall(addnodes.pending_xref)):
        if node["reftype"] == "myst" and (ROOT / node["refdoc"]).parent.joinpath(node["reftarget"]).is_dir():
            node.replace_self(node.children)


def _redirect(app: Sphinx, exception: Exception | None) -> None:
    if exception is None and app.builder.format == "html":
        page = app.builder.get_target_uri(app.config.root_doc)
        (app.outdir / "index.html").write_text(REDIRECT.format(page), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("doctree-read", _name_folders)
    app.connect("build-finished", _redirect)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
