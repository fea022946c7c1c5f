"""The counts of session processes, added up in the front process that hands them connections."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from app_server.observe.snapshots import Totals

STILL_THERE_S = 60.0
"""How often a session reports even if nothing has happened: the process that adds up may have been replaced."""


class ChildMetrics:
    """What session processes have reported to this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._totals = Totals()
        self._answers = Totals()
        self._saving = Totals()
        self._cpu = Totals()
        self._heard_s: dict[str, float] = {}

    def take(self, words: Mapping[str, Any]) -> None:
        """Record what a session has counted: `child` is its name, `over` says that this is the last of it."""
        child, applications = str(words["child"]), words["applications"]
        for gauges in applications.values():
            gauges["now"]["apart_bytes"] = int(words["memory_bytes"])
        self._totals.note(child, applications)
        self._answers.note(child, {"": {"now": {}, "ever": words["answers"]}})
        self._saving.note(child, {"": {"now": {}, "ever": words.get("saving", {})}})
        self._cpu.note(child, {"": {"now": {}, "ever": {"cpu_s": float(words.get("cpu_s", 0.0))}}})
        self._heard_s[child] = self._clock()
        if words["over"]:
            self.close(child)

    def close(self, child: str) -> None:
        """Record that this session's process is gone."""
        self._totals.close(child)
        self._answers.close(child)
        self._saving.close(child)
        self._cpu.close(child)
        self._heard_s.pop(child, None)

    def answers(self) -> dict[str, int]:
        """How many requests they have answered together, by the class of the status."""
        found: dict[str, int] = self._answers.balance().get("", {"ever": {}})["ever"]
        return found

    def saving(self) -> dict[str, int]:
        """What they have counted of saved sessions together, as `SavingGauges.snapshot` does."""
        found: dict[str, int] = self._saving.balance().get("", {"ever": {}})["ever"]
        return found

    def cpu_s(self) -> float:
        """How many seconds of processor time they have used together."""
        return float(self._cpu.balance().get("", {"ever": {"cpu_s": 0.0}})["ever"]["cpu_s"])

    def balance(self) -> dict[str, Any]:
        """What they have counted together, by application."""
        now_s = self._clock()
        for child in [child for child, heard_s in self._heard_s.items() if now_s - heard_s > 3 * STILL_THERE_S]:
            self.close(child)
        return self._totals.balance()
