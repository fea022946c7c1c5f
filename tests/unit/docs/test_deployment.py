"""The commands of docs/deployment.md run, one after another, as a reader would type them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from app_server.cli import main
from app_server.deployment.load import load
from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.rules import judge
from app_server.deployment.spec import Spec
from tests.unit.docs.test_manual import ROOT, blocks, commands

PAGE = ROOT / "docs" / "deployment.md"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a reader is: an application, and our repository's deployments."""
    shutil.copy(ROOT / "examples" / "seed" / "myapp.py", tmp_path)
    (tmp_path / "scenes").symlink_to(ROOT / "deploy/scenes")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_yaml_blocks_are_deployments(tmp_path: Path) -> None:
    texts = [block.text for block in blocks(PAGE) if block.language == "yaml"]
    assert len(texts) == 6
    for number, text in enumerate(texts):
        place = tmp_path / f"{number}.yaml"
        place.write_text(text, encoding="utf-8")
        loaded = load(place)
        assert loaded.spec.apps["myapp"].path == "myapp.py"
        assert all(verdict.level == "warning" for verdict in judge(resolve_plan(loaded)))
    assert load(tmp_path / "1.yaml", "staging").spec.instances.count == 1


def test_every_command_runs(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    staged = [block.text for block in blocks(PAGE) if block.language == "yaml"][1]
    done = 0
    for where, words in commands(PAGE):
        if words[0] not in ("config", "init") or "--check" in words:
            continue
        if "staging" in words:
            (place / "deploy.yaml").write_text(staged, encoding="utf-8")
        status = main(words, {})
        printed = capsys.readouterr()
        assert status == 0, f"{where}: {printed.err}"
        assert printed.out.strip(), where
        done += 1
    assert done >= 25
    assert (place / "out" / "manifest.json").is_file()


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.stem)
def test_deployments_of_all_pages_are_read(page: Path, tmp_path: Path) -> None:
    keys = set(Spec.model_fields)
    for number, block in enumerate(blocks(page)):
        if block.language != "yaml":
            continue
        given = yaml.safe_load(block.text)
        # Parts of a deployment are for a file that has applications; other programs' files have other keys.
        if isinstance(given, dict) and given.keys() <= keys:
            place = tmp_path / f"{number}.yaml"
            more = "" if "apps" in given else "apps: {myapp: myapp.py}\n"
            place.write_text(more + block.text, encoding="utf-8")
            assert load(place).spec.apps, f"{block}"


def test_what_the_page_on_monitoring_generates_stays_there(place: Path) -> None:
    (place / "deploy.yaml").write_text("apps: {myapp: myapp.py}\nserver: {metrics: yes}\n", encoding="utf-8")
    typed = (words for _, words in commands(ROOT / "docs" / "monitoring.md"))
    generated = [words for words in typed if words[0] == "config" and "-o" in words]
    for words in generated:
        assert main(words, {}) == 0
    kept = {path.name for path in (place / "watching").glob("*/*/*")}
    assert len(generated) == 3
    assert kept == {"app-server.targets.yml", "app-server.rules.yml", "app-server.json"}


def test_what_init_writes_is_the_three_lines(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "myapp.py", "--server-name", "tools.example.org", "--yes", "--port", "5100"], {}) == 0
    lines = (place / "deploy.yaml").read_text(encoding="utf-8").splitlines()
    kept = [line.partition("  #")[0] for line in lines if not line.startswith("#")]
    assert kept[:3] == ["apps:", "  myapp: myapp.py", "public: tools.example.org"]
    assert "deploy.yaml is written" in capsys.readouterr().out
