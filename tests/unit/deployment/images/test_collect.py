"""Which files belong to applications."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.deployment.images.collect import files_below, files_matching, modules_beside
from app_server.errors import OperatorError


def make(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def names(found: object) -> list[str]:
    return [path.as_posix() for path in found]  # type: ignore[attr-defined]


def test_folder_gives_its_files_in_their_order(tmp_path: Path) -> None:
    make(tmp_path, {"app/b.py": "", "app/a.csv": "", "app/sub/c.py": "", "other.py": ""})
    assert names(files_below(tmp_path / "app", tmp_path)) == ["app/a.csv", "app/b.py", "app/sub/c.py"]
    assert names(files_below(tmp_path / "other.py", tmp_path)) == ["other.py"]


def test_private_key_is_left_out_of_a_folder_and_refused_by_its_name(tmp_path: Path) -> None:
    make(tmp_path, {"app/main.py": "", "app/site.pem": "-----BEGIN PRIVATE KEY-----\n"})
    assert names(files_below(tmp_path / "app", tmp_path)) == ["app/main.py"]
    with pytest.raises(OperatorError) as caught:
        list(files_below(tmp_path / "app" / "site.pem", tmp_path))
    assert str(caught.value) == (
        f"{tmp_path}/app/site.pem: is a secret, which releases must not contain."
        " Move it out of this folder, and set its path below `secrets`."
    )


def test_pattern_names_files_and_folders(tmp_path: Path) -> None:
    make(tmp_path, {"data/a.csv": "", "data/b.txt": "", "data/deep/c.csv": "", "data/__pycache__/d.pyc": ""})
    assert names(files_matching("data/*.csv", tmp_path)) == ["data/a.csv"]
    assert names(files_matching("data", tmp_path)) == ["data/a.csv", "data/b.txt", "data/deep/c.csv"]


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        ("/etc/*", "is outside the applications' folder"),
        ("../*.csv", "is outside the applications' folder"),
        ("no/*.csv", "no file matches"),
        ("__pycache__", "no file matches"),
    ],
)
def test_pattern_that_gives_nothing_is_refused(tmp_path: Path, pattern: str, what: str) -> None:
    make(tmp_path, {"__pycache__/d.pyc": ""})
    with pytest.raises(OperatorError) as caught:
        list(files_matching(pattern, tmp_path))
    assert str(caught.value) == f"--include {pattern}: {what}. Patterns start in {tmp_path}."


def test_modules_that_a_script_imports_come_with_what_these_import(tmp_path: Path) -> None:
    make(
        tmp_path,
        {
            "app.py": "import near, json\nfrom pack.inner import x\n", "near.py": "import further\nimport near\n",
            "further.py": "", "pack/__init__.py": "", "pack/inner.py": "import last\n", "last.py": "", "unused.py": "",
        },
    )  # fmt: skip
    found = [path.relative_to(tmp_path).as_posix() for path in modules_beside(tmp_path / "app.py")]
    assert sorted(found) == ["further.py", "last.py", "near.py", "pack"]
