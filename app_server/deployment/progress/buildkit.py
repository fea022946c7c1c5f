"""What `docker build --progress plain` says of its steps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_LINE = re.compile(r"^#(\d+) (.*)$")
_DONE = re.compile(r"^DONE ([\d.]+)s$")
# What every build has, and what is of no one's making.
_OWN = re.compile(r"^(\[(\S+ )?internal\]|resolve image config|transferring|building with|importing cache)")
_STEP = re.compile(r"^\[(?P<stage>[^\]]*?) *(?P<number>\d+/\d+)\] (?P<what>.*)$")
# An image that others begin with is mostly there.
_BEGINNING = re.compile(r"^(\[[^\]]*\] )?FROM ")
LONG_S = 0.5
LONGEST = 76


@dataclass(slots=True)
class BuildSteps:
    """Reads the output of a build line by line; `cached` is the number of steps that were there already."""

    cached: int = 0
    total: int = 0
    _names: dict[str, str] = field(default_factory=dict)
    _ended: set[str] = field(default_factory=set)

    def feed(self, line: str) -> Iterator[tuple[str, float]]:
        """The step that this line ends, with its seconds; mostly none."""
        found = _LINE.match(line.rstrip())
        if found is None:
            return
        number, said = found.groups()
        if number not in self._names:
            self._names[number] = said
            return
        name = self._names[number]
        if number in self._ended or _OWN.match(name):
            return
        if said == "CACHED":
            self._end(number)
            self.cached += 1
        elif (done := _DONE.match(said)) is not None:
            self._end(number)
            if not _BEGINNING.match(name) or float(done[1]) >= LONG_S:
                yield shortened(name), float(done[1])

    def _end(self, number: str) -> None:
        self._ended.add(number)
        self.total += 1

    @property
    def summary(self) -> str:
        """How much of it was there already; "" if nothing was."""
        return f", {self.cached} of {self.total} steps cached" if self.cached else ""


def shortened(name: str) -> str:
    """A step's name in one short line: `[app-a1 stage-2 3/9] RUN  x` is `app-a1 3/9 RUN x`."""
    if (found := _STEP.match(name)) is not None:
        stage = next(iter(found["stage"].split()), "")
        name = " ".join(filter(None, (stage, found["number"], found["what"])))
    text = " ".join(name.split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
