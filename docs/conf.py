"""The built manual: `make docs` makes build/manual of docs/, of the project's own pages, and of docstrings."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from app_server import __version__  # noqa: E402

project = "app-server"
author = "app-server developers"
copyright = "2026, app-server developers"
version = release = __version__

# The source is the repository, so a link means the same in the built manual as on a code host.
root_doc = "docs/index"
include_patterns = [
    "docs/**.md", "examples/README.md",
    "ARCHITECTURE.md", "CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md",
]  # fmt: skip
exclude_patterns = [
    ".*", "ansible", "app_server", "bench", "build", "deploy", "dist", "docker", "requirements", "tests", "tools",
]  # fmt: skip
source_suffix = {".md": "markdown"}

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "tools.manual.navigation",
    "tools.manual.docstrings",
    "tools.manual.files",
]
# The anchors of headings are those that code hosts make, for links such as serving.md#behind-a-proxy.
myst_heading_anchors = 6
myst_links_external_new_tab = False

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_use_type_comments = False
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 100

html_theme = "furo"
html_title = f"app-server {__version__}"
html_copy_source = False
html_show_sphinx = False
html_show_sourcelink = False
html_static_path = ["built"]
html_css_files = ["manual.css"]
