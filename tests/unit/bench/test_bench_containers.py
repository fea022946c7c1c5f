"""What the measurement of containers builds."""

from __future__ import annotations

from pathlib import Path

from bench.containers import images

ROOT = Path(__file__).resolve().parents[3]


def test_every_image_is_built_and_named_apart_from_all_others() -> None:
    targets = images()["target"]
    assert {each["dockerfile"] for each in targets.values()} == {
        str(path.relative_to(ROOT)) for path in ROOT.glob("docker/*/Dockerfile")
    }
    tags = [tag for each in targets.values() for tag in each["tags"]]
    assert len(set(tags)) == len(targets) and all(tag.startswith("app-server-bench:") for tag in tags)
    assert set(images()["group"]["default"]["targets"]) == set(targets)
