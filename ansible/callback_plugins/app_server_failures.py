"""Writes failures to a file, so `app-server deploy ansible` can end with the reason."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: app_server_failures
type: notification
short_description: Writes failures to the file that APP_SERVER_FAILURES names
description:
  - Writes one line of JSON for each failed task, with the host, the task and the message. Does nothing if the variable
    is not set.
"""


class CallbackModule(CallbackBase):
    """Writes a line for each failure that is not ignored."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "app_server_failures"
    CALLBACK_NEEDS_ENABLED = False

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Note a task that has failed on a host."""
        if not ignore_errors:
            self._note(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Note a host that was lost."""
        self._note(result)

    def _note(self, result: Any) -> None:
        place = os.environ.get("APP_SERVER_FAILURES")
        if not place:
            return
        about = result._result
        # The output of a failed command says more than the fact that it failed.
        written = str(about.get("stderr") or about.get("module_stderr") or "").strip()
        said = written.splitlines()[-1] if written else str(about.get("msg") or "failed, and did not say why")
        host, task = result._host.get_name(), result._task.get_name()
        with open(place, "a", encoding="utf-8") as file:
            file.write(json.dumps({"host": host, "task": task, "said": said}) + "\n")
