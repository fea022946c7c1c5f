from __future__ import annotations

from pathlib import Path

import pytest

from app_server.sources.routes import route_by_name, route_for, split_route


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("myapp.py", "/myapp"),
        ("/srv/apps/myapp.py", "/myapp"),
        ("notes/myapp.ipynb", "/myapp"),
        ("myapp", "/myapp"),
        ("myapp/", "/myapp"),
        ("./myapp//", "/myapp"),
        ("apps/../myapp", "/myapp"),
        ("v1.2.py", "/v1.2"),
        ("/", "/"),
    ],
)
def test_route_is_the_name_without_its_suffix(path: str, route: str) -> None:
    assert route_for(path) == route


def test_dot_means_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sales").mkdir()
    monkeypatch.chdir(tmp_path / "sales")
    assert route_for(".") == "/sales"
    assert route_for("..") == route_for(tmp_path)


def test_folder_keeps_the_dots_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "sales.py").mkdir()
    (tmp_path / "v1.2").mkdir()
    assert route_for(tmp_path / "sales.py") == "/sales.py"
    assert route_for(tmp_path / "v1.2") == "/v1.2"


def test_home_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/srv/ada")
    assert route_for("~") == "/ada"
    assert route_for("~/myapp.py") == "/myapp"


def test_route_is_written_as_a_browser_sends_it() -> None:
    assert route_for("my app.py") == "/my%20app"
    assert route_for("größe?.py") == "/gr%C3%B6%C3%9Fe%3F"
    assert route_for("a+b(1).py") == "/a+b(1)"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("/reports/sales=apps/sales.py", ("/reports/sales", "apps/sales.py")),
        ("/=sales.py", ("/", "sales.py")),
        ("sales.py", (None, "sales.py")),
        ("/srv/a b=c/sales.py", (None, "/srv/a b=c/sales.py")),
        ("a=b.py", (None, "a=b.py")),
    ],
)
def test_word_may_name_the_route(word: str, expected: tuple[str | None, str]) -> None:
    assert split_route(word) == expected


def test_file_that_is_there_is_no_route_and_a_path(tmp_path: Path) -> None:
    path = tmp_path / "a=b.py"
    path.touch()
    assert split_route(str(path)) == (None, str(path))


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("myapp.py", "/myapp"), ("apps/myapp.ipynb", "/myapp"), ("myapp/", "/myapp"), ("./a/../b.py", "/b"),
        ("my other.py", "/my%20other"), ("été.py", "/%C3%A9t%C3%A9"), ("v1.2", "/v1.2"), ("a.b.py", "/a.b"),
    ],
)  # fmt: skip
def test_route_of_a_path_elsewhere_is_the_name_without_its_suffix(path: str, route: str) -> None:
    assert route_by_name(path) == route


@pytest.mark.parametrize("path", ["a.py", "x/b.ipynb", "c", "c.d/", "./e f.py", "/g/h.tar.py", "i.txt"])
def test_route_of_a_path_elsewhere_is_that_of_serve(path: str) -> None:
    assert route_by_name(path) == route_for(path)


def test_folder_elsewhere_whose_name_ends_like_a_scripts_is_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "sales.py").mkdir()
    assert route_for(tmp_path / "sales.py") == "/sales.py"
    assert route_by_name(str(tmp_path / "sales.py")) == "/sales"
