"""What the image of the applications is built on."""

from __future__ import annotations

from app_server.deployment.spec import Spec
from app_server.deployment.spec.image import Built
from tests.unit.deployment.spec.reading import fault, read


def test_bare_word_is_the_base() -> None:
    apps = {"a": "a.py"}
    assert read(Spec, {"apps": apps, "image": "registry.example.org/app-server:2"}).image == Built(
        base="registry.example.org/app-server:2"
    )
    assert read(Spec, {"apps": apps}).image.base is None


def test_base_has_the_name_of_an_image() -> None:
    assert fault(Built, {"base": "a b"}).startswith("base: ")
