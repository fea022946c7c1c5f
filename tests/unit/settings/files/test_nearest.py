"""Where files are looked for: in the folder, and above it up to a repository's root or the home directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.errors import OperatorError
from app_server.settings.files.nearest import is_foreign, nearest, search_path


def below(folder: Path, *names: str) -> Path:
    """A folder that is made."""
    path = folder.joinpath(*names)
    path.mkdir(parents=True)
    return path


def test_search_ends_at_a_repository_or_at_home(tmp_path: Path) -> None:
    deep = below(tmp_path, "home", "repository", "a", "b")
    home = tmp_path / "home"
    assert search_path(deep, None) == [deep], "outside both, parents belong to others"
    assert search_path(deep, home)[-1] == home
    (home / "repository" / ".git").touch()  # a worktree or a submodule has a file
    assert search_path(deep, home) == [deep, deep.parent, home / "repository"]
    assert search_path(home, home) == [home]


def test_nearest_file_is_found_as_it_is_seen_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = below(tmp_path, "a", "b")
    monkeypatch.chdir(here)
    environ = {"HOME": str(tmp_path)}
    assert nearest("x", environ) is None
    (tmp_path / "x").touch()
    assert nearest("x", environ) == Path("../../x")
    assert nearest("x", {}) is None
    (here / "x").touch()
    assert nearest("x", environ) == Path("x")
    assert nearest("x", environ, lambda path: path.is_file() and path.parent != here) == Path("../../x")


def test_home_may_be_a_symbolic_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(below(tmp_path, "data", "ada", "work"))
    (tmp_path / "data" / "ada" / "x").touch()
    (tmp_path / "home").symlink_to("data")
    assert nearest("x", {"HOME": f"{tmp_path}/home/ada"}) == Path("../x")


def test_file_above_that_belongs_to_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [is_foreign(7, 7), is_foreign(0, 7), is_foreign(8, 7), is_foreign(0, 0)] == [False, False, True, False]
    monkeypatch.setattr("app_server.settings.files.nearest.is_foreign", lambda owner, user: True)
    monkeypatch.chdir(below(tmp_path, "a"))
    (tmp_path / "x").touch()
    with pytest.raises(OperatorError) as caught:
        nearest("x", {"HOME": str(tmp_path)})
    assert str(caught.value) == f"{tmp_path}/x: belongs to another user, and is only read if you name it"
    monkeypatch.chdir(tmp_path)
    assert nearest("x", {"HOME": str(tmp_path)}) == Path("x"), "the current folder is one's own choice"
    tmp_path.chmod(0o1777)
    with pytest.raises(OperatorError, match="belongs to another user"):
        nearest("x", {"HOME": str(tmp_path)})


def test_deleted_folder_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(OperatorError, match="^the current folder cannot be read: No such file or directory. Change"):
        nearest("x", {})
