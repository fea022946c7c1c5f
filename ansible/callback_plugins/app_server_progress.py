"""Writes what a run does to a pipe, so `app-server deploy ansible` can show it while it goes on."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: app_server_progress
type: notification
short_description: Writes plays and tasks to the descriptor that APP_SERVER_PROGRESS names
description:
  - Writes one line of JSON when a play begins and when a task begins or has ended on all hosts, with the hosts on which
    it has changed something. Does nothing if the variable is not set.
"""


class CallbackModule(CallbackBase):
    """Writes a line for each play and each task."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "app_server_progress"
    CALLBACK_NEEDS_ENABLED = False

    def __init__(self, *words: Any, **more: Any) -> None:
        super().__init__(*words, **more)
        self._task = ""
        self._begun_s = 0.0
        self._hosts: dict[str, set[str]] = {}

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Note a play."""
        self._end()
        self._write({"event": "play", "name": play.get_name()})

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Note a task that begins on all hosts."""
        self._begin(task)

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        """Note a handler that begins on all hosts."""
        self._begin(task)

    def v2_runner_on_ok(self, result: Any) -> None:
        """Note a host where a task has succeeded."""
        self._note("changed" if result._result.get("changed") else "ok", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Note a host where a task has failed."""
        if not ignore_errors:
            self._note("failed", result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Note a host that was lost."""
        self._note("unreachable", result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Note the end."""
        self._end()

    def _begin(self, task: Any) -> None:
        self._end()
        self._task = task.get_name().rpartition(" : ")[2]
        self._begun_s = time.monotonic()
        self._hosts = {}
        self._write({"event": "begun", "name": self._task})

    def _note(self, how: str, result: Any) -> None:
        self._hosts.setdefault(how, set()).add(result._host.get_name())

    def _end(self) -> None:
        if self._task and self._hosts:
            seconds = round(time.monotonic() - self._begun_s, 1)
            hosts = {how: sorted(names) for how, names in self._hosts.items()}
            self._write({"event": "task", "name": self._task, "seconds": seconds, **hosts})
        self._task = ""

    def _write(self, about: dict[str, Any]) -> None:
        if place := os.environ.get("APP_SERVER_PROGRESS"):
            os.write(int(place), (json.dumps(about) + "\n").encode())
