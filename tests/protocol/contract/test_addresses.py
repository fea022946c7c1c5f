"""Applications whose names have characters that mean something in addresses or expressions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.protocol.conftest import Served, serving

SCRIPT = "from bokeh.models import Div\nfrom bokeh.plotting import curdoc\ncurdoc().add_root(Div(text='here'))\n"
NAMES = ["plot (1)", "a+b", "my-app", "häuser", "it's", "100%", "x[1]", "q?x", "na\u0308h", os.fsdecode(b"caf\xe9")]
SPELLINGS = [
    "/plot%20(1)", "/plot%20%281%29", "/a+b", "/a%2bb", "/my%2Dapp", "/h%c3%a4user", "/ha%CC%88user", "/it%27s",
    "/it's", "/100%25", "/x[1]", "/x%5B1%5D", "/q%3fx", "/n%C3%A4h", "/na%CC%88h", "/caf%e9", "/_i/i-1/a%2Bb",
]  # fmt: skip


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Applications with such names, a prefix that has such a character, and a folder with files named likewise."""
    folder = tmp_path_factory.mktemp("apps")
    paths = [folder / f"{name}.py" for name in NAMES]
    for path in paths:
        path.write_text(SCRIPT)
    site = folder / "folder (2)"
    (site / "static").mkdir(parents=True)
    (site / "main.py").write_text(SCRIPT)
    (site / "static" / "na\u0308h (1).css").write_text("a{}")
    with serving(*paths, site, "--prefix", "/to+ols", prefix="/to%2Bols") as served:
        yield served


@pytest.mark.parametrize("path", SPELLINGS)
def test_application_is_at_every_spelling_of_its_address(named: Served, path: str) -> None:
    token = named.site.token(path)
    with named.site.client(path, token) as client:
        assert client.roots
    assert named.site.get(f"{path}/metadata").status == 200
    assert named.site.get(f"{path}/static/js/bokeh.min.js", method="HEAD").status == 200
    assert named.site.get(f"{path}/autoload.js", **{"bokeh-autoload-element": "x"}).status == 200
    assert named.site.get(f"{path}/", method="HEAD").status == 200


@pytest.mark.parametrize(
    "path", ["/plot%201", "/aab", "/100%2525", "/100%", "//a+b", "/%2Fa+b", "/a+b%00", "/x/%2e%2e/a+b", "/a+b//", "/x1"]
)
def test_application_is_nowhere_else(named: Served, path: str) -> None:
    assert named.site.get(path).status == 404


@pytest.mark.parametrize("name", ["n%C3%A4h%20(1).css", "na%CC%88h%20%281%29.css"])
def test_file_is_served_however_its_letters_are_composed(named: Served, name: str) -> None:
    assert named.site.get(f"/folder%20(2)/static/{name}").text == "a{}"


@pytest.mark.parametrize("path", ["..%2f..%2fmain.py", "%2e%2e/main.py", "n%C3%A4h%2520(1).css", "x%00.css"])
def test_no_spelling_leads_out_of_the_folder(named: Served, path: str) -> None:
    assert named.site.get(f"/folder%20(2)/static/{path}").status == 404


def test_index_links_lead_to_the_applications(named: Served) -> None:
    index = named.site.get("/").text
    for link in ("/to+ols/plot%20(1)", "/to+ols/h%C3%A4user", "/to+ols/it&#39;s", "/to+ols/caf%E9"):
        assert f'href="{link}"' in index
    assert "plot (1)" in index.lower()


def test_only_application_is_led_to_by_its_address_with_the_query(tmp_path: Path) -> None:
    (tmp_path / "häuser (1).py").write_text(SCRIPT)
    with serving(tmp_path / "häuser (1).py") as served:
        answer = served.site.get("/", next="//evil.example")
        assert answer.headers["location"] == "/h%C3%A4user%20(1)?next=%2F%2Fevil.example"
        assert served.site.get("//evil.example").status == 404
        assert served.site.get("/%2f/evil.example/..").status == 404
