"""The Content-Type of files, by their names and by their contents."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from app_server.document.pages.embedding import static_root
from app_server.http.file_types import content_type


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.MJS", "text/javascript; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.json", "application/json; charset=utf-8"),
        ("a.js.map", "application/json; charset=utf-8"),
        ("a.svg", "image/svg+xml; charset=utf-8"),
        ("a.png", "image/png"),
        ("a.webp", "image/webp"),
        ("a.woff2", "font/woff2"),
        ("a.wasm", "application/wasm"),
        ("a.mp4", "video/mp4"),
        ("a.tar.gz", "application/octet-stream"),
        ("NOWHERE", "application/octet-stream"),
    ],
)
def test_the_content_type_follows_the_name_on_every_machine(name: str, expected: str) -> None:
    assert content_type(Path(name)) == expected


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("vega@6.1.2", b"!function(t,e){}(this)", "text/javascript; charset=utf-8"),
        ("htm@3", b"/* a licence\n */\n// more\nexport default function(){}", "text/javascript; charset=utf-8"),
        ("esm", b"import{a as b}from'./c';", "text/javascript; charset=utf-8"),
        ("arrow", b"((t,e)=>{})(1)", "text/javascript; charset=utf-8"),
        ("worker", b'\xef\xbb\xbf"use strict";self.x=1', "text/javascript; charset=utf-8"),
        ("theme@2.0", b"/* x */ :root, .a > b[c='d'] { color: red }", "text/css; charset=utf-8"),
        ("css", b"@font-face{font-family:x}", "text/css; charset=utf-8"),
        ("LICENSE", b"Copyright. You may use this function for export.", "text/plain; charset=utf-8"),
        ("page", b"<!DOCTYPE html><script>alert(1)</script>", "text/plain; charset=utf-8"),
        ("cut", "é".encode() * 4000, "text/plain; charset=utf-8"),
        ("cut2", b"x" + "é".encode() * 4000, "text/plain; charset=utf-8"),
        ("data.xyz", bytes(range(256)), "application/octet-stream"),
        ("nul", b"var x = 1;\0", "application/octet-stream"),
        ("empty", b"", "text/plain; charset=utf-8"),
    ],
)
def test_the_content_type_of_an_unknown_name_is_seen_in_the_file(
    tmp_path: Path, name: str, content: bytes, expected: str
) -> None:
    (tmp_path / name).write_bytes(content)
    assert content_type(tmp_path / name) == expected


def test_every_script_style_and_font_that_packages_bring_has_its_type() -> None:
    """A browser runs no script, and takes no style sheet, of another type: nosniff forbids it to guess."""
    panel, material = (Path(str(find_spec(name).origin)).parent / "dist" for name in ("panel", "panel_material_ui"))
    kinds = {".js": "text/javascript", ".mjs": "text/javascript", ".cjs": "text/javascript", ".css": "text/css",
             ".wasm": "application/wasm", ".map": "application/json", ".woff": "font/woff", ".woff2": "font/woff2",
             ".ttf": "font/ttf", ".eot": "application/vnd.ms-fontobject", ".svg": "image/svg+xml"}  # fmt: skip
    seen = set()
    for file in (file for root in (static_root(), panel, material) for file in root.rglob("*") if file.is_file()):
        kind = content_type(file).partition(";")[0]
        if file.suffix in kinds:
            assert kind == kinds[file.suffix], file
            seen.add(file.suffix)
        elif file.parent.name.endswith("plot"):  # what a model of Panel loads
            assert kind == "text/javascript", file
            seen.add(file.name.partition("@")[0])
        else:
            assert kind != "application/octet-stream" or b"\0" in file.read_bytes()[:4096], file
    assert seen >= {".js", ".css", ".wasm", ".woff2", "vega", "vega-lite", "vega-embed"}
