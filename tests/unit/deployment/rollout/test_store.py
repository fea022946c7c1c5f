"""The store of a deployment's releases, and the way back in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.deployment.rollout.preconditions import is_ours
from app_server.deployment.rollout.preflight import preflight_project
from app_server.deployment.rollout.store import Store
from app_server.errors import OperatorError
from tests.unit.deployment.making import faults

HEAD = "# Written by app-server for site; changes here are lost with the next run of\n#   app-server config compose"


def release(store: Store, number: int, words: str) -> None:
    store.path(number).mkdir(parents=True)
    (store.path(number) / "compose.yaml").write_text(f"{HEAD} -f deploy.yaml{words}\nname: site\n", encoding="utf-8")


def test_releases_of_another_environment_are_not_gone_back_to(tmp_path: Path) -> None:
    store = Store(tmp_path, "site")
    for number, words in ((1, ""), (2, " -e staging"), (3, ""), (4, " -e staging")):
        release(store, number, words)
    assert [number for number in store.releases() if store.is_alike(number, 3)] == [1, 3]
    assert [number for number in store.releases() if store.is_alike(number, 4)] == [2, 4]


def test_holder_is_read_from_the_current_release(tmp_path: Path) -> None:
    store = Store(tmp_path, "other")
    assert store.holder() is None
    release(store, 1, "")
    store.make_current(1)
    assert store.holder() == "site"


def test_preflight_has_a_name_that_no_deployment_can_have(tmp_path: Path) -> None:
    name = preflight_project("site")
    assert faults(tmp_path, f"apps: {{a: a.py}}\nname: {name}\n"), "a deployment of this name would be stopped"


def test_images_of_others_are_not_built_over() -> None:
    assert is_ours({"org.opencontainers.image.title": "app-server-nginx"})
    assert is_ours({"app-server.applications": "a.py"})
    assert not is_ours({}) and not is_ours({"org.opencontainers.image.title": "postgres"})


def test_only_numbers_are_releases(tmp_path: Path) -> None:
    store = Store(tmp_path, "site")
    for name in ("1", "12", "²", "٣", "007", "0", "9" * 40, "3.old"):
        (tmp_path / "releases" / name).mkdir(parents=True)
    assert store.releases() == [1, 12]


def test_user_of_any_name_rolls_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "müller\x1b[2J\udcff")
    store = Store(tmp_path, "site")
    for content in (b"", b"\xff\xfe\x1b[31m"):
        (tmp_path / "lock").write_bytes(content)
        with store.locked():
            assert (store.roller() or "").startswith("müller [2J , process ")
            store.note("release 1")
    assert (tmp_path / "log").read_text(encoding="utf-8").endswith(" müller [2J : site: release 1\n")


def test_damaged_files_of_releases_hide_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path, "site")
    store.path(1).mkdir(parents=True)
    store.make_current(1)
    (store.path(1) / "compose.yaml").write_bytes(b"\xff\xfe")
    (tmp_path / "release").mkdir()
    (tmp_path / "release" / "release.json").write_text("[" * 100_000, encoding="ascii")
    assert store.holder() is None and store.is_alike(1, 1)
    (tmp_path / "log").mkdir()
    with pytest.raises(OperatorError, match="log: cannot be written: Is a directory"):
        store.note("release 1")
