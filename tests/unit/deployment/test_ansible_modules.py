"""The modules of the role app_server, run as Ansible runs them."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

LIBRARY = Path(__file__).resolve().parents[3] / "ansible" / "roles" / "app_server" / "library"


def run(module: str, check: bool = False, **arguments: object) -> dict[str, Any]:
    """What a module answers."""
    given = {"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_check_mode": check}}
    done = subprocess.run(
        [sys.executable, LIBRARY / f"{module}.py"], input=json.dumps(given), capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def wanted(root: Path) -> list[dict[str, str]]:
    """A release, the link to it, and a note."""
    return [
        {"path": f"{root}/releases/2", "state": "directory", "mode": "0750"},
        {"path": f"{root}/note", "state": "file", "content": "two\n", "mode": "0640"},
        {"path": f"{root}/current", "state": "link", "src": f"{root}/releases/2"},
    ]


def test_check_run_says_what_would_change_and_touches_nothing(tmp_path: Path) -> None:
    answer = run("app_server_tree", check=True, paths=wanted(tmp_path))
    assert answer["changed_paths"] == [f"{tmp_path}/{name}" for name in ("releases/2", "note", "current")]
    assert answer["diff"]["after"].splitlines() == [
        f"{tmp_path}/releases/2: directory 0750",
        f"{tmp_path}/note: file 0640",
        f"{tmp_path}/current: link to {tmp_path}/releases/2",
    ]
    assert list(tmp_path.iterdir()) == []


def test_second_call_changes_nothing(tmp_path: Path) -> None:
    assert run("app_server_tree", paths=wanted(tmp_path))["changed"]
    assert (tmp_path / "note").read_text(encoding="utf-8") == "two\n"
    assert (tmp_path / "note").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "current").readlink() == tmp_path / "releases/2"
    again = run("app_server_tree", paths=wanted(tmp_path), absent=[f"{tmp_path}/nothing"])
    assert (again["changed"], again["changed_paths"]) == (False, [])


def test_link_takes_the_place_of_a_link_and_not_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(tmp_path / "releases/1")
    assert run("app_server_tree", paths=wanted(tmp_path)[2:])["changed"]
    assert (tmp_path / "current").readlink() == tmp_path / "releases/2"
    (tmp_path / "folder").mkdir()
    answer = run("app_server_tree", paths=[{"path": f"{tmp_path}/folder", "state": "link", "src": "/nowhere"}])
    assert answer["failed"]
    assert answer["msg"] == f"{tmp_path}/folder: is a folder, but must be a link"


def test_generated_files_get_links_where_they_belong_and_their_modes(tmp_path: Path) -> None:
    file = {"src": "nginx/site.conf", "dest": f"{tmp_path}/etc/nginx/site.conf", "mode": "0644", "owner": "root"}
    (tmp_path / "files/nginx").mkdir(parents=True)
    (tmp_path / "files/nginx/site.conf").touch(mode=0o600)
    place = {"path": f"{tmp_path}/files", "files": [file], "group": "root"}
    answer = run("app_server_tree", paths=[{**place, "state": "links"}])
    assert answer["changed_paths"] == [f"{tmp_path}/etc/nginx", file["dest"]]
    assert Path(file["dest"]).samefile(tmp_path / "files/nginx/site.conf")
    if os.geteuid() == 0:  # owners are root's business
        run("app_server_tree", paths=[{**place, "state": "files"}])
        assert (tmp_path / "files/nginx/site.conf").stat().st_mode & 0o777 == 0o644


def test_absent_folder_goes_with_all_below_it(tmp_path: Path) -> None:
    (tmp_path / "old/deep").mkdir(parents=True)
    assert run("app_server_tree", check=True, absent=[f"{tmp_path}/old"])["changed_paths"] == [f"{tmp_path}/old"]
    assert (tmp_path / "old/deep").is_dir()
    run("app_server_tree", absent=[f"{tmp_path}/old"])
    assert not (tmp_path / "old").exists()


def test_look_tells_releases_strangers_and_what_runs(tmp_path: Path) -> None:
    root = tmp_path / "site"
    for number in ("1", "2"):
        (root / "releases" / number).mkdir(parents=True)
        (root / "releases" / number / "environment").symlink_to("/env")
    (root / "releases/2/tried").touch()
    (root / "current").symlink_to(root / "releases/2")
    (root / "running").mkdir()
    (root / "running/a1").write_text("2 abc\n", encoding="utf-8")
    (tmp_path / "ours").symlink_to(root / "current/files/x")
    (tmp_path / "stranger").touch()
    places = [f"{tmp_path}/{name}" for name in ("ours", "stranger", "nothing")]
    seen = run("app_server_look", root=str(root), user="nobody-here", group="nobody-here", places=places)
    assert (seen["current"], seen["previous"], seen["running"]) == (f"{root}/releases/2", "", {"a1": "2 abc"})
    assert seen["not_ours"] == [f"{tmp_path}/stranger"]
    assert {release["path"]: release["tried"] for release in seen["releases"]} == {
        f"{root}/releases/1": False,
        f"{root}/releases/2": True,
    }
    assert (seen["has_user"], seen["changed"], seen["units"]) == (False, False, {})
    assert seen["free_mb"] > 0


def test_look_at_a_bare_host_finds_nothing(tmp_path: Path) -> None:
    seen = run("app_server_look", root=f"{tmp_path}/no/site", user="x", group="x", secrets=["/no/key"])
    assert (seen["current"], seen["releases"], seen["environments"], seen["links"]) == ("", [], [], [])
    assert seen["secret_sums"] == ["none"]


def test_units_of_a_deployment_with_a_longer_name_are_not_ours(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("app_server_look", LIBRARY / "app_server_look.py")
    assert spec is not None and spec.loader is not None
    look = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(look)
    for name in ("x", "x-two"):
        release = tmp_path / name / "releases/1/files"
        release.mkdir(parents=True)
        (release / "unit").touch()
        (tmp_path / name / "current").symlink_to(tmp_path / name / "releases/1")
        (tmp_path / f"{name}@.service").symlink_to(tmp_path / name / "current/files/unit")
    places = (f"{tmp_path}/x@.service", f"{tmp_path}/x-two@.service", "/usr/lib/systemd/system/nginx.service", "")
    assert [look.is_of_another(place, f"{tmp_path}/x") for place in places] == [False, True, False, False]
    assert [look.is_of_another(place, f"{tmp_path}/x-two") for place in places] == [True, False, False, False]
