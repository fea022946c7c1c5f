"""What the system lets the tests' user do with the CPU priorities of processes, and which ones they have."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def may_raise() -> bool:
    """Whether a priority that was lowered can be raised again, as a process of its own shows."""
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            os.setpriority(os.PRIO_PROCESS, process.pid, os.getpriority(os.PRIO_PROCESS, 0) + 1)
            os.setpriority(os.PRIO_PROCESS, process.pid, os.getpriority(os.PRIO_PROCESS, 0))
        except PermissionError:
            return False
        finally:
            process.kill()
    return True


def policies(pid: int) -> list[int]:
    """The scheduling policies of a process's threads."""
    return [os.sched_getscheduler(int(task.name)) for task in Path(f"/proc/{pid}/task").iterdir()]
