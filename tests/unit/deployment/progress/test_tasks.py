"""The tasks of a run of Ansible: which are shown, and how."""

from __future__ import annotations

import json

from app_server.deployment.progress.progress import Progress
from app_server.deployment.progress.shown import Lines
from app_server.deployment.progress.tasks import Tasks


def test_tasks_are_shown_that_have_changed_something_or_taken_long() -> None:
    said: list[str] = []
    tasks = Tasks(Progress(Lines(said.append)))
    for about in (
        {"event": "play", "name": "Prepare the hosts"},
        {"event": "begun", "name": "Look"},
        {"event": "task", "name": "Look", "seconds": 0.3, "ok": ["one", "two"]},
        {"event": "task", "name": "Install", "seconds": 12.1, "changed": ["two"], "ok": ["one"]},
        {"event": "task", "name": "Wait", "seconds": 2.0, "ok": ["one"]},
        {"event": "task", "name": "Start a1", "seconds": 1.0, "changed": ["one"], "failed": ["two"]},
        {"event": "task", "name": "Look", "seconds": 10.0, "unreachable": ["two"]},
    ):
        tasks.read(json.dumps(about))
    tasks.read("cut o")
    assert said == [
        "  Prepare the hosts",
        "    Install: two  12 s",
        "    Wait  2.0 s",
        "    Start a1: failed on two  1.0 s",
        "    Look: unreachable on two  10 s",
    ]
