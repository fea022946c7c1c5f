"""Compiled templates: when they are kept, and that nothing depends on it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from jinja2 import BytecodeCache, Environment, FileSystemLoader

from app_server.deployment.render.compiled import CompiledTemplates

TEXT = "{% for n in range(3) %}{{ n }}{% endfor %}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the template site.conf, which Python may keep compiled files in."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    (tmp_path / "site.conf").write_text(TEXT, encoding="utf-8")
    return tmp_path


def rendered(folder: Path, cache: BytecodeCache) -> str:
    return Environment(loader=FileSystemLoader(folder), bytecode_cache=cache).get_template("site.conf").render()


def is_kept(folder: Path, text: str = TEXT, **options: bool) -> bool:
    """Whether there is a compiled template that can be used for this text and these options."""
    cache = CompiledTemplates(options)
    return cache.get_bucket(Environment(), "site.conf", str(folder / "site.conf"), text).code is not None


def compiled_file(folder: Path) -> Path:
    return next((folder / "__pycache__").iterdir())


def test_compiled_template_is_kept_beside_the_template(folder: Path) -> None:
    assert not is_kept(folder)
    assert rendered(folder, CompiledTemplates({})) == "012"
    assert compiled_file(folder).name == f"site.conf.{sys.implementation.cache_tag}.opt-jinja.pyc"
    assert is_kept(folder)
    assert rendered(folder, CompiledTemplates({})) == "012"


def test_compiled_template_is_used_only_for_its_text_and_options(folder: Path) -> None:
    rendered(folder, CompiledTemplates({"optimized": False}))
    assert is_kept(folder, optimized=False)
    assert not is_kept(folder, optimized=True)
    assert not is_kept(folder, f"{TEXT}.", optimized=False)


def test_templates_whose_names_differ_only_in_their_ends_are_kept_apart(folder: Path) -> None:
    cache = CompiledTemplates({})
    assert len({cache.get_cache_key(name, str(folder / name)) for name in ("a.service", "a.timer", "a.sh", "a")}) == 4


def test_compiled_templates_are_where_python_keeps_its_own(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = tmp_path_factory.mktemp("prefix")
    monkeypatch.setattr(sys, "pycache_prefix", str(prefix))
    rendered(folder, CompiledTemplates({}))
    assert [path.name for path in folder.iterdir()] == ["site.conf"]
    assert len(list(prefix.rglob("site.conf.*"))) == 1


def test_nothing_is_kept_where_python_is_to_keep_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert rendered(folder, CompiledTemplates({})) == "012"
    assert [path.name for path in folder.iterdir()] == ["site.conf"]


def test_folder_that_cannot_be_written_keeps_nothing_and_is_no_fault(folder: Path) -> None:
    (folder / "__pycache__").write_text("a file where a folder should be", encoding="utf-8")
    assert rendered(folder, CompiledTemplates({})) == "012"
    assert not is_kept(folder)


def test_damaged_file_is_compiled_again(folder: Path) -> None:
    rendered(folder, CompiledTemplates({}))
    whole = compiled_file(folder).read_bytes()
    for size in range(0, len(whole), 20):
        compiled_file(folder).write_bytes(whole[:size])
        assert not is_kept(folder)
        assert rendered(folder, CompiledTemplates({})) == "012"
        assert is_kept(folder)
