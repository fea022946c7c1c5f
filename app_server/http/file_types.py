"""The Content-Type of a file: by its name, the same on every machine, or by its content if the name says nothing."""

from __future__ import annotations

import codecs
import mimetypes
import os
import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

# Python's own table differs from machine to machine, because it reads the system's or the registry's.
_TYPES: Final = {
    ".js": "text/javascript",  # RFC 9239
    ".mjs": "text/javascript",
    ".cjs": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".json": "application/json",
    ".map": "application/json",
    ".geojson": "application/geo+json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".ico": "image/vnd.microsoft.icon",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".ttf": "font/ttf",
    ".eot": "application/vnd.ms-fontobject",
    ".otf": "font/otf",
    ".wasm": "application/wasm",
    ".md": "text/markdown",
    ".csv": "text/csv",
    ".glb": "model/gltf-binary",
    ".gltf": "model/gltf+json",
    ".parquet": "application/vnd.apache.parquet",
    ".arrow": "application/vnd.apache.arrow.file",
    # Known to Python from 3.14 on; packed or not, it is nothing that a browser should look into.
    ".gz": "application/octet-stream",
}


def content_type(path: Path) -> str:
    """The Content-Type of a file by its name, or by its content if the name says nothing; texts are UTF-8.

    Packages bring scripts under names such as `vega@6.1.2`, and browsers run no script of another type.
    """
    suffix = path.suffix.lower()
    found = _TYPES.get(suffix) or _builtin_types().types_map[1].get(suffix) or _type_inside(path)
    textual = found.startswith("text/") or found in ("application/json", "image/svg+xml") or found.endswith("+json")
    return f"{found}; charset=utf-8" if textual else found


_LOOKED_AT_BYTES: Final = 4096
_COMMENTS = re.compile(r"(?:\s|/\*.*?\*/|//[^\n]*\n)*", re.DOTALL)
_SCRIPT = re.compile(
    r"""[!;+~-]*\s*\(*\s*(?:async\s+)?function\b
    | [!;+~-]*\s*\(+(?:async\s*)?\(?[\w$,\s]*\)?\s*=>
    | ["'](?:no\ )?use\ strict["']
    | [\w$]+(?:\.[\w$]+)+\s*[=(]
    | (?:var|let|const|class)\s+[\w$\[{]
    | (?:import|export)[\s{*"']
    | (?:window|globalThis|self|module|exports|Object|define|require|System)\b[.(\[]""",
    re.VERBOSE,
)
_STYLE = re.compile(
    r"""@-?[a-z-]+\s*[^;{]*[;{]
    | :[-\w]+(?:\([^)]*\))? [-\w.\#:*()\[\]=\\"',>+~\s]* \{
    | [-\w.\#:*\[\]=\\"',>+~\s]+ \{ \s* (?:\} | [-\w]+\s*:[^(])""",
    re.VERBOSE,
)


def _type_inside(path: Path) -> str:
    try:
        status = os.stat(path)
    except OSError:
        return "application/octet-stream"
    return _type_by_content(str(path), status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1024)
def _type_by_content(path: str, mtime_ns: int, size_bytes: int) -> str:
    """Script, style sheet, text or bytes, as the beginning of the file looks; never what a browser shows as a page."""
    try:
        with open(path, "rb") as source:
            beginning = source.read(_LOOKED_AT_BYTES)
    except OSError:
        return "application/octet-stream"
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(beginning)
    except UnicodeDecodeError:
        return "application/octet-stream"
    if not text.isprintable() and any(ord(message) < 32 and message not in "\t\n\r\f" for message in text):
        return "application/octet-stream"
    start = _COMMENTS.match(text).end()  # type: ignore[union-attr]
    if _STYLE.match(text, start):
        return "text/css"
    return "text/javascript" if _SCRIPT.match(text, start) else "text/plain"


@cache
def _builtin_types() -> mimetypes.MimeTypes:
    return mimetypes.MimeTypes()
