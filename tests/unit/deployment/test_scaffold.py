"""What is an application, what it imports, and the first deploy.yaml for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from app_server.deployment.scaffold import (
    MOST_FOUND,
    Found,
    Wishes,
    candidates,
    imports_of,
    inspect,
    scaffold_file,
    scalar,
)
from app_server.errors import OperatorError

SERVED = "from bokeh.io import curdoc\ncurdoc()\n"


def notebook(*cells: str) -> str:
    return json.dumps({"cells": [{"cell_type": "code", "source": [cell]} for cell in cells]})


def test_script_notebook_and_folder_are_applications(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import numpy, os\nfrom pandas.io import x\nfrom . import y\n")
    (tmp_path / "b.ipynb").write_text(notebook("%matplotlib inline\n!ls\nimport numpy", "import scipy"))
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "main.py").write_text("")
    (tmp_path / "d.md").write_text("# About\n\n```python\nimport panel\n```\n")
    found = [inspect(str(tmp_path / name)) for name in ("a.py", "b.ipynb", "c", "d.md")]
    assert [(each.kind, each.imports) for each in found] == [
        ("a script", ("numpy", "pandas")), ("a notebook", ("numpy", "scipy")), ("a folder with main.py", ()),
        ("a Markdown file", ("panel",)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("none", "none: there is no such file or folder"),
        ("text.txt", "text.txt: is neither a script nor a notebook. Name a .py, .ipynb or .md file."),
        ("empty", "empty: the folder has neither main.py nor main.ipynb."
         " Name a script, a notebook, or a folder with one of them."),
        ("two", "two: the folder has two mains. Name a script, a notebook, or a folder with one of them."),
        ("bad.py", "bad.py:2: is not Python: invalid syntax"),
        ("bad.ipynb", "bad.ipynb: the file is JSON but not a notebook. Save it again in Jupyter"),
        ("latin.py", "latin.py: is neither UTF-8 nor in an encoding that it names"),
    ],
)  # fmt: skip
def test_what_is_no_application_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.txt").touch()
    Path("empty").mkdir()
    Path("two").mkdir()
    for main in ("main.py", "main.ipynb"):
        Path("two", main).touch()
    Path("bad.py").write_text("x = 1\ny = = 2\n")
    Path("bad.ipynb").write_text('{"cells": 3}')
    Path("latin.py").write_bytes(b"# \xe9\n")
    with pytest.raises(OperatorError) as caught:
        inspect(name)
    assert str(caught.value) == error


def test_what_looks_like_an_application_is_found_in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "app.py": SERVED, "panel.py": "x.servable()\n", "helper.py": "import os\n", "test_app.py": SERVED,
        "_private.py": SERVED, ".hidden.py": SERVED, "broken.py": "curdoc( = \n", "notes.txt": SERVED,
    }.items():  # fmt: skip
        (tmp_path / name).write_text(text)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "main.py").write_text("")
    (tmp_path / "data").mkdir()
    assert [each.path for each in candidates(Path())] == ["app.py", "folder", "panel.py"]


def test_no_more_than_twenty_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(MOST_FOUND + 3):
        (tmp_path / f"a{number:02}.py").write_text(SERVED)
    assert len(candidates(Path())) == MOST_FOUND == 20


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("apps/my app.py", "my-app"), ("x/dash", "dash"), ("3d.ipynb", "a-3d"), ("été.py", "t"), ("+.py", "app"),
        (f"{'n' * 40}.py", "n" * 24), ("v1.2", "v1-2"),
    ],
)  # fmt: skip
def test_name_of_an_application_is_one_that_a_block_may_have(path: str, name: str) -> None:
    assert Found(path, "a script", ()).name == name


def test_modules_that_are_not_installed_are_missing(tmp_path: Path) -> None:
    (tmp_path / "beside.py").touch()
    (tmp_path / "pack").mkdir()
    found = Found(str(tmp_path / "a.py"), "a script", ("beside", "pack", "sys", "yaml", "no_such_module_of_anybody"))
    assert found.missing() == ["no_such_module_of_anybody"]


def test_imports_inside_functions_are_seen(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def f():\n    import numpy.linalg\n")
    assert imports_of(tmp_path / "a.py") == ("numpy",)


APP = Found("my app.py", "a script", ("numpy",))


def lines_of(wishes: Wishes) -> list[str]:
    return scaffold_file([APP], wishes).splitlines()[2:]


def test_scaffold_file_has_nothing_that_goes_without_saying() -> None:
    assert lines_of(Wishes()) == [
        "apps:",
        '  my-app: "my app.py"  # a script; imports numpy',
        "public: localhost",
    ]


def test_scaffold_file_has_what_was_wished() -> None:
    wishes = Wishes("tools", ("a.org", "10.0.0.1"), "/x", 3, 6000, "apache", "files", "/c.pem", "/k.pem")
    assert yaml.safe_load(scaffold_file([APP], wishes)) == {
        "name": "tools", "apps": {"my-app": "my app.py"}, "public": {"hosts": ["a.org", "10.0.0.1"], "prefix": "/x"},
        "instances": {"count": 3, "port": 6000}, "proxy": "apache", "tls": {"certificate": "/c.pem", "key": "/k.pem"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wishes", "tls"),
    [
        (Wishes(tls="acme", email="a@b.org"), {"mode": "acme", "acme": "a@b.org"}),
        (Wishes(tls="acme"), "acme"),
        (Wishes(tls="development"), "development"),
        (Wishes(tls="files", certificate="/c.pem"), {"certificate": "/c.pem"}),
    ],
)
def test_scaffold_file_says_where_the_certificate_comes_from(wishes: Wishes, tls: object) -> None:
    assert yaml.safe_load(scaffold_file([APP], wishes))["tls"] == tls


def test_instances_alone_are_a_number() -> None:
    assert yaml.safe_load(scaffold_file([APP], Wishes(instances=4)))["instances"] == 4


@pytest.mark.parametrize("value", ["plain", "no", "null", "1", "a: b", "#", "", "é", "/a/b.py", "x@y.org", '"'])
def test_scalar_is_read_as_the_same_text(value: str) -> None:
    if value in ("no", "null"):  # deploy.yaml is read without YAML's guesses
        assert scalar(value) == value
    else:
        assert yaml.safe_load(scalar(value)) == value
