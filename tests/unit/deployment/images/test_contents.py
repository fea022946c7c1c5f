"""What goes into an image of applications, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.deployment.images.contents import Contents, gathered, planned, typed
from app_server.errors import OperatorError

APP = "import shared, numpy\nfrom kit.parts import wheel\n"


def write(folder: Path, files: dict[str, str]) -> Path:
    """A folder with these files."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Applications with modules beside them, and much that is nobody's concern."""
    return write(tmp_path, {
        "one.py": APP, "shared.py": "import deeper\n", "deeper.py": "", "kit/__init__.py": "", "kit/parts.py": "",
        "unrelated.py": "", "data/a.csv": "1", "data/__pycache__/x.pyc": "", "Two words/main.py": "",
        "Two words/static/x.css": "", "Two words/.git/config": "",
    })  # fmt: skip


def names(contents: Contents) -> list[str]:
    return [path.as_posix() for path in contents.files]


def test_modules_that_a_script_imports_go_with_it(folder: Path) -> None:
    contents = typed([str(folder / "one.py")], [], [])
    assert names(contents) == ["deeper.py", "kit/__init__.py", "kit/parts.py", "one.py", "shared.py"]
    assert (contents.name, contents.words, contents.routes) == ("one", ("one.py",), ("/one",))
    assert (contents.folder, contents.requirements) == (folder, None)


def test_folder_goes_whole_but_for_what_tools_left(folder: Path) -> None:
    contents = typed([str(folder / "Two words")], ["data/*"], [])
    assert names(contents) == ["Two words/main.py", "Two words/static/x.css", "data/a.csv"]
    assert (contents.name, contents.words, contents.routes) == ("two-words", ("Two words",), ("/Two%20words",))


def test_applications_of_several_folders_keep_their_places(folder: Path) -> None:
    write(folder, {"sub/three.py": "import shared\n", "sub/shared.py": ""})
    contents = typed([str(folder / "one.py"), str(folder / "sub/three.py")], [], [])
    assert contents.words == ("one.py", "sub/three.py")
    assert {"shared.py", "sub/shared.py"} <= set(names(contents))


def test_requirements_beside_the_applications_are_found(folder: Path) -> None:
    write(folder, {"requirements.txt": "x\n", "Two words/requirements.txt": "y\n"})
    found = typed([str(folder / "one.py"), str(folder / "Two words")], [], []).requirements
    assert found is not None
    assert [path.as_posix() for path in found.files] == ["requirements.txt", "Two words/requirements.txt"]


def test_what_requirements_name_goes_with_them(tmp_path: Path) -> None:
    write(tmp_path, {
        "a/needs.txt": "-r ../base.txt\n--constraint=limits.txt\n-f wheels\n-r https://example.org/other.txt\n"
        "./own-1-py3-none-any.whl ; python_version>'3'\nnumpy  # x.whl\n",
        "base.txt": "kit @ file:kit-1-py3-none-any.whl\n", "a/limits.txt": "", "a/wheels/x-1-py3-none-any.whl": "",
        "a/wheels/readme": "", "a/own-1-py3-none-any.whl": "", "kit-1-py3-none-any.whl": "",
    })  # fmt: skip
    found = gathered([str(tmp_path / "a/needs.txt")])
    assert found is not None and found.folder == tmp_path
    assert [path.as_posix() for path in found.files] == ["a/needs.txt"]
    assert sorted(path.as_posix() for path in found.everything) == [
        "a/limits.txt", "a/needs.txt", "a/own-1-py3-none-any.whl", "a/wheels/x-1-py3-none-any.whl",
        "base.txt", "kit-1-py3-none-any.whl",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("paths", "include", "requirements", "message"),
    [
        (["none.py"], [], [], "none.py: there is no such file or folder"),
        (["data"], [], [], "data: the folder has neither main.py nor main.ipynb. "
                           "Name a script, a notebook, or a folder with one of them."),
        (["bad.py"], [], [], "bad.py:1: is not Python: invalid syntax"),
        (["one.py", "sub/one.py"], [], [], "FILE_OR_DIR: two applications have the address /one"),
        (["one.py"], ["*.parquet"], [], "--include *.parquet: no file matches. Patterns start in FOLDER."),
        (["one.py"], ["../*"], [], "--include ../*: is outside the applications' folder. Patterns start in FOLDER."),
        (["one.py"], [], ["refers.txt"], "FOLDER/refers.txt:2: more.txt: there is no such file or folder"),
    ],
)  # fmt: skip
def test_what_cannot_be_gathered_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch,
    paths: list[str], include: list[str], requirements: list[str], message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(write(folder, {"bad.py": "def\n", "sub/one.py": "", "refers.txt": "numpy\n-r more.txt\n"}))
    with pytest.raises(OperatorError) as caught:
        typed(paths, include, requirements)
    assert str(caught.value).replace(str(folder), "FOLDER") == message


def test_deployment_has_words_and_addresses_of_its_own(folder: Path) -> None:
    apps = [("one.py", "/first=one.py", "/first")]
    contents = planned(folder, apps, whole=False, include=[], requirements=[], name="site:1")
    assert (contents.name, contents.words, contents.routes) == ("site:1", ("/first=one.py",), ("/first",))
    assert "unrelated.py" not in names(contents) and "shared.py" in names(contents)
    whole = planned(folder, apps, whole=True, include=[], requirements=[], name="site:1")
    assert {"unrelated.py", "data/a.csv"} <= set(names(whole)) and "data/__pycache__/x.pyc" not in names(whole)


def test_application_of_a_host_cannot_be_in_an_image(folder: Path) -> None:
    apps = [("/srv/one.py", "/srv/one.py", "/one")]
    with pytest.raises(OperatorError) as caught:
        planned(folder, apps, whole=False, include=[], requirements=[], name="site")
    assert str(caught.value) == (
        "/srv/one.py: an image contains only files below one folder. "
        "Name it relative to the folder of the applications."
    )  # fmt: skip
