"""What is generated for each scene of the manual, word for word.

After an intended change, APP_SERVER_UPDATE_GOLDEN=1 writes the expected files again; look at their difference.
"""

from __future__ import annotations

import os
import shutil

import pytest

from app_server.deployment.render import render
from app_server.deployment.rules import judge
from tests.support.deployments.scenes import GOLDEN, UPDATE, as_it_is

FILES = {
    "standalone": ("commands", "systemd"),
    "ssh-tunnel": ("commands", "ssh"),
    "ssh-gateway": ("commands", "ssh", "systemd"),
    "server-tls": ("commands", "systemd"),
    "several-processes": ("commands", "systemd", "supervisor"),
    "nginx": ("commands", "nginx"),
    "nginx-static": ("commands", "nginx"),
    "nginx-tls": ("commands", "nginx"),
    "nginx-load-balancing": ("commands", "nginx"),
    "nginx-sticky-route": ("nginx",),
    "embedding": ("commands", "nginx", "systemd", "gunicorn", "logrotate", "inventory"),
}


@pytest.mark.parametrize("scene", FILES)
def test_scene_gives_its_files(scene: str) -> None:
    plan = as_it_is(scene)
    files = {path: file.text for target in FILES[scene] for path, file in render(target, plan).items()}
    folder = GOLDEN / scene
    if os.environ.get(UPDATE):
        shutil.rmtree(folder, ignore_errors=True)
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
    expected = {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()
    }
    assert sorted(files) == sorted(expected)
    for path in files:
        assert files[path] == expected[path], path


@pytest.mark.parametrize("scene", FILES)
def test_no_rule_has_anything_to_say_of_a_scene(scene: str) -> None:
    assert judge(as_it_is(scene)) == []
