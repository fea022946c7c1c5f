"""The error about a value that a target's format cannot carry."""

from __future__ import annotations

from collections.abc import Iterable

from app_server.deployment.load import fault_at
from app_server.deployment.yaml_nodes import YamlEntry
from app_server.errors import OperatorError

_LONGEST_SHOWN = 80


class Unwritable(OperatorError):
    """A value of the deployment's that a target's format cannot carry; `part` is what is wrong with it, if known."""

    def __init__(self, what: str, value: str, part: str = "", *, hint: str) -> None:
        super().__init__(what, hint=hint)
        self.value = value
        self.part = part

    def at_home(self, entry: YamlEntry | None) -> OperatorError:
        """The same error about what was written in deploy.yaml, with its key and line; this one if it was not."""
        path = None if entry is None else entry.path_to(self.value, self.part)
        if entry is None or path is None:
            return self
        written = entry.text_at(path)
        what = self.what.replace(_shown(self.value), _shown(written), 1) if written in self.value else self.what
        return fault_at(entry, path, what, self.hint)


def refused(value: object, what: str, meaningful: Iterable[str] = ()) -> Unwritable:
    """An error about a value that a format cannot carry.

    It names the first part of the value that is one of `meaningful`, or else cannot be printed.
    """
    text = str(value)
    if not text:
        return Unwritable(f"is empty, which cannot be written into {what}", text, hint="Give a value.")
    found = [part for part in meaningful if part in text] or [each for each in text if not each.isprintable()]
    first = min(found, key=text.index, default="")
    if first:
        name = repr(first) if first.isprintable() else f"U+{ord(first):04X}"
        says = f"{_shown(text)} holds {name}, which cannot be written into {what}"
        return Unwritable(says, text, first, hint="Leave it out.")
    if text != text.strip():
        says = f"{_shown(text)} begins or ends with a space, which is lost in {what}"
        return Unwritable(says, text, " ", hint="Leave it out.")
    return Unwritable(f"{_shown(text)} cannot be written into {what}", text, hint="Choose a plainer value.")


def _shown(text: str) -> str:
    return repr(text) if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]!r}..."
