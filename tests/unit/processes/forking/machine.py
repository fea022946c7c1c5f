"""The system under a process that has others below it, as far as the test decides: signals, ends and the time."""

from __future__ import annotations

from collections.abc import Iterator

FIRST_PID = 1000


class Machine:
    """Who got which signal, who has ended, and what time it is; processes are numbers that count from `first_pid`."""

    def __init__(self, now_s: float = 100.0, first_pid: int = FIRST_PID) -> None:
        self.now_s = now_s
        self.sent: list[tuple[int, int]] = []
        self.ended: list[tuple[int, int]] = []
        self._first_pid = first_pid

    def kill(self, pid: int, number: int) -> None:
        """Note who gets which signal."""
        self.sent.append((pid - self._first_pid, number))

    def waited(self) -> Iterator[tuple[int, int]]:
        """Who has ended since the last time."""
        while self.ended:
            yield self.ended.pop(0)

    def end(self, number: int, code: int = 0) -> None:
        """This one ends, with this exit code."""
        self.ended.append((self._first_pid + number, code))
