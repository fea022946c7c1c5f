"""The folder that an image of applications is built of, made the same way wherever it is made."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app_server.deployment.images.contents import of_plan
from app_server.deployment.images.context import context_of, main
from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.render.containers.compose import contents
from tests.unit.deployment.making import loaded

ROOT = Path(__file__).resolve().parents[4]
DEPLOY = "apps: {one: one.py, two: sub/two}\ninclude: [data/*.csv]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A deployment's folder, with much that is in no image."""
    place = tmp_path / "site"
    for path, text in (
        ("one.py", "import helper\n"), ("helper.py", ""), ("sub/two/main.py", ""), ("data/a.csv", "1"),
        ("notes.md", ""),
        ("requirements.txt", "numpy\n"), ("sub/two/requirements.txt", "-r ../base.txt\n"), ("sub/base.txt", "x\n"),
        (".git/HEAD", ""), ("deployed/site/lock", ""), ("deployed/site/releases/1/x", ""),
        ("sub/two/__pycache__/m.pyc", ""),
    ):  # fmt: skip
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(text, encoding="utf-8")
    return place


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


SERVER = "server: {static_dirs: [files=./data, more=/srv/more], setup: helper.py}\n"


@pytest.mark.parametrize("more", ["", "containers: {source: .}\n", "requirements: [sub/base.txt]\n", SERVER])
def test_build_and_roll_out_gather_the_same(folder: Path, tmp_path: Path, more: str) -> None:
    plan = resolve_plan(loaded(folder, DEPLOY + more), layout="compose")
    context_of(of_plan(plan, folder), tmp_path / "roll-out")
    # The Dockerfile runs it as a program, with what compose.yaml has as its argument.
    words = ("-m", "app_server.deployment.images.context", folder, tmp_path / "build", contents(plan))
    subprocess.run([sys.executable, *words], check=True, cwd=ROOT)
    assert files(tmp_path / "build") == files(tmp_path / "roll-out")


def test_folders_and_the_setup_file_that_the_server_reads_are_there(folder: Path, tmp_path: Path) -> None:
    (folder / "data" / "b.js").write_text("1")
    (folder / "prepare.py").write_text("")
    text = SERVER.replace("helper.py", "./prepare.py").replace("more=/srv/more", "up=../x")
    plan = resolve_plan(loaded(folder, "apps: {one: one.py}\n" + text), layout="compose")
    context_of(of_plan(plan, folder), tmp_path / "made")
    assert {"apps/data/a.csv", "apps/data/b.js", "apps/prepare.py"} <= set(files(tmp_path / "made"))
    words = plan.instances[0].flags
    start = words.index("--static-dirs")
    assert words[start : start + 3] == ("--static-dirs", "files=./data", "up=../x")
    assert words[words.index("--setup") + 1] == "./prepare.py"


def test_requirements_are_listed_in_their_order(folder: Path, tmp_path: Path) -> None:
    plan = resolve_plan(loaded(folder, DEPLOY), layout="compose")
    context_of(of_plan(plan, folder), tmp_path / "made")
    made = files(tmp_path / "made")
    assert made["requirements/install"] == b"requirements.txt\nsub/two/requirements.txt\n"
    assert sorted(path for path in made if path.startswith("apps/")) == [
        "apps/data/a.csv", "apps/helper.py", "apps/one.py", "apps/sub/two/main.py", "apps/sub/two/requirements.txt",
    ]  # fmt: skip
    assert "requirements/sub/base.txt" in made


def test_what_cannot_be_gathered_is_one_line(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    about = {"apps": ["one.py"], "requirements": ["none.txt"], "whole": False}
    assert main([str(folder), str(tmp_path / "made"), json.dumps(about)]) == 1
    assert capsys.readouterr().err == f"ERROR: {folder}/none.txt: cannot be read: No such file or directory\n"


def test_image_is_built_in_the_order_in_which_things_change() -> None:
    text = (ROOT / "docker/app-server/Dockerfile").read_text(encoding="utf-8")
    (stage,) = re.findall(r"^FROM app-server AS site\n(.*?)\n\n", text, re.MULTILINE | re.DOTALL)
    assert stage.index("/pip/install") < stage.index("COPY --from=gathered /apps /apps")


@pytest.mark.parametrize("environment", [None, "staging", "test"])
def test_image_has_the_secrets_of_no_environment(folder: Path, tmp_path: Path, environment: str | None) -> None:
    for name in ("own", "block", "file", "plain"):
        (folder / f"{name}.vars").write_text("A=1\n", encoding="utf-8")
    (folder / "deploy.test.yaml").write_text("service: {secrets: file.vars}\n", encoding="utf-8")
    (folder / "deploy.broken.yaml").write_text("\t", encoding="utf-8")
    text = DEPLOY + (
        "containers: {source: .}\nservice: {secrets: own.vars}\n"
        "environments: {staging: {service: {secrets: {file: ./block.vars}}}, other: {service: {secrets: null}}}\n"
    )
    plan = resolve_plan(loaded(folder, text, environment), layout="compose")
    context_of(of_plan(plan, folder), tmp_path / "made")
    assert [name for name in files(tmp_path / "made") if name.endswith(".vars")] == ["apps/plain.vars"]
    assert {"**/own.vars", "**/block.vars", "**/file.vars"} <= set(plan.contained.never)
