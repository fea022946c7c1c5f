"""Templates and themes of a folder, read once or when they have changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app_server.apps.faults import CodePlace
from app_server.apps.scripts.template import LoadedTemplate, load_template, template_environment
from app_server.errors import ApplicationError


@pytest.mark.parametrize(("watched", "reads"), [(True, ["one", "two", "two"]), (False, ["one", "one", "one"])])
def test_a_file_is_read_again_after_a_change_if_it_is_watched(tmp_path: Path, watched: bool, reads: list[str]) -> None:
    path = tmp_path / "file"
    path.write_text("one")
    loaded = LoadedTemplate(path, path.read_text, watched=watched)
    found = [loaded.get()]
    path.write_text("two")
    os.utime(path, (1, 1))
    found.append(loaded.get())
    assert [*found, loaded.get()] == reads


def test_a_file_that_comes_and_goes_is_read_then(tmp_path: Path) -> None:
    path = tmp_path / "file"
    loaded = LoadedTemplate(path, lambda: path.read_text() if path.exists() else None, watched=True)
    assert loaded.get() is None
    path.write_text("there")
    assert loaded.get() == "there"
    path.unlink()
    assert loaded.get() is None


def test_what_does_not_load_again_is_tried_at_the_next_look(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("1")
    loaded = LoadedTemplate(path, lambda: int(path.read_text()), watched=True)
    path.write_text("wrong")
    for _ in range(2):
        with pytest.raises(ValueError, match="wrong"):
            loaded.get()
    path.write_text("12345")
    assert loaded.get() == 12345


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<p>\n{% if x %}", "index.html:2: the template does not parse: "),
        (b"\xff", "index.html: the template cannot be read: 'utf-8' codec can't decode byte 0xff"),
        (None, "index.html: the template cannot be read: 'index.html' not found in search path"),
    ],
)
def test_a_template_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "index.html").write_bytes(content)
    environment = template_environment(tmp_path, watched=False)
    with pytest.raises(ApplicationError) as caught:
        load_template(environment, "index.html", tmp_path, CodePlace(tmp_path, "", str(tmp_path / "main.py")))
    assert message in str(caught.value) and str(caught.value).endswith("Correct the template")


def test_values_are_put_in_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("{{ html }}")
    environment = template_environment(tmp_path, watched=False)
    assert (
        load_template(environment, "index.html", tmp_path, CodePlace(tmp_path, "", "main.py")).render(html="<b>")
        == "<b>"
    )
