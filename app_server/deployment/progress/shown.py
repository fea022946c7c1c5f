"""How progress is shown: as lines, as JSON, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app_server.deployment.progress.progress import Event, duration

Write = Callable[[str], None]

_STATES = {"begun": "begun", "done": "done", "failed": "failed"}


def quiet(event: Event) -> None:
    """Shows nothing; errors are printed by the command itself."""


def line_of(event: Event, *, verbose: bool = False) -> str | None:
    """What a log shows of an event; None for what it leaves out."""
    took = "" if event.seconds is None else f" in {duration(event.seconds)}"
    if event.kind == "note":
        return event.text
    if event.kind == "done":
        return f"  {event.text}{took}"
    if event.kind == "part":
        return f"    {event.text}" + ("" if event.seconds is None else f"  {duration(event.seconds)}")
    if event.kind == "output":
        return f"    | {event.text}" if verbose else None
    if event.kind == "failed":
        said = () if verbose else event.output
        head = f"  {event.text}: failed after {duration(event.seconds or 0)}"
        return "\n".join([head, *(f"    | {line}" for line in said)])
    return None


def json_of(event: Event, now: str) -> str:
    """An event as a line of JSON; `now` is the time of day."""
    about: dict[str, Any] = {"time": now, "event": "step" if event.kind in _STATES else event.kind}
    if event.kind in _STATES:
        about["state"] = _STATES[event.kind]
    about["text"] = event.text.strip()
    if event.seconds is not None:
        about["seconds"] = round(event.seconds, 1)
    if event.output:
        about["output"] = list(event.output)
    return json.dumps(about, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Lines:
    """Writes a line for each event that has a result; at a terminal, also what goes on now, until it is done."""

    say: Write
    verbose: bool = False
    while_on: Write | None = None
    """replaces the last line of a terminal; "" takes it away"""

    def __call__(self, event: Event) -> None:
        """Show one event."""
        text = line_of(event, verbose=self.verbose)
        if text is not None:
            self._now("")
            self.say(text)
        if event.kind in ("begun", "now"):
            self._now(f"  {event.text} …" if event.kind == "begun" else f"    {event.text}")

    def _now(self, text: str) -> None:
        if self.while_on is not None:
            self.while_on(text)


@dataclass(frozen=True, slots=True)
class JsonLines:
    """Writes a line of JSON for each event."""

    say: Write
    now: Callable[[], str]
    verbose: bool = False

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if event.kind != "now" and (event.kind != "output" or self.verbose):
            self.say(json_of(event, self.now()))
