"""What `--store` may name."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from app_server.errors import OperatorError
from app_server.store.folder import FolderStore
from app_server.store.location import open_store
from app_server.store.redis import RedisStore
from tests.support.in_image import as_in_an_image


def opened(text: str) -> object:
    return open_store(text, ttl_s=10, max_bytes=1000)


def refused(text: str) -> str:
    with pytest.raises(OperatorError) as caught:
        opened(text)
    return str(caught.value)


def test_off_is_no_store() -> None:
    assert opened("off") is None


def test_a_path_is_a_folder_below_where_we_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    for text in ("sessions", "./deep/er", str(tmp_path / "absolute"), "~/mine"):
        store = opened(text)
        assert isinstance(store, FolderStore)
        store.check()
        store.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["absolute", "deep", "home", "sessions"]
    assert (tmp_path / "home" / "mine").is_dir()


@pytest.mark.parametrize("text", ["on", "True", "no", "1"])
def test_a_switch_is_no_place(text: str) -> None:
    assert refused(text) == (
        f"--store: {text!r} does not say where. Name a folder for saved sessions, or `off`."
        f" A folder of this name is ./{text}."
    )
    assert isinstance(opened(f"./{text}"), FolderStore)


def test_opening_touches_nothing(tmp_path: Path) -> None:
    opened(str(tmp_path / "sessions"))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("text", ["redis://localhost", "rediss://localhost:6380/1", "unix:///run/redis.sock"])
def test_addresses_are_those_of_redis(text: str) -> None:
    assert isinstance(opened(text), RedisStore)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "--store: no folder is named. Name a folder for saved sessions, or `off`."),
        ("  ", "--store: no folder is named. Name a folder for saved sessions, or `off`."),
        ("a\0b", "--store: no folder is named. Name a folder for saved sessions, or `off`."),
        ("redsi://:secret@host", "--store: sessions cannot be saved in redsi://. Did you mean redis?"),
        (
            "https://user:secret@host/x",
            "--store: sessions cannot be saved in https://. Name a folder, redis://, rediss:// or unix://.",
        ),
    ],
)
def test_nonsense_is_refused_without_what_may_be_secret(text: str, message: str) -> None:
    assert refused(text) == message


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    assert refused("redis://localhost").startswith("--store: saving sessions in Redis needs the package redis. ")
    assert "[redis]" in refused("redis://localhost")


def test_missing_package_of_an_image_comes_with_the_applications(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    as_in_an_image(monkeypatch, tmp_path)
    assert refused("redis://localhost") == (
        "--store: saving sessions in Redis needs the package redis. "
        "Add redis to the applications' requirements.txt, and build their image again."
    )


def test_only_redis_needs_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    assert isinstance(opened(str(tmp_path)), FolderStore)


def test_errors_name_the_setting_that_was_used() -> None:
    with pytest.raises(OperatorError, match=r"^deploy\.yaml:3: no folder is named"):
        open_store("", ttl_s=10, max_bytes=1000, where="deploy.yaml:3")
