"""What no release holds, whatever the target."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from app_server.deployment.images.collect import files_below
from app_server.deployment.images.ignoring import ignoring
from app_server.errors import OperatorError

KEY = "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n"


def write(folder: Path, *paths: str, text: str = "") -> Path:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def taken(folder: Path, *never: str, secrets: tuple[str, ...] = ()) -> list[str]:
    return sorted(path.as_posix() for path in files_below(folder, folder, ignoring(folder, never, secrets)))


def test_what_tools_leave_behind_is_in_no_release(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "data/x.csv", "hooks/mine.py", "venv.py")
    write(
        tmp_path, ".git/config", ".venv/x.py", "env/pyvenv.cfg", "env/lib/x.py", "sub/__pycache__/a.pyc", "a.pyc",
        ".env", "node_modules/x.js", ".ipynb_checkpoints/a.ipynb", "sub/.DS_Store", "kit.egg-info/x", "a.py~",
    )  # fmt: skip
    assert taken(tmp_path) == ["a.py", "data/x.csv", "hooks/mine.py", "venv.py"]


def test_our_own_products_are_in_no_release(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "out/nginx/x.conf", "deploy.yaml", "deploy.staging.yaml", "notes.yaml")
    write(tmp_path, "kept/site/lock", "kept/site/releases/1/compose.yaml", "there/lock", "there/release/release.json")
    write(tmp_path, "hooks/before-deploy")
    (tmp_path / "out/manifest.json").write_text(json.dumps({"written by": "app-server"}), encoding="utf-8")
    write(tmp_path, "web/manifest.json", text=json.dumps({"name": "a page's own"}))
    with tarfile.open(tmp_path / "anything.tar.gz", "w:gz") as archive:
        archive.add(write(tmp_path / "bundle", "compose.yaml"), arcname="site")
    with tarfile.open(tmp_path / "data.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "a.py", arcname="a.py")
    assert taken(tmp_path, "**/deploy.yaml", "**/deploy.*.yaml") == [
        "a.py", "bundle/compose.yaml", "data.tar.gz", "notes.yaml", "web/manifest.json",
    ]  # fmt: skip


def test_keys_and_named_secrets_are_in_no_release(tmp_path: Path) -> None:
    write(tmp_path, "tls/site.pem", "anything", text=KEY)
    write(tmp_path, "authority.pem", text="-----BEGIN CERTIFICATE-----\n")
    write(tmp_path, "a.py", "cookie", ".ssh/config", "sub/id_ed25519")
    assert taken(tmp_path, secrets=(f"{tmp_path}/cookie",)) == ["a.py", "authority.pem"]
    with pytest.raises(OperatorError) as caught:
        list(files_below(tmp_path / "anything", tmp_path))
    hint = "Move it out of this folder, and set its path below `secrets`."
    assert str(caught.value) == f"{tmp_path}/anything: is a secret, which releases must not contain. {hint}"


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        ("*.csv", ["a.py", "sub/deep/x.csv", "sub/x.csv"]),
        ("**/*.csv", ["a.py"]),
        ("sub", ["a.py", "x.csv"]),
        ("/sub/", ["a.py", "x.csv"]),
        ("sub/*/x.csv", ["a.py", "sub/x.csv", "x.csv"]),
        ("# a.py\n\n  ?.py ", ["sub/deep/x.csv", "sub/x.csv", "x.csv"]),
        ("*\n!sub/deep", ["sub/deep/x.csv"]),
        ("sub\n!sub/x.csv", ["a.py", "sub/x.csv", "x.csv"]),
        ("!sub\nsub", ["a.py", "x.csv"]),
        ("[x-z].csv", ["a.py", "sub/deep/x.csv", "sub/x.csv"]),
        ("!.config", [".config/b", "a.py", "sub/deep/x.csv", "sub/x.csv", "x.csv"]),
        ("!.git\n!**/.env", ["a.py", "sub/deep/x.csv", "sub/x.csv", "x.csv"]),
    ],
)
def test_dockerignore_says_what_else_is_left_out(tmp_path: Path, lines: str, left: list[str]) -> None:
    write(tmp_path, "a.py", "x.csv", "sub/x.csv", "sub/deep/x.csv", ".git/config", ".config/b", ".env")
    (tmp_path / ".dockerignore").write_text(lines, encoding="utf-8")
    assert taken(tmp_path) == left
