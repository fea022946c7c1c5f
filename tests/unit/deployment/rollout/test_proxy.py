"""What a roll-out knows of the proxy's configuration: what it is, and when the image is another one."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.rollout.contents import named_images, write_release
from app_server.deployment.rollout.proxy import (
    Configuration,
    configuration_of,
    differ_in_configuration_alone,
    overrides,
)
from tests.unit.deployment.making import loaded

TEXT = "apps: {a: a.py}\ninstances: 2\nproxy: "


def released(folder: Path, text: str) -> Path:
    """The folder of a release of this deploy.yaml."""
    write_release(resolve_plan(loaded(folder, text), layout="compose"), folder / "release")
    return folder / "release"


@pytest.mark.parametrize("kind", ["nginx", "apache"])
def test_configuration_is_the_releases_and_its_digest_says_so(tmp_path: Path, kind: str) -> None:
    found = configuration_of(released(tmp_path, TEXT + kind))
    assert found is not None and found.kind == kind
    # The main file is read first, and not a second time among those that it includes.
    assert [name for name in found.files if not name.endswith(".conf")] == ["main"]
    same = configuration_of(released(tmp_path, TEXT + kind))
    other = configuration_of(released(tmp_path, f"{TEXT}{kind}\nheaders: {{extra: {{X-A: b}}}}\n"))
    assert same is not None and other is not None
    assert found.digest == same.digest != other.digest
    with tarfile.open(fileobj=io.BytesIO(found.packed())) as archive:
        held = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    assert held == {**found.files, "digest": found.digest.encode()}


def test_release_without_a_proxy_has_none(tmp_path: Path) -> None:
    assert configuration_of(released(tmp_path, "apps: {a: a.py}\nproxy: none\n")) is None


def test_proxy_may_not_write_what_it_reads(tmp_path: Path) -> None:
    class Loader(yaml.SafeLoader):
        """One that knows compose's word for what is taken away."""

    Loader.add_constructor("!reset", lambda loader, node: "nothing")
    configuration = Configuration("nginx", {"main": b"x"})
    text = "".join(overrides({"app-a1": "site:1", "proxy": "p:1"}, configuration))
    known = yaml.load(text, Loader)
    assert known["services"]["app-a1"] == {"image": "site:1", "depends_on": "nothing"}
    assert known["services"]["proxy"]["volumes"] == ["configuration:/etc/nginx/conf.d:ro"]
    assert known["services"]["configure"]["volumes"] == ["configuration:/live"]
    assert known["services"]["configure"]["profiles"] == ["configure"]
    (tmp_path / "images.yaml").write_text(text, encoding="utf-8")
    assert named_images(tmp_path) == {"app-a1": "site:1", "proxy": "p:1"}


def image(*layers: str, command: str = "nginx") -> dict[str, Any]:
    """What an engine knows of an image."""
    return {"RootFS": {"Layers": list(layers)}, "Config": {"Cmd": [command]}}


def test_only_the_last_two_layers_are_the_configuration() -> None:
    old = image("debian", "nginx", "site 1", "moved 1")
    assert differ_in_configuration_alone(old, image("debian", "nginx", "site 2", "moved 2"))
    assert not differ_in_configuration_alone(old, image("debian", "nginx 2", "site 1", "moved 1"))
    assert not differ_in_configuration_alone(old, image("debian", "nginx", "site 2", "moved 2", command="sh"))
    assert not differ_in_configuration_alone(image("a", "b"), image("a", "b"))
