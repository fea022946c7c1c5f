"""Processes as the kernel reports them: which one an id means, and what it has used (proc_pid_stat(5))."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_STATE, _UTIME, _STIME, _STARTTIME = 3, 14, 15, 22
"""Fields of /proc/PID/stat, counted from 1."""


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process; its start, in clock ticks since the machine's, distinguishes it from a later one with the same id."""

    pid: int
    started: int

    @classmethod
    def own(cls) -> ProcessIdentity:
        """This process."""
        return cls(os.getpid(), int(_stat("self")[_STARTTIME]))

    @property
    def lives(self) -> bool:
        """Whether it still runs."""
        return self._living() is not None

    def signal(self, number: int) -> bool:
        """Send it a signal; False if it has ended."""
        if not self.lives:
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True

    def cpu_s(self) -> float:
        """The processor time that it has used, in seconds; 0 if it has ended."""
        stat = self._living()
        return 0.0 if stat is None else (int(stat[_UTIME]) + int(stat[_STIME])) / os.sysconf("SC_CLK_TCK")

    def _living(self) -> dict[int, str] | None:
        try:
            stat = _stat(str(self.pid))
        except OSError:
            return None
        return stat if int(stat[_STARTTIME]) == self.started and stat[_STATE] not in "ZX" else None


def _stat(process: str) -> dict[int, str]:
    # Its second field is the command, in parentheses, and may hold blanks and parentheses itself.
    _, _, rest = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")
    return dict(enumerate(rest.split(), start=_STATE))
