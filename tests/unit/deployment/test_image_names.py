"""The parts of an image's name."""

from __future__ import annotations

import pytest

from app_server.deployment.image_names import ImageName

DIGEST = f"sha256:{'4f' * 32}"


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("site", ImageName("site")),
        ("site:2", ImageName("site", "2")),
        ("registry.example.org:5000/team/site", ImageName("registry.example.org:5000/team/site")),
        ("registry.example.org:5000/team/site:2", ImageName("registry.example.org:5000/team/site", "2")),
        (f"localhost:5000/site:2@{DIGEST}", ImageName("localhost:5000/site", "2", DIGEST)),
        (f"site@{DIGEST}", ImageName("site", "", DIGEST)),
    ],
)
def test_port_of_a_registry_is_not_a_tag(image: str, parts: ImageName) -> None:
    assert ImageName.of(image) == parts
