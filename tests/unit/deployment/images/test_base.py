"""Where a base comes from: it is here, is built, or is pulled if its name says from where."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from app_server.deployment.images import base, registry
from app_server.deployment.images.base import OWN, pip_of, provide, provide_pip, rebuild, refuse_foreign
from app_server.deployment.images.registry import has_registry
from app_server.deployment.progress.progress import Progress
from app_server.errors import OperatorError
from app_server.version import __version__

REGISTERED = "registry.example.org/app-server:2"


class Engine:
    """What the base's module asks of docker: the images that are here and in registries, and what was said to it."""

    def __init__(self, here: Sequence[str] = (), registered: Sequence[str] = ()) -> None:
        self.here, self.registered = set(here), set(registered)
        self.built: list[tuple[str, ...]] = []
        self.pulled: list[str] = []

    def image_id(self, image: str) -> str | None:
        return image if image in self.here else None

    def run(self, *words: str, where: str | None = None, hint: str | None = None) -> str:
        assert words[:2] == ("pull", "--quiet")
        if words[2] not in self.registered:
            raise OperatorError("manifest unknown", where=where, hint=hint)
        self.pulled.append(words[2])
        self.here.add(words[2])
        return ""

    def build(self, *words: str, where: str, progress: Progress) -> None:
        self.built.append(words)
        self.here.add(where)

    def require_builder(self) -> None:
        pass

    def about(self, image: str) -> dict[str, object]:
        return {"Config": {"Labels": {}, "Entrypoint": ["sh"]}}


@pytest.fixture
def progress() -> Progress:
    """One that says nothing."""
    return Progress(lambda line: None)


def use(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Have the module ask this engine."""
    monkeypatch.setattr(base, "docker", engine)
    monkeypatch.setattr(registry, "docker", engine)
    return engine


@pytest.mark.parametrize(
    ("image", "pip", "registry"),
    [
        (OWN, "app-server:pip", False),
        ("team/app-server:2", "team/app-server:pip", False),
        ("localhost/app-server", "localhost/app-server:pip", True),
        ("registry.example.org:5000/a/app-server:2", "registry.example.org:5000/a/app-server:pip", True),
        ("registry.example.org:5000/app-server@sha256:00", "registry.example.org:5000/app-server:pip", True),
    ],
)
def test_name_says_which_image_brings_pip_and_which_registry_has_it(image: str, pip: str, registry: bool) -> None:
    assert (pip_of(image), has_registry(image)) == (pip, registry)


def test_image_of_this_machine_is_taken_as_it_is(progress: Progress, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = use(Engine([REGISTERED]), monkeypatch)
    provide(REGISTERED, "app-server", None, progress)
    assert (engine.built, engine.pulled) == ([], [])


def test_image_of_a_registry_is_pulled(progress: Progress, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = use(Engine(registered=[REGISTERED]), monkeypatch)
    provide(REGISTERED, "app-server", None, progress)
    assert engine.pulled == [REGISTERED]
    with pytest.raises(OperatorError) as refused:
        provide("registry.example.org/none:1", "app-server", None, progress)
    assert str(refused.value) == (
        "registry.example.org/none:1: registry.example.org does not have this image. "
        "`app-server image --push` puts it there."
    )


def test_name_without_a_registry_is_not_looked_for_elsewhere(
    progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(Engine(), monkeypatch)
    with pytest.raises(OperatorError) as refused:
        provide("team/base:2", "app-server", None, progress)
    assert str(refused.value) == (
        "team/base:2: there is no such image. "
        "Set --build-context to a clone of app-server, or load the image with `docker load`."
    )


def test_own_image_is_tagged_by_its_version(
    progress: Progress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = use(Engine(), monkeypatch)
    provide(OWN, "app-server", tmp_path, progress)
    assert engine.built == [(
        "--file", f"{tmp_path}/docker/app-server/Dockerfile", "--tag", f"app-server:{__version__}",
        "--build-arg", f"VERSION={__version__}", "--tag", "app-server:latest", "--target", "app-server", str(tmp_path),
    )]  # fmt: skip
    provide("app-server-nginx:latest", "", tmp_path, progress, dockerfile="docker/nginx/Dockerfile")
    tags = [words[at + 1] for words in engine.built[1:] for at, word in enumerate(words) if word == "--tag"]
    assert tags == ["app-server-nginx:latest", f"app-server-nginx:{__version__}"]


def test_pip_comes_from_beside_the_base_or_is_built_here(
    progress: Progress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "sources", lambda: tmp_path)
    use(Engine([pip_of(REGISTERED)]), monkeypatch)
    assert provide_pip(REGISTERED, None, progress) == pip_of(REGISTERED)
    use(Engine(registered=[pip_of(REGISTERED)]), monkeypatch)
    assert provide_pip(REGISTERED, None, progress) == pip_of(REGISTERED)
    engine = use(Engine([REGISTERED]), monkeypatch)
    assert provide_pip(REGISTERED, None, progress) == "app-server:pip"
    assert [words[words.index("--target") + 1] for words in engine.built] == ["pip"]


def test_own_image_replaces_no_other_one(progress: Progress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = use(Engine(["debian:trixie-slim"]), monkeypatch)
    with pytest.raises(OperatorError) as refused:
        rebuild("debian:trixie-slim", tmp_path, progress)
    assert str(refused.value) == (
        "debian:trixie-slim: was not built by app-server. Use app-server, or an image that is built FROM it."
    )
    assert engine.built == []
    assert rebuild("team/base:1", tmp_path, progress) == 0
    assert [words[words.index("--tag") + 1] for words in engine.built] == ["team/base:1", "team/base:pip"]


def test_image_of_applications_is_not_a_base(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = use(Engine(), monkeypatch)
    monkeypatch.setattr(engine, "about", lambda image: {"Config": {"Labels": {"app-server.applications": "a.py"}}})
    with pytest.raises(OperatorError, match="is an image of applications, which cannot be a base"):
        refuse_foreign("site:1")


def test_own_image_and_the_one_with_pip_are_pushed(
    progress: Progress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, pushed = use(Engine(), monkeypatch), list[str]()
    monkeypatch.setattr(base, "push", lambda image, progress: pushed.append(image))
    with pytest.raises(OperatorError, match="does not name a registry"):
        rebuild("app-server:1", tmp_path, progress, pushed=True)
    assert engine.built == []
    assert rebuild("registry.example.org/app-server:1", tmp_path, progress, pushed=True) == 0
    assert pushed == ["registry.example.org/app-server:1", "registry.example.org/app-server:pip"]
