"""The files of a release."""

from __future__ import annotations

from pathlib import Path

from app_server.deployment.rollout.contents import for_volume, image_names, named_images, project, write_release
from app_server.deployment.rollout.proxy import overrides
from tests.unit.deployment.making import MINIMAL
from tests.unit.deployment.rollout.planning import planned
from tests.unit.deployment.rollout.test_preconditions import BUILT


def test_release_holds_its_files_and_nothing_of_one_that_was_broken_off(tmp_path: Path) -> None:
    place = tmp_path / "releases" / "1"
    place.mkdir(parents=True)
    (place / "left.over").touch()
    write_release(planned(tmp_path, BUILT), place)
    assert not (place / "left.over").exists()
    assert f"name: {planned(tmp_path, BUILT).name}\n" in (place / "compose.yaml").read_text(encoding="utf-8")
    assert (place / "docker").is_dir()


def test_proxy_of_a_release_reads_a_volume_and_no_file_of_the_host(tmp_path: Path) -> None:
    plan = planned(tmp_path, f"{MINIMAL}containers: {{images: {{app: a}}}}\n")
    assert plan.contained.mounts_configuration
    assert not for_volume(plan).contained.mounts_configuration
    assert for_volume(for_volume(plan)) == for_volume(plan)


def test_images_of_a_release_are_those_that_were_written_down(tmp_path: Path) -> None:
    assert named_images(tmp_path) == {} and image_names(tmp_path) == set()
    wanted = {"app-a1": "app:0123", "app-a2": "app:0123", "proxy": "proxy:4567"}
    (tmp_path / "images.yaml").write_text("".join(overrides(wanted, None)), encoding="utf-8")
    assert named_images(tmp_path) == wanted and list(named_images(tmp_path)) == list(wanted)
    assert image_names(tmp_path) == {"app:0123", "proxy:4567"}
    (tmp_path / "images.yaml").write_text('{"services": {"app-a1": {"image": "x"}}}', encoding="utf-8")
    assert named_images(tmp_path) == {}


def test_project_of_a_release_reads_both_of_its_files(tmp_path: Path) -> None:
    found = project("tools", tmp_path / "1", tmp_path)
    assert found.name == "tools"
    assert found.files == [tmp_path / "1" / "compose.yaml", tmp_path / "1" / "images.yaml"]
