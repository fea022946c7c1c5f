"""What a run of Ansible says of its tasks, as its callback plugin `app_server_progress` writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app_server.deployment.progress.progress import Progress

SHOWN_FROM_S = 2.0
"""A task that has changed nothing is shown if it took this long."""


@dataclass(frozen=True, slots=True)
class Tasks:
    """Shows plays and tasks of a run."""

    progress: Progress

    def read(self, line: str) -> None:
        """Show what a line of the plugin says."""
        try:
            about = json.loads(line)
        except ValueError:
            return
        if about["event"] == "play":
            self.progress(f"  {about['name']}")
        elif about["event"] == "begun":
            self.progress.now(str(about["name"]))
        elif (text := text_of(about)) is not None:
            self.progress.part(text, float(about["seconds"]))


def text_of(about: Mapping[str, Any]) -> str | None:
    """What to show of a task that has ended; None for one that has changed nothing in a moment."""
    notes = [f"{how} on {', '.join(about[how])}" for how in ("failed", "unreachable") if how in about]
    if notes:
        return f"{about['name']}: {', '.join(notes)}"
    if "changed" in about:
        return f"{about['name']}: {', '.join(about['changed'])}"
    return str(about["name"]) if float(about["seconds"]) >= SHOWN_FROM_S else None
